"""What the studio does when a visitor has gone: memory that nobody uses goes back to the system."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Any

ARENAS = 2
_ARENA_MAX = -8
"""M_ARENA_MAX of malloc.h."""


def give_back() -> bool:
    """Frees what only cycles hold, and returns free memory to the system where the C library can (glibc); True then.

    Pictures and masks come and go in sizes that glibc keeps for later: after a busy hour its free lists are as large as
    everything in use, and without this they stay so.
    """
    gc.collect()
    trim = _of_libc("malloc_trim")
    return bool(trim is not None and trim(0))


def few_arenas() -> bool:
    """Lets all threads share two heaps instead of eight a core, each of which keeps what it once needed; True where the
    C library can (glibc). To be called before threads are started."""
    choose = _of_libc("mallopt")
    return bool(choose is not None and choose(_ARENA_MAX, ARENAS))


@cache
def _of_libc(name: str) -> Any:
    """A function of the C library, None where it has none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # musl and others have no such function
        return None

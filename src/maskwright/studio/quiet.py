"""What the studio does when a visitor has gone: memory that nobody uses goes back to the system."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Any

ARENAS = 2
APART = 2**18
"""Bytes from which a block lies outside the heaps."""
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""M_MMAP_THRESHOLD and M_ARENA_MAX of malloc.h."""


def give_back() -> bool:
    """Frees what only cycles hold, and returns free memory to the system where the C library can (glibc); True then.

    Pictures and masks come and go in sizes that glibc keeps for later: after a busy hour its free lists are as large as
    everything in use, and without this they stay so.
    """
    gc.collect()
    trim = _of_libc("malloc_trim")
    return bool(trim is not None and trim(0))


def steady_heap() -> bool:
    """Lets all threads share two heaps instead of eight a core, each of which keeps what it once needed, and keeps
    large blocks out of them; True where the C library can (glibc). To be called before threads are started.

    By itself glibc learns from every large block that is freed to put the next ones among the small ones. A few small
    things that stay then hold what a picture once took, and the heaps grow from visitor to visitor.
    """
    choose = _of_libc("mallopt")
    return choose is not None and bool(choose(_ARENA_MAX, ARENAS)) and bool(choose(_MMAP_THRESHOLD, APART))


@cache
def _of_libc(name: str) -> Any:
    """A function of the C library, None where it has none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # musl and others have no such function
        return None

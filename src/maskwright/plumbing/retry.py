"""The one layer of retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from maskwright.errors import Cancelled, EngineDown
from maskwright.plumbing.cancel import Cancel

T = TypeVar("T")

waiting = True
"""Tests set this to False: tries are made, but without pauses."""


def retry(
    call: Callable[[], T],
    *,
    tries: int = 3,
    total_s: float = 60.0,
    first_pause_s: float = 0.5,
    retry_on: tuple[type[BaseException], ...] = (EngineDown,),
    cancel: Cancel | None = None,
) -> T:
    """The call's answer after at most `tries` tries and `total_s` seconds. Pauses double from `first_pause_s`, with
    jitter; an error's own `retry_after_s` is honoured when it fits into the time left. The last error is raised."""
    began = time.monotonic()
    for attempt in range(1, tries + 1):
        try:
            return call()
        except retry_on as error:
            pause = _pause(error, attempt, first_pause_s)
            if attempt == tries or time.monotonic() - began + pause > total_s:
                raise
            _sleep(pause, cancel)
    raise ValueError("tries must be at least 1")


def _pause(error: BaseException, attempt: int, first_pause_s: float) -> float:
    asked = getattr(error, "retry_after_s", None)
    if asked is not None:
        return float(asked)
    return first_pause_s * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.25)


def _sleep(seconds: float, cancel: Cancel | None) -> None:
    if not waiting:
        return
    if cancel is None:
        time.sleep(seconds)
    elif cancel.wait(seconds):
        raise Cancelled("stopped as asked.", "Finished steps are kept.")

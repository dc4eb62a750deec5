"""Not too many questions a minute, and not to an engine that is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from maskwright.errors import Cancelled
from maskwright.plumbing.cancel import Cancel


class RateLimit:
    """At most `per_minute` starts a minute, evenly spaced; shared by threads. None: no limit."""

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.pause_s = 60.0 / per_minute if per_minute else 0.0
        self._clock, self._next, self._lock = clock, 0.0, threading.Lock()

    def reserve(self) -> float:
        """Takes the next free place and gives the seconds to wait for it."""
        if not self.pause_s:
            return 0.0
        with self._lock:
            now = self._clock()
            start = max(now, self._next)
            self._next = start + self.pause_s
            return start - now

    def wait(self, cancel: Cancel | None = None) -> None:
        """Waits for the reserved place; raises Cancelled."""
        seconds = self.reserve()
        if seconds <= 0:
            return
        if cancel is None:
            time.sleep(seconds)
        elif cancel.wait(seconds):
            raise Cancelled("stopped as asked.", "Answers so far are kept.")


class Breaker:
    """After `failures` failures in a row an engine is left alone for `rest_s`; then one question tries it again."""

    def __init__(self, failures: int = 3, rest_s: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures, self.rest_s, self._clock = failures, rest_s, clock
        self._count, self._until, self._lock = 0, 0.0, threading.Lock()

    @property
    def is_open(self) -> bool:
        """True while the engine should not be asked."""
        with self._lock:
            return self._clock() < self._until

    def succeeded(self) -> None:
        with self._lock:
            self._count = 0
            if self._until != float("inf"):  # for good is for good: this answer was on its way
                self._until = 0.0

    def failed(self, *, for_good: bool = False) -> None:
        """Counts a failure; `for_good` (a refused key) opens it until the process ends."""
        with self._lock:
            self._count += 1
            if for_good:
                self._until = float("inf")
            elif self._count >= self.failures:
                self._until = max(self._until, self._clock() + self.rest_s)

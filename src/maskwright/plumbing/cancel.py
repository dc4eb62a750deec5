"""A wish to stop, seen at every step of a loop."""

from __future__ import annotations

import threading

from maskwright.errors import Cancelled


class Cancel:
    """Set from any thread; checked by loops between steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises Cancelled once set."""
        if self._event.is_set():
            raise Cancelled("stopped as asked.", "Finished steps are kept; run the same command again to go on.")

    def wait(self, seconds: float) -> bool:
        """Waits up to `seconds`; True as soon as it is set."""
        return self._event.wait(seconds)

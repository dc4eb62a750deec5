"""The thread that ends sessions nobody uses and gives back what they needed."""

from __future__ import annotations

import threading

from maskwright.errors import MaskwrightError
from maskwright.plumbing.log import get_log
from maskwright.studio.desk import Desk

SWEEP_S = 60.0
_log = get_log("studio")


def sweep(desk: Desk, stop: threading.Event) -> None:
    """A round a minute, or twice in the time after which a session goes, until `stop` is set."""
    broom = Broom(desk)
    while not stop.wait(min(SWEEP_S, desk.rules.idle_minutes * 30)):
        broom.go_round()


class Broom:
    """One round after the other over a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ended, self._owed = desk, desk.sessions.ended, 0

    def go_round(self) -> bool:
        """Ends sessions nobody uses; True when memory was given back. That is so when somebody has gone since the last
        round, and again until a round finds nothing at work: what a step of theirs needs is free only when it ends."""
        try:
            self._desk.sessions.sweep()
        except MaskwrightError as error:  # a full disk must not end the sweeping
            _log.warning("not swept", error=str(error))
        gone = self._desk.forget_unused() or self._desk.sessions.ended != self._ended
        if gone or (self._owed and self._desk.is_busy):
            self._ended, self._owed = self._desk.sessions.ended, 2
        if not self._owed:
            return False
        self._owed -= 1
        self._desk.rest()
        return True

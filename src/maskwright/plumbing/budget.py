"""Hard limits of calls, tokens, money and seconds."""

from __future__ import annotations

import threading
import time

from maskwright.errors import BudgetSpent
from maskwright.values import Cost


class Budget:
    """What may be spent in all; None means no limit. Thread-safe."""

    def __init__(
        self,
        calls: int | None = None,
        tokens: int | None = None,
        usd: float | None = None,
        seconds: float | None = None,
    ) -> None:
        self.limits: dict[str, float | None] = {"calls": calls, "tokens": tokens, "usd": usd, "seconds": seconds}
        self._spent, self._open = Cost(), 0
        self._began = time.monotonic()
        self._lock = threading.Lock()

    @property
    def spent(self) -> Cost:
        return self._spent

    def spend(self, cost: Cost) -> None:
        """Counts what was used; never raises, so that what was paid for is kept."""
        with self._lock:
            self._spent = self._spent + cost

    def begin(self) -> None:
        """Counts a call before it is made, so that several at once keep the limit too; `end` must follow. Raises
        BudgetSpent."""
        with self._lock:
            Budget.check(self)
            self._open += 1

    def end(self, cost: Cost) -> None:
        """The begun call is over; never raises."""
        with self._lock:
            self._open -= 1
            self._spent = self._spent + cost

    def has_room(self, calls: int) -> bool:
        """Whether so many calls may be made at once."""
        left = self.left()["calls"]
        return left is None or left >= calls

    def left(self) -> dict[str, float | None]:
        """What remains of each limit."""
        used = {
            "calls": float(sum(self._spent.calls.values()) + self._open),
            "tokens": float(self._spent.tokens_in + self._spent.tokens_out),
            "usd": self._spent.usd,
            "seconds": time.monotonic() - self._began,
        }
        return {name: None if limit is None else limit - used[name] for name, limit in self.limits.items()}

    def check(self) -> None:
        """Raises BudgetSpent naming the limit that is reached."""
        for name, rest in self.left().items():
            if rest is not None and rest <= 0:
                raise BudgetSpent(
                    f"the budget of {self.limits[name]:g} {name} is spent.",
                    "Raise it and run again: finished work is kept.",
                )

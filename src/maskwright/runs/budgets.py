"""Limits of an item inside the limits of its run, and answers kept by a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskwright.errors import BudgetSpent
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cache import DiskCache
from maskwright.values import Cost


class ItemBudget(Budget):
    """What one item may spend; all of it counts for the run too."""

    def __init__(self, run: Budget, **limits: Any) -> None:
        super().__init__(**limits)
        self._run = run

    def spend(self, cost: Cost) -> None:
        super().spend(cost)
        self._run.spend(cost)

    def begin(self) -> None:
        with _of_the_run():
            self._run.begin()
        try:
            super().begin()
        except BudgetSpent:
            self._run.end(Cost())
            raise

    def end(self, cost: Cost) -> None:
        super().end(cost)
        self._run.end(cost)

    def has_room(self, calls: int) -> bool:
        return super().has_room(calls) and self._run.has_room(calls)

    def check(self) -> None:
        """Raises BudgetSpent, marked `of_the_run` when the run's limit is the one that is reached."""
        check_run(self._run)
        super().check()


def check_run(run: Budget) -> None:
    """Raises BudgetSpent that ends the whole run."""
    with _of_the_run():
        run.check()


@contextmanager
def _of_the_run() -> Iterator[None]:
    """Marks a BudgetSpent as the run's."""
    try:
        yield
    except BudgetSpent as error:
        error.__dict__["of_the_run"] = True
        raise


def run_budget(conduct: Mapping[str, Any]) -> Budget:
    """The limits of a run."""
    return Budget(conduct.get("max_calls"), conduct.get("max_tokens"), conduct.get("max_usd"))


def item_budget(run: Budget, conduct: Mapping[str, Any]) -> ItemBudget:
    """The limits of one item of it."""
    limits = {name: conduct.get(f"item_{name}") for name in ("calls", "usd", "seconds")}
    return ItemBudget(run, **limits)


class RunCache(DiskCache):
    """A run's own answers, which make it repeatable, over a cache that runs share."""

    def __init__(self, own: str | Path, shared: DiskCache | None) -> None:
        super().__init__(own, max_bytes=1 << 62)
        self._shared = shared

    def get(self, key: str) -> bytes | None:
        value = super().get(key)
        if value is None and self._shared is not None:
            value = self._shared.get(key)
            if value is not None:
                super().put(key, value)
        return value

    def put(self, key: str, value: bytes) -> None:
        super().put(key, value)
        if self._shared is not None:
            self._shared.put(key, value)

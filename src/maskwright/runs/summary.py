"""What a run came to: counts, costs, fallbacks, failures, and the exit code they mean."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from maskwright.errors import BudgetSpent, Cancelled, MaskwrightError, StepFailed
from maskwright.runs.items import Row
from maskwright.values import Cost

_SHOWN_FAILURES = 100


class Tally:
    """Sums results as they come."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.counts: Counter[str] = Counter()
        self.skipped = 0
        self.cost = Cost()
        self.degraded: Counter[str] = Counter()
        self.engines: Counter[str] = Counter()
        self.failures: list[dict[str, Any]] = []
        self._began = time.monotonic()

    def add(self, row: Row) -> None:
        """Counts one item's result; what was finished before costs nothing now."""
        self.counts[row["status"]] += 1
        if row.get("skipped"):
            self.skipped += 1
        else:
            self.cost = self.cost + Cost.from_json(row.get("cost") or {})
        self.degraded.update(row.get("degraded") or ())
        self.engines.update(f"{kind}: {name}" for kind, name in (row.get("engines") or {}).items())
        if row["status"] == "failed" and len(self.failures) < _SHOWN_FAILURES:
            self.failures.append({"id": row["id"], "error": row.get("error")})

    @property
    def seen(self) -> int:
        return sum(self.counts.values())

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def rate(self) -> float:
        """Items worked a second."""
        return (self.seen - self.skipped) / max(self.seconds, 1e-6)

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.seen) / self.rate if self.rate > 0 else None

    def to_json(self, stopped_by: str | None = None) -> dict[str, Any]:
        """summary.json's value."""
        return {
            "items": self.total,
            "done": self.counts["done"],
            "abstained": self.counts["abstained"],
            "failed": self.counts["failed"],
            "left": self.total - self.seen,
            "finished_before": self.skipped,
            "stopped_by": stopped_by,
            "exit_code": exit_code(self, stopped_by),
            "seconds": round(self.seconds, 3),
            "items_per_second": round(self.rate, 3),
            "cost": self.cost.to_json(),
            "degraded": dict(self.degraded),
            "engines": dict(self.engines),
            "failures": self.failures,
        }


def exit_code(tally: Tally, stopped_by: str | None = None) -> int:
    """0: all done; 8: some failed; 7: stopped by hand; 6: a budget was spent."""
    if stopped_by is not None:
        kind: type[MaskwrightError] = BudgetSpent if stopped_by == "BudgetSpent" else Cancelled
        return kind.exit_code
    return StepFailed.exit_code if tally.counts["failed"] else 0

"""How a batch shows that it goes on: a live line on a terminal, plain lines in a log. All on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from maskwright.runs.items import Row
from maskwright.runs.summary import Tally

_PLAIN_EVERY_S = 10.0


class Display:
    """Call it with every result; use it with `with`."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._total, self._quiet = total, quiet
        self._live: Any = None
        self._told = time.monotonic()

    def __enter__(self) -> Display:
        if not self._quiet and sys.stderr.isatty():
            self._live = _live_bar(self._total)
            self._live[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live[0].stop()

    def __call__(self, row: Row, tally: Tally) -> None:
        if self._quiet:
            return
        if row["status"] == "failed":
            self._say(f"{row['id']}: failed: {str(row.get('error')).splitlines()[0]}")
        if self._live is not None:
            bar, task = self._live
            bar.update(task, completed=tally.seen, about=about(tally))
        elif tally.seen == tally.total or time.monotonic() - self._told > _PLAIN_EVERY_S:
            self._told = time.monotonic()
            self._say(f"{tally.seen}/{tally.total} {about(tally)}")

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live[0].console.print(text, markup=False, highlight=False)
        else:
            sys.stderr.write(text + "\n")


def about(tally: Tally) -> str:
    """Rate, time left, calls, money and failures in a few words."""
    parts = [f"{tally.rate:.2f}/s"]
    if tally.seconds_left is not None and tally.seen < tally.total:
        parts.append(f"{_clock(tally.seconds_left)} left")
    calls = sum(n for role, n in tally.cost.calls.items() if role == "vlm")
    if calls:
        parts.append(f"{calls} calls")
    if tally.cost.usd:
        parts.append(f"${tally.cost.usd:.4f}")
    if tally.counts["abstained"]:
        parts.append(f"{tally.counts['abstained']} abstained")
    if tally.counts["failed"]:
        parts.append(f"{tally.counts['failed']} failed")
    return ", ".join(parts)


def _live_bar(total: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn("{task.fields[about]}"))
    bar = Progress(*columns, console=Console(stderr=True), transient=False)
    return bar, bar.add_task("items", total=total, about="")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def table(summary: dict[str, Any]) -> str:
    """The summary as a few aligned lines."""
    calls = ", ".join(f"{n} {role}" for role, n in sorted(summary["cost"]["calls"].items())) or "none"
    rows = [
        ("items", f"{summary['items']}: {summary['done']} done, {summary['abstained']} abstained, "
                  f"{summary['failed']} failed, {summary['left']} left"),
        ("time", f"{_clock(summary['seconds'])}, {summary['items_per_second']:.2f} items a second"),
        ("calls", f"{calls}, {summary['cost']['tokens_in']} tokens in, {summary['cost']['tokens_out']} out, "
                  f"${summary['cost']['usd']:.4f}"),
    ]  # fmt: skip
    if summary["finished_before"]:
        rows.append(("kept", f"{summary['finished_before']} were finished before"))
    rows += [("fallback", f"{n} x {what}") for what, n in summary["degraded"].items()]
    if summary["stopped_by"]:
        rows.append(("stopped", f"by {summary['stopped_by']}; run the same command again to go on"))
    return "\n".join(f"{name:9} {text}" for name, text in rows)

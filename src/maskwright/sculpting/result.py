"""What sculpt gives back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from maskwright.errors import ModelError
from maskwright.values import Cost, Image, Mask, Round, Trace


@dataclass(frozen=True, eq=False)
class SculptResult:
    """`mask` is the answer, never judged worse than the start; `score` the share of all verdicts it agrees with (None
    without verdicts); `rounds` how many were worked; `stop` why it ended; `degraded` the fallbacks taken."""

    mask: Mask
    trace: Trace
    score: float | None
    rounds: int
    stop: str
    degraded: tuple[str, ...] = ()

    @property
    def cost(self) -> Cost:
        return self.trace.cost

    @property
    def start(self) -> Mask | None:
        """The mask before the first round."""
        return self.trace.rounds[0].mask

    def to_json(self) -> dict[str, Any]:
        """The result with its mask as COCO RLE."""
        return {
            "status": "done",
            "mask": self.mask.to_rle(),
            "score": self.score,
            "rounds": self.rounds,
            "stop": self.stop,
            "degraded": list(self.degraded),
            "cost": self.cost.to_json(),
        }


def new_trace(
    image: Image, engines: Mapping[str, str], settings: Mapping[str, Any], earlier: Trace | None = None
) -> Trace:
    """An empty trace, or the finished rounds of an earlier one."""
    kept: tuple[Round, ...] = ()
    if earlier is not None:
        kept = tuple(r for r in earlier.rounds if r.detail.get("phase") != "answer" and "error" not in r.detail)
    return Trace("sculpt", image.sha256, image.size, dict(engines), dict(settings), kept)


def gather(rounds: Iterable[Round], trace: Trace) -> SculptResult:
    """The result of a loop that ran to its end; raises ModelError when it gave no answer."""
    for step in rounds:
        trace = trace.add(step)
    return conclude(trace)


def conclude(trace: Trace) -> SculptResult:
    """The result of a trace whose last round is the answer."""
    last = trace.rounds[-1] if trace.rounds else None
    if last is None or last.mask is None or last.detail.get("phase") != "answer":
        raise ModelError("the run has no answer yet.", "Resume it from its trace.")
    worked = sum(r.detail.get("phase") == "round" for r in trace.rounds)
    outcome = {
        "status": "done",
        "stop": last.stop,
        "picked": last.detail["picked"],
        "score": last.score,
        "change": last.change,
        "degraded": list(last.detail["degraded"]),
    }
    done = replace(trace, result=outcome)
    return SculptResult(last.mask, done, last.score, worked, last.stop or "", tuple(last.detail.get("degraded", ())))

"""What find gives back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from maskwright.values import Cost, Image, Mask, Round, Trace


@dataclass(frozen=True, eq=False)
class Candidate:
    """A region that was considered: its mask, its chance to be meant, and which proposer found it."""

    mask: Mask
    score: float
    source: str


@dataclass(frozen=True, eq=False)
class FindResult:
    """`mask` is the answer (None when abstained), `masks` all of it (several with all=True), `score` the chance that
    it is right, `reason` why the loop ended there."""

    phrase: str
    mask: Mask | None
    masks: tuple[Mask, ...]
    scores: tuple[float, ...]
    abstained: bool
    reason: str
    trace: Trace
    candidates: tuple[Candidate, ...] = ()

    @property
    def score(self) -> float:
        return self.scores[0] if self.scores else float(self.trace.rounds[-1].score or 0.0)

    @property
    def noun(self) -> str:
        """What the phrase was read to be about: in English by the common word for it, else as it was said; "" where it
        lists several kinds."""
        read = self.trace.rounds[-1].detail.get("parsed", {}).get("phrase", {})
        if "also" in read:
            return ""
        return str(read.get("noun" if read.get("language") == "en" else "said") or "")

    @property
    def cost(self) -> Cost:
        return self.trace.cost

    def to_json(self) -> dict[str, Any]:
        """The result without its pixels' bulk: masks as COCO RLE."""
        return {
            "phrase": self.phrase,
            "status": "abstained" if self.abstained else "done",
            "reason": self.reason,
            "score": self.score,
            "scores": list(self.scores),
            "masks": [mask.to_rle() for mask in self.masks],
            "rounds": len(self.trace.rounds),
            "cost": self.cost.to_json(),
        }


@dataclass(frozen=True)
class FindRound(Round):
    """A Round of find; the last one holds every instance in `masks` with `scores`, and the candidates seen."""

    masks: tuple[Mask, ...] = ()
    scores: tuple[float, ...] = ()
    candidates: tuple[Candidate, ...] = ()


def gather(
    rounds: Iterable[FindRound], phrase: str, image: Image, engines: Mapping[str, str], settings: Mapping[str, Any]
) -> FindResult:
    """The result of a finished loop."""
    trace = Trace("find", image.sha256, image.size, dict(engines), {"phrase": phrase, **settings})
    last: FindRound | None = None
    for last in rounds:
        trace = trace.add(last)
    assert last is not None, "a loop yields at least one round"
    reason = last.stop or "stopped early"
    outcome = {"status": "done" if last.masks else "abstained", "reason": reason, "scores": list(last.scores)}
    trace = Trace(trace.task, trace.image_sha256, trace.size, trace.engines, trace.settings, trace.rounds, outcome)
    return FindResult(phrase, last.mask, last.masks, last.scores, not last.masks, reason, trace, last.candidates)

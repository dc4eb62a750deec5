"""What a run holds between rounds, and the tools it works with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from maskwright.config.sculpt import SculptSettings
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cancel import Cancel
from maskwright.ports import Ranker, Segmenter
from maskwright.sculpting.judging import Judge
from maskwright.sculpting.places import Diagnosis, Judged, Place
from maskwright.sculpting.scene import Bools, Floats, Scene
from maskwright.values import Abstain, Cost, Embedding, Prompt

PRIOR_LOGIT = 6.0


class Meter:
    """Calls and seconds of one round, by role; the judge's own are taken from what it says it spent."""

    def __init__(self, judge: Judge) -> None:
        self._judge, self._before = judge, judge.spent
        self._calls: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    @contextmanager
    def of(self, role: str) -> Iterator[None]:
        """Times one call of a model."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[role] = self._seconds.get(role, 0.0) + time.perf_counter() - began
            if role != "judge":
                self._calls[role] = self._calls.get(role, 0) + 1

    def read(self) -> Cost:
        """The round's cost so far; seconds["own"] is everything but model calls."""
        spent, before = self._judge.spent, self._before
        whole = time.perf_counter() - self._began
        seconds = {**self._seconds, "own": max(0.0, whole - sum(self._seconds.values()))}
        judged = {k: n - before.calls.get(k, 0) for k, n in spent.calls.items() if n != before.calls.get(k, 0)}
        return Cost(
            {**self._calls, **judged},
            spent.tokens_in - before.tokens_in,
            spent.tokens_out - before.tokens_out,
            spent.usd - before.usd,
            seconds,
        )


@dataclass
class State:
    """The run so far: `masks` starts with the first mask; all verdicts of all rounds are kept."""

    masks: list[Bools]
    judged: list[Judged] = field(default_factory=list)
    controls: list[Judged] = field(default_factory=list)
    diagnosis: Diagnosis | None = None
    empty_diagnoses: int = 0
    logits_shape: tuple[int, int] | None = None
    asked_anchors: list[tuple[float, float]] = field(default_factory=list)
    doubts: list[tuple[float, float]] = field(default_factory=list)
    """Places where the segmenter's last answers disagree: looked at first in the next round."""

    @property
    def mask(self) -> Bools:
        return self.masks[-1]

    @property
    def places(self) -> list[Place]:
        return [j.place for j in self.judged]


@dataclass(frozen=True)
class Tools:
    """Everything a round works with."""

    scene: Scene
    segmenter: Segmenter
    embedding: Embedding
    judge: Judge
    settings: SculptSettings
    ranker: Ranker | None = None
    cancel: Cancel = field(default_factory=Cancel)
    budget: Budget = field(default_factory=Budget)

    def check(self) -> None:
        """Raises Cancelled or BudgetSpent."""
        self.cancel.check()
        self.budget.check()


@dataclass(frozen=True)
class Outcome:
    """What one round made: the mask (the old one when nothing was changed) and the record of how; `elsewhere`: nothing
    wrong was seen, and the next round looks at other places."""

    mask: Bools
    detail: Mapping[str, Any]
    elsewhere: bool = False


def diagnose(tools: Tools, state: State, cues: str, meter: Meter) -> tuple[dict[str, Any], str]:
    """Asks what is wrong; updates the state; gives the record and the cues for the next questions."""
    with meter.of("judge"):
        found = tools.judge.diagnose(tools.scene, state.mask, cues)
    if isinstance(found, Abstain):
        state.diagnosis, state.empty_diagnoses = None, 0
        return {"abstained": found.reason}, cues
    state.diagnosis = found
    state.empty_diagnoses = state.empty_diagnoses + 1 if found.is_empty else 0
    return found.to_json(), compress_cues(cues, " ".join(found.key_cues))


def compress_cues(first: str, then: str = "", most: int = 15) -> str:
    """At most `most` different words, the first text's first; filler words left out."""
    kept: list[str] = []
    for word in f"{first} {then}".split():
        bare = word.strip(".,;:!?()[]{}\"'`<>").casefold()
        if bare and bare not in _FILLER and bare not in kept:
            kept.append(bare)
    return " ".join(kept[:most])


_FILLER = frozenset(
    ("a", "an", "the", "of", "on", "in", "at", "to", "and", "or", "is", "are", "was", "it", "its", "this", "that",
     "with", "for", "as", "by", "be", "has", "have", "there", "here", "very")
)  # fmt: skip


def redraw(tools: Tools, state: State, prompt: Prompt, meter: Meter) -> tuple[np.ndarray[Any, Any], Floats]:
    """(K, H, W) masks and their (K,) scores for a prompt; remembers the shape of the logits."""
    with meter.of("segmenter"):
        [found] = tools.segmenter.predict(tools.embedding, [prompt])
    if found.logits is not None and len(found):
        state.logits_shape = (int(found.logits.shape[-2]), int(found.logits.shape[-1]))
    return found.masks, found.scores


def prior_logits(mask: Bools, shape: tuple[int, int] | None) -> Floats | None:
    """The mask as low-resolution logits: a pure function of it, so that a resumed run equals an unbroken one."""
    if shape is None or not mask.any():
        return None
    small = cv2.resize(mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray((small * 2 - 1) * PRIOR_LOGIT, dtype=np.float32)

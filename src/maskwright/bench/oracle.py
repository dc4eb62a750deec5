"""A judge that knows the truth and errs as often as told: what asking could be worth, without a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.finding.engines import Answer, View
from maskwright.finding.judging import REGIONS, region_box
from maskwright.sculpting.stopping import iou
from maskwright.values import Abstain, Box, Cost, Mask

GOOD_IOU = 0.5
"""A candidate that overlaps the truth this much is what was meant."""


class OracleJudge:
    """Answers from `truth_of(sample name)`; with probability `error` it gives another answer than it should, the same
    one whenever the same is asked."""

    def __init__(self, truth_of: Callable[[str], Mask | None], error: float = 0.0, seed: int = 0) -> None:
        self.name = f"oracle({error:g})"
        self._truth_of, self.error, self.seed = truth_of, error, seed

    def choose(self, view: View) -> Answer | Abstain:
        rng = self._rng(view, "choose")
        right = self._right(view)
        return _counted(_wrong(right, view, rng) if rng.random() < self.error else right)

    def confirm(self, view: View) -> Answer | Abstain:
        rng = self._rng(view, "confirm")
        truth = self._truth(view)
        there = truth is not None
        if rng.random() < self.error:
            there = not there
        region = _region_of(truth, view) if truth is not None else _any_region(view, rng)
        return _counted(Answer("finer", region=region) if there else Answer("none"))

    def _right(self, view: View) -> Answer:
        truth = self._truth(view)
        if truth is None:
            return Answer("none")
        ious = [iou(mask, truth) for mask in view.masks]
        good = [i + 1 for i, iou in enumerate(ious) if iou >= GOOD_IOU]
        if not good:
            return Answer("finer", region=_region_of(truth, view))
        return Answer("pick", picks=(int(np.argmax(ious)) + 1,), confidence=0.95)

    def _truth(self, view: View) -> NDArray[np.bool_] | None:
        """The truth at the size of the view; None when there is no target."""
        mask = self._truth_of(view.task)
        if mask is None or not mask:
            return None
        if mask.size == view.image.size:
            return mask.array
        sized = cv2.resize(mask.array.astype(np.uint8), view.image.size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(sized > 0)

    def _rng(self, view: View, what: str) -> np.random.Generator:
        key = f"{self.seed}|{view.task}|{view.phrase}|{view.turn}|{what}"
        return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"))


def _wrong(right: Answer, view: View, rng: np.random.Generator) -> Answer:
    """Any other answer, each as likely: other candidates, none, or a look at the wrong place."""
    others = [Answer("pick", picks=(n,), confidence=0.95) for n in range(1, len(view.masks) + 1)]
    others += [Answer("none"), Answer("finer", region=_any_region(view, rng))]
    others = [a for a in others if (a.action, a.picks) != (right.action, right.picks)]
    return others[int(rng.integers(len(others)))]


def _counted(answer: Answer) -> Answer:
    return replace(answer, cost=Cost(calls={"vlm": 1}))


def _region_of(truth: NDArray[np.bool_], view: View) -> Box:
    """The nameable part of the picture that holds most of the truth, most centrally."""
    box = Mask(truth).box
    assert box is not None, "only asked about a target that is there"
    x, y = box.centre
    boxes = [region_box(name, *view.image.size) for name in REGIONS]
    return min(boxes, key=lambda b: (b.centre[0] - x) ** 2 + (b.centre[1] - y) ** 2)


def _any_region(view: View, rng: np.random.Generator) -> Box:
    return region_box(REGIONS[int(rng.integers(len(REGIONS)))], *view.image.size)

"""What all verdicts so far say together: reliability of the judge, voting among neighbours, gating of changes.

A verdict is a noisy vote. Its weight follows from how often the judge says "target" of places on the ROI's rim that
should not be; near places of like colour vote with each other; a change of the mask that the votes inside it speak
against is undone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.sculpting.places import Judged
from maskwright.sculpting.scene import Bools, Floats, Scene

LEAST_ERROR, MOST_ERROR = 0.02, 0.40
"""A judge is taken to err at least so often; one that errs more often than MOST_ERROR is not listened to."""
REACH = 0.10
"""Neighbours vote within about this share of the box's diagonal."""
COLOUR_REACH = 14.0
"""... and within about this Lab distance."""
NEIGHBOUR_SHARE = 0.6
PRIOR = 1.2
"""Log-odds that the mask at hand is right well away from its rim."""
UNSEEN = 0.4
"""Log-odds for a change that no vote speaks about: the segmenter is a little trusted."""
SAME_ANSWER = 0.97
"""Share of equal answers, over places that should differ, from which a judge is taken not to look at all."""


@dataclass(frozen=True)
class Thresholds:
    """Scores from t_pos are positive, to t_neg negative, between them ignored; mu and sigma of the controls."""

    t_pos: float
    t_neg: float
    mu: float
    sigma: float

    def label(self, score: float | None) -> int:
        """1, -1, or 0 for ignored."""
        if score is None or self.t_neg < score < self.t_pos:
            return 0
        return 1 if score >= self.t_pos else -1


def set_thresholds(controls: Sequence[Judged], low: float, high: float, t_neg: float) -> Thresholds:
    """t_pos = clamp(mu + 2 sigma of the controls' scores, low, high); `low` when no control was answered."""
    scores = [c.score for c in controls if c.score is not None]
    mu = float(np.mean(scores)) if scores else 0.0
    sigma = float(np.std(scores)) if scores else 0.0
    return Thresholds(float(np.clip(mu + 2 * sigma, low, high)), t_neg, mu, sigma)


def error_rate(controls: Sequence[Judged], thresholds: Thresholds) -> float:
    """How often the judge errs, from controls that should all be negative; with a weak belief in 10 %."""
    labels = [thresholds.label(c.score) for c in controls]
    wrong, count = sum(label > 0 for label in labels), sum(label != 0 for label in labels)
    return float(np.clip((wrong + 0.2) / (count + 2.0), LEAST_ERROR, 0.5))


def says_the_same(judged: Sequence[Judged], controls: Sequence[Judged], thresholds: Thresholds) -> bool:
    """True for a judge whose answer does not depend on the place: all "target", controls included."""
    labels = [thresholds.label(j.score) for j in controls]
    answered = [label for label in labels if label]
    if len(answered) < 4:
        return False
    return float(np.mean([label > 0 for label in answered])) >= 0.5


class Evidence:
    """All verdicts of a run on one scene, their votes and what they say of a mask."""

    def __init__(self, scene: Scene, judged: Sequence[Judged], thresholds: Thresholds, error: float) -> None:
        labels = np.array([thresholds.label(j.score) for j in judged], dtype=np.float64)
        kept = np.flatnonzero(labels)
        self.scene = scene
        self.judged = [judged[int(i)] for i in kept]
        self.labels = labels[kept]
        self.error = error
        self.weight = math.log((1 - error) / error)
        """Log-odds of one vote."""
        self.xy = np.array([j.place.xy for j in self.judged], dtype=np.float64).reshape(-1, 2)
        self._votes = self._neighbour_votes()

    def __len__(self) -> int:
        return len(self.judged)

    def beliefs(self, mask: Bools) -> NDArray[np.float64]:
        """(N,) log-odds that each place belongs to the target: its vote, its neighbours', and the mask's word."""
        return self._votes + self._prior(mask)

    def speaks_for(self, region: Bools) -> float:
        """Log-odds, by the votes inside, that a region (full size) belongs to the target."""
        inside = self._inside(region)
        return float(self._votes[inside].sum()) if inside.any() else 0.0

    def agreement(self, mask: Bools) -> float:
        """Sum of the votes' log-odds with the sign the mask gives them: higher fits the verdicts better."""
        return float(np.where(self._inside(mask), self._votes, -self._votes).sum()) if len(self) else 0.0

    def agrees(self, mask: Bools) -> Bools:
        """(N,) True where the mask says the same as the vote."""
        return np.asarray(self._inside(mask) == (self.labels > 0), dtype=np.bool_)

    def prefers(self, later: Bools, earlier: Bools) -> float:
        """Log-odds of `later` over `earlier`, by the votes where they differ."""
        return (self.agreement(later) - self.agreement(earlier)) / 2

    def gate(self, old: Bools, new: Bools, trust: float = UNSEEN) -> tuple[Bools, int]:
        """`new` with those pieces of its change undone that the votes inside speak against, and how many."""
        out, undone = new.copy(), 0
        for grown in (True, False):
            change = (new & ~old) if grown else (old & ~new)
            undone += self._undo(out, change, trust, grown=grown)
        return out, undone

    def _undo(self, out: Bools, change: Bools, trust: float, *, grown: bool) -> int:
        count, pieces = cv2.connectedComponents(change.astype(np.uint8), connectivity=4)
        if count < 2 or not len(self):
            return 0
        column, row = self._pixels(change.shape)
        piece = pieces[row, column]
        votes = np.bincount(piece, weights=self._votes if grown else -self._votes, minlength=count)
        bad = np.flatnonzero(votes + trust < 0)
        bad = bad[bad > 0]
        if len(bad):
            region = np.isin(pieces, bad)
            out[region] = not grown
        return len(bad)

    def _neighbour_votes(self) -> NDArray[np.float64]:
        """(N,) log-odds of each place from its own vote and, in smaller part, those of its like neighbours."""
        if not len(self):
            return np.zeros(0)
        own = self.weight * self.labels
        reach = max(1.0, REACH * self.scene.box.diagonal)
        colours = self._colours()
        away = np.sum((self.xy[:, None] - self.xy[None]) ** 2, axis=2) / reach**2
        unlike = np.sum((colours[:, None] - colours[None]) ** 2, axis=2) / COLOUR_REACH**2
        kernel = np.exp(-0.5 * (away + unlike))
        np.fill_diagonal(kernel, 0)
        others = kernel @ own * NEIGHBOUR_SHARE
        limit = 1.5 * self.weight
        return np.asarray(own + np.clip(others, -limit, limit))

    def _prior(self, mask: Bools) -> NDArray[np.float64]:
        """(N,) log-odds from the mask: PRIOR times -1..1, 0 at the rim."""
        small = self.scene.shrink(mask)
        span = max(1.0, 0.05 * self.scene.box.diagonal * self.scene.factor)
        column, row = self.scene.to_grid(self.xy).T if len(self) else (np.zeros(0, int), np.zeros(0, int))
        return np.asarray(PRIOR * np.clip(signed_depth(small)[row, column] / span, -1, 1), dtype=np.float64)

    def _colours(self) -> Floats:
        column, row = self.scene.to_grid(self.xy).T
        return np.asarray(self.scene.lab[row, column], dtype=np.float32)

    def _inside(self, mask: Bools) -> Bools:
        column, row = self._pixels(mask.shape)
        return np.asarray(mask[row, column], dtype=np.bool_)

    def _pixels(self, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        places = np.clip(self.xy, 0, [shape[1] - 1, shape[0] - 1]).astype(np.int64)
        return places[:, 0], places[:, 1]


def signed_depth(mask: Bools) -> Floats:
    """(h, w) float32 pixels to the rim, positive inside; the picture's edge is no rim."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    far = float(max(mask.shape))
    return np.asarray(np.minimum(inside, far) - np.minimum(outside, far), dtype=np.float32)

"""Which judged places become clicks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.sculpting.appearance import likeness
from maskwright.sculpting.evidence import Evidence, signed_depth
from maskwright.sculpting.scene import Bools, Scene

SURE = 0.8
"""Log-odds from which a belief is acted on."""
SPREAD = 1.5
"""How much distance to the clicks already chosen counts beside the reason to choose."""


@dataclass(frozen=True)
class Click:
    """A chosen place: label 1 or 0, and why it was chosen."""

    x: float
    y: float
    label: int
    place: str
    belief: float
    why: str

    def to_json(self) -> Mapping[str, Any]:
        return {
            "x": round(self.x, 2),
            "y": round(self.y, 2),
            "label": self.label,
            "place": self.place,
            "belief": round(self.belief, 3),
            "why": self.why,
        }


@dataclass(frozen=True)
class _Ready:
    """Places of one sign that may be clicked, aligned arrays."""

    index: NDArray[np.int64]
    reason: NDArray[np.float64]
    why: list[str]


def choose_clicks(scene: Scene, mask: Bools, evidence: Evidence, *, most: int, apart: float = 0.06) -> list[Click]:
    """At most `most` positives and `most` negatives among places whose vote and belief agree.

    Positives: parts outside the mask first, then its core and its rim. Negatives: leaks inside the mask first, those
    near the rim before others, then look-alike background. Clicks of one sign keep `apart` x the box's diagonal.
    """
    if not len(evidence):
        return []
    beliefs = evidence.beliefs(mask)
    agreed = (np.sign(beliefs) == evidence.labels) & (np.abs(beliefs) >= SURE)
    usable = agreed & np.array([j.place.sampler != "control" for j in evidence.judged])
    small = scene.shrink(mask)
    column, row = scene.to_grid(evidence.xy).T
    depth = signed_depth(small)[row, column] / max(1.0, scene.box.diagonal * scene.factor)
    like = likeness(scene, small)[row, column]
    positives = _positives(np.flatnonzero(usable & (beliefs > 0)), depth)
    negatives = _negatives(np.flatnonzero(usable & (beliefs < 0)), depth, like)
    gap = apart * scene.box.diagonal
    return [
        *_pick(evidence, beliefs, positives, label=1, most=most, gap=gap),
        *_pick(evidence, beliefs, negatives, label=0, most=most, gap=gap),
    ]


def _positives(index: NDArray[np.int64], depth: NDArray[np.float64]) -> _Ready:
    at = depth[index]
    missing, rim = at <= 0, (at > 0) & (at < 0.05)
    reason = np.where(missing, 2.0 + np.minimum(-at * 5, 1), np.where(rim, 0.8, 1.0))
    why = ["missing" if m else "rim" if r else "core" for m, r in zip(missing, rim)]
    return _Ready(index, reason, why)


def _negatives(index: NDArray[np.int64], depth: NDArray[np.float64], like: NDArray[np.float64]) -> _Ready:
    at = depth[index]
    leak = at > 0
    reason = np.where(leak, 2.0 + np.minimum(at * 5, 1), 0.5 + like[index] + 0.3 * (at > -0.08))
    why = ["leak" if inside else "look-alike" if l > 0.5 else "background" for inside, l in zip(leak, like[index])]
    return _Ready(index, reason, why)


def _pick(
    evidence: Evidence, beliefs: NDArray[np.float64], ready: _Ready, *, label: int, most: int, gap: float
) -> list[Click]:
    """Greedy: the best reason plus the distance to what is already chosen."""
    xy = evidence.xy[ready.index]
    nearest = np.full(len(xy), np.inf)
    reach = max(1.0, 0.3 * evidence.scene.box.diagonal)
    chosen: list[Click] = []
    while len(chosen) < most and (nearest >= gap).any():
        worth = ready.reason + SPREAD * np.minimum(nearest / reach, 1.0)
        worth[nearest < gap] = -np.inf
        best = int(np.argmax(worth))
        index = int(ready.index[best])
        x, y = evidence.xy[index]
        chosen.append(
            Click(float(x), float(y), label, evidence.judged[index].place.id, float(beliefs[index]), ready.why[best])
        )
        nearest = np.minimum(nearest, np.hypot(*(xy - xy[best]).T))
    return chosen

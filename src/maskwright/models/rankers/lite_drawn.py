"""What flat drawings show: heads of their own, learned on emoji and pictograms, that leave photographs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.models.rankers.lite_heads import SHAPE_SCALE, STAGES
from maskwright.models.rankers.lite_words import Sparse

Floats = NDArray[np.float32]
FLAT = 0.4
"""A region looks drawn where what is seen of it and of half of its picture's regions comes to more than this."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """One look at K regions: stage, learned scores (K, L), and which look drawn (K,)."""

    stage: str
    scores: Floats
    flat: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Drawn:
    """For each stage the learned head, whose last row tells drawings, and the logistic weights of what the other heads
    say, of what this one says, and 1; ties link a noun's row to drawn classes."""

    head: Mapping[str, Floats]
    bias: Mapping[str, Floats]
    pair: Mapping[str, Floats]
    ties: Sparse

    @classmethod
    def of(cls, store: Mapping[str, NDArray[Any]]) -> Drawn:
        """From the arrays of the tables file."""
        head, bias, pair = (
            {s: store[f"{s}_drawn_{name}"].astype(np.float32) for s in STAGES} for name in ("head", "bias", "pair")
        )
        ptr, col, val = (np.asarray(store[f"drawn_{part}"]) for part in ("ptr", "col", "val"))
        return cls(head, bias, pair, Sparse(ptr, col, val))

    def look(self, dense: Floats, crop: Floats | None, shape: Floats) -> Sketch:
        """From (K, 1280) features of the one pass or, when given, of the regions' own crops alone."""
        stage = STAGES[0 if crop is None else 1]
        seen = np.sqrt(np.maximum(dense if crop is None else crop, 0))
        row = np.concatenate([seen, shape * np.float32(SHAPE_SCALE)], axis=1)
        found = row @ self.head[stage].T + self.bias[stage]
        alone = found[:, -1]
        around = np.median(alone) if len(alone) else np.float32(0)
        return Sketch(stage, found[:, :-1], (alone + around) / 2 > FLAT)

    def knows(self, sketch: Sketch, row: int) -> bool:
        """Whether something looks drawn and the noun of this row is among the drawn classes."""
        return row >= 0 and bool(sketch.flat.any()) and len(self.ties.row(row)[0]) > 0

    def corrected(self, sketch: Sketch, row: int, logits: Floats) -> Floats:
        """The (K,) logits of the other heads, changed where a region looks drawn."""
        if not self.knows(sketch, row):
            return logits
        columns, weights = self.ties.row(row)
        others, own, offset = self.pair[sketch.stage]
        drawn = others * logits + own * (sketch.scores[:, columns] * weights).max(axis=1) + offset
        return np.asarray(np.where(sketch.flat, drawn, logits), dtype=np.float32)

"""What flat drawings show: heads of their own, learned on emoji and pictograms, that leave photographs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.models.rankers.lite_heads import STAGES, log_softmax, rooted
from maskwright.models.rankers.lite_words import Sparse

Floats = NDArray[np.float32]
LAYERS = 2
LEAST = 1e-6
FLAT = 0.4
"""A region looks drawn where what is seen of it and of half of its picture's regions comes to more than this."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """One look at K regions: stage, log chances of the drawn classes (K, L), and which look drawn (K,)."""

    stage: str
    logs: Floats
    flat: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Drawn:
    """For each stage two layers that tell the drawn classes apart (weights kept at half precision, for memory), a row
    that tells drawings, and the logistic weights of what the other heads say, of what these say, and 1; ties link a
    noun's row to drawn classes."""

    layers: Mapping[str, tuple[tuple[NDArray[np.floating[Any]], Floats], ...]]
    gate: Mapping[str, Floats]
    pair: Mapping[str, Floats]
    ties: Sparse

    @classmethod
    def of(cls, store: Mapping[str, NDArray[Any]]) -> Drawn:
        """From the arrays of the tables file."""
        arrays = {name: np.asarray(value) for name, value in store.items() if "drawn" in name}
        small = (name for name in arrays if name.split("_")[0] in STAGES and not name.endswith("weight"))
        rows = {name: arrays[name].astype(np.float32) for name in small}
        names = {s: [f"{s}_drawn_{i}" for i in range(LAYERS)] for s in STAGES}
        layers = {s: tuple((arrays[f"{n}_weight"], rows[f"{n}_bias"]) for n in names[s]) for s in STAGES}
        gate, pair = ({s: rows[f"{s}_drawn_{name}"] for s in STAGES} for name in ("gate", "pair"))
        return cls(layers, gate, pair, Sparse(arrays["drawn_ptr"], arrays["drawn_col"], arrays["drawn_val"]))

    def look(self, dense: Floats, crop: Floats | None, shape: Floats) -> Sketch:
        """From (K, 1280) features of the one pass and, when given, of the regions' own crops."""
        stage, row = STAGES[crop is not None], rooted(dense, crop, shape)
        alone = row @ self.gate[stage][:-1] + self.gate[stage][-1]
        around = np.median(alone) if len(alone) else np.float32(0)
        (first, bias), (last, offset) = self.layers[stage]
        hidden = np.maximum(row @ first.T.astype(np.float32) + bias, 0)
        logs = log_softmax(hidden @ last.T.astype(np.float32) + offset)
        return Sketch(stage, logs, (alone + around) / 2 > FLAT)

    def knows(self, sketch: Sketch, row: int) -> bool:
        """Whether something looks drawn and the noun of this row is among the drawn classes."""
        return row >= 0 and bool(sketch.flat.any()) and len(self.ties.row(row)[0]) > 0

    def corrected(self, sketch: Sketch, row: int, logits: Floats) -> Floats:
        """The (K,) logits of the other heads, changed where a region looks drawn."""
        if not self.knows(sketch, row):
            return logits
        others, own, offset = self.pair[sketch.stage]
        drawn = others * logits + own * log_chance(sketch.logs, *self.ties.row(row)) + offset
        return np.asarray(np.where(sketch.flat, drawn, logits), dtype=np.float32)


def log_chance(logs: Floats, columns: NDArray[np.int64], weights: Floats) -> Floats:
    """(K,) log of the classes' chances (K, L), summed by their weights."""
    out: Floats = np.log(np.exp(logs[:, columns]) @ weights + LEAST)
    return out

"""Which regions of a picture are of one kind: what is surely a cup tells that things which look like it are cups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.models.rankers.lite_features import Floats, boxes_of
from maskwright.models.rankers.lite_wholes import shrunk

OUTLINE = 24
"""Side, in pixels, to which outlines are brought before they are compared."""
APART = 0.2
"""Largest share of the smaller one that two things of one kind have in common."""
AXES = (32, 128)
"""How many of the axes, from the one along which regions differ most, each of two comparisons uses."""


@dataclass(frozen=True, eq=False)
class Kin:
    """A logistic model of two regions of a picture: mean and spread (1280,) of what is seen, the axes (1280, 128) along
    which the regions of a picture differ and how much (128,), the weights of `likeness` (8,) and the offset."""

    mean: Floats
    spread: Floats
    axes: Floats
    extent: Floats
    weights: Floats
    offset: float

    @classmethod
    def of(cls, store: Mapping[str, NDArray[Any]]) -> Kin:
        """From the arrays of the tables file."""
        mean, spread, axes, extent, weights = (
            store[f"kin_{name}"].astype(np.float32) for name in ("mean", "spread", "axes", "extent", "weights")
        )
        return cls(mean, spread, axes, extent, weights, float(store["kin_offset"][0]))

    def chances(self, dense: Floats, masks: NDArray[np.bool_]) -> Floats:
        """(K, K) chance that one region is another thing of the kind of the other; 0 where they overlap. `dense`
        (K, 1280) is what is seen in each of the (K, H, W) regions."""
        if not len(masks):
            return np.zeros((0, 0), np.float32)
        logits = self.likeness(dense, masks) @ self.weights + np.float32(self.offset)
        out: Floats = apart(masks) / (1 + np.exp(-logits))
        return out

    def likeness(self, dense: Floats, masks: NDArray[np.bool_]) -> Floats:
        """(K, K, 8): how alike any two regions look, as they are and against the mean of the picture, how alike their
        outlines are, and how they differ in proportion and in size."""
        seen = (np.sqrt(np.maximum(dense, 0)) - self.mean) / self.spread
        own = seen - seen.mean(axis=0)
        looks = [cosines(seen), cosines(own), *(self._along(own, count) for count in AXES), self._along(seen, AXES[1])]
        boxes = boxes_of(masks)
        sizes = (boxes[:, 2:] - boxes[:, :2]).astype(np.float32)
        area = np.array([np.count_nonzero(mask) for mask in masks], np.float32) / (masks.shape[1] * masks.shape[2])
        facts = [np.log(sizes[:, 0] / sizes[:, 1]), np.log(area + np.float32(1e-5))]
        differ = [np.abs(fact[:, None] - fact[None]) for fact in facts]
        return np.stack([*looks, _outlines_alike(masks, boxes), *differ], axis=-1).astype(np.float32)

    def _along(self, seen: Floats, count: int) -> Floats:
        """Cosines along the first axes, each given the same say, the last ones a little less."""
        scale = np.sqrt(self.extent[:count] + np.float32(0.1) * self.extent[count - 1])
        return cosines(seen @ self.axes[:, :count] / scale)


def joined(logits: NDArray[np.float32], chances: Floats) -> NDArray[np.float32]:
    """(P, K) logits of nouns, where a region is also what the likeliest of its kin is. Nothing gets less likely."""
    own = 1 / (1 + np.exp(-logits.astype(np.float64)))
    lent = np.stack([(chances * line[:, None]).max(axis=0) for line in own]) if len(own) else own
    lent = np.clip(lent, 1e-12, 1 - 1e-6)
    out: NDArray[np.float32] = np.maximum(logits, np.log(lent / (1 - lent))).astype(np.float32)
    return out


def cosines(rows: Floats) -> Floats:
    """(K, K) cosines of the rows."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    out: Floats = unit @ unit.T
    return out


def apart(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(K, K) True where two regions hardly overlap."""
    small = shrunk(masks)
    flat = small.reshape(len(small), small.shape[1] * small.shape[2]).astype(np.float32)
    area = flat.sum(axis=1)
    smaller = np.minimum(area[:, None], area[None])
    out: NDArray[np.bool_] = flat @ flat.T < APART * np.maximum(smaller, 1)
    return out


def _outlines_alike(masks: NDArray[np.bool_], boxes: NDArray[np.int64]) -> Floats:
    """(K, K) overlap of any two regions whose boxes were brought to one square."""
    flat = np.empty((len(masks), OUTLINE * OUTLINE), np.float32)
    for row, mask, (x0, y0, x1, y1) in zip(flat, masks, boxes):
        cut = mask[y0:y1, x0:x1].astype(np.float32)
        row[:] = cv2.resize(cut, (OUTLINE, OUTLINE), interpolation=cv2.INTER_AREA).ravel()
    shared, own = flat @ flat.T, (flat * flat).sum(axis=1)
    out: Floats = shared / np.maximum(own[:, None] + own[None] - shared, 1e-6)
    return out

"""Whether a region is one whole thing and not a part, a group or a piece of the background: what it looks like, what
lies around it, and how it nests among the other regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.models.rankers.lite_features import Floats, coarse, pooled

SIDE = 160
"""Longer side, in pixels, at which regions are laid side by side."""
RIM = 0.25
"""Width of what counts as around a region, in square roots of its area."""
LAYERS = 4


@dataclass(frozen=True, eq=False)
class Wholes:
    """A small network: weights and biases of its layers; the facts join after the first."""

    layers: tuple[tuple[Floats, Floats], ...]

    @classmethod
    def of(cls, store: Mapping[str, NDArray[Any]]) -> Wholes:
        """From the arrays of the tables file."""
        names = [(f"whole_{i}_weight", f"whole_{i}_bias") for i in range(LAYERS)]
        return cls(tuple((store[w].astype(np.float32), store[b].astype(np.float32)) for w, b in names))

    def expected(self, looks: Floats, facts: Floats) -> Floats:
        """(K,) IoU to be expected with a thing, of the regions with these looks and facts."""
        (first, bias), *rest = self.layers
        row = np.concatenate([np.maximum(looks @ first.T + bias, 0), facts], axis=1)
        for weight, bias in rest[:-1]:
            row = np.maximum(row @ weight.T + bias, 0)
        weight, bias = rest[-1]
        out: Floats = 1 / (1 + np.exp(-(row @ weight.T + bias)[:, 0]))
        return out


def seen_around(features: Floats, dense: Floats, shape: Floats, masks: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Looks (K, 2560) inside and around each of the (K, H, W) regions and facts (K, 15) of its shape and its place
    among the others; `features` is the picture's map, `dense` (K, 1280) its mean in each region, `shape` (K, 10)."""
    small = shrunk(masks)
    outside = pooled(features, coarse(_rims(small), *features.shape[:2]))
    looks = np.sqrt(np.maximum(np.concatenate([dense, outside], axis=1), 0))
    one, other = looks[:, : dense.shape[1]], looks[:, dense.shape[1] :]
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    alike = (one * other).sum(axis=1) / np.maximum(lengths, 1e-6)
    facts = [shape, np.log(np.maximum(shape[:, :1], 1e-3)), _nesting(small), alike[:, None]]
    return looks, np.concatenate(facts, axis=1).astype(np.float32)


def shrunk(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The regions at a size at which they are laid side by side."""
    count, height, width = masks.shape
    scale = SIDE / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    out = np.empty((count, size[1], size[0]), dtype=np.bool_)
    for small, mask in zip(out, masks):
        small[:] = cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return out


def _rims(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = np.empty_like(masks)
    for rim, mask in zip(out, masks):
        reach = max(2, int(RIM * np.sqrt(np.count_nonzero(mask))))
        wider = cv2.dilate(mask.view(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        rim[:] = (wider > 0) & ~mask
    return out


def _nesting(masks: NDArray[np.bool_]) -> Floats:
    """(K, 3) logarithms of how many of the others hold each region, lie in it, and are much the same."""
    flat = masks.reshape(len(masks), masks.shape[1] * masks.shape[2]).astype(np.float32)
    shared, area = flat @ flat.T, flat.sum(axis=1)
    held = shared / np.maximum(area[:, None], 1)
    larger = area[None] > 1.25 * area[:, None]
    union = area[:, None] + area[None] - shared
    counts = [(held > 0.85) & larger, (held.T > 0.85) & larger.T, shared > 0.7 * np.maximum(union, 1)]
    out: Floats = np.log1p(np.stack([c.sum(axis=1) for c in counts], axis=1)).astype(np.float32)
    return out

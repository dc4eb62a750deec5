"""What geometry and pixels say about the regions of one picture, measured once for any number of phrases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.finding.phrases.colours import bins_of, shares_of
from maskwright.values import Image

Floats = NDArray[np.float32]
SIDE = 160
SPAN = {"whole": (0.0, 1.0), "head": (0.0, 0.2), "upper": (0.17, 0.52), "lower": (0.5, 0.88), "feet": (0.86, 1.0)}
"""Stretches of a standing figure's height, from the top."""
BUST = {"whole": (0.0, 1.0), "head": (0.0, 0.35), "upper": (0.38, 1.0), "lower": (0.8, 1.0), "feet": (0.95, 1.0)}
"""The same for a figure cut off at the chest (not twice as high as wide)."""


@dataclass(frozen=True, eq=False)
class Scene:
    """K regions: boxes (K, 4) xyxy as shares of the picture's sides, areas (K,) as shares of the picture, and
    coarse masks (K, h, w) 0..1 with the naming bin of each coarse pixel (h * w,)."""

    boxes: Floats
    areas: Floats
    coarse: Floats
    bins: NDArray[np.int64]
    aspect: float

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def x(self) -> Floats:
        """Centres of the boxes, 0 left to 1 right."""
        return np.asarray((self.boxes[:, 0] + self.boxes[:, 2]) / 2, dtype=np.float32)

    @property
    def y(self) -> Floats:
        return np.asarray((self.boxes[:, 1] + self.boxes[:, 3]) / 2, dtype=np.float32)

    @property
    def heights(self) -> Floats:
        """Box heights in units of the picture's height."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    @property
    def widths(self) -> Floats:
        """Box widths in units of the picture's height, so that they compare with heights."""
        return (self.boxes[:, 2] - self.boxes[:, 0]) * np.float32(self.aspect)

    @cached_property
    def overlap(self) -> Floats:
        """(K, K) share of region i's pixels that lie inside region j."""
        flat = self.coarse.reshape(len(self), -1)
        return np.asarray((flat @ flat.T) / np.maximum(flat.sum(axis=1), 1e-6)[:, None], dtype=np.float32)

    @cached_property
    def touching(self) -> Floats:
        """(K, K) 0..1: how much of the smaller region's rim meets the other, swollen by about 3 % of the picture."""
        square = np.ones((5, 5), np.uint8)
        swollen = np.stack([cv2.dilate(m, square) for m in self.coarse]) if len(self) else self.coarse
        flat, big = self.coarse.reshape(len(self), -1), swollen.reshape(len(self), -1)
        met = big @ flat.T
        rim = np.maximum((big - flat).sum(axis=1), 1e-3)
        return np.asarray(np.clip(3 * np.minimum(met, met.T) / np.minimum(rim[:, None], rim[None]), 0, 1), np.float32)

    def colours(self, zone: str = "whole") -> Floats:
        """(K, 15) colour shares of each region, or of a stretch of a figure (head, upper, lower, feet)."""
        if zone not in self._shares:
            self._shares[zone] = shares_of(self.bins, self._zone(zone))
        return self._shares[zone]

    @cached_property
    def _shares(self) -> dict[str, Floats]:
        return {}

    def _zone(self, zone: str) -> Floats:
        """(K, h * w) weights: the mask inside the stretch, its inside more than its rim."""
        _, rows, columns = self.coarse.shape
        weights = np.square(self.coarse)
        if zone == "whole":
            return weights.reshape(len(self), rows * columns)
        line = (np.arange(rows, dtype=np.float32) + np.float32(0.5)) / np.float32(rows)
        for k in range(len(self)):
            table = SPAN if self.heights[k] >= 1.9 * self.widths[k] else BUST
            first, last = (self.boxes[k, 1] + share * self.heights[k] for share in table[zone])
            inside = (line >= first) & (line <= last)
            if (weights[k][inside] > 0).any():
                weights[k][~inside] = 0
        return weights.reshape(len(self), rows * columns)


def look(image: Image, masks: NDArray[np.bool_]) -> Scene:
    """The facts of the (K, H, W) regions of a picture."""
    height, width = image.height, image.width
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    coarse = np.zeros((len(masks), size[1], size[0]), dtype=np.float32)
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    areas = np.zeros(len(masks), dtype=np.float32)
    for i, mask in enumerate(masks):
        shrunk = cv2.resize(mask.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        coarse[i] = shrunk / np.float32(255)
        areas[i] = np.count_nonzero(mask) / (height * width)
        boxes[i] = _box(mask)
    return Scene(boxes, areas, coarse, bins_of(small).reshape(-1), width / height)


def _box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Corners as shares of the sides; a point in the middle when the mask is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return (0.5, 0.5, 0.5, 0.5)
    height, width = mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height

"""What a sculpting run looks at: picture, region of interest, depth, target words; and the frame of working pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadImage, BadPhrase
from maskwright.values import Box, Image, Mask

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

WORKING_SIDE = 384
"""Longest side of the grid on which places are sought; masks themselves stay at full size."""
MAX_WORDS = 200


@dataclass(frozen=True, eq=False)
class Scene:
    """One task. `box` is the given box clipped to the picture; `roi` whole-pixel corners of the grown box;
    `depth` (H, W) float32 relative nearness of the full picture or None."""

    image: Image
    box: Box
    roi: tuple[int, int, int, int]
    target: str = ""
    depth: Floats | None = None
    seed: int = 0

    @property
    def short_side(self) -> int:
        """Pixels of the ROI's shorter side."""
        return min(self.roi[2] - self.roi[0], self.roi[3] - self.roi[1])

    @cached_property
    def factor(self) -> float:
        """Working pixels per image pixel."""
        return min(1.0, WORKING_SIDE / max(self.roi[2] - self.roi[0], self.roi[3] - self.roi[1]))

    @cached_property
    def grid(self) -> tuple[int, int]:
        """(width, height) of the working grid."""
        x0, y0, x1, y1 = self.roi
        return (max(1, round((x1 - x0) * self.factor)), max(1, round((y1 - y0) * self.factor)))

    def crop(self, array: NDArray[Any]) -> NDArray[Any]:
        """The ROI of a full-size array."""
        x0, y0, x1, y1 = self.roi
        return array[y0:y1, x0:x1]

    def shrink(self, mask: Bools) -> Bools:
        """A full-size mask on the working grid; a mask too thin for the grid keeps its touched pixels."""
        inside = self.crop(mask).astype(np.uint8)
        if inside.shape[::-1] == self.grid:
            return inside > 0
        share = cv2.resize(inside * 255, self.grid, interpolation=cv2.INTER_AREA)
        small: Bools = share > 127
        return small if small.any() or not inside.any() else share > 0

    def to_full(self, points: Any) -> Floats:
        """(N, 2) places of the working grid (pixel centres) in full-image pixels."""
        x0, y0, x1, y1 = self.roi
        scale = np.array([(x1 - x0) / self.grid[0], (y1 - y0) / self.grid[1]])
        xy = (np.asarray(points, dtype=np.float64).reshape(-1, 2) + 0.5) * scale + (x0, y0)
        return np.asarray(np.clip(xy, (x0, y0), (x1 - 0.01, y1 - 0.01)), dtype=np.float32)

    def to_grid(self, points: Any) -> NDArray[np.int64]:
        """(N, 2) full-image places as whole working pixels, clipped to the grid."""
        x0, y0, x1, y1 = self.roi
        scale = np.array([self.grid[0] / (x1 - x0), self.grid[1] / (y1 - y0)])
        xy = (np.asarray(points, dtype=np.float64).reshape(-1, 2) - (x0, y0)) * scale
        return np.asarray(np.clip(np.floor(xy), 0, np.array(self.grid) - 1), dtype=np.int64)

    @cached_property
    def lab(self) -> Floats:
        """(h, w, 3) CIE Lab of the working grid, slightly smoothed."""
        pixels = cv2.resize(self.crop(self.image.pixels), self.grid, interpolation=cv2.INTER_AREA)
        smooth = cv2.GaussianBlur(pixels, (0, 0), 0.8)
        return np.asarray(cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)

    @cached_property
    def texture(self) -> Floats:
        """(h, w) float32: how lively the lightness is around each working pixel, in Lab units."""
        light = self.lab[..., 0]
        mean = cv2.boxFilter(light, -1, (7, 7))
        variance = cv2.boxFilter(light * light, -1, (7, 7)) - mean * mean
        return np.asarray(np.sqrt(np.maximum(variance, 0)), dtype=np.float32)

    @cached_property
    def near(self) -> Floats | None:
        """(h, w) float32 nearness on the working grid, or None without depth."""
        if self.depth is None:
            return None
        return np.asarray(cv2.resize(self.crop(self.depth), self.grid, interpolation=cv2.INTER_AREA), np.float32)

    def grow_to(self, points: Sequence[Sequence[float]], margin_px: float) -> Scene:
        """A scene whose ROI also holds these places with a margin."""
        if not len(points):
            return self
        xy = np.asarray(points, dtype=np.float64)
        low, high = xy.min(axis=0) - margin_px, xy.max(axis=0) + margin_px
        x0, y0, x1, y1 = self.roi
        roi = (
            min(x0, max(0, math.floor(low[0]))),
            min(y0, max(0, math.floor(low[1]))),
            max(x1, min(self.image.width, math.ceil(high[0]))),
            max(y1, min(self.image.height, math.ceil(high[1]))),
        )
        if roi == self.roi:
            return self
        return Scene(self.image, self.box, roi, self.target, self.depth, self.seed)


def make_scene(
    image: Image, box: Box, *, target: str = "", grow: float = 0.2, depth: NDArray[Any] | None = None, seed: int = 0
) -> Scene:
    """A checked Scene; raises BadPrompt (box outside), BadImage (depth of another size), BadPhrase (endless target)."""
    clipped = box.clip(*image.size)
    roi = clipped.grow(grow).clip(*image.size).pixels()
    words = " ".join(target.split())
    if len(words) > MAX_WORDS:
        raise BadPhrase(f"the target has {len(words)} characters.", f"Use at most {MAX_WORDS}.")
    return Scene(image, clipped, roi, words, _checked_depth(depth, image), seed)


def _checked_depth(depth: NDArray[Any] | None, image: Image) -> Floats | None:
    """Depth as 0..1 float32; places without a value (NaN, infinity) take the median of the others."""
    if depth is None:
        return None
    if depth.shape != (image.height, image.width):
        raise BadImage(
            f"the depth map is {depth.shape[::-1]}, the picture {image.size}.", "Give a map of the picture's own size."
        )
    values = depth.astype(np.float32)
    good = np.isfinite(values)
    if not good.any():
        return None
    values = np.where(good, values, np.median(values[good]))
    low, high = float(values.min()), float(values.max())
    return None if high <= low else ((values - low) / (high - low)).astype(np.float32)


def box_of(mask: Mask | None, box: Box | None, image: Image) -> Box:
    """The box given, else the mask's own, else the whole picture."""
    if box is not None:
        return box
    if mask is not None and mask.box is not None:
        return mask.box
    return Box(0, 0, image.width, image.height)

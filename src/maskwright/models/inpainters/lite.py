"""The embedded still inpainter: what is missing is put together from patches of the rest, coarse to fine.

At each level every patch over the hole looks for the most similar patch outside it, and the hole's colours become the
mean of what those patches say; a few turns a level. Words are not understood and are ignored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwright.models.inpainters.lite_patches import Level, fill_level, first_guess
from maskwright.values import Image, Mask

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

FINEST_HOLE_PX = 24_000
"""Patches are matched at the largest size whose hole has at most this many pixels; finer sizes copy along."""
COARSEST_PX = 24
CONTEXT = 1.5
"""How much around the hole is looked at, in sides of its box."""


class LiteInpainter:
    """Paints from the picture itself; deterministic for one seed."""

    def __init__(self, name: str = "lite") -> None:
        self.name = name

    def inpaint(self, image: Image, mask: Mask, *, words: str = "", seed: int = 0) -> Image:
        """The picture with the masked pixels invented; raises BadMask when the sizes differ."""
        mask.check_size(image.size)
        if mask.box is None:
            return image
        x0, y0, x1, y1 = _context(mask)
        pixels, hole = image.pixels[y0:y1, x0:x1], mask.array[y0:y1, x0:x1]
        painted = image.pixels.copy()
        painted[y0:y1, x0:x1][hole] = _paint(pixels, hole, seed)[hole]
        return Image(painted, image.alpha, image.source)


def _context(mask: Mask) -> tuple[int, int, int, int]:
    assert mask.box is not None
    reach = CONTEXT * max(mask.box.width, mask.box.height) + 32
    x0, y0, x1, y1 = mask.box.pixels()
    return (
        max(0, int(x0 - reach)),
        max(0, int(y0 - reach)),
        min(mask.width, int(x1 + reach)),
        min(mask.height, int(y1 + reach)),
    )


def _paint(pixels: NDArray[np.uint8], hole: Bools, seed: int) -> NDArray[np.uint8]:
    if hole.all():
        return np.full_like(pixels, 128)
    rng = np.random.default_rng(seed)
    levels = _levels(pixels, hole)
    level = first_guess(levels[0])
    for i, finer in enumerate(levels):
        if i:
            level = finer.started_from(level)
        level = fill_level(level, rng, first=i == 0)
    return np.clip(np.rint(level.colours), 0, 255).astype(np.uint8)


def _levels(pixels: NDArray[np.uint8], hole: Bools) -> list[Level]:
    """Coarse to fine, each twice the last; a pixel is missing where any of its finer ones is."""
    levels = [Level(pixels.astype(np.float32), hole)]
    while min(levels[-1].hole.shape) >= 2 * COARSEST_PX:
        smaller = levels[-1].half()
        if np.count_nonzero(smaller.hole) < 4 or smaller.hole.all():
            break
        levels.append(smaller)
    for level in levels:
        level.searched = bool(np.count_nonzero(level.hole) <= FINEST_HOLE_PX)
    return levels[::-1]

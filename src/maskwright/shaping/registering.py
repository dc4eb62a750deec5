"""Every edit is registered: brought back into place, laid inside the mask's soft band, and its drift measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.media.feather import blend
from maskwright.values import Image

_ALIGN_SIDE = 480


@dataclass(frozen=True)
class Drift:
    """How far an editor's picture strayed before it was brought back. `shift_px`: how far the scene had moved;
    `colour`: mean absolute difference (0-255) of what should not have changed, after aligning; `outside_pixels`: how
    many outside pixels it had changed; `differing_outside`: how many differ in the final picture (always 0)."""

    shift_px: float
    colour: float
    outside_pixels: int
    differing_outside: int

    def to_json(self) -> dict[str, Any]:
        return {
            "shift_px": round(self.shift_px, 3), "colour": round(self.colour, 4),
            "outside_pixels": self.outside_pixels, "differing_outside": self.differing_outside,
        }  # fmt: skip


def register(
    original: Image, edited: Image, region: NDArray[np.bool_], *, feather_px: float = 0.0, align: bool = True
) -> tuple[Image, Drift]:
    """The edit inside `region`, the original's own bytes outside, and the drift that was undone."""
    pixels = edited.pixels
    if edited.size != original.size:
        pixels = cv2.resize(pixels, original.size, interpolation=cv2.INTER_CUBIC)
    outside = ~region
    changed = int((pixels != original.pixels).any(axis=2)[outside].sum())
    shift = 0.0
    if align and changed and outside.mean() > 0.05:
        pixels, shift = _aligned(original.pixels, pixels, outside)
    colour = (
        float(np.abs(pixels[outside].astype(np.float32) - original.pixels[outside]).mean()) if outside.any() else 0.0
    )
    final = blend(original.pixels, pixels, region, feather_px)
    differing = int((final != original.pixels).any(axis=2)[outside].sum())
    return Image(final, original.alpha, original.source), Drift(shift, colour, changed, differing)


def _aligned(
    original: NDArray[np.uint8], pixels: NDArray[np.uint8], outside: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], float]:
    """The edited picture moved (translation, turn, scale) so that what is outside fits, and the largest move in pixels."""  # noqa: E501
    scale = min(1.0, _ALIGN_SIDE / max(outside.shape))
    size = (max(16, round(outside.shape[1] * scale)), max(16, round(outside.shape[0] * scale)))
    still, moved = (
        cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for p in (original, pixels)
    )
    seen = cv2.resize(outside.astype(np.uint8) * 255, size, interpolation=cv2.INTER_NEAREST)
    start = np.eye(2, 3, dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    try:
        _, found = cv2.findTransformECC(still, moved, start, cv2.MOTION_AFFINE, stop, seen, 5)
    except cv2.error:  # flat pictures cannot be aligned; they stay where they are
        return pixels, 0.0
    ratio = np.array([outside.shape[1] / size[0], outside.shape[0] / size[1]])
    found = found.astype(np.float64)
    found[:, 2] *= ratio
    found[0, 1] *= ratio[0] / ratio[1]
    found[1, 0] *= ratio[1] / ratio[0]
    height, width = outside.shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
    shift = float(np.abs(corners @ found.T - corners[:, :2]).max())
    if shift < 0.25 or shift > 0.2 * max(outside.shape):
        return pixels, shift if shift < 0.25 else 0.0
    back: NDArray[np.uint8] = cv2.warpAffine(
        pixels, found, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return back, shift

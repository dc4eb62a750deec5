"""What each typed operation does to pixels: (picture, region, operation) -> picture, changed inside the region only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.media.feather import blend
from maskwright.models.editors.planner_plan import (
    Blur,
    Brighten,
    Contrast,
    Flip,
    Outline,
    Pattern,
    Recolour,
    Remove,
    Replace,
    Saturate,
    Scale,
    Warm,
)
from maskwright.models.editors.planner_recolour import recolour
from maskwright.ports import Inpainter
from maskwright.values import Image, Mask

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
# no soft border for recolour: its shading must not mix with what was there
FEATHER_PX = {"recolour": 0.0, "remove": 0.0, "flip": 0.0, "scale": 0.0, "outline": 0.0}
_FEATHER_PX = 1.0


def carry_out(pixels: Pixels, region: Bools, operation: Any, inpainter: Inpainter, seed: int = 0) -> Pixels:
    """The picture after one operation; pixels outside `region` are the same bytes."""
    changed = _DOERS[operation.op](pixels, region, operation, inpainter, seed)
    return blend(pixels, changed, region, FEATHER_PX.get(operation.op, _FEATHER_PX))


def _recolour(pixels: Pixels, region: Bools, op: Recolour, _: Inpainter, __: int) -> Pixels:
    return recolour(pixels, region, op.colour)


def _remove(pixels: Pixels, region: Bools, _: Remove, inpainter: Inpainter, seed: int) -> Pixels:
    return inpainter.inpaint(Image(pixels), Mask(region), seed=seed).pixels


def _blur(pixels: Pixels, region: Bools, op: Blur, _: Inpainter, __: int) -> Pixels:
    """Blurred from the region's own pixels, so that nothing outside bleeds in."""
    reach = max(1.0, op.amount * 0.05 * _extent(region))
    if op.pixelate:
        return _blocks(pixels, max(2, round(2 * reach)))
    weight = cv2.GaussianBlur(region.astype(np.float32), (0, 0), reach)
    mixed = cv2.GaussianBlur(pixels.astype(np.float32) * region[:, :, None], (0, 0), reach)
    return _bytes(mixed / np.maximum(weight, 1e-4)[:, :, None])


def _blocks(pixels: Pixels, size: int) -> Pixels:
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (max(1, width // size), max(1, height // size)), interpolation=cv2.INTER_AREA)
    grown: Pixels = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return grown


def _replace(pixels: Pixels, _: Bools, op: Replace, __: Inpainter, ___: int) -> Pixels:
    return np.broadcast_to(np.array(op.colour, np.uint8), pixels.shape)


def _brighten(pixels: Pixels, _: Bools, op: Brighten, __: Inpainter, ___: int) -> Pixels:
    """Exposure in stops on linear light, rolled off before white."""
    linear = (pixels.astype(np.float32) / 255) ** 2.2 * 2.0**op.amount
    rolled = np.where(linear > 0.8, 0.8 + 0.2 * np.tanh((linear - 0.8) / 0.2), linear)
    return _bytes(255 * rolled ** (1 / 2.2))


def _saturate(pixels: Pixels, _: Bools, op: Saturate, __: Inpainter, ___: int) -> Pixels:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)[:, :, None]
    return _bytes(grey + (pixels - grey) * op.factor)


def _contrast(pixels: Pixels, region: Bools, op: Contrast, _: Inpainter, __: int) -> Pixels:
    middle = pixels[region].mean(axis=0) if region.any() else np.full(3, 128.0)
    return _bytes(middle + (pixels - middle) * op.factor)


def _warm(pixels: Pixels, _: Bools, op: Warm, __: Inpainter, ___: int) -> Pixels:
    return _bytes(pixels * np.array([1 + 0.18 * op.amount, 1.0, 1 - 0.22 * op.amount], np.float32))


def _pattern(pixels: Pixels, region: Bools, op: Pattern, _: Inpainter, __: int) -> Pixels:
    """Recoloured where the pattern is, so that folds and shadows run through it."""
    period = max(4.0, op.size * _extent(region))
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]].astype(np.float32)
    waves = {
        "stripes": np.sin(2 * np.pi * x / period),
        "bands": np.sin(2 * np.pi * y / period),
        "checks": np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period),
        "dots": np.cos(2 * np.pi * x / period) + np.cos(2 * np.pi * y / period) - 0.9,
    }
    share = np.clip(waves[op.kind] * period / 6 + 0.5, 0, 1)[:, :, None]
    drawn = recolour(pixels, region, op.colour)
    return _bytes(pixels * (1 - share) + drawn * share)


def _outline(pixels: Pixels, region: Bools, op: Outline, _: Inpainter, __: int) -> Pixels:
    """A line along the inner side of the edge."""
    width = op.width_px or max(2, round(0.012 * _extent(region)))
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.clip(width + 0.5 - depth, 0, 1)[:, :, None] * region[:, :, None]
    return _bytes(pixels * (1 - share) + np.array(op.colour, np.float32) * share)


def _flip(pixels: Pixels, region: Bools, op: Flip, inpainter: Inpainter, seed: int) -> Pixels:
    sign = np.array([-1.0, 1.0] if op.across == "horizontal" else [1.0, -1.0])
    return _moved(pixels, region, sign, inpainter, seed)


def _scale(pixels: Pixels, region: Bools, op: Scale, inpainter: Inpainter, seed: int) -> Pixels:
    return _moved(pixels, region, np.array([op.factor, op.factor]), inpainter, seed)


def _moved(pixels: Pixels, region: Bools, gains: NDArray[np.float64], inpainter: Inpainter, seed: int) -> Pixels:
    """The object drawn again about its middle; ground that it leaves is invented, what leaves the region is cut."""
    box = Mask(region).box
    if box is None:
        return pixels
    cx, cy = box.centre[0] - 0.5, box.centre[1] - 0.5
    move = np.array([[gains[0], 0, cx - gains[0] * cx], [0, gains[1], cy - gains[1] * cy]])
    size = (pixels.shape[1], pixels.shape[0])
    drawn = cv2.warpAffine(pixels, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(region.astype(np.float32), move, size, flags=cv2.INTER_LINEAR)[:, :, None]
    if region.all():
        ground = np.full_like(pixels, 255)
    else:
        ground = (
            pixels
            if (cover[:, :, 0] >= 1)[region].all()
            else inpainter.inpaint(Image(pixels), Mask(region), seed=seed).pixels
        )
    return _bytes(ground * (1 - cover) + drawn * cover)


def _extent(region: Bools) -> float:
    box = Mask(region).box
    return 1.0 if box is None else max(box.width, box.height)


def _bytes(values: Any) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), dtype=np.uint8)


_DOERS: dict[str, Callable[[Pixels, Bools, Any, Inpainter, int], Pixels]] = {
    "recolour": _recolour, "remove": _remove, "blur": _blur, "replace": _replace, "brighten": _brighten,
    "saturate": _saturate, "contrast": _contrast, "warm": _warm, "pattern": _pattern, "outline": _outline,
    "flip": _flip, "scale": _scale,
}  # fmt: skip

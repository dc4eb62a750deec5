"""Regions of a picture as crops for a picture-text model, all in one batch."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskwright.errors import BadMask, BadSettings
from maskwright.values import Image, Mask

VIEWS = {"kept": (0.0, 1.0), "dimmed": (0.0, 0.35), "masked": (0.0, 0.0), "context": (0.6, 1.0)}
"""View -> (how much wider than the region, how bright its surroundings stay)."""
Bools = NDArray[np.bool_]


def check_masks(image: Image, masks: Bools) -> None:
    """Raises BadMask unless masks are bool (K, H, W) of the picture's size."""
    if masks.ndim != 3 or masks.shape[1:] != (image.height, image.width):
        raise BadMask(f"masks of shape {masks.shape} do not fit the picture {image.size}.", "Give bool (K, H, W).")


def check_views(views: tuple[str, ...]) -> None:
    """Raises BadSettings for a view that is not known."""
    if not views or set(views) - set(VIEWS):
        raise BadSettings(f"views {views} are not possible.", f"Choose from: {', '.join(VIEWS)}.")


def crop(image: Image, mask: Bools, view: str, side: int) -> NDArray[np.uint8]:
    """(side, side, 3): the square around the region, grey where it leaves the picture; an empty mask shows it all."""
    wider, kept = VIEWS[view]
    box = Mask(mask).box
    x0, y0, x1, y1 = (0, 0, image.width, image.height) if box is None else box.grow(wider).pixels()
    length = max(x1 - x0, y1 - y0)
    left, top = x0 - (length - (x1 - x0)) // 2, y0 - (length - (y1 - y0)) // 2
    part = np.full((length, length, 3), 127, np.uint8)
    a, b = max(left, 0), max(top, 0)
    c, d = min(left + length, image.width), min(top + length, image.height)
    inner = image.pixels[b:d, a:c]
    if kept < 1 and box is not None:
        outside = ~mask[b:d, a:c, None]
        inner = np.where(outside, (inner * kept + 127 * (1 - kept)).astype(np.uint8), inner)
    part[b - top : d - top, a - left : c - left] = inner
    shrinking = length > side
    return cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)  # type: ignore[no-any-return]


def centred(crops: NDArray[np.uint8], mean: tuple[float, ...], spread: tuple[float, ...]) -> Tensor:
    """(N, 3, side, side) float32 from (N, side, side, 3) uint8."""
    shown = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    return (shown - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(spread).view(1, 3, 1, 1)


def patch_shares(masks: Bools, grid: int) -> NDArray[np.float32]:
    """(K, grid * grid) share of each patch that the region covers; a region too small for any takes its nearest."""
    shares = np.stack(
        [cv2.resize(m.astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA) for m in masks]
    ).reshape(len(masks), -1) if len(masks) else np.zeros((0, grid * grid), np.float32)  # fmt: skip
    return np.where(shares.sum(axis=1, keepdims=True) > 0, shares, 1.0).astype(np.float32)

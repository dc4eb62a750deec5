"""Pictures for a judge: outlined and numbered candidates, and each of them by itself."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.values import Image, Mask

PALETTE = (
    (230, 25, 75), (0, 130, 200), (60, 180, 75), (245, 130, 48), (145, 30, 180), (0, 190, 190), (240, 50, 230),
    (128, 128, 0), (170, 110, 40), (0, 0, 128), (128, 0, 0), (20, 110, 90),
)  # fmt: skip
"""Outline colours that keep apart, one a number."""

MAX_SIDE = 1024


def numbered(image: Image, masks: NDArray[np.bool_], *, max_side: int = MAX_SIDE) -> Image:
    """The picture, at most `max_side` long, with each of the (K, H, W) masks outlined and numbered from 1."""
    canvas, scale = _canvas(image, max_side)
    for i, mask in enumerate(masks):
        _outline(canvas, mask, PALETTE[i % len(PALETTE)], scale)
    for i, mask in enumerate(masks):
        _tag(canvas, str(i + 1), _anchor(mask, canvas.shape), PALETTE[i % len(PALETTE)])
    return Image(canvas)


def crop_around(image: Image, mask: NDArray[np.bool_], *, side: int = 256) -> Image:
    """The candidate with some background, the rest dimmed, its longer side `side` pixels."""
    box = Mask(mask).box
    if box is None:
        return Image(np.zeros((side, side, 3), dtype=np.uint8))
    x0, y0, x1, y1 = box.grow(0.4).clip(image.width, image.height).pixels()
    inside = mask[y0:y1, x0:x1, None]
    pixels = np.where(inside, image.pixels[y0:y1, x0:x1], image.pixels[y0:y1, x0:x1] * 0.4).astype(np.uint8)
    scale = side / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return Image(cv2.resize(pixels, size, interpolation=how))


def _canvas(image: Image, max_side: int) -> tuple[NDArray[np.uint8], float]:
    scale = min(1.0, max_side / max(image.size))
    if scale == 1.0:
        return image.pixels.copy(), 1.0
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8), scale


def _sized(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask.shape == shape[:2]:
        return mask
    shown: NDArray[np.bool_] = cv2.resize(mask.astype(np.float32), shape[1::-1], interpolation=cv2.INTER_AREA) > 0.5
    return shown


def _outline(canvas: NDArray[np.uint8], mask: NDArray[np.bool_], colour: tuple[int, int, int], scale: float) -> None:
    shown = _sized(mask, canvas.shape).astype(np.uint8)
    found, _ = cv2.findContours(shown, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(max(canvas.shape) / 400))
    cv2.drawContours(canvas, found, -1, (255, 255, 255), width + 2, cv2.LINE_AA)
    cv2.drawContours(canvas, found, -1, colour, width, cv2.LINE_AA)


def _anchor(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> tuple[int, int]:
    """The pixel farthest from the mask's edge, where the number hides least of the outline."""
    shown = np.pad(_sized(mask, shape), 1).astype(np.uint8)
    away = cv2.distanceTransform(shown, cv2.DIST_L2, 3)
    y, x = np.unravel_index(int(np.argmax(away)), away.shape)
    return int(x) - 1, int(y) - 1


def _tag(canvas: NDArray[np.uint8], text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    size = max(0.5, max(canvas.shape) / 900)
    thick = max(1, round(size * 2))
    (width, height), low = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    x = int(np.clip(at[0] - width // 2, 2, max(2, canvas.shape[1] - width - 3)))
    y = int(np.clip(at[1] + height // 2, height + 3, max(height + 3, canvas.shape[0] - low - 2)))
    cv2.rectangle(canvas, (x - 3, y - height - 3), (x + width + 2, y + low), (255, 255, 255), -1)
    cv2.rectangle(canvas, (x - 3, y - height - 3), (x + width + 2, y + low), colour, max(1, thick // 2))
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)

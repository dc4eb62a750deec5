"""Where a closer look pays: the window of a small object, and earlier logits as seen through it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.models.segmenters.lite_network import Floats, View
from maskwright.values import Box, Prompt

Corners = tuple[int, int, int, int]

AIR = 1.7
"""How much larger than the object a window is."""
WORTH = 0.62
"""Windows longer than this share of the picture are not looked at again."""
SMALLEST_PX = 48


def closer_box(logits: Floats, prompt: Prompt, size: tuple[int, int]) -> Box | None:
    """What a closer look must show, in image pixels: the found mask, the box, the clicks inside; None when nothing."""
    on = logits > 0
    found: list[NDArray[np.float64]] = []
    if on.any():
        rows, columns = np.flatnonzero(on.any(1)), np.flatnonzero(on.any(0))
        cells = np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]], np.float64)
        found.append(cells * (size[0] / on.shape[1], size[1] / on.shape[0]))
    if prompt.box is not None:
        found.append(np.array(list(prompt.box)).reshape(2, 2))
    inside = prompt.points[prompt.labels == 1]
    if len(inside):
        found.append(inside.astype(np.float64))
    if not found:
        return None
    corners = np.concatenate(found)
    low = np.clip(corners.min(0), 0, np.array(size) - 1)
    high = np.clip(corners.max(0), low + 1, size)
    return Box(*low.tolist(), *high.tolist())


def zoom_window(box: Box, size: tuple[int, int]) -> Corners | None:
    """Whole-pixel corners around the box, steady under small changes of it; None when the object is large."""
    long = max(box.width, box.height, SMALLEST_PX / AIR) * AIR
    if long > WORTH * max(size):
        return None
    step = max(8, round(long / 8))
    spans = []
    for middle, side, limit in zip(box.centre, (box.width, box.height), size):
        reach = max(side * AIR, 0.6 * long) / 2
        low = max(0, int((middle - reach) // step) * step)
        high = min(limit, -int(-(middle + reach) // step) * step)
        spans.append((low, high))
    (x0, x1), (y0, y1) = spans
    return x0, y0, x1, y1


def into_view(logits: Floats, size: tuple[int, int], view: View) -> Floats:
    """Whole-picture logits (h, w) as the cells of a view of a part of it."""
    rows, columns = view.cells
    sx, sy = logits.shape[1] / size[0], logits.shape[0] / size[1]
    ax, ay = view.width * sx / columns, view.height * sy / rows
    turn = np.array([[ax, 0, view.x0 * sx + ax / 2 - 0.5], [0, ay, view.y0 * sy + ay / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved: Floats = cv2.warpAffine(logits, turn, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return moved

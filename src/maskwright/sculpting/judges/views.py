"""What a model is shown: the ROI with the mask over it, numbered anchors, squares with dots, patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.sculpting.places import Anchor, Cell, Place
from maskwright.sculpting.scene import Bools, Scene
from maskwright.values import Box, Image, Window

Pixels = NDArray[np.uint8]

SMALL_OBJECT = 0.02
"""Share of the picture under which an object is shown larger."""
SMALL_SIDE, USUAL_SIDE = 1024, 720
MOST_ENLARGED = 4.0
BEYOND = 128
RED, GREEN = (255, 0, 0), (0, 220, 0)


def roi_window(scene: Scene, mask: Bools, max_side: int) -> Window:
    """The ROI as shown: its long side at most `max_side` (1024 instead of the usual 720 for a small object)."""
    small = np.count_nonzero(mask) < SMALL_OBJECT * mask.size
    limit = SMALL_SIDE if small and max_side == USUAL_SIDE else max_side
    x0, y0, x1, y1 = scene.roi
    longest = max(x1 - x0, y1 - y0)
    return Window.around(Box(x0, y0, x1, y1), long_side=max(1, round(min(limit, longest * MOST_ENLARGED))))


def show(pixels: NDArray[Any], window: Window) -> NDArray[Any]:
    """A full-size array as seen through the window, which lies inside it."""
    part = pixels[window.y0 : window.y1, window.x0 : window.x1]
    way = cv2.INTER_AREA if window.width < part.shape[1] else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(part, (window.width, window.height), interpolation=way))


def overlaid(scene: Scene, mask: Bools, window: Window, share: float = 0.3) -> Image:
    """The ROI with the mask as a red overlay of `share`."""
    pixels = show(scene.image.pixels, window)
    inside = show(mask.astype(np.uint8), window) > 0
    pixels[inside] = ((1 - share) * pixels[inside] + share * np.array(RED)).astype(np.uint8)
    return Image(pixels)


def outlined(scene: Scene, mask: Bools, window: Window) -> Pixels:
    """The ROI with the mask's contour in green."""
    pixels = show(scene.image.pixels, window)
    inside = (show(mask.astype(np.uint8), window) > 0).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, found, -1, GREEN, 1, cv2.LINE_AA)
    return pixels


def depth_view(scene: Scene, window: Window) -> Image | None:
    """The depth map of the ROI, near is bright; None without depth."""
    if scene.depth is None:
        return None
    grey = (show(scene.depth, window) * 255).astype(np.uint8)
    return Image(np.asarray(cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8))


def numbered_anchors(scene: Scene, mask: Bools, window: Window, anchors: Sequence[Anchor]) -> Image:
    """The contour with the anchors on it, each a dot with its number beside it, outwards."""
    pixels = outlined(scene, mask, window)
    for anchor, (x, y) in zip(anchors, window.to_window([(a.x, a.y) for a in anchors])):
        put_mark(pixels, (float(x), float(y)), str(anchor.number), (255, 220, 0))
    return Image(pixels)


def anchor_squares(scene: Scene, cells: Sequence[Cell], side_px: int) -> Pixels:
    """One anchor's square with room about it, its cells outlined, a dot with the cell's name in each."""
    points = np.array([corner for cell in cells for corner in cell.corners])
    low, high = points.min(axis=0), points.max(axis=0)
    centre, side = (low + high) / 2, 1.15 * float((high - low).max())
    patch, window = square_patch(scene.image.pixels, (float(centre[0]), float(centre[1])), side, mirror=False)
    scale = side_px / patch.shape[0]
    pixels = np.ascontiguousarray(cv2.resize(patch, (side_px, side_px), interpolation=cv2.INTER_LINEAR))
    for cell in cells:
        corners = (np.array(cell.corners) - window) * scale
        cv2.polylines(pixels, [np.round(corners).astype(np.int32)], True, (255, 255, 255), 1, cv2.LINE_AA)
    for cell in cells:
        x, y = (np.array(cell.place.xy) - window) * scale
        put_mark(pixels, (float(x), float(y)), cell.name, (255, 220, 0))
    return pixels


def patches_of(scene: Scene, place: Place, sides: Sequence[float]) -> list[Pixels]:
    """Square crops about a place, one a side (in image pixels), reflected at the picture's edges."""
    return [square_patch(scene.image.pixels, place.xy, side)[0] for side in sides]


def patch_sides(scene: Scene, scales: Sequence[float], least_px: int) -> list[int]:
    """Different sides of the patches in image pixels, the smallest first."""
    return sorted({max(least_px, round(scale * scene.short_side)) for scale in scales})


def square_patch(
    pixels: Pixels, centre: tuple[float, float], side: float, *, mirror: bool = True
) -> tuple[Pixels, NDArray[np.float64]]:
    """A square crop, beyond the picture's edges mirrored or grey, and the full-image place of its upper left corner."""
    size = max(1, round(side))
    x0, y0 = round(centre[0] - size / 2), round(centre[1] - size / 2)
    height, width = pixels.shape[:2]
    if x0 >= 0 and y0 >= 0 and x0 + size <= width and y0 + size <= height:
        return pixels[y0 : y0 + size, x0 : x0 + size], np.array([x0, y0], dtype=np.float64)
    rows, columns = _reflected(y0, size, height), _reflected(x0, size, width)
    crop = np.ascontiguousarray(pixels[rows[:, None], columns])
    if not mirror:
        at_y, at_x = np.arange(y0, y0 + size), np.arange(x0, x0 + size)
        crop[(at_y < 0) | (at_y >= height)] = BEYOND
        crop[:, (at_x < 0) | (at_x >= width)] = BEYOND
    return crop, np.array([x0, y0], dtype=np.float64)


def varied(patch: Pixels, rng: np.random.Generator, *, flips: bool, jitter: bool) -> Pixels:
    """The patch perhaps mirrored, and lighter or darker by up to 10 % with up to 10 % more or less contrast."""
    out = patch[:, ::-1] if flips and rng.random() < 0.5 else patch
    if not jitter:
        return out
    contrast, light = 1 + rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1) * 255
    middle = float(out.mean())
    return np.asarray(np.clip((out - middle) * contrast + middle + light, 0, 255), dtype=np.uint8)


def side_by_side(left: Image, right: Image) -> Image:
    """Two pictures of one size with a white gap, A and B written over them."""
    gap = np.full((left.height, 12, 3), 255, dtype=np.uint8)
    pixels = np.ascontiguousarray(np.hstack([left.pixels, gap, right.pixels]))
    head = np.full((28, pixels.shape[1], 3), 255, dtype=np.uint8)
    for text, x in (("A", 6), ("B", left.width + 18)):
        cv2.putText(head, text, (x, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2, cv2.LINE_AA)
    return Image(np.vstack([head, pixels]))


def put_mark(pixels: Pixels, at: tuple[float, float], text: str, colour: tuple[int, int, int]) -> None:
    """A dot with a dark ring, and its number beside it on a dark ground."""
    height, width = pixels.shape[:2]
    x, y = round(at[0]), round(at[1])
    cv2.circle(pixels, (x, y), 5, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.circle(pixels, (x, y), 3, colour, -1, cv2.LINE_AA)
    if not text:
        return
    (w, h), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    left, low = int(np.clip(x + 7, 0, max(0, width - w - 2))), int(np.clip(y - 5, h + 2, max(h + 2, height - 2)))
    cv2.rectangle(pixels, (left - 1, low - h - 2), (left + w + 1, low + 2), (0, 0, 0), -1)
    cv2.putText(pixels, text, (left, low), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)


def _reflected(start: int, size: int, length: int) -> NDArray[np.int64]:
    """Indices start .. start + size reflected into 0 .. length - 1."""
    if length == 1:
        return np.zeros(size, dtype=np.int64)
    period = 2 * (length - 1)
    index = np.arange(start, start + size) % period
    return np.where(index < length, index, period - index).astype(np.int64)

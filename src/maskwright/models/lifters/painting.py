"""The picture as a texture: front as it is, back seen through or grown in from the outline."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.values import Image

Pixels = NDArray[np.uint8]
_MAX_SIDE = 2048


def paint_sides(
    cutout: Image, alpha: Pixels, points: NDArray[np.float64], back: str
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.float32]]:
    """Texture (RGB uint8) and uv (N, 2) of front and back for points in pixels of the picture."""
    inside = alpha >= 128
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    y0, y1 = max(0, int(rows[0]) - 2), min(inside.shape[0], int(rows[-1]) + 3)
    x0, x1 = max(0, int(columns[0]) - 2), min(inside.shape[1], int(columns[-1]) + 3)
    front = spread_colours(cutout.pixels[y0:y1, x0:x1], alpha[y0:y1, x0:x1] >= 250, inside[y0:y1, x0:x1])
    sides = [front] if back == "mirrored" else [front, grown_back(front, inside[y0:y1, x0:x1])]
    texture = np.concatenate(sides, axis=1)
    u, v = (points[:, 0] + 0.5 - x0) / (x1 - x0), 1 - (points[:, 1] + 0.5 - y0) / (y1 - y0)
    parts = len(sides)
    uv_front = np.clip(np.stack([u / parts, v], axis=1), 0, 1).astype(np.float32)
    uv_back = np.clip(np.stack([(u + parts - 1) / parts, v], axis=1), 0, 1).astype(np.float32)
    return _limited(texture), uv_front, uv_back


def spread_colours(pixels: Pixels, sure: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Pixels:
    """The picture with the object's colours carried outwards, so that no ground shows at the edge."""
    if not sure.any():
        sure = inside
    _, labels = cv2.distanceTransformWithLabels(
        (~sure).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((labels.max() + 1, 3), np.uint8)
    table[labels[sure]] = pixels[sure]
    return np.where(sure[:, :, None], pixels, table[labels])


def grown_back(front: Pixels, inside: NDArray[np.bool_]) -> Pixels:
    """A back without the front's features: the colours of a band along the outline, averaged inwards."""
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    band = inside & (depth <= max(3.0, 0.18 * float(depth.max())))
    colour, weight = front.astype(np.float32) * band[:, :, None], band.astype(np.float32)
    out, filled = front.astype(np.float32), weight.copy()
    for reach in (9, 25, 61, 151, 401):
        size = (min(reach, 2 * max(inside.shape) + 1),) * 2
        near = cv2.blur(weight, size)
        mean = cv2.blur(colour, size) / np.maximum(near, 1e-6)[:, :, None]
        part = ((filled < 1) & (near > 1e-3))[:, :, None]
        out = np.where(part, mean, out)
        filled = np.where(part[:, :, 0], 1, filled)
    smooth = cv2.GaussianBlur(out, (0, 0), max(1.0, 0.01 * max(inside.shape)))
    mixed = np.where(band[:, :, None], 0.5 * front + 0.5 * smooth, smooth)
    return np.asarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8), dtype=np.uint8)


def _limited(texture: Pixels) -> Pixels:
    scale = _MAX_SIDE / max(texture.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(texture)
    size = (round(texture.shape[1] * scale), round(texture.shape[0] * scale))
    return np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

"""What the embedded network sees of each region: one pass over the picture, pooled under every mask at once."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

STRIDE = 32
SIDE = 768
CROP = 160
MARGIN = 0.1

Floats = NDArray[np.float32]


def feature_map(session: Any, pixels: NDArray[np.uint8], side: int = SIDE) -> Floats:
    """(h, w, 1280) last features of the picture, its longer side scaled to `side` (both to multiples of 32)."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    rows, columns = (max(STRIDE, round(v * scale / STRIDE) * STRIDE) for v in (height, width))
    out: Floats = run(session, resized(pixels, columns, rows)[None])[0]
    return out


def run(session: Any, batch: NDArray[np.uint8]) -> Floats:
    """(N, H, W, 3) uint8 RGB -> (N, H / 32, W / 32, 1280)."""
    out: Floats = session.run(None, {"pixels": batch})[0]
    return out


def resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    smaller = width < pixels.shape[1] or height < pixels.shape[0]
    out = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.asarray(out, dtype=np.uint8)


def coarse(masks: NDArray[np.bool_], rows: int, columns: int) -> Floats:
    """(K, rows, columns) share of each cell that each mask covers."""
    out = np.empty((len(masks), rows, columns), dtype=np.float32)
    for i, mask in enumerate(masks):
        small = cv2.resize(mask.view(np.uint8) * np.uint8(255), (columns, rows), interpolation=cv2.INTER_AREA)
        out[i] = small / np.float32(255)
    return out


def pooled(features: Floats, shares: Floats) -> Floats:
    """(K, 1280) mean feature under each (h, w) share map; the picture's mean where a map is all zero."""
    flat = features.reshape(-1, features.shape[-1])
    weights = shares.reshape(len(shares), features.shape[0] * features.shape[1])
    weights = np.where(weights.sum(axis=1, keepdims=True) > 0, weights, np.float32(1))
    out: Floats = (weights @ flat) / weights.sum(axis=1, keepdims=True)
    return out


def boxes_of(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(K, 4) tight xyxy boxes; the whole picture for an empty mask."""
    height, width = masks.shape[1:]
    out = np.empty((len(masks), 4), dtype=np.int64)
    for i, mask in enumerate(masks):
        ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        out[i] = (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1) if ys.size else (0, 0, width, height)
    return out


def window_of(box: NDArray[np.int64], width: int, height: int) -> tuple[int, int, int, int]:
    """The box with a margin, inside the picture."""
    x0, y0, x1, y1 = (int(v) for v in box)
    margin = int(MARGIN * max(x1 - x0, y1 - y0)) + 2
    return max(0, x0 - margin), max(0, y0 - margin), min(width, x1 + margin), min(height, y1 + margin)


def crop_features(session: Any, pixels: NDArray[np.uint8], masks: NDArray[np.bool_], batch: int = 8) -> Floats:
    """(K, 2, 1280): each region's own crop, pooled under the mask and over the whole crop."""
    height, width = pixels.shape[:2]
    out = np.zeros((len(masks), 2, 1280), dtype=np.float32)
    cells = CROP // STRIDE
    boxes = boxes_of(masks)
    for start in range(0, len(masks), batch):
        windows = [window_of(box, width, height) for box in boxes[start : start + batch]]
        crops = np.stack([resized(pixels[y0:y1, x0:x1], CROP, CROP) for x0, y0, x1, y1 in windows])
        maps = run(session, crops)
        for j, (x0, y0, x1, y1) in enumerate(windows):
            share = coarse(masks[start + j : start + j + 1, y0:y1, x0:x1], cells, cells)
            out[start + j, 0] = pooled(maps[j], share)[0]
            out[start + j, 1] = maps[j].mean(axis=(0, 1))
    return out


def shape_facts(masks: NDArray[np.bool_]) -> Floats:
    """(K, 10): area share, centre, box size, fill, aspect, and which borders are touched."""
    _, height, width = masks.shape
    boxes = boxes_of(masks).astype(np.float64)
    areas = masks.sum(axis=(1, 2)) / (height * width)
    w, h = (boxes[:, 2] - boxes[:, 0]) / width, (boxes[:, 3] - boxes[:, 1]) / height
    columns = [
        np.sqrt(areas), (boxes[:, 0] + boxes[:, 2]) / 2 / width, (boxes[:, 1] + boxes[:, 3]) / 2 / height,
        w, h, areas / np.maximum(w * h, 1e-6), np.log((h * height + 1) / (w * width + 1)),
        (boxes[:, 0] <= 1) | (boxes[:, 2] >= width - 1), boxes[:, 1] <= 1, boxes[:, 3] >= height - 1,
    ]  # fmt: skip
    return np.stack(columns, axis=1).astype(np.float32)

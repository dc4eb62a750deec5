"""Label shares brought to the picture's own edges: a guided filter (He, Sun, Tang 2010) on lightness."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_EPS = 4e-4


def follow_edges(pixels: NDArray[np.uint8], shares: Floats) -> Floats:
    """(K, H, W) shares smoothed where the picture is smooth and sharp where it has an edge; they still sum to 1."""
    reach = max(2, round(0.008 * max(pixels.shape[:2])))
    size = (2 * reach + 1, 2 * reach + 1)
    guide = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    mean = cv2.blur(guide, size)
    spread = cv2.blur(guide * guide, size) - mean * mean + _EPS
    out = np.empty_like(shares)
    for i, share in enumerate(shares):
        if share.max() < 0.02:
            out[i] = share
            continue
        level = cv2.blur(share, size)
        slope = (cv2.blur(guide * share, size) - mean * level) / spread
        out[i] = cv2.blur(slope, size) * guide + cv2.blur(level - slope * mean, size)
    out = np.clip(out, 0, None)
    return np.asarray(out / np.maximum(out.sum(axis=0, keepdims=True), 1e-6), np.float32)

"""Soft borders that stay inside: weights that are exactly 0 outside a region, so that outside pixels stay bit-equal."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def feather_weights(region: NDArray[np.bool_], feather_px: float) -> NDArray[np.float32]:
    """(H, W) float32: 0 outside, rising to 1 over `feather_px` inside; the picture's border is no edge."""
    if region.all() or feather_px <= 0:
        return region.astype(np.float32)
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.clip(depth / (feather_px + 1), 0, 1).astype(np.float32) * region, dtype=np.float32)


def blend(original: Pixels, changed: Pixels, region: NDArray[np.bool_], feather_px: float) -> Pixels:
    """`changed` inside the region, softly; outside, the very bytes of `original`."""
    weight = feather_weights(region, feather_px)[:, :, None]
    mixed = np.rint(original * (1 - weight) + changed * weight).astype(np.uint8)
    return np.where(region[:, :, None], mixed, original)

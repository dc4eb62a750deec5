"""When to stop, and the measures it is decided by."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from maskwright.sculpting.scene import Bools


def iou(a: Bools, b: Bools) -> float:
    """Intersection over union; 1.0 for two empty masks."""
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 1.0


def boundary_f(a: Bools, b: Bools, share: float = 0.008) -> float:
    """F measure of two rims, matched within `share` of the diagonal; 1.0 when both are empty."""
    reach = max(1, round(share * float(np.hypot(*a.shape))))
    near = _around(a | b, reach + 2)
    rim_a, rim_b = _rim(a)[near], _rim(b)[near]
    if not rim_a.any() and not rim_b.any():
        return 1.0
    if not rim_a.any() or not rim_b.any():
        return 0.0
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    precision = float(np.mean(cv2.dilate(rim_b.astype(np.uint8), kernel)[rim_a]))
    recall = float(np.mean(cv2.dilate(rim_a.astype(np.uint8), kernel)[rim_b]))
    return 2 * precision * recall / max(1e-9, precision + recall)


def why_stop(
    masks: Sequence[Bools],
    empty_diagnoses: int,
    *,
    least_change: float = 0.005,
    least_boundary: float = 0.003,
    oscillation: float = 0.005,
    elsewhere: bool = False,
) -> str | None:
    """The reason to stop after the last of `masks` (the first is the start), or None.

    `empty_diagnoses`: how many of the last rounds, in a row, found nothing wrong; `elsewhere`: the last one saw nothing
    wrong, and the next one looks at other places.
    """
    if len(masks) < 2:
        return None
    if elsewhere:
        return "nothing wrong found twice" if empty_diagnoses >= 2 else None
    if 1 - iou(masks[-1], masks[-2]) < least_change:
        return "settled"
    if empty_diagnoses >= 2:
        return "nothing wrong found twice"
    if len(masks) >= 3 and 1 - iou(masks[-1], masks[-3]) < oscillation:
        return "oscillates"
    if len(masks) >= 4:
        moves = [1 - boundary_f(a, b) for a, b in zip(masks[-3:-1], masks[-2:])]
        if max(moves) < least_boundary:
            return "rim settled"
    return None


def _around(mask: Bools, margin: int) -> tuple[slice, slice]:
    """The part of the array that holds the mask with a margin."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.s_[0:0, 0:0]
    return np.s_[
        max(0, int(rows[0]) - margin) : int(rows[-1]) + margin + 1,
        max(0, int(columns[0]) - margin) : int(columns[-1]) + margin + 1,
    ]


def _rim(mask: Bools) -> Bools:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    return np.asarray(mask & ~inner, dtype=np.bool_)

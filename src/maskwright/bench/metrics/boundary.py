"""Boundary F-measure as the DAVIS 2017 evaluation defines it (Perazzi et al. 2016).

A mask's boundary are the pixels that differ from their right, lower or lower-right neighbour. Precision is the share of
the answer's boundary within `tolerance` pixels of the truth's, recall the other way round.
"""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask

Bools = NDArray[np.bool_]


def boundary_f(answer: Bools, truth: Bools, *, share: float = 0.008) -> float:
    """F of two (H, W) masks; the tolerance is `share` of the diagonal rounded up (pixels when it is 1 or more)."""
    if answer.shape != truth.shape:
        raise BadMask(f"masks of {answer.shape} and {truth.shape} cannot be compared.", "Give masks of one picture.")
    tolerance = int(share) if share >= 1 else math.ceil(share * math.hypot(*truth.shape))
    ours, theirs = boundary(answer), boundary(truth)
    n_ours, n_theirs = int(np.count_nonzero(ours)), int(np.count_nonzero(theirs))
    if not n_ours or not n_theirs:
        return float(n_ours == n_theirs)
    precision = _matched(ours, theirs, tolerance) / n_ours
    recall = _matched(theirs, ours, tolerance) / n_theirs
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Bools) -> NDArray[np.uint8]:
    """(H, W) uint8 0/1: pixels unlike their right, lower or lower-right neighbour (the last row and column have only
    the neighbours they have)."""
    seg = mask.view(np.uint8) if mask.flags.c_contiguous else np.ascontiguousarray(mask).view(np.uint8)
    out = np.empty_like(seg)
    inner = out[:-1, :-1]
    here = seg[:-1, :-1]
    np.bitwise_xor(here, seg[:-1, 1:], out=inner)
    np.bitwise_or(inner, here ^ seg[1:, :-1], out=inner)
    np.bitwise_or(inner, here ^ seg[1:, 1:], out=inner)
    np.bitwise_xor(seg[-1, :-1], seg[-1, 1:], out=out[-1, :-1])
    np.bitwise_xor(seg[:-1, -1], seg[1:, -1], out=out[:-1, -1])
    out[-1, -1] = 0
    return out


def _matched(lines: NDArray[np.uint8], near: NDArray[np.uint8], reach: int) -> int:
    """How many pixels of `lines` have one of `near` within `reach` pixels (Euclidean)."""
    top, bottom, left, right = _window(lines)
    height, width = near.shape
    y0, y1 = max(top - reach, 0), min(bottom + reach, height)
    x0, x1 = max(left - reach, 0), min(right + reach, width)
    grown = cv2.dilate(near[y0:y1, x0:x1], _disc(reach))
    return int(np.count_nonzero(grown[top - y0 : bottom - y0, left - x0 : right - x0] & lines[top:bottom, left:right]))


def _window(lines: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(lines.any(axis=1)), np.flatnonzero(lines.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


@cache
def _disc(radius: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc: NDArray[np.uint8] = (x * x + y * y <= radius * radius).astype(np.uint8)
    return disc

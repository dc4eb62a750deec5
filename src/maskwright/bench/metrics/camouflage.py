"""Measures of salient and camouflaged object detection, for soft maps and masks.

S-measure: Fan et al., ICCV 2017. E-measure: Fan et al., IJCAI 2018. Weighted F: Margolin et al., CVPR 2014.
Written from the papers; equal to PySODMetrics where that is finite (its S-measure is NaN when a quadrant is empty).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from maskwright.errors import BadMask

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_EPS = float(np.spacing(1))


def as_map(answer: NDArray[Any], truth: Bools) -> Floats:
    """The answer (bool, uint8 0-255, or floats) stretched to 0..1 as these measures do; raises BadMask."""
    if answer.shape != truth.shape or answer.ndim != 2:
        raise BadMask(f"a map of {answer.shape} does not fit a truth of {truth.shape}.", "Give maps of one picture.")
    soft = answer.astype(np.float64) / (255.0 if answer.dtype == np.uint8 else 1.0)
    low, high = float(soft.min()), float(soft.max())
    return (soft - low) / (high - low) if high > low else soft


def mean_absolute_error(answer: NDArray[Any], truth: Bools) -> float:
    """Mean distance of map and truth, 0 is best."""
    return float(np.abs(as_map(answer, truth) - truth).mean())


# -- S-measure


def s_measure(answer: NDArray[Any], truth: Bools, *, alpha: float = 0.5) -> float:
    """Structural likeness 0..1: of the object and its ground (alpha), and of the four quadrants about its centre."""
    soft = as_map(answer, truth)
    share = float(truth.mean())
    if share in (0.0, 1.0):
        return float(soft.mean()) if share else 1 - float(soft.mean())
    of_object = share * _likeness(soft[truth]) + (1 - share) * _likeness(1 - soft[~truth])
    return max(0.0, alpha * of_object + (1 - alpha) * _of_quadrants(soft, truth))


def _likeness(values: Floats) -> float:
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return 2 * mean / (mean * mean + 1 + spread + _EPS)


def _of_quadrants(soft: Floats, truth: Bools) -> float:
    height, width = truth.shape
    y, x = (int(v) + 1 for v in np.argwhere(truth).mean(axis=0).round())
    total = 0.0
    for rows in (slice(0, y), slice(y, height)):
        for columns in (slice(0, x), slice(x, width)):
            part = soft[rows, columns]
            if part.size:
                total += part.size / truth.size * _structure(part, truth[rows, columns].astype(np.float64))
    return total


def _structure(a: Floats, b: Floats) -> float:
    """SSIM of two parts without its constants."""
    mean_a, mean_b = float(a.mean()), float(b.mean())
    scale = a.size - 1 + _EPS
    away_a, away_b = a - mean_a, b - mean_b
    spread = float((away_a * away_a).sum() + (away_b * away_b).sum()) / scale
    top = 4 * mean_a * mean_b * float((away_a * away_b).sum()) / scale
    bottom = (mean_a**2 + mean_b**2) * spread
    if top != 0:
        return top / (bottom + _EPS)
    return 1.0 if bottom == 0 else 0.0


# -- E-measure


@dataclass(frozen=True)
class EMeasure:
    """mean and best over all 256 thresholds, and at the adaptive one (twice the mean of the map)."""

    mean: float
    best: float
    adaptive: float


def e_measure(answer: NDArray[Any], truth: Bools) -> EMeasure:
    """Enhanced alignment of a map and the truth."""
    soft = as_map(answer, truth)
    levels = (soft * 255).astype(np.uint8)
    hits = np.bincount(levels[truth], minlength=256)[::-1].cumsum()
    misses = np.bincount(levels[~truth], minlength=256)[::-1].cumsum()
    curve = _alignment(hits, misses, truth)
    chosen = soft >= min(2 * float(soft.mean()), 1.0)
    adaptive = _alignment(
        np.array([np.count_nonzero(chosen & truth)]), np.array([np.count_nonzero(chosen & ~truth)]), truth
    )
    return EMeasure(float(curve.mean()), float(curve.max()), float(adaptive[0]))


def _alignment(hits: NDArray[np.int64], misses: NDArray[np.int64], truth: Bools) -> Floats:
    """The measure for each pair (pixels marked inside the truth, pixels marked outside it)."""
    size, inside = truth.size, int(np.count_nonzero(truth))
    marked = hits + misses
    if inside == 0:
        total: Floats = (size - marked).astype(np.float64)
    elif inside == size:
        total = marked.astype(np.float64)
    else:
        a, t = marked / size, inside / size
        total = (
            hits * _enhanced(1 - a, 1 - t)
            + misses * _enhanced(1 - a, -t)
            + (inside - hits) * _enhanced(-a, 1 - t)
            + (size - marked - inside + hits) * _enhanced(-a, -t)
        )
    return total / (size - 1 + _EPS)


def _enhanced(a: Floats, t: float) -> Floats:
    return (2 * a * t / (a * a + t * t + _EPS) + 1) ** 2 / 4


# -- weighted F


def weighted_f(answer: NDArray[Any], truth: Bools, *, beta: float = 1.0) -> float:
    """F where errors weigh less beside the object's edge and more far from it; 0 for an empty truth."""
    if not truth.any():
        return 0.0
    soft = as_map(answer, truth)
    error = np.abs(soft - truth)
    away, (row, column) = distance_transform_edt(~truth, return_indices=True)
    spread = error[row, column]
    blurred = cv2.filter2D(spread, cv2.CV_64F, _gauss(), borderType=cv2.BORDER_CONSTANT)
    error = np.where(truth & (blurred < error), blurred, error)
    weight = np.where(truth, 1.0, 2 - np.exp(np.log(0.5) / 5 * away))
    weighted = error * weight
    inside = int(np.count_nonzero(truth))
    hits = inside - float(weighted[truth].sum())
    recall = 1 - float(weighted[truth].mean())
    precision = hits / (hits + float(weighted[~truth].sum()) + _EPS)
    return (1 + beta) * recall * precision / (recall + beta * precision + _EPS)


def _gauss(side: int = 7, sigma: float = 5.0) -> Floats:
    line = np.exp(-((np.arange(side) - side // 2) ** 2) / (2 * sigma * sigma))
    square = np.outer(line, line)
    return np.asarray(square / square.sum(), dtype=np.float64)

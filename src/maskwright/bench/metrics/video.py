"""Measures of filled clips: PSNR, SSIM with the field's window of 65, and how much a clip flickers along its motion."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

SSIM_WINDOW = 65
"""The window that video-inpainting tables use (smaller for smaller frames)."""


def psnr(made: Frame, truth: Frame, mask: Bools | None = None) -> float:
    """Decibels over the frame, or inside the mask; infinite for equal pictures."""
    error = (made.astype(np.float64) - truth) ** 2
    mean = float(error.mean() if mask is None else error[mask].mean())
    return float("inf") if mean == 0 else float(10 * np.log10(255**2 / mean))


def ssim(made: Frame, truth: Frame, window: int = SSIM_WINDOW) -> float:
    """Structural similarity with a flat window, sample covariance, channels averaged, borders left out: what
    scikit-image's structural_similarity(win_size=window, channel_axis=2, data_range=255) gives."""
    side = min(window, min(made.shape[:2]) - (1 - min(made.shape[:2]) % 2))
    x, y = made.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _mean(x, side), _mean(y, side)
    count = side * side / (side * side - 1)
    var_x = count * (_mean(x * x, side) - mean_x**2)
    var_y = count * (_mean(y * y, side) - mean_y**2)
    cov = count * (_mean(x * y, side) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    edge = (side - 1) // 2
    return float(score[edge : score.shape[0] - edge, edge : score.shape[1] - edge].mean())


def _mean(array: Floats, side: int) -> Floats:
    return np.asarray(cv2.blur(array, (side, side), borderType=cv2.BORDER_REFLECT), np.float64)


def flows(frames: Sequence[Frame]) -> list[tuple[NDArray[np.float32], Bools]]:
    """Between neighbours: flow (H, W, 2) and where it can be trusted (there and back agree: not occluded)."""
    measure = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    out = []
    for first, second in itertools.pairwise(greys):
        there, back = measure.calc(first, second, None), measure.calc(second, first, None)
        home = _warped(back, there)
        gap = ((there + home) ** 2).sum(axis=2)
        trusted = np.asarray(gap < 0.01 * ((there**2).sum(axis=2) + (home**2).sum(axis=2)) + 0.5)
        out.append((np.asarray(there, np.float32), trusted))
    return out


def warping_error(
    frames: Sequence[Frame], masks: Sequence[Bools], motion: Sequence[tuple[NDArray[np.float32], Bools]]
) -> float:
    """Mean squared difference (of 0..1 values) between each frame and the next one brought back along the motion,
    inside the masks where the motion can be trusted; 0 when there is nothing to compare."""
    total, count = 0.0, 0
    for index, (flow, trusted) in enumerate(motion):
        held = trusted & masks[index]
        gap = (_warped(frames[index + 1], flow).astype(np.float64) - frames[index])[held] / 255
        total, count = total + float((gap**2).sum()), count + gap.size
    return total / count if count else 0.0


def _warped(picture: NDArray[np.generic], flow: NDArray[np.float32]) -> NDArray[np.generic]:
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.asarray(cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR))

"""The last pixel of a sharp edge: what a pixel on the line is mixed from, by the colours just inside and just outside.

Where an edge is only anti-aliased, mixed pixels form a rim one pixel wide, and next to it alpha is 0 or 1. There the
line behind the mask's steps says nearly all, and a pixel's place between the two sides' local colours says the rest,
each channel as far as it tells. Matting says more where colours are clear, and less than nothing where both sides are
textured or a file keeps chroma coarsely; a matte that is soft a pixel or two beside a sharp edge gives itself away.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from maskwright.shaping.softness import signed_distance

Floats = NDArray[np.float32]
_SHARP_PX, _SOFT_PX = 0.55, 0.9
"""Sigma up to which an edge is a rim alone, and from which it is none."""
_LINES = (0.7, 1.2, 2.0)
"""Sigmas in pixels of the smoothing that finds the line behind a mask's steps: the smoothest that agrees with them."""
_NEAR_PX, _AGREES_PX = 3.0, 0.75
_REACH, _AROUND = 9, 25
"""Pixels across of the neighbourhoods that give a side its colour, and a matte its credit."""
_PURE = 0.01
_BESIDE = 0.002
"""Alpha this near to 0 or 1 by the line alone lies beside the rim."""
_LINE_ERROR = 0.12
"""How far the line behind the mask's steps may be off, in alpha."""
_NOISE = 2.0
_FILE_ERROR = np.array([0.04, 0.25, 0.25], np.float32)
"""How far luma and chroma may be off, in alpha, even between flat sides: most files keep chroma at half the size."""
_STRAYS, _STRAYS_UNLINED = (0.01, 0.03), (0.03, 0.06)
"""Mean softness of a matte beside the rim, from where it is doubted to where it is not believed at all: where a line
explains the mask's steps, and where none does, as in hair."""


def with_rim(
    pixels: NDArray[np.uint8], inside: NDArray[np.bool_], unknown: NDArray[np.bool_], matte: Floats, softness: Floats
) -> Floats:
    """The matte (H, W), its sharp stretches solved as a rim where it strays there; `unknown`: what the matte was solved
    for; `softness`: sigma, pixels."""
    edge = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    sharp = np.clip((_SOFT_PX - softness) / (_SOFT_PX - _SHARP_PX), 0, 1)
    if not (sharp[edge] > 0).any():
        return matte
    distance, lined = fine_distance(inside)
    by_line = np.asarray(ndtr(distance / softness), np.float32)
    beside = unknown & (sharp > 0) & ((by_line < _BESIDE) | (by_line > 1 - _BESIDE))
    strays, share = _local_mean(np.abs(matte - by_line), beside), _local_mean(lined.astype(np.float32), edge)
    low, high = (a * share + b * (1 - share) for a, b in zip(_STRAYS, _STRAYS_UNLINED))
    weight = unknown * sharp * np.clip((strays - low) / (high - low), 0, 1)
    if not weight.any():
        return matte
    return np.asarray(weight * rim_alpha(pixels, by_line) + (1 - weight) * matte, np.float32)


def fine_distance(inside: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Pixels to the mask's edge, positive inside, and between pixels near it: to the line that the mask's steps were
    drawn from, never on the other side of the mask's own edge; and where a line explains the steps (not in hair)."""
    coarse = signed_distance(inside)
    near = np.abs(coarse) < _NEAR_PX
    fine, explained = coarse, np.zeros_like(inside)
    for sigma in _LINES:
        smooth = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), sigma)[near]
        line = np.full(inside.shape, 1e4, np.float32)
        line[near] = sigma * ndtri(np.clip(smooth, 1e-6, 1 - 1e-6))
        agrees = (np.abs(line - coarse) < _AGREES_PX) & near
        strayed = cv2.dilate((near & ~agrees & (np.abs(coarse) < 1)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        fine = np.where(agrees & ~strayed, line, fine)
        explained = (agrees | ~near) & ~strayed
    return np.where(inside, np.maximum(fine, 0), np.minimum(fine, 0)).astype(np.float32), explained


def rim_alpha(pixels: NDArray[np.uint8], by_line: Floats) -> Floats:
    """Alpha (H, W): `by_line` (0..1), moved on the rim to what the colours say as far as they say it."""
    channels = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    front, front_variance = _side(channels, by_line > 1 - _PURE)
    back, back_variance = _side(channels, by_line < _PURE)
    share = by_line[:, :, None]
    variance = front_variance * share + back_variance * (1 - share) + _NOISE**2
    way = front - back
    told = 1 / (variance / np.maximum(way**2, 1e-3) + _FILE_ERROR**2)
    place = np.clip((channels - back) / np.where(way == 0, 1, way), -0.5, 1.5)
    prior = 1 / _LINE_ERROR**2
    found = ((told * place).sum(axis=2) + prior * by_line) / (told.sum(axis=2) + prior)
    rim = (by_line >= _PURE) & (by_line <= 1 - _PURE)
    return np.where(rim, np.clip(found, 0, 1), by_line).astype(np.float32)


def _side(channels: Floats, pure: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and variance (H, W, 3) over the pure pixels around each place; a variance past use where there are none."""
    part = pure.astype(np.float32)[:, :, None]
    size = (_REACH, _REACH)
    weight = cv2.blur(part, size)[:, :, None]
    mean = cv2.blur(channels * part, size) / (weight + 1e-6)
    variance = cv2.blur(channels**2 * part, size) / (weight + 1e-6) - mean**2
    return mean, np.maximum(variance, 0) + 1e5 * (weight < 0.01)


def _local_mean(field: Floats, where: NDArray[np.bool_]) -> Floats:
    part, size = where.astype(np.float32), (_AROUND, _AROUND)
    found: Floats = cv2.blur(field * part, size) / (cv2.blur(part, size) + 1e-4)
    return found

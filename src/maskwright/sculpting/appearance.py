"""What a mask's own pixels look like: colour and texture likelihoods, and depth gating."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.sculpting.scene import Bools, Floats, Scene

BINS = 12
TEXTURE_EDGES = (2.0, 5.0, 10.0)
FLOOR = 2e-4
DEPTH_SPREADS = 3.0
"""Nearness further than this many spreads from the mask's own is gated."""


def likeness(scene: Scene, small: Bools) -> Floats:
    """(h, w) float32 in 0..1: how much each working pixel looks like the mask's inside rather than its outside."""
    score = log_odds(scene, small)
    return np.asarray(1.0 / (1.0 + np.exp(-score)), dtype=np.float32)


def log_odds(scene: Scene, small: Bools, around: Bools | None = None) -> Floats:
    """(h, w) float32: log of P(look | inside) / P(look | outside), clipped to +-4; 0 where there is no contrast.

    Inside is learnt from the mask without its rim, outside from the rest of the ROI (or from `around`) without the rim.
    """
    core, ground = _core(small), _core(~small if around is None else around)
    if not core.any() or not ground.any():
        return np.zeros(small.shape, dtype=np.float32)
    codes = _codes(scene)
    inner, outer = _histogram(codes[core]), _histogram(codes[ground])
    odds = np.log((inner + FLOOR) / (outer + FLOOR)).astype(np.float32)
    score = cv2.GaussianBlur(odds[codes], (0, 0), 1.5)
    gate = depth_gate(scene, core)
    gated = score if gate is None else score - 2.0 * (1 - gate)
    return np.asarray(np.clip(gated, -4, 4), dtype=np.float32)


def depth_gate(scene: Scene, core: Bools) -> Floats | None:
    """(h, w) float32 1 where the depth fits the mask's own, falling to 0 far from it; None without depth."""
    if scene.near is None or not core.any():
        return None
    own = scene.near[core]
    centre = float(np.median(own))
    spread = max(0.02, 1.4826 * float(np.median(np.abs(own - centre))))
    away = np.abs(scene.near - centre) / spread
    return np.asarray(np.clip(2 - away / DEPTH_SPREADS, 0, 1), dtype=np.float32)


def _core(region: Bools) -> Bools:
    """The region without its outermost pixels, unless nothing would be left."""
    inner: Bools = cv2.erode(region.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
    return inner if inner.any() else region


def _codes(scene: Scene) -> NDArray[np.int64]:
    """(h, w) bin number of each working pixel's Lab colour and texture."""
    lab = scene.lab
    light = np.clip(lab[..., 0] / 100 * BINS, 0, BINS - 1).astype(np.int64)
    a = np.clip((lab[..., 1] + 60) / 120 * BINS, 0, BINS - 1).astype(np.int64)
    b = np.clip((lab[..., 2] + 60) / 120 * BINS, 0, BINS - 1).astype(np.int64)
    rough = np.digitize(scene.texture, TEXTURE_EDGES)
    return ((light * BINS + a) * BINS + b) * (len(TEXTURE_EDGES) + 1) + rough


def _histogram(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of each bin, smoothed along colour so that near colours count a little."""
    levels = len(TEXTURE_EDGES) + 1
    counts = np.bincount(codes, minlength=BINS**3 * levels).astype(np.float64).reshape(BINS, BINS, BINS, levels)
    smooth = counts
    for axis in range(3):
        smooth = 0.6 * smooth + 0.2 * (_shift(smooth, axis, 1) + _shift(smooth, axis, -1))
    return np.asarray(smooth / max(1.0, smooth.sum()), dtype=np.float64).reshape(-1)


def _shift(values: NDArray[np.float64], axis: int, by: int) -> NDArray[np.float64]:
    out = np.roll(values, by, axis=axis)
    edge = [slice(None)] * values.ndim
    edge[axis] = slice(0, 1) if by > 0 else slice(-1, None)
    out[tuple(edge)] = 0
    return out

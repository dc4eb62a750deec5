"""Dense motion between neighbouring frames: measured outside the holes, completed inside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

STILL_PX = 0.12
"""A mean displacement below this (working pixels) is a camera that stands still: small flow is noise then."""
STILL_REACH_PX, REACH_PX = 6.0, 40.0
"""How far into a hole the motion beside it (which may be of a thing that moves) outweighs the camera's."""


@dataclass(frozen=True, eq=False)
class Small:
    """A frame at working size: grey (h, w) uint8 with the hole smoothed over, hole (h, w) bool, mean colours of what
    is seen are taken from `colour` (h, w, 3) uint8."""

    grey: NDArray[np.uint8]
    hole: Bools
    colour: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Motion:
    """From one frame to its neighbour: flow (h, w, 2) float32 in working pixels, complete everywhere;
    doubt (h, w) float32, how many pixels it may be off."""

    flow: Floats
    doubt: Floats


def working_size(width: int, height: int, long_side: int) -> tuple[int, int]:
    """(width, height) with the longer side at most `long_side`; at least 16 each."""
    scale = min(1.0, long_side / max(width, height))
    return max(16, round(width * scale)), max(16, round(height * scale))


def shrink(frame: NDArray[np.uint8], hole: Bools, size: tuple[int, int]) -> Small:
    """The frame at working size; what is under the hole leaves no trace."""
    same = size == frame.shape[1::-1]
    colour = frame if same else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_AREA if not same else cv2.INTER_NEAREST)
    covered = small > 0 if same else _covered(hole, size)
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    if covered.any():
        filled = push_pull(grey.astype(np.float32), (~covered).astype(np.float32))
        grey = np.where(covered, np.clip(np.rint(filled), 0, 255).astype(np.uint8), grey)
    return Small(np.ascontiguousarray(grey), covered, colour)


def _covered(hole: Bools, size: tuple[int, int]) -> Bools:
    share: Floats = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return share > 1e-3


def motions(a: Small, b: Small) -> tuple[Motion, Motion]:
    """The motion a -> b and b -> a."""
    there, back = _dis().calc(a.grey, b.grey, None), _dis().calc(b.grey, a.grey, None)
    return _complete(there, back, a, b), _complete(back, there, b, a)


@cache
def _dis() -> cv2.DISOpticalFlow:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    flow.setGradientDescentIterations(12)
    return flow


def _complete(flow: Floats, back: Floats, here: Small, there: Small) -> Motion:
    trusted = _trusted(flow, back, here.hole, there.hole)
    model = _camera(flow, trusted)
    reach = REACH_PX
    if float(np.abs(model).mean()) < STILL_PX:
        model, reach = np.zeros_like(model), STILL_REACH_PX
        flow = np.where(np.abs(flow) < 2 * STILL_PX, 0.0, flow).astype(np.float32)
    rest = push_pull(flow - model, trusted.astype(np.float32))
    away = cv2.distanceTransform((~trusted).astype(np.uint8), cv2.DIST_L2, 3)
    rest *= np.exp(-away / reach)[..., None]
    return Motion((model + rest).astype(np.float32), (0.1 + 0.02 * away).astype(np.float32))


def _trusted(flow: Floats, back: Floats, hole: Bools, other: Bools) -> Bools:
    """Where the flow leads from something seen to something seen and the way back leads home."""
    height, width = hole.shape
    x, y = _grid(height, width)
    to_x, to_y = x + flow[..., 0], y + flow[..., 1]
    home = cv2.remap(back, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    covered = cv2.remap(other.astype(np.uint8) * 255, to_x, to_y, cv2.INTER_LINEAR, borderValue=255)
    gap, length = _squares(flow + home), _squares(flow) + _squares(home)
    inside = (to_x >= 0) & (to_y >= 0) & (to_x <= width - 1) & (to_y <= height - 1)
    return np.asarray(inside & ~hole & (covered == 0) & (gap < 0.01 * length + 0.25))


def _squares(vectors: Floats) -> Floats:
    out: Floats = vectors[..., 0] ** 2 + vectors[..., 1] ** 2
    return out


def _camera(flow: Floats, trusted: Bools) -> Floats:
    """The smooth motion (eight numbers, as of a plane) that most of the trusted flow follows, at every pixel."""
    height, width = trusted.shape
    terms = _terms(height, width)
    picked = np.zeros_like(trusted)
    picked[::8, ::8] = True
    picked &= trusted
    if np.count_nonzero(picked) < 24:
        return np.zeros_like(flow)
    known, wanted = terms[picked].astype(np.float64), flow[picked].astype(np.float64)
    weights = np.ones(len(known))
    ridge = 1e-6 * np.eye(terms.shape[2])
    parts: NDArray[np.float64] = np.zeros((terms.shape[2], 2))
    for _ in range(5):
        scaled = known * weights[:, None]
        parts = np.asarray(np.linalg.solve(known.T @ scaled + ridge, scaled.T @ wanted), np.float64)
        off = np.hypot(*(wanted - known @ parts).T)
        scale = max(0.2, 1.5 * float(np.median(off)))
        weights = 1.0 / (1.0 + (off / scale) ** 2) ** 2
    model: Floats = terms @ parts.astype(np.float32)
    return model


@cache
def _terms(height: int, width: int) -> Floats:
    """(h, w, 6): 1, x, y, x*x, x*y, y*y about the middle, in units of the longer side."""
    x, y = _grid(height, width)
    x, y = ((v - side / 2) / np.float32(max(width, height)) for v, side in ((x, width), (y, height)))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2).astype(np.float32)


@cache
def _grid(height: int, width: int) -> tuple[Floats, Floats]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def push_pull(values: Floats, weights: Floats) -> Floats:
    """The values where weight is 1, smooth in between: averages pushed up a pyramid and pulled down again.

    values (h, w) or (h, w, c), weights (h, w) 0..1; weights that are 0 everywhere give zeros.
    """
    flat = values.ndim == 2
    out = _pull(values[..., None] if flat else values, weights)
    return out[..., 0] if flat else out


def _pull(values: Floats, weights: Floats) -> Floats:
    height, width = weights.shape
    if float(weights.min()) > 0.999:
        return values
    weighted = values * weights[..., None]
    if min(height, width) <= 2:
        total = float(weights.sum())
        mean = weighted.sum(axis=(0, 1)) / total if total > 0 else np.zeros(values.shape[2], np.float32)
        return (weighted + (1 - weights[..., None]) * mean).astype(np.float32)
    size = ((width + 1) // 2, (height + 1) // 2)
    share = cv2.resize(weights, size, interpolation=cv2.INTER_AREA)
    smaller = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    smaller = smaller / np.maximum(share, 1e-6)[..., None]
    lower = _pull(smaller.astype(np.float32), np.minimum(share * 4, 1.0).astype(np.float32))
    upper = cv2.resize(lower, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    return np.asarray(weighted + (1 - weights[..., None]) * upper, np.float32)


def fitted(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The frame at (width, height)."""
    if frame.shape[1::-1] == size:
        return frame
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), np.uint8)

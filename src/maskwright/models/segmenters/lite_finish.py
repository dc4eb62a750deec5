"""From low-resolution logits to a mask at full size: edges that follow the picture, clicks on their right side."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

LIMIT = 6.0
"""Logits are clipped to this before they are smoothed along the picture."""


@dataclass(frozen=True)
class FinishOptions:
    """How far edges may follow the picture. `reach`: radius of the guide in logit cells; `softness`: how even a
    surface must be to count as one; `colour`: weight of the colour model; `most_px`: pixels finished at full size."""

    reach: float = 0.8
    softness: float = 2e-4
    colour: float = 0.0
    most_px: int = 4_000_000


@dataclass(frozen=True, eq=False)
class Frame:
    """Where low-resolution logits lie in the picture: corner and size in image pixels."""

    x0: float
    y0: float
    width: float
    height: float


def spread(logits: Floats, frame: Frame, size: tuple[int, int]) -> Floats:
    """Logits of a frame brought to (width, height) = size of the whole picture; -LIMIT outside the frame."""
    wide, high = size
    if (frame.x0, frame.y0, frame.width, frame.height) == (0, 0, wide, high):
        return _resized(logits, size)
    out = np.full((high, wide), -LIMIT, np.float32)
    x0, y0, w, h = int(frame.x0), int(frame.y0), int(frame.width), int(frame.height)
    out[y0 : y0 + h, x0 : x0 + w] = _resized(logits, (w, h))
    return out


def _resized(values: Floats, size: tuple[int, int]) -> Floats:
    out: Floats = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    return out


def finished(logits: Floats, pixels: NDArray[np.uint8], options: FinishOptions) -> Floats:
    """Logits (h, w) of a rectangle of pixels (H, W, 3) at its full size, edges moved onto the picture's."""
    height, width = pixels.shape[:2]
    wide = _resized(logits, (width, height))
    if height * width > options.most_px:
        return wide
    cell = max(width / logits.shape[1], height / logits.shape[0])
    rows, columns = _where_unsure(wide, round(4 * cell) + 4)
    if rows is None or columns is None:
        return wide
    part = np.clip(wide[rows, columns], -LIMIT, LIMIT)
    guide: Floats = pixels[rows, columns].astype(np.float32) / np.float32(255)
    if options.colour > 0:
        part = part + options.colour * colour_evidence(part, guide)
    wide[rows, columns] = guided(part, guide, max(1, round(options.reach * cell)), options.softness)
    return wide


def _where_unsure(logits: Floats, margin: int) -> tuple[slice, slice] | tuple[None, None]:
    """The rectangle around every place that is not surely outside."""
    near = logits > -3.0
    down, across = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    if not down.size:
        return None, None
    return (
        slice(max(0, int(down[0]) - margin), int(down[-1]) + margin + 1),
        slice(max(0, int(across[0]) - margin), int(across[-1]) + margin + 1),
    )


def guided(values: Floats, guide: Floats, radius: int, softness: float) -> Floats:
    """The guided filter with a colour guide (h, w, 3) 0..1: values become locally linear in the colours. The linear
    maps are found at half size and applied at full size."""
    height, width = values.shape
    half = (max(1, width // 2), max(1, height // 2))
    small = cv2.resize(guide, half, interpolation=cv2.INTER_AREA)
    slope, offset = _linear_maps(_resized(values, half), small, max(1, round(radius / 2)), softness)
    out: Floats = (_resized(slope, (width, height)) * guide).sum(-1) + _resized(offset, (width, height))
    return out


def _linear_maps(values: Floats, guide: Floats, radius: int, softness: float) -> tuple[Floats, Floats]:
    """Slope (h, w, 3) and offset (h, w) of the values as a function of the guide's colours around every place."""
    box = (2 * radius + 1, 2 * radius + 1)

    def mean(x: Floats) -> Floats:
        out: Floats = cv2.blur(x, box, borderType=cv2.BORDER_REFLECT)
        return out

    m, mv = mean(guide), mean(values)
    cross = mean(guide * values[..., None]) - m * mv[..., None]
    r, g, b = (guide[..., i] for i in range(3))
    mr, mg, mb = (m[..., i] for i in range(3))
    rr, gg, bb = mean(r * r) - mr * mr + softness, mean(g * g) - mg * mg + softness, mean(b * b) - mb * mb + softness
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    i00, i01, i02 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    i11, i12, i22 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * i00 + rg * i01 + rb * i02
    cr, cg, cb = (cross[..., i] for i in range(3))
    slopes = [i00 * cr + i01 * cg + i02 * cb, i01 * cr + i11 * cg + i12 * cb, i02 * cr + i12 * cg + i22 * cb]
    slope = np.stack(slopes, -1) / determinant[..., None]
    offset = mv - (slope * m).sum(-1)
    return mean(slope.astype(np.float32)), mean(offset.astype(np.float32))


def colour_evidence(logits: Floats, guide: Floats) -> Floats:
    """Log likelihood ratio (h, w), within +-3, of each colour under the sure inside against the sure near outside."""
    bins = (guide * 15.999).astype(np.int32)
    code = (bins[..., 0] * 256 + bins[..., 1] * 16 + bins[..., 2]).ravel()
    tables = []
    for sure in (logits > 2, logits < -2):
        flat = np.bincount(code, weights=sure.ravel(), minlength=4096).astype(np.float64)
        counts: NDArray[np.float64] = flat.reshape(16, 16, 16)
        for axis in range(3):
            counts = _smoothed(counts, axis)
        tables.append((counts + 0.02) / (counts.sum() + 0.02 * 4096))
    ratio: Floats = np.clip(np.log(tables[0] / tables[1]), -3, 3).astype(np.float32)
    out: Floats = ratio.ravel()[code].reshape(logits.shape)
    return out


def _smoothed(counts: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    padded = np.pad(counts, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
    low, mid, high = (np.take(padded, range(k, k + 16), axis=axis) for k in range(3))
    return 0.25 * low + 0.5 * mid + 0.25 * high


def kept_elsewhere(full: Floats, earlier: Floats, points: Floats, labels: NDArray[np.int64], grain_px: int) -> Floats:
    """The new logits, but as they were (`earlier`, same size) wherever a sizeable piece changed that no click asked
    for: clicks that were already right before leave the rest of the mask alone."""
    height, width = full.shape
    changed = (full > 0) != (earlier > 0)
    size = max(3, grain_px) | 1
    sizeable = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    count, pieces = cv2.connectedComponents(sizeable, connectivity=8)
    if count < 2:
        return full
    wide = cv2.dilate(pieces.astype(np.float32), np.ones((size + 2, size + 2), np.uint8)).astype(np.int32)
    columns = np.clip(points[:, 0].astype(np.int64), 0, width - 1)
    rows = np.clip(points[:, 1].astype(np.int64), 0, height - 1)
    wrong = (earlier[rows, columns] > 0) != (labels == 1)
    asked = np.zeros(count, dtype=np.bool_)
    asked[wide[rows[wrong], columns[wrong]]] = True
    asked[0] = True
    return np.where(changed & ~asked[wide], earlier, full)


def obeyed(logits: Floats, points: Floats, labels: NDArray[np.int64], reach_px: float) -> Floats:
    """Logits changed near clicks that lie on the wrong side: the likeliest connected piece around each turns over,
    no farther than `reach_px` and than half the way to the nearest click of the other kind. The last click wins."""
    height, width = logits.shape
    out = logits
    for point, label in zip(points, labels, strict=True):
        x, y = int(np.clip(point[0], 0, width - 1)), int(np.clip(point[1], 0, height - 1))
        sign = 1.0 if label else -1.0
        if out[y, x] * sign > 0:
            continue
        if out is logits:
            out = logits.copy()
        others = points[labels != label]
        room = float(np.min(np.hypot(*(others - point).T))) / 2 if len(others) else reach_px
        _turn_over(out, x, y, sign, max(1.5, min(room, reach_px)))
    return out


def _turn_over(logits: Floats, x: int, y: int, sign: float, reach: float) -> None:
    """Raises (lowers) the connected piece around (x, y) that is at most a little surer than the click's own place."""
    r = int(np.ceil(reach))
    y0, x0 = max(0, y - r), max(0, x - r)
    patch = logits[y0 : y + r + 1, x0 : x + r + 1] * sign
    ys, xs = np.ogrid[: patch.shape[0], : patch.shape[1]]
    disc = np.hypot(ys - (y - y0), xs - (x - x0)) <= reach
    alike = (patch >= patch[y - y0, x - x0] - 0.5) & (patch <= 0) & disc
    _, pieces = cv2.connectedComponents(alike.astype(np.uint8), connectivity=4)
    mine = pieces == pieces[y - y0, x - x0]
    patch[mine] = 0.5
    logits[y0 : y + r + 1, x0 : x + r + 1] = patch * sign

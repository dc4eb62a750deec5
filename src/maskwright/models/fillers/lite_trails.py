"""Trails: for every pixel of a hole, where in another frame it was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.models.fillers.lite_motion import Motion

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Trail:
    """For n pixels: `frame` (n,) int32 where each was seen (NOWHERE: it was not), `at` (n, 2) float32 x, y there,
    `doubt` (n,) float32, how many pixels off it may be."""

    frame: Ints
    at: Floats
    doubt: Floats

    @classmethod
    def none(cls, n: int) -> Trail:
        return cls(np.full(n, NOWHERE, np.int32), np.zeros((n, 2), np.float32), np.full(n, np.inf, np.float32))

    def pick(self, keep: NDArray[np.bool_] | Ints) -> Trail:
        return Trail(self.frame[keep], self.at[keep], self.doubt[keep])


@dataclass(frozen=True, eq=False)
class Moves:
    """Where n pixels go in a neighbouring frame: `to` (n, 2) float32 x, y there and how doubtful that is."""

    to: Floats
    doubt: Floats

    def pick(self, keep: NDArray[np.bool_] | Ints) -> Moves:
        return Moves(self.to[keep], self.doubt[keep])


def places(where: Ints, width: int) -> Floats:
    """(n, 2) float32 x, y of flat pixel numbers."""
    return np.stack([where % width, where // width], axis=1).astype(np.float32)


def moves(motion: Motion, where: Ints, size: tuple[int, int]) -> Moves:
    """The motion at full-size pixels `where` of a frame of `size` = (width, height)."""
    height, width = motion.doubt.shape
    scale = np.array([width / size[0], height / size[1]], np.float32)
    here = places(where, size[0])
    small = (here + 0.5) * scale - 0.5
    packed = np.dstack([motion.flow, motion.doubt])
    found = sample(packed, small)
    grow = np.float32(max(1.0, 1 / scale[0]))
    return Moves(here + found[:, :2] / scale, found[:, 2] * grow)


def sample(picture: NDArray[np.float32] | NDArray[np.uint8], at: Floats, how: int = cv2.INTER_LINEAR) -> Floats:
    """The (n, c) float32 values of a picture (h, w, c) at (n, 2) places x, y; the border is repeated outside."""
    n = len(at)
    rows = max(1, -(-n // 512))
    maps = np.zeros((2, rows * 512), np.float32)
    maps[:, :n] = at.T
    x, y = maps.reshape(2, rows, 512)
    got = cv2.remap(picture, x, y, how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(got.reshape(rows * 512, -1)[:n], np.float32)


def follow(steps: Moves, number: Ints, before: Trail, frame: int, size: tuple[int, int]) -> Trail:
    """One step of every trail: into what neighbour `frame` shows, or along the trail of the pixel hit there.

    `number` (H * W,) int32: which pixel of `before` a place of the neighbour is, NOWHERE where it is seen.
    """
    width, height = size
    near = np.rint(steps.to).astype(np.int32)
    inside = (near[:, 0] >= 0) & (near[:, 1] >= 0) & (near[:, 0] < width) & (near[:, 1] < height)
    flat = np.where(inside, near[:, 1] * width + near[:, 0], 0)
    hit = number[flat]
    seen = inside & (hit == NOWHERE)
    chained = inside & ~seen
    out = Trail.none(len(flat))
    out.frame[seen], out.at[seen], out.doubt[seen] = frame, steps.to[seen], steps.doubt[seen]
    hits = hit[chained]
    out.frame[chained] = before.frame[hits]
    out.at[chained] = before.at[hits] + (steps.to - near)[chained]
    out.doubt[chained] = before.doubt[hits] + steps.doubt[chained]
    return out


def gather(trail: Trail, frames: Mapping[int, NDArray[np.uint8]], gains: Mapping[int, Floats] | None = None) -> Floats:
    """The (n, 3) float32 colours at the ends of trails; zeros where there is none. `gains`: a factor a channel."""
    out = np.zeros((len(trail.frame), 3), np.float32)
    order = np.argsort(trail.frame, kind="stable")
    ordered = trail.frame[order]
    starts = np.flatnonzero(np.r_[len(ordered) > 0, ordered[1:] != ordered[:-1]]).tolist()
    for start, stop in zip(starts, [*starts[1:], len(ordered)], strict=False):
        source = int(ordered[start])
        if source == NOWHERE:
            continue
        some = order[start:stop]
        colours = sample(frames[source], trail.at[some], cv2.INTER_CUBIC)
        out[some] = colours if gains is None else colours * gains[source]
    return out

"""One frame from what earlier and later frames saw: weighed, matched in brightness, without a seam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.models.fillers.lite_motion import push_pull
from maskwright.models.fillers.lite_reel import Frame, Reel, Seen
from maskwright.models.fillers.lite_trails import NOWHERE, Floats, Ints, Trail, gather

INVENTED = np.float32(60.0)
"""The doubt of a painted pixel: anything really seen is better."""
LARGEST_SHIFT = 28.0
"""Grey levels that the seam may move colours by."""


@dataclass(eq=False)
class Composed:
    """A filled frame; `unseen` flat pixel numbers still to be painted; `where`/`doubt` what it is unsure of."""

    frame: Frame
    unseen: Ints
    where: Ints
    doubt: Floats

    def doubts(self) -> Floats:
        """(H * W,) float32: how far off each pixel may be."""
        out = np.zeros(self.frame.shape[0] * self.frame.shape[1], np.float32)
        out[self.where] = np.minimum(self.doubt, INVENTED)
        return out


def compose(reel: Reel, index: int, earlier: Trail, later: Trail) -> Composed:
    """The frame with its hole filled from both trails; unseen pixels get a smooth guess and are listed."""
    seen = reel.seen(index)
    colours, doubt = _mix(reel, index, earlier, later)
    some = np.isfinite(doubt)
    frame = seen.frame
    unseen = seen.where[seen.inner & ~some]
    if seen.inner.any():
        frame = _blend(seen, colours, some)
    return Composed(frame, unseen, seen.where[seen.inner], doubt[seen.inner])


def _mix(reel: Reel, index: int, earlier: Trail, later: Trail) -> tuple[Floats, Floats]:
    """(n, 3) colours and (n,) doubts, infinite where neither trail leads anywhere."""
    sources = {int(f) for trail in (earlier, later) for f in np.unique(trail.frame) if f != NOWHERE}
    frames = {f: reel.frame(f) for f in sources}
    gains = {f: reel.gain(f, index) for f in sources}
    shares = [np.square(1.0 / np.maximum(t.doubt, 1e-3)) for t in (earlier, later)]
    total = shares[0] + shares[1]
    first = np.divide(shares[0], total, out=np.zeros_like(total), where=total > 0)[:, None]
    colours = first * gather(earlier, frames, gains) + (1 - first) * gather(later, frames, gains)
    return colours.astype(np.float32), np.minimum(earlier.doubt, later.doubt)


def _blend(seen: Seen, colours: Floats, some: NDArray[np.bool_]) -> Frame:
    """The frame with `colours` in its hole, moved so that they meet the picture at the hole's edge."""
    height, width = seen.frame.shape[:2]
    x0, y0, x1, y1 = _span(seen.where, width, height)
    local = (seen.where // width - y0) * (x1 - x0) + seen.where % width - x0
    crop = seen.frame[y0:y1, x0:x1].astype(np.float32).reshape(-1, 3)
    margin = ~seen.inner & some
    shift = _shift(crop[local[margin]] - colours[margin], local[margin], (y1 - y0, x1 - x0))
    usable = seen.inner & some
    filled = crop.copy()
    filled[local[usable]] = colours[usable] + shift[local[usable]]
    if (seen.inner & ~some).any():
        known = np.ones(len(crop), np.float32)
        known[local[seen.inner & ~some]] = 0
        guess = push_pull(filled.reshape(y1 - y0, x1 - x0, 3), known.reshape(y1 - y0, x1 - x0)).reshape(-1, 3)
        filled[local[seen.inner]] = guess[local[seen.inner]]
    frame = seen.frame.copy()
    frame[y0:y1, x0:x1] = np.clip(np.rint(filled), 0, 255).astype(np.uint8).reshape(y1 - y0, x1 - x0, 3)
    return frame


def _shift(gap: Floats, at: Ints, shape: tuple[int, int]) -> Floats:
    """(pixels, 3): the difference seen at the margin's pixels `at`, smooth across the hole."""
    values, known = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    values.reshape(-1, 3)[at] = np.clip(gap, -LARGEST_SHIFT, LARGEST_SHIFT)
    known.reshape(-1)[at] = 1
    return push_pull(values, known).reshape(-1, 3)


def _span(where: Ints, width: int, height: int) -> tuple[int, int, int, int]:
    """The box x0, y0, x1, y1 of flat pixel numbers, one pixel wider where there is room."""
    x, y = where % width, where // width
    return (
        max(int(x.min()) - 1, 0),
        max(int(y.min()) - 1, 0),
        min(int(x.max()) + 2, width),
        min(int(y.max()) + 2, height),
    )

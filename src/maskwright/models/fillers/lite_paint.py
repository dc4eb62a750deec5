"""What no frame shows: painted on one key frame, then carried along the motion to its neighbours."""

from __future__ import annotations

import numpy as np

from maskwright.models.fillers.lite_compose import INVENTED, Composed
from maskwright.models.fillers.lite_reel import Reel
from maskwright.models.fillers.lite_trails import NOWHERE, Ints, Moves, Trail, follow, gather
from maskwright.ports import FillOptions, Inpainter
from maskwright.values import Image, Mask

KEY_FRAMES = 6
"""Paintings a window at most; what is left after them keeps its smooth guess."""


def paint_unseen(reel: Reel, start: int, done: list[Composed], inpainter: Inpainter, options: FillOptions) -> None:
    """Completes the frames of a window (the first is number `start`) in place."""
    key = _anchored(start, done, options)
    for _ in range(KEY_FRAMES):
        if key is None:
            key = _pick(done)
            if key is None:
                return
            _paint(done[key], inpainter, options)
        _carry(reel, start, done, range(key + 1, len(done)), -1)
        _carry(reel, start, done, range(key - 1, -1, -1), 1)
        key = None


def _anchored(start: int, done: list[Composed], options: FillOptions) -> int | None:
    """The place in the window of the frame that came painted, after its pixels are put in."""
    if options.anchor is None or not start <= options.anchor[0] < start + len(done):
        return None
    key, painted = options.anchor[0] - start, options.anchor[1]
    _put(done[key], done[key].unseen, painted.reshape(-1, 3)[done[key].unseen])
    return key


def _pick(done: list[Composed]) -> int | None:
    """The frame with the most to paint, the middle one of equals; None when nothing is left."""
    left = np.array([len(c.unseen) for c in done])
    if left.max(initial=0) == 0:
        return None
    best = np.flatnonzero(left >= 0.98 * left.max())
    return int(best[len(best) // 2])


def _paint(composed: Composed, inpainter: Inpainter, options: FillOptions) -> None:
    mask = np.zeros(composed.frame.shape[:2], np.bool_)
    mask.reshape(-1)[composed.unseen] = True
    painted = inpainter.inpaint(Image(composed.frame), Mask(mask), words=options.words, seed=options.seed)
    _put(composed, composed.unseen, painted.pixels.reshape(-1, 3)[composed.unseen])


def _put(composed: Composed, where: Ints, colours: np.ndarray) -> None:
    frame = composed.frame.copy()
    frame.reshape(-1, 3)[where] = colours
    composed.frame = frame
    composed.unseen = np.setdiff1d(composed.unseen, where, assume_unique=True).astype(np.int32)
    composed.doubt = np.where(np.isin(composed.where, where, assume_unique=True), INVENTED, composed.doubt)


def _carry(reel: Reel, start: int, done: list[Composed], order: range, back: int) -> None:
    """Fills what is unseen in the frames of `order` from the neighbour `back` frames away, frame after frame."""
    before, missing = Trail.none(0), np.zeros(0, np.int32)
    for place in order:
        here = done[place]
        if not len(here.unseen) and not len(missing):
            continue
        number = np.full(here.frame.shape[0] * here.frame.shape[1], NOWHERE, np.int32)
        number[missing] = np.arange(len(missing), dtype=np.int32)
        steps = _steps(reel, start + place, here.unseen, ahead=back > 0)
        trail = follow(steps, number, before, start + place + back, reel.size)
        found = trail.frame != NOWHERE
        frames = {start + i: c.frame for i, c in enumerate(done)}
        before, missing = trail, here.unseen
        _put(here, here.unseen[found], np.clip(np.rint(gather(trail, frames)[found]), 0, 255))


def _steps(reel: Reel, index: int, where: Ints, *, ahead: bool) -> Moves:
    """The motion at some of the hole's pixels."""
    steps = reel.ahead(index) if ahead else reel.behind(index)
    return steps.pick(np.searchsorted(reel.seen(index).where, where).astype(np.int32))

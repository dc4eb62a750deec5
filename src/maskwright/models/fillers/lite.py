"""The embedded video filler: pixels come from the frames that saw them, along measured motion.

A window of frames at a time: each hole pixel is followed backward and forward until a frame shows it; what no frame
shows is painted once, on one key frame, and carried along. Memory does not grow with the length of the clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask
from maskwright.models.fillers.lite_compose import Composed, compose
from maskwright.models.fillers.lite_paint import paint_unseen
from maskwright.models.fillers.lite_reel import Frame, Reel
from maskwright.models.fillers.lite_trails import Floats, Trail, follow
from maskwright.ports import FillOptions, Inpainter

MEMORY_BYTES = 450 * 2**20
"""What the frames of one window may take."""


class LiteFiller:
    """Fills a clip from itself; `window` frames at once with `ahead` more to look into, fewer for large frames.

    `working_px`: the longer side at which motion is measured.
    """

    def __init__(
        self, inpainter: Inpainter, *, window: int = 48, ahead: int = 24, working_px: int = 512, name: str = "lite"
    ) -> None:
        self.name = name
        self.inpainter = inpainter
        self.window, self.ahead, self.working_px = window, ahead, working_px

    def fill(
        self, frames: Sequence[Frame], masks: Sequence[NDArray[np.bool_]], options: FillOptions
    ) -> Iterator[Frame]:
        """Every frame in order, filled; raises BadMask when frames and masks do not belong together."""
        if len(frames) != len(masks):
            raise BadMask(f"{len(frames)} frames, but {len(masks)} masks.", "Give one mask a frame.")
        if not len(frames):
            return
        reel = Reel(frames, masks, self.working_px)
        window, ahead = self._lengths(reel.size)
        doubts: Floats | None = None
        for start in range(0, len(reel), window):
            stop = min(start + window, len(reel))
            done = _fill_window(reel, (start, stop, min(stop + ahead, len(reel))), doubts)
            paint_unseen(reel, start, done, self.inpainter, options)
            for composed in done:
                yield composed.frame
            if stop < len(reel):
                doubts = done[-1].doubts()
                reel.close(stop - 1, done[-1].frame)
                reel.forget(stop - 1)

    def _lengths(self, size: tuple[int, int]) -> tuple[int, int]:
        """(frames a window, frames ahead) that fit the memory."""
        share = min(1.0, MEMORY_BYTES / ((self.window + self.ahead) * size[0] * size[1] * 7))
        return max(6, int(self.window * share)), max(4, int(self.ahead * share))


def _fill_window(reel: Reel, span: tuple[int, int, int], doubts: Floats | None) -> list[Composed]:
    start, stop, end = span
    later = _from_later(reel, start, stop, end)
    out: list[Composed] = []
    earlier = Trail.none(len(reel.seen(start).where))
    for t in range(start, stop):
        if t > 0:
            before = reel.seen(t - 1)
            earlier = follow(reel.behind(t), before.number(), earlier, t - 1, reel.size)
            if t == start and doubts is not None:
                earlier = _carry_doubt(earlier, doubts, reel.size[0])
        out.append(compose(reel, t, earlier, later.pop(t)))
    return out


def _from_later(reel: Reel, start: int, stop: int, end: int) -> dict[int, Trail]:
    """Frame -> trails into later frames, for the frames of the window."""
    trail = Trail.none(len(reel.seen(end - 1).where))
    kept = {end - 1: trail} if end - 1 < stop else {}
    for t in range(end - 2, start - 1, -1):
        trail = follow(reel.ahead(t), reel.seen(t + 1).number(), trail, t + 1, reel.size)
        if t < stop:
            kept[t] = trail
    return kept


def _carry_doubt(trail: Trail, doubts: Floats, width: int) -> Trail:
    """What the window before was unsure of stays so."""
    found = trail.frame >= 0
    at = np.rint(trail.at).astype(np.int64)
    more = np.zeros_like(trail.doubt)
    more[found] = doubts[at[found, 1] * width + at[found, 0]]
    return Trail(trail.frame, trail.at, trail.doubt + more)

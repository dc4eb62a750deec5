"""The part of a clip that is in memory: frames, holes, motion and brightness, each made once and then let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask
from maskwright.models.fillers import lite_motion as motion
from maskwright.models.fillers.lite_trails import NOWHERE, Floats, Ints, Moves, moves

Frame = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame and its hole: `where` (n,) flat pixel numbers of the hole and a margin around it, `inner` (n,) bool
    those of the hole itself."""

    frame: Frame
    where: Ints
    inner: Bools
    small: motion.Small

    def number(self) -> Ints:
        """(H * W,) int32: which of the n a pixel is, NOWHERE when it is seen."""
        out = np.full(self.frame.shape[0] * self.frame.shape[1], NOWHERE, np.int32)
        out[self.where] = np.arange(len(self.where), dtype=np.int32)
        return out


class Reel:
    """Frames by index with what is known of them. `size` is (width, height)."""

    def __init__(self, frames: Sequence[Frame], masks: Sequence[Bools], long_side: int) -> None:
        self._frames, self._masks = frames, masks
        self._shape = frames[0].shape if len(frames) else (0, 0, 3)
        self.size = (self._shape[1], self._shape[0])
        self._small_size = motion.working_size(*self.size, long_side)
        self.margin = max(3, round(0.006 * max(self.size)))
        self._seen: dict[int, Seen] = {}
        self._motions: dict[int, tuple[motion.Motion, motion.Motion]] = {}
        self._gain: dict[int, Floats] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def seen(self, index: int) -> Seen:
        if index not in self._seen:
            self._seen[index] = self._look(index)
        return self._seen[index]

    def frame(self, index: int) -> Frame:
        return self.seen(index).frame

    def ahead(self, index: int) -> Moves:
        """Where the hole's pixels of `index` go in the next frame."""
        return moves(self._pair(index)[0], self.seen(index).where, self.size)

    def behind(self, index: int) -> Moves:
        """Where the hole's pixels of `index` were in the frame before."""
        return moves(self._pair(index - 1)[1], self.seen(index).where, self.size)

    def gain(self, source: int, target: int) -> Floats:
        """(3,) the factor that makes colours of `source` look as bright as those of `target`."""
        return np.asarray(np.exp(self._brightness(target) - self._brightness(source)), np.float32)

    def close(self, index: int, frame: Frame) -> None:
        """Puts a filled frame in the place of one with a hole."""
        old = self.seen(index)
        nothing = np.zeros(0, np.int32)
        self._seen[index] = Seen(frame, nothing, nothing.astype(np.bool_), old.small)

    def forget(self, before: int) -> None:
        """Lets go of every frame below `before`; the motion out of the last one stays."""
        self._brightness(before)
        for index in [i for i in self._seen if i < before]:
            del self._seen[index]
        for index in [i for i in self._motions if i < before]:
            del self._motions[index]
        for index in [i for i in self._gain if i < before]:
            del self._gain[index]

    def _look(self, index: int) -> Seen:
        frame, mask = self._frames[index], self._masks[index]
        if frame.shape != self._shape or mask.shape != self._shape[:2]:
            raise BadMask(
                f"frame {index} is {frame.shape[1]}x{frame.shape[0]} with a mask of {mask.shape[1]}x{mask.shape[0]},"
                f" the clip {self.size[0]}x{self.size[1]}.",
                "Give frames and masks of one size.",
            )
        wide = _dilate(mask, self.margin)
        where = np.flatnonzero(wide).astype(np.int32)
        small = motion.shrink(frame, wide, self._small_size)
        return Seen(frame, where, mask.reshape(-1)[where], small)

    def _pair(self, index: int) -> tuple[motion.Motion, motion.Motion]:
        if index not in self._motions:
            self._motions[index] = motion.motions(self.seen(index).small, self.seen(index + 1).small)
        return self._motions[index]

    def _brightness(self, index: int) -> Floats:
        """(3,) log brightness of a frame against the first one known, by channel."""
        if index not in self._gain:
            known = max((i for i in self._gain if i < index), default=None)
            if known is None:
                self._gain[index] = np.zeros(3, np.float32)
            else:
                for i in range(known, index):
                    self._gain[i + 1] = self._gain[i] + self._step(i)
        return self._gain[index]

    def _step(self, index: int) -> Floats:
        """How much brighter `index` + 1 is than `index`, where both are seen."""
        a, b = self.seen(index).small, self.seen(index + 1).small
        height, width = a.hole.shape
        y, x = np.mgrid[0:height:3, 0:width:3].astype(np.float32)
        flow = self._pair(index)[0].flow[::3, ::3]
        other = cv2.remap(b.colour, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
        hidden = cv2.remap(
            b.hole.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderValue=1.0
        )
        here = a.colour[::3, ::3]
        good = (hidden == 0) & ~a.hole[::3, ::3] & (here.min(axis=2) > 12) & (here.max(axis=2) < 243)
        if np.count_nonzero(good) < 100:
            return np.zeros(3, np.float32)
        ratio = np.log(other[good].astype(np.float32) + 4) - np.log(here[good].astype(np.float32) + 4)
        step = np.median(ratio, axis=0).astype(np.float32)
        return np.where(np.abs(step) < 0.006, 0, np.clip(step, -0.7, 0.7)).astype(np.float32)


def _dilate(mask: Bools, radius: int) -> Bools:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    wide: Bools = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    return wide

"""Reflection candidates: what lies below the object, in water or a polished floor, and looks like it turned over.

Compared is the pattern inside the object, not its outline or its brightness: a reflection is darker, softer and tinted
by its ground, but the pattern stays. An object of one flat colour has none, so that its reflection is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.erasing.preparing import Bools, Frame, Mapped, few_held, grown

LOOKS = 9
"""Frames in which a reflection is looked for first."""
WORKING_PX = 72
"""The object's longer side, at most, when patterns are compared."""
LEAST_PX, LEAST_SHARE = 120, 0.4
"""Pixels of the turned object, at that size, that must be in view; and their share of the object."""
LEAST_PATTERN, LEAST_THERE = 4.0, 0.5
"""Grey levels by which an object's pattern varies at least, and that of its reflection."""
CLEAR, HELD = 0.5, 0.3
"""Correlation of a clear likeness, and of one in a frame of a clip that has shown clear ones."""
LEAD = 0.2
"""A clear likeness is so much greater than that of the ground beside it, where no reflection can be."""
SHIFTS = tuple(round(-0.1 + 0.025 * k, 3) for k in range(15))
"""Where the turned object may lie below its contact line, in heights of the object."""
DRIFT = 0.08
"""How far a frame's shift may be off the clip's."""
SOFT = (0.0, 0.03, 0.06)
"""Blurs of the turned object that are tried, in square roots of its area: more would leave too little to compare."""
STRONGEST = 1.15
"""A reflection has at most so much of the contrast of the object's pattern."""

Planes = NDArray[np.float32]
Array = TypeVar("Array", NDArray[np.float32], NDArray[np.bool_])


def reflection_masks(frames: Sequence[Frame], masks: Sequence[Bools]) -> Mapped[Bools]:
    """One mask a frame: what may be the reflection of what `masks` mark, without the object itself; empty where there
    is none, everywhere when fewer than half of the frames looked at show it clearly."""
    looks = few_held(masks, LOOKS)
    clear = [[f.shift for f in _likenesses(frames[i], masks[i], SHIFTS) if f.is_clear] for i in looks]
    shown = sum(bool(shifts) for shifts in clear)
    common = float(np.median(np.concatenate(clear))) if shown and 2 * shown >= len(looks) else None

    near = [] if common is None else [shift for shift in SHIFTS if abs(shift - common) <= DRIFT]
    shifts: dict[int, list[float | None]] = {}

    def make(index: int) -> Bools:
        out = np.zeros_like(masks[index])
        if not near or not masks[index].any():
            return out
        if index not in shifts:  # masks are asked for once a phase
            found = _likenesses(frames[index], masks[index], near)
            shifts[index] = [f.shift if f.likeness >= HELD else None for f in found]
        for part, shift in zip(_parts(masks[index]), shifts[index], strict=True):
            if shift is not None:
                out |= _mirrored(part, _line(part, shift))
        return out & ~masks[index]

    return Mapped(len(masks), make)


@dataclass(frozen=True)
class _Likeness:
    """The shift at which what lies below a part of the object is most like it, how alike that is, and how alike the
    ground beside it."""

    shift: float
    likeness: float
    beside: float

    @property
    def is_clear(self) -> bool:
        return self.likeness >= CLEAR and self.likeness - self.beside >= LEAD


def _likenesses(frame: Frame, mask: Bools, shifts: Sequence[float]) -> Iterator[_Likeness]:
    """For each part of the object its best likeness, 0 where it cannot be compared."""
    for part in _parts(mask) if mask.any() else ():
        view = _View.around(frame, part, mask)
        scores = [(view.alike(shift), -abs(shift), shift) for shift in shifts]
        likeness, _, shift = max(scores, default=(0.0, 0.0, 0.0))
        across = int(np.ptp(np.flatnonzero(view.body.any(axis=0)))) + 1
        beside = max(view.alike(shift, aside=aside) for aside in (-across, across))
        yield _Likeness(shift, likeness, beside)


def _parts(mask: Bools) -> list[Bools]:
    """The pieces of the object, each with a contact line of its own; crumbs are left out."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    least = 0.1 * mask.sum()
    return [labels == n for n in range(1, count) if stats[n, cv2.CC_STAT_AREA] >= least]


@dataclass(frozen=True)
class _View:
    """A part of the object, small, with what lies below and beside it: planes, the part, the whole object."""

    small: Planes
    body: Bools
    whole: Bools

    @classmethod
    def around(cls, frame: Frame, part: Bools, mask: Bools) -> _View:
        x, y = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
        wide, high = x[-1] - x[0] + 1, y[-1] - y[0] + 1
        rows = slice(int(y[0]), int(y[-1] + 1 + round(1.4 * high)))
        columns = slice(max(0, int(x[0] - wide)), int(x[-1] + 1 + wide))
        seen = frame[rows, columns]
        scale = min(1.0, WORKING_PX / max(wide, high))
        size = (max(8, round(seen.shape[1] * scale)), max(8, round(seen.shape[0] * scale)))
        small = cv2.resize(seen, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        held = [cv2.resize(m[rows, columns].astype(np.uint8), size, interpolation=cv2.INTER_AREA) for m in (part, mask)]
        return cls(small, held[0] > 0, held[1] > 0)

    def alike(self, shift: float, *, aside: int = 0) -> float:
        """Correlation of the turned part's pattern with what lies there, 0 where they cannot be compared; `aside`: so
        many pixels to the right of where the reflection would be."""
        line = _line(self.body, shift)
        seen = _moved(_mirrored(self.body, line), aside) & ~grown(self.whole, 2)
        if seen.sum() < max(LEAST_PX, LEAST_SHARE * self.body.sum()):
            return 0.0
        there = _pattern(self.small, seen)
        turned = _moved(_mirrored(self.small, line), aside)
        blurs = [share * float(np.sqrt(seen.sum())) for share in SOFT]
        return max(_correlation(_pattern(_within(turned, seen, b) if b else turned, seen), there, b) for b in blurs)


def _correlation(own: Planes, there: Planes, blur: float) -> float:
    """Of the pixels of two patterns; 0 where the object has too little of one, or the ground has more of it."""
    spreads = float(own.std()), float(there.std())
    if spreads[0] < LEAST_PATTERN / (1 + blur) or spreads[1] < LEAST_THERE:
        return 0.0
    shared = float((own * there).mean() - own.mean() * there.mean())
    return shared / (spreads[0] * spreads[1]) if shared <= STRONGEST * spreads[0] ** 2 else 0.0


def _pattern(planes: Planes, inside: Bools) -> Planes:
    """(N, 3): the pixels of a mask without the slow changes, which ground and light have too."""
    slow = _within(planes, inside, max(3.0, 0.2 * float(np.sqrt(inside.sum()))))
    return np.asarray((planes - slow)[inside], np.float32)


def _within(planes: Planes, inside: Bools, sigma: float) -> Planes:
    """Blurred, with nothing of what lies outside the mask."""
    weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), sigma)[..., None]
    held = cv2.GaussianBlur(np.where(inside[..., None], planes, 0).astype(np.float32), (0, 0), sigma)
    return np.asarray(held / np.maximum(weight, 1e-6), np.float32)


def _line(body: Bools, shift: float) -> int:
    """Turned over, row k comes to lie in row line - 1 - k, `shift` heights lower than right below the part."""
    y = np.flatnonzero(body.any(axis=1))
    return int(2 * (y[-1] + 1) + round(shift * (y[-1] - y[0] + 1)))


def _mirrored(array: Array, line: int) -> Array:
    """The array turned over: row k in row line - 1 - k; zero where nothing comes to lie."""
    out = np.zeros_like(array)
    rows = np.arange(array.shape[0])
    source = line - 1 - rows
    good = (source >= 0) & (source < array.shape[0])
    out[rows[good]] = array[source[good]]
    return out


def _moved(array: Array, right: int) -> Array:
    out = np.zeros_like(array)
    width = array.shape[1]
    if abs(right) < width:
        out[:, max(0, right) : width + min(0, right)] = array[:, max(0, -right) : width - max(0, right)]
    return out

"""Masks made ready: mended over time, grown, feathered; and which frames show the background best."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask

Frame = NDArray[np.uint8]
Bools = NDArray[np.bool_]
T = TypeVar("T")


class Mapped(Sequence[T]):
    """A sequence whose items are made when asked for; the last `keep` are kept."""

    def __init__(self, count: int, make: Callable[[int], T], keep: int = 4) -> None:
        self._count, self._make, self._keep = count, make, keep
        self._kept: OrderedDict[int, T] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(f"there are {self._count} frames, not one numbered {index}")
        if place not in self._kept:
            self._kept[place] = self._make(place)
            while len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        return self._kept[place]


def mended(masks: Sequence[Bools], *, union: int, dilate: int) -> Mapped[Bools]:
    """Each mask with those of `union` frames before and after, grown by `dilate` pixels."""
    kept = Mapped(len(masks), lambda i: np.asarray(masks[i]), keep=2 * union + 3)

    def make(index: int) -> Bools:
        out = kept[index].copy()
        for other in range(max(0, index - union), min(len(masks), index + union + 1)):
            out |= kept[other]
        return grown(out, dilate)

    return Mapped(len(masks), make)


def joined(masks: Sequence[Bools], more: Sequence[Bools]) -> Mapped[Bools]:
    """Each mask with the other of its frame."""
    return Mapped(len(masks), lambda i: masks[i] | more[i])


def grown(mask: Bools, radius: int) -> Bools:
    """The mask with everything within `radius` pixels of it."""
    if radius <= 0 or not mask.any():
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    out: Bools = cv2.dilate(mask.astype(np.uint8), kernel) > 0
    return out


def alpha(mask: Bools, feather: int) -> NDArray[np.float32]:
    """(H, W) 0..1: 1 in the mask, falling to 0 over `feather` pixels around it, exactly 0 beyond."""
    if feather <= 0 or not mask.any():
        return mask.astype(np.float32)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    out: NDArray[np.float32] = np.where(grown(mask, feather), np.clip(1 - away / (feather + 1), 0, 1), 0)
    return out.astype(np.float32)


def composed(frame: Frame, fill: Frame, mask: Bools, feather: int) -> Frame:
    """The fill over the frame; bit-equal to the frame beyond the feather."""
    share = alpha(mask, feather)
    touched = share > 0
    out = frame.copy()
    weight = share[touched][:, None]
    mixed = weight * fill[touched].astype(np.float32) + (1 - weight) * frame[touched].astype(np.float32)
    out[touched] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return out


def resized(frames: Sequence[Frame], size: tuple[int, int]) -> Mapped[Frame]:
    """The frames at another (width, height)."""
    return Mapped(len(frames), lambda i: scaled(frames[i], size))


def resized_masks(masks: Sequence[Bools], size: tuple[int, int]) -> Mapped[Bools]:
    """The masks at another (width, height); a pixel is inside when any of it was."""

    def make(index: int) -> Bools:
        mask = masks[index]
        same = mask.shape[1::-1] == size
        return mask if same else cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3

    return Mapped(len(masks), make)


def scaled(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame at another (width, height)."""
    if frame.shape[1::-1] == size:
        return frame
    how = cv2.INTER_AREA if size[0] < frame.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, size, interpolation=how), np.uint8)


def within(size: tuple[int, int], limit: tuple[int, int] | None) -> tuple[int, int]:
    """The size with its shape kept, small enough for the limit; never larger than it is."""
    share = 1.0 if limit is None else min(1.0, limit[0] / size[0], limit[1] / size[1])
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def hole_shares(masks: Sequence[Bools]) -> list[float]:
    """What share of each frame is masked; raises BadMask when nothing is, or one frame is masked whole."""
    shares = [float(np.asarray(mask).mean()) for mask in masks]
    if not any(shares):
        raise BadMask("every mask is empty: there is nothing to erase.", "Give masks with the object in them.")
    if min(shares) >= 0.98:
        raise BadMask("the masks cover every frame whole: nothing of the scene is left.", "Give tighter masks.")
    return shares


def blanks(shares: Sequence[float]) -> list[tuple[int, int]]:
    """Runs (first, last) of frames without a mask that come before, or between, frames with one: where an object that
    was followed may still be seen."""
    held = [i for i, share in enumerate(shares) if share > 0]
    ends = [-1, *held]
    return [(a + 1, b - 1) for a, b in zip(ends, held) if b - a > 1]


def few_held(masks: Sequence[Bools], count: int) -> list[int]:
    """At most `count` numbers of frames with a mask, evenly spaced."""
    held = [i for i in range(len(masks)) if masks[i].any()]
    return sorted({held[round(k * (len(held) - 1) / (count - 1))] for k in range(count)}) if held else []


def best_frame(shares: Sequence[float]) -> int:
    """The frame where most of the background shows while the object is there; the middle one of equals."""
    held = [i for i, share in enumerate(shares) if share > 0]
    least = min(shares[i] for i in held)
    equal = [i for i in held if shares[i] <= least * 1.02]
    return equal[len(equal) // 2]


def described_frames(shares: Sequence[float], strategy: str, count: int) -> list[int]:
    """The frames a caption is made from: the middle, `count` evenly spaced without the ends, or the best."""
    n = len(shares)
    if strategy == "middle":
        return [n // 2]
    if strategy == "multi":
        return sorted({round((i + 1) * (n - 1) / (count + 1)) for i in range(count)})
    return [best_frame(shares)]


def greyed(frame: Frame, mask: Bools) -> Frame:
    """The frame with the masked part painted (128, 128, 128)."""
    out = frame.copy()
    out[mask] = 128
    return out


def in_order(items: Iterator[T], count: int) -> Iterator[tuple[int, T]]:
    """Numbers with items, checked to be `count`; raises BadMask when a filler gives another number."""
    given = 0
    for index, item in enumerate(items):
        given += 1
        yield index, item
    if given != count:
        raise BadMask(f"the filler gave {given} frames for {count}.", "Report it: a filler gives every frame once.")

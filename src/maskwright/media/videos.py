"""Clips: frames by index from a video file or a folder of pictures, and masks that go with them."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadImage, BadMask, BadVideo
from maskwright.media.clip_process import ChildDecoder
from maskwright.media.decoding import ClipInfo, Decoder
from maskwright.media.images import SUFFIXES, image_size, open_image, open_mask
from maskwright.media.limits import LIMITS, MIB, Limits
from maskwright.media.writing import write_clip

__all__ = ["Clip", "LazySequence", "open_clip", "open_masks", "picture_files", "write_clip"]

Frame = NDArray[np.uint8]
Bools = NDArray[np.bool_]
_CACHE_BYTES = 64 * MIB


class _Source(Protocol):
    info: ClipInfo

    def frame(self, index: int) -> Frame: ...

    def close(self) -> None: ...


class LazySequence(Sequence[Any]):
    """A sequence whose items are made when asked for; the last few are kept (64 MiB of arrays). Thread-safe.

    Items come out read-only: they are shared.
    """

    def __init__(self, count: int, make: Callable[[int], NDArray[Any]], cache_bytes: int = _CACHE_BYTES) -> None:
        self._count, self._make, self._room = count, make, cache_bytes
        self._kept: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[Any]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | list[NDArray[Any]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(f"there are {self._count} frames, not one numbered {index}")
        with self._lock:
            return self._get(int(place))

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(self._count))

    def _get(self, place: int) -> NDArray[Any]:
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        array = self._make(place)
        array.flags.writeable = False
        self._kept[place] = array
        self._held += array.nbytes
        while self._held > self._room and len(self._kept) > 1:
            self._held -= self._kept.popitem(last=False)[1].nbytes
        return array


class Clip:
    """A clip: `frames` (lazy, each (H, W, 3) uint8 RGB, upright), exact `rate`, `times` in seconds from the first
    frame, `size` (width, height). Close it, or use `with`, to end the process that decodes it."""

    def __init__(self, source: _Source, path: Path) -> None:
        self.info, self.path, self._source = source.info, path, source
        self.frames: Sequence[Frame] = LazySequence(len(source.info), source.frame)

    @property
    def size(self) -> tuple[int, int]:
        return (self.info.width, self.info.height)

    @property
    def rate(self) -> Fraction:
        """Frames a second; the average when `is_variable`."""
        return self.info.rate

    @property
    def times(self) -> list[Fraction]:
        """Seconds from the first frame, exact."""
        return [tick * self.info.tick for tick in self.info.ticks]

    @property
    def is_variable(self) -> bool:
        return self.info.variable

    @property
    def has_audio(self) -> bool:
        return self.info.has_audio

    @property
    def seconds(self) -> float:
        """From the first frame to the end of the last."""
        return float(self.info.ticks[-1] * self.info.tick + 1 / self.rate)

    def __len__(self) -> int:
        return len(self.info)

    def close(self) -> None:
        self._source.close()

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Clip({self.path.name}, {len(self)} frames of {self.size[0]}x{self.size[1]}, {self.rate}/s)"


def open_clip(
    path: str | Path,
    *,
    rate: Fraction | int | str | None = None,
    damaged: Literal["refuse", "keep"] = "refuse",
    trusted: bool = False,
    limits: Limits = LIMITS,
) -> Clip:
    """A clip from a video file or a folder of pictures (sorted by the numbers in their names).

    Files are decoded in a limited process of their own; `trusted` decodes in this one (for files we wrote).
    `rate`: of a folder's frames (24 when not given). `damaged="keep"` takes the frames that can be decoded of a damaged
    file; otherwise one missing frame is an error. Raises BadVideo.
    """
    path = Path(path)
    if path.is_dir():
        return Clip(_Folder(path, Fraction(rate or 24), limits), path)
    if rate is not None:
        raise BadVideo(f"{path} has a rate of its own.", "rate= is for folders of pictures.")
    decoder = Decoder if trusted else ChildDecoder
    return Clip(decoder(path, keep_damaged=damaged == "keep", limits=limits), path)


def open_masks(
    path: str | Path,
    *,
    like: Clip,
    align: Literal["refuse", "repeat-last", "crop"] = "refuse",
    value: int | None = None,
    limits: Limits = LIMITS,
) -> Sequence[Bools]:
    """One bool (H, W) mask for every frame of `like`: from a folder of mask files, a mask video, or one mask file that
    holds for all frames.

    Another number of masks than of frames is an error, unless `align` repeats the last mask or crops what is too many.
    `value` picks one object of index files. Raises BadMask (BadVideo for a video that cannot be read).
    """
    path = Path(path)
    found, make = _mask_source(path, len(like), value, limits)
    _check_count(path, found, len(like), align)

    def mask(index: int) -> Bools:
        array = make(min(index, found - 1))
        if array.shape != (like.size[1], like.size[0]):
            raise BadMask(
                f"{path}: mask {index} is {array.shape[1]}x{array.shape[0]}, the clip {like.size[0]}x{like.size[1]}.",
                "Give masks of the clip's own size.",
            )
        return array

    mask(0)
    return LazySequence(len(like), mask)


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder, sorted by the numbers in their names; raises BadVideo when there are none."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    if not files:
        raise BadVideo(f"{folder} holds no pictures.", "Give a folder of PNG or JPEG frames.")
    return sorted(files, key=lambda p: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", p.name)])


class _Folder:
    """A folder of pictures of one size, read when asked for."""

    def __init__(self, path: Path, rate: Fraction, limits: Limits) -> None:
        if not 0 < rate <= 1000:
            raise BadVideo(f"{rate} frames a second is not a rate.", "Give a number between 0 and 1000.")
        self._files, self._limits = picture_files(path), limits
        if len(self._files) > limits.frames:
            raise BadVideo(f"{path} has more than {limits.frames} frames.", "Cut it into pieces.")
        width, height = self._sizes_agree()
        ticks = tuple(range(len(self._files)))
        self.info = ClipInfo(width, height, rate, 1 / rate, ticks, False, False, "pictures", "folder")

    def _sizes_agree(self) -> tuple[int, int]:
        try:
            first = image_size(self._files[0], limits=self._limits)
            for file in self._files[1:]:
                size = image_size(file, limits=self._limits)
                if size != first:
                    raise BadVideo(
                        f"{file} is {size[0]}x{size[1]}, the first frame {first[0]}x{first[1]}.",
                        "Frames of one clip must have one size.",
                    )
        except BadImage as error:
            raise BadVideo(error.message, error.hint) from error
        return first

    def frame(self, index: int) -> Frame:
        try:
            return open_image(self._files[index], limits=self._limits).pixels
        except BadImage as error:
            raise BadVideo(error.message, error.hint) from error

    def close(self) -> None:
        """Nothing is held open."""


def _mask_source(path: Path, frames: int, value: int | None, limits: Limits) -> tuple[int, Callable[[int], Bools]]:
    """How many masks there are, and what gives each."""
    if path.is_dir():
        files = picture_files(path)
        return len(files), lambda i: open_mask(files[i], value=value, limits=limits).array
    if _is_picture(path):
        only = open_mask(path, value=value, limits=limits).array
        return frames, lambda i: only
    clip = open_clip(path, limits=limits)
    return len(clip), lambda i: clip.frames[i].max(axis=2) > 127


def _is_picture(path: Path) -> bool:
    if not path.is_file():
        raise BadMask(f"there is no file or folder {path}.", "Check the path.")
    return path.suffix.lower() in SUFFIXES


def _check_count(path: Path, found: int, wanted: int, align: str) -> None:
    if found == wanted or (found < wanted and align == "repeat-last") or (found > wanted and align == "crop"):
        return
    fix = "repeat-last" if found < wanted else "crop"
    raise BadMask(f"{path} holds {found} masks for {wanted} frames.", f"Give one a frame, or set align to {fix}.")

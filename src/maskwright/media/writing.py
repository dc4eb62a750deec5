"""Clips into files: H.264 that plays in a browser, lossless FFV1 or x264, or a folder of PNGs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadVideo, MaskwrightError, MissingPackage, StorageError
from maskwright.media.decoding import SDR, SIZE_NOTE
from maskwright.media.images import save_image
from maskwright.media.sound import Sound, sound_of
from maskwright.plumbing.files import atomic_path
from maskwright.values import Image

if TYPE_CHECKING:
    from maskwright.media.videos import Clip

Frame = NDArray[np.uint8]
_BT709 = 1
_REPEATABLE = {"x264-params": "cpu-independent=1"}
"""x264's own look-ahead gives small clips other bytes from run to run; its portable one does not, on any machine."""


def write_clip(
    path: str | Path,
    frames: Iterable[Frame],
    *,
    like: Clip | None = None,
    rate: Fraction | int | str | None = None,
    lossless: bool = False,
    audio: bool = True,
    crf: int = 16,
) -> Path:
    """Writes frames ((H, W, 3) uint8 RGB) as a clip, whole or not at all; returns the path.

    The suffix decides: .mp4 H.264 4:2:0 (with `lossless`: H.264 RGB, which browsers do not play), .mkv the same or,
    with `lossless`, FFV1; no suffix: a folder 00000.png, ... `like`: the clip whose times, number of frames, sound and
    shape of pixels are kept; otherwise `rate`. Rotation is already in the frames. 4:2:0 needs even sides: an odd one
    gets its edge repeated once, and the file's comment names the true size, which open_clip restores. Raises BadVideo,
    StorageError.
    """
    path = Path(path)
    if like is None and rate is None:
        raise BadVideo("the clip's rate is not known.", "Give rate= or like=.")
    counted = frames if like is None else _exactly(frames, len(like), path)
    if not path.suffix:
        return _write_folder(path, counted)
    if path.suffix.lower() not in (".mp4", ".mkv"):
        raise BadVideo(f"{path}: clips are written as .mp4, .mkv or into a folder.", "Choose one of these.")
    heard = like.path if like is not None and audio and like.has_audio else None
    with atomic_path(path) as out, sound_of(heard, out) if heard is not None else nullcontext() as sound:
        _encode(out, counted, _Timing.of(like, rate), _Look.of(like, lossless, crf), sound)
    return path


@dataclass(frozen=True)
class _Timing:
    """When frame i is shown: at its own tick, or evenly."""

    rate: Fraction
    tick: Fraction
    ticks: Sequence[int] | None

    @classmethod
    def of(cls, like: Clip | None, rate: Fraction | int | str | None) -> _Timing:
        if like is not None and like.is_variable and rate is None:
            return cls(like.rate, like.info.tick, like.info.ticks)
        even = Fraction(rate) if rate is not None else like.rate if like is not None else Fraction(0)
        if not 0 < even <= 1000:
            raise BadVideo(f"{even} frames a second is not a rate.", "Give a number between 0 and 1000.")
        return cls(even, 1 / even, None)

    def at(self, index: int) -> int:
        return index if self.ticks is None else self.ticks[index]


@dataclass(frozen=True)
class _Look:
    """How true the frames stay, and what is said of their pixels and light."""

    lossless: bool
    crf: int
    wide: Fraction = Fraction(1)
    light: tuple[int, int] = SDR

    @classmethod
    def of(cls, like: Clip | None, lossless: bool, crf: int) -> _Look:
        return cls(lossless, crf) if like is None else cls(lossless, crf, like.info.wide, like.info.light)


def _encode(path: Path, frames: Iterable[Frame], timing: _Timing, quality: _Look, sound: Sound | None) -> None:
    rows = iter(frames)
    first = next(rows, None)
    if first is None:
        raise BadVideo(f"{path.name}: there are no frames to write.", "Give at least one.")
    even = not quality.lossless
    with _av_errors(path), av.open(str(path), "w", container_options=_movie(path)) as container:
        height, width = first.shape[:2]
        if even and (width % 2 or height % 2):
            container.metadata["comment"] = f"{SIZE_NOTE}{width}x{height}"
        stream = _stream(container, first, timing, quality)
        if sound is not None:
            sound.add_to(container)
        for index, frame in enumerate(_chain(first, rows)):
            picture = av.VideoFrame.from_ndarray(_checked(frame, first, index, even=even), format="rgb24")
            if even:
                picture = picture.reformat(format="yuv420p", dst_colorspace="itu709")
            picture.pts, picture.time_base = timing.at(index), timing.tick
            container.mux(stream.encode(picture))
            if sound is not None:
                sound.write_until(container, timing.at(index) * timing.tick)
        container.mux(stream.encode(None))
        if sound is not None:
            sound.write_until(container, None)


def _stream(container: Any, first: Frame, timing: _Timing, quality: _Look) -> Any:
    lossless = quality.lossless
    ffv1 = lossless and container.format.name == "matroska"
    name = "ffv1" if ffv1 else "libx264rgb" if lossless else "libx264"
    if lossless:
        options = {} if ffv1 else {"qp": "0", "preset": "veryfast"}
    else:
        options = {"crf": str(quality.crf), "preset": "fast", **_REPEATABLE}
    try:
        stream = container.add_stream(name, rate=timing.rate, options=options)
    except (ValueError, av.error.FFmpegError) as error:
        raise MissingPackage(f"this PyAV has no {name} encoder.", "Type: pip install --force-reinstall av") from error
    height, width = first.shape[:2]
    stream.width, stream.height = (width, height) if lossless else (width + width % 2, height + height % 2)
    stream.pix_fmt = "bgr0" if ffv1 else "rgb24" if lossless else "yuv420p"
    stream.codec_context.time_base = stream.time_base = timing.tick
    if quality.wide != 1:
        stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = quality.wide
    if not lossless:
        context = stream.codec_context
        context.colorspace, (context.color_primaries, context.color_trc) = _BT709, quality.light
    return stream


def _movie(path: Path) -> dict[str, str]:
    """Without `bitexact`, Matroska writes random numbers: the same frames would not give the same file."""
    same = {"fflags": "+bitexact"}
    return {**same, "movflags": "+faststart"} if path.suffix.lower() == ".mp4" else same


def _checked(frame: Frame, first: Frame, index: int, *, even: bool) -> Frame:
    """The frame, contiguous, with even sides where asked; raises BadVideo when it is not like the first."""
    if frame.shape != first.shape or frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise BadVideo(
            f"frame {index} has shape {frame.shape} ({frame.dtype}), the first {first.shape}.",
            "Give uint8 RGB frames of one size.",
        )
    height, width = frame.shape[:2]
    if even and (height % 2 or width % 2):
        return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(frame)


def _chain(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest


def _exactly(frames: Iterable[Frame], wanted: int, path: Path) -> Iterator[Frame]:
    """The frames, raising BadVideo when they are not as many as wanted."""
    count = 0
    for frame in frames:
        count += 1
        if count <= wanted:
            yield frame
    if count != wanted:
        raise BadVideo(f"{path}: {count} frames were given for a clip of {wanted}.", "Give one for each frame.")


def _write_folder(path: Path, frames: Iterable[Frame]) -> Path:
    """00000.png, ... Each file is whole; a folder that has other frames is refused."""
    if path.exists() and any(path.glob("*.png")):
        raise BadVideo(f"{path} already holds pictures.", "Choose a new folder.")
    count = 0
    for count, frame in enumerate(frames, start=1):
        save_image(path / f"{count - 1:05d}.png", Image(np.asarray(frame)))
    if not count:
        raise BadVideo(f"{path}: there are no frames to write.", "Give at least one.")
    return path


@contextmanager
def _av_errors(path: Path) -> Iterator[None]:
    """libav's errors as ours: those with the disk's numbers as StorageError."""
    try:
        yield
    except MaskwrightError:
        raise
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno and 0 < error.errno < 200:
            raise StorageError(
                f"{path} cannot be written: {error.strerror}.", "Make room or choose another folder with -o."
            ) from error
        raise BadVideo(f"{path} cannot be encoded ({error}).", "Write .mkv, or a folder of pictures.") from error

"""Frames of a video file, by index. Runs inside the child process that clip_process.py starts (or, for files we wrote
ourselves, in ours)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from maskwright.errors import BadVideo
from maskwright.media.limits import LIMITS, Limits
from maskwright.media.packets import scan_packets, shortfall, too_long
from maskwright.plumbing.files import missing_hint

CONTAINERS = "MP4/MOV, Matroska/WebM, AVI, MPEG-TS"
_CODEC_NAMES = """
h264 hevc vp8 vp9 av1 libdav1d libvpx libvpx-vp9 libaom-av1 mpeg4 mpeg2video mpeg1video mjpeg ffv1 prores dnxhd huffyuv
ffvhuff utvideo magicyuv theora png qtrle rawvideo msmpeg4v2 msmpeg4v3 h263 wmv1 wmv2 vc1 cinepak
"""
CODECS = frozenset(_CODEC_NAMES.split())
SIZE_NOTE = "maskwright size="
"""Begins the file comment that names the true size of a clip written with a padded edge."""

SDR = (1, 1)
_HDR = (16, 18)
"""Transfers of high dynamic range: PQ and HLG."""
_BT709, _UNTOLD = 1, 2
_SD_WIDTH, _SD_HEIGHT = 1024, 576
"""The largest picture whose colours are those of BT.601 where a file does not say; players take it so."""
_TRUE = 0x2 | 0x2000 | 0x40000
"""libswscale's bilinear, full chroma and accurate rounding."""
_FAR_AHEAD = 24
OPEN_OPTIONS: dict[str, Any] = {"options": {"protocol_whitelist": "file"}}
if int(av.__version__.split(".")[0]) < 19:  # from then on no file comment is too odd to open
    OPEN_OPTIONS["metadata_errors"] = "replace"


@dataclass(frozen=True)
class ClipInfo:
    """What a clip is: upright size in pixels, exact rate in frames a second, times of its frames in units of `tick`
    seconds from the first; `variable` when they are not evenly spaced."""

    width: int
    height: int
    rate: Fraction
    tick: Fraction
    ticks: tuple[int, ...]
    variable: bool
    has_audio: bool
    codec: str
    container: str
    wide: Fraction = Fraction(1)
    """How many times as wide as high a pixel is to be shown."""
    light: tuple[int, int] = SDR
    """Primaries and transfer of a clip of high dynamic range, by their numbers in H.273; BT.709's for any other."""

    def __len__(self) -> int:
        return len(self.ticks)


def container_kind(path: Path) -> str:
    """libav's name of the container that the file's first bytes begin; raises BadVideo for all but the allowed."""
    try:
        with path.open("rb") as stream:
            head = stream.read(600)
    except FileNotFoundError as error:
        raise BadVideo(f"there is no file {path}.", missing_hint(path)) from error
    except (OSError, ValueError) as error:
        raise BadVideo(f"{path} cannot be opened ({error}).", "Give a video file you may read.") from error
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"AVIX"):
        return "avi"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return "mpegts"
    raise BadVideo(f"{path} is not a video that is read here.", f"Convert it to one of: {CONTAINERS}.")


class Decoder:
    """Frames by index; forward is cheap, backward seeks. `keep_damaged` takes what can be decoded of a damaged file,
    otherwise anything missing raises BadVideo."""

    def __init__(self, path: Path, *, keep_damaged: bool = False, limits: Limits = LIMITS) -> None:
        self._path, self._limits, self._keep = path, limits, keep_damaged
        self._kind, self._colours = container_kind(path), VideoReformatter()
        self._container, self._stream = self._open()
        self._scan = scan_packets(self._container, self._stream, path, limits)
        self._counted = keep_damaged or self._kind in ("avi", "mpegts") or not self._scan.orderly
        if not keep_damaged:
            self._scan.refuse_shortfall(path, self._kind)
        self._crop = _noted_size(self._container)
        self._restart()
        self._order, self._note = self._count_frames() if self._counted else (self._scan.order, None)
        self._places = {pts: place for place, pts in enumerate(self._order)}
        self._restart()
        self.info = self._describe()

    def frame(self, index: int) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3), upright; raises BadVideo when this frame cannot be decoded."""
        if index < self._next or (not self._counted and index > self._next + _FAR_AHEAD):
            self._go_to(index)
        for attempt in (0, 1):
            found = self._run_to(index)
            if found is not None:
                return self._picture(found)
            if attempt == 0:
                self._restart()
        raise BadVideo(
            f"{self._path}: frame {index} of {len(self._order)} cannot be decoded.",
            "The file is damaged: mend it, or open it with damaged='keep'.",
        )

    def close(self) -> None:
        self._container.close()

    def _open(self) -> tuple[Any, Any]:
        try:
            container = av.open(str(self._path), format=self._kind, **OPEN_OPTIONS)
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise BadVideo(f"{self._path} cannot be read as video ({error}).", "Mend it or use a copy.") from error
        if not container.streams.video:
            raise BadVideo(f"{self._path} holds no video.", "Give a file with a video stream.")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None or context.name not in CODECS:
            name = "unknown" if context is None else context.name
            raise BadVideo(f"{self._path}: its codec ({name}) is not read here.", "Convert it to H.264 in MP4.")
        if context.width * context.height > self._limits.pixels:
            raise BadVideo(f"{self._path} is {context.width}x{context.height}.", "Scale it down.")
        stream.thread_type = "AUTO"
        context.thread_count = 2
        return container, stream

    def _restart(self) -> None:
        """From the first frame."""
        self._container.close()
        self._container, self._stream = self._open()
        self._frames = self._decoded()
        self._next = 0

    def _go_to(self, index: int) -> None:
        """To the last keyframe at or before the frame, or to the start."""
        if self._counted:
            self._restart()
            return
        target = self._scan.keyframe_before(self._order[index])
        if target is None:
            self._restart()
            return
        if self._next <= index and self._places.get(target, 0) <= self._next:
            return
        try:
            self._container.seek(target, stream=self._stream, backward=True, any_frame=False)
        except av.error.FFmpegError:
            self._restart()
            return
        self._frames = self._decoded()
        self._next = max(0, self._places.get(target, 0))

    def _decoded(self) -> Iterator[Any]:
        """Whatever the decoder gives, in output order; broken packets are passed over (their frames are missed by
        the caller, who counts)."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.error.FFmpegError:
                    continue
        except av.error.FFmpegError:
            return

    def _run_to(self, index: int) -> Any | None:
        """The decoded frame `index`, or None when the decoder passed it or came to the end."""
        for frame in self._frames:
            place = self._next if self._counted else self._places.get(frame.pts)
            if place is None:
                continue
            self._next = place + 1
            if place == index:
                return frame
            if place > index:
                return None
        return None

    def _count_frames(self) -> tuple[list[int], str | None]:
        """Every frame decoded once: their times (made up from the order where the file gives none)."""
        times: list[int | None] = []
        for frame in self._frames:
            times.append(frame.pts)
            if len(times) > self._limits.frames:
                raise too_long(self._path, self._limits)
        if not self._keep and len(times) < len(self._scan.shown):
            raise shortfall(self._path, len(times), len(self._scan.shown))
        if any(t is None for t in times) or any(b <= a for a, b in pairwise(times)):  # type: ignore[operator]
            return list(range(len(times))), "even"
        return [int(t) for t in times if t is not None], None

    def _describe(self) -> ClipInfo:
        if not self._order:
            raise BadVideo(f"{self._path} holds no frame that can be decoded.", "The file is damaged; use a copy.")
        rate = Fraction(self._stream.average_rate or self._stream.guessed_rate or 25)
        if not 0 < rate <= 1000:
            rate = Fraction(25)
        tick = 1 / rate if self._note == "even" else Fraction(self._stream.time_base)
        ticks = tuple(t - self._order[0] for t in self._order)
        first = self.frame(0)
        return ClipInfo(
            width=first.shape[1],
            height=first.shape[0],
            rate=rate,
            tick=tick,
            ticks=ticks,
            variable=_is_variable(ticks),
            has_audio=bool(self._container.streams.audio),
            codec=self._stream.codec_context.name,
            container=self._kind,
            wide=self._shape_of_pixels(),
            light=self._light(),
        )

    def _shape_of_pixels(self) -> Fraction:
        shape = Fraction(self._stream.sample_aspect_ratio or 1)
        if not Fraction(1, 20) <= shape <= 20:
            return Fraction(1)
        return 1 / shape if self._turned % 2 else shape

    def _light(self) -> tuple[int, int]:
        context = self._stream.codec_context
        primaries, transfer = int(context.color_primaries or 0), int(context.color_trc or 0)
        return (primaries, transfer) if transfer in _HDR else SDR

    def _picture(self, frame: Any) -> NDArray[np.uint8]:
        if frame.width * frame.height > self._limits.pixels:
            raise BadVideo(f"{self._path}: a frame is {frame.width}x{frame.height}.", "Scale the clip down.")
        try:
            rule = _BT709 if _is_large_untold(frame) else None
            shown = self._colours.reformat(frame, format="rgb24", src_colorspace=rule, interpolation=_rounding())
            array: NDArray[np.uint8] = shown.to_ndarray()  # type: ignore[assignment]
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise BadVideo(f"{self._path}: a frame cannot be turned to RGB ({error}).", "Convert the clip.") from error
        array = _cropped(array, self._crop)
        mirrored, self._turned = _turn_of(frame)
        array = np.ascontiguousarray(np.rot90(array[:, ::-1] if mirrored else array, self._turned))
        known = getattr(self, "info", None)
        if known is not None and array.shape[:2] != (known.height, known.width):
            was, now = f"{known.width}x{known.height}", f"{array.shape[1]}x{array.shape[0]}"
            raise BadVideo(f"{self._path} changes its size from {was} to {now}.", "Convert it to one size.")
        return array


def _turn_of(frame: Any) -> tuple[bool, int]:
    """Whether the frame is to be shown mirrored, and then by how many quarters turned to the left."""
    told = frame.side_data.get("DISPLAYMATRIX")
    matrix = np.zeros(9) if told is None else np.frombuffer(told, np.int32).astype(np.float64)
    if matrix.size != 9 or not matrix[:5].any():
        return False, 0
    a, b, c, d = matrix[[0, 1, 3, 4]]
    mirrored = a * d - b * c < 0
    angle = -np.degrees(np.arctan2(-b, -a) if mirrored else np.arctan2(b, a))
    return bool(mirrored), round(angle / 90) % 4


@cache
def _rounding() -> int | None:
    """What keeps colours true: without it libswscale reads 4:2:0 about a level too dark. None where this PyAV knows no
    such thing."""
    try:
        VideoReformatter().reformat(av.VideoFrame(16, 16, "yuv420p"), format="rgb24", interpolation=_TRUE)
    except (KeyError, TypeError, ValueError):
        return None
    return _TRUE


def _is_large_untold(frame: Any) -> bool:
    """Whether nobody says by which rule its colours are to be read, and players take BT.709's."""
    large = frame.width > _SD_WIDTH or frame.height > _SD_HEIGHT
    return large and int(frame.colorspace) == _UNTOLD and not frame.format.is_rgb


def _is_variable(ticks: tuple[int, ...]) -> bool:
    """Whether gaps differ by more than the rounding of the file's clock."""
    gaps = np.diff(np.asarray(ticks, dtype=np.int64))
    return bool(gaps.size) and int(gaps.max() - gaps.min()) > max(1, round(float(gaps.mean()) * 0.002))


def _noted_size(container: Any) -> tuple[int, int] | None:
    comment = next((str(v) for k, v in container.metadata.items() if k.lower() == "comment"), "")
    note = re.fullmatch(re.escape(SIZE_NOTE) + r"(\d{1,5})x(\d{1,5})", comment)
    return None if note is None else (int(note[1]), int(note[2]))


def _cropped(array: NDArray[np.uint8], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Without the one column or row that was added to make the sides even."""
    if size is None:
        return array
    width, height = size
    if array.shape[1] - width not in (0, 1) or array.shape[0] - height not in (0, 1):
        return array
    return array[:height, :width]

"""What a video file's packets tell before anything is decoded: times, keyframes, and whether some are missing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from maskwright.errors import BadVideo
from maskwright.media.limits import Limits

_TS_PACKETS = (188, 192, 204)


@dataclass
class Scan:
    """The packets of the video stream. `shown`: times of the frames to show, in file order (None where the file gives
    none); `keys`: times of the keyframes; `packets`, `named`: how many there are, and how many the header names;
    `ends_s`, `named_s`: where the last packet ends, and the header's duration; `faults`: what the demuxer complained
    about."""

    shown: list[int | None] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    packets: int = 0
    named: int = 0
    ends_s: float = 0.0
    named_s: float = 0.0
    frame_s: float = 0.04
    faults: int = 0

    @property
    def order(self) -> list[int]:
        """Times of the frames as they are shown."""
        return sorted({pts for pts in self.shown if pts is not None})

    @property
    def orderly(self) -> bool:
        """Whether times alone say which frame is which."""
        known = self.order
        return len(known) == len(self.shown) and bool(self.keys) and min(self.keys) <= known[0]

    def keyframe_before(self, pts: int) -> int | None:
        place = bisect_right(self.keys, pts) - 1
        return self.keys[place] if place >= 0 else None

    def refuse_shortfall(self, path: Path, kind: str) -> None:
        """Raises BadVideo when packets are missing: fewer than the header names, an end before its time, a file that
        is not whole, or a demuxer that skipped something."""
        if self.packets < self.named:
            raise shortfall(path, self.packets, self.named)
        if kind == "matroska" and self.ends_s < self.named_s - max(0.1, 1.9 * self.frame_s):
            raise BadVideo(
                f"{path} ends at {self.ends_s:.1f} s, its header names {self.named_s:.1f} s.",
                "It is cut short: get it whole, or open it with damaged='keep'.",
            )
        size = path.stat().st_size
        cut = kind == "mpegts" and all(size % unit for unit in _TS_PACKETS)
        if cut or (self.faults and kind in ("matroska", "mpegts", "avi")):
            raise BadVideo(f"{path} is damaged: parts of it are skipped.", "Mend it, or open it with damaged='keep'.")


def scan_packets(container: Any, stream: Any, path: Path, limits: Limits) -> Scan:
    """Reads every packet once, without decoding; raises BadVideo when there are too many."""
    scan = Scan(named=int(stream.frames or 0))
    scan.named_s = float(((container.start_time or 0) + (container.duration or 0)) / av.time_base)
    if stream.average_rate:
        scan.frame_s = float(1 / stream.average_rate)
    with _counted_faults(scan):
        try:
            for packet in container.demux():
                _note(scan, packet, stream)
                if scan.packets > limits.frames:
                    raise too_long(path, limits)
        except av.error.FFmpegError:
            scan.faults += 1
    scan.keys.sort()
    return scan


def _note(scan: Scan, packet: Any, stream: Any) -> None:
    if packet.pts is not None and packet.time_base:
        scan.ends_s = max(scan.ends_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    if packet.stream_index != stream.index or not packet.size:
        return
    scan.packets += 1
    scan.faults += bool(packet.is_corrupt)
    if packet.is_keyframe and packet.pts is not None:
        scan.keys.append(packet.pts)
    if not packet.is_discard:
        scan.shown.append(packet.pts)


@contextmanager
def _counted_faults(scan: Scan) -> Iterator[None]:
    """Adds the errors that libav logs in this thread meanwhile."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as lines:
            yield
        scan.faults += len(lines)
    finally:
        av.logging.set_level(level)


def too_long(path: Path, limits: Limits) -> BadVideo:
    return BadVideo(f"{path} has more than {limits.frames} frames.", "Cut it into pieces.")


def shortfall(path: Path, found: int, named: int) -> BadVideo:
    return BadVideo(
        f"{path} holds {found} of the {named} frames it names.",
        "It is cut short or damaged: get it whole, or open it with damaged='keep'.",
    )

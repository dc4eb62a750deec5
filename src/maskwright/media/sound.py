"""The sound of an outside clip, carried into a clip we write, packet by packet.

The limited child copies the audio streams into a clean NUT file (it keeps exact times); we read only that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from maskwright.errors import BadVideo
from maskwright.media.clip_process import end_child, receive, send, start_child
from maskwright.media.decoding import OPEN_OPTIONS, container_kind
from maskwright.media.limits import LIMITS, MIB

_COPY_S = 600.0


def copy_sound(source: Path, out: Path) -> list[str]:
    """Copies every audio stream of `source` into the NUT file `out`; returns when each begins, in seconds after the
    first video frame, as exact fractions. [] when there is none. Runs in the child."""
    with av.open(str(source), format=container_kind(source), **OPEN_OPTIONS) as heard:
        if not heard.streams.audio:
            return []
        video = heard.streams.video[0] if heard.streams.video else None
        zero = video.start_time * video.time_base if video is not None and video.start_time is not None else Fraction(0)
        starts: dict[int, Fraction] = {}
        with av.open(str(out), "w", format="nut") as target:
            places = {stream.index: target.add_stream_from_template(stream) for stream in heard.streams.audio}
            for packet in heard.demux(list(heard.streams.audio)):
                if packet.dts is None:
                    continue
                starts.setdefault(packet.stream_index, Fraction(packet.dts * packet.time_base) - zero)
                packet.stream = places[packet.stream_index]
                target.mux(packet)
        return [str(starts.get(stream.index, Fraction(0))) for stream in heard.streams.audio]


class Sound:
    """Audio packets that wait to be written beside frames."""

    def __init__(self, file: Path, starts: list[str]) -> None:
        self._container = av.open(str(file), format="nut", **OPEN_OPTIONS)
        self._starts = [Fraction(start) for start in starts]
        self._places: list[Any] = []
        self._packets = self._shifted()
        self._waiting: tuple[Any, Fraction] | None = None

    def add_to(self, target: Any) -> None:
        """Adds the streams to the container that will hold them; raises BadVideo when it cannot."""
        for stream in self._container.streams.audio:
            if stream.codec_context.name not in target.supported_codecs:
                name, form = stream.codec_context.name, target.format.name
                raise BadVideo(f"{form} does not hold sound in {name}.", "Write .mkv, or without sound: audio=False.")
            self._places.append(target.add_stream_from_template(stream))
        self._waiting = next(self._packets, None)

    def write_until(self, target: Any, seconds: Fraction | None) -> None:
        """Writes the packets up to a time (all when None)."""
        while self._waiting is not None:
            packet, at = self._waiting
            if seconds is not None and at > seconds:
                return
            target.mux(packet)
            self._waiting = next(self._packets, None)

    def close(self) -> None:
        self._container.close()

    def _shifted(self) -> Iterator[tuple[Any, Fraction]]:
        firsts: dict[int, int] = {}
        for packet in self._container.demux(audio=list(range(len(self._starts)))):
            if packet.dts is None or not packet.size:
                continue
            place = packet.stream_index
            shift = round(self._starts[place] / packet.time_base) - firsts.setdefault(place, packet.dts)
            packet.dts += shift
            packet.pts = packet.dts if packet.pts is None else packet.pts + shift
            at = Fraction(packet.dts * packet.time_base)
            packet.stream = self._places[place]
            yield packet, at


@contextmanager
def sound_of(source: Path, beside: Path) -> Iterator[Sound | None]:
    """The sound of an outside file, copied out by the limited child into a file beside `beside` (removed after)."""
    file = beside.with_name(beside.stem + "-sound.nut")
    child = start_child()
    try:
        send(child, {"do": "sound", "path": str(source), "out": str(file), "memory_mib": LIMITS.child_mib}, source)
        answer, _ = receive(child, _COPY_S + source.stat().st_size / (100 * MIB), source, most=0)
        sound = Sound(file, answer["starts"]) if answer["starts"] else None
        try:
            yield sound
        finally:
            if sound is not None:
                sound.close()
    finally:
        end_child(child)
        file.unlink(missing_ok=True)

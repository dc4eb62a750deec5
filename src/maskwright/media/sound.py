"""The sound of an outside clip, carried into a clip we write, packet by packet.

The limited child copies the audio streams into a clean NUT file (it keeps exact times); we read only that.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from maskwright.media.clip_process import end_child, receive, send, start_child
from maskwright.media.decoding import OPEN_OPTIONS, container_kind
from maskwright.media.limits import LIMITS, MIB

_COPY_S = 600.0
_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
"""Samples a second that AAC knows; the next higher one is taken."""


def copy_sound(source: Path, out: Path, form: str) -> list[str]:
    """Copies every audio stream of `source` into the NUT file `out`, made over into AAC where the container `form` does
    not hold its codec; returns when each begins, in seconds after the first video frame, as exact fractions. [] when
    there is none. Runs in the child."""
    with av.open(str(source), format=container_kind(source), **OPEN_OPTIONS) as heard:
        if not heard.streams.audio:
            return []
        video = heard.streams.video[0] if heard.streams.video else None
        zero = video.start_time * video.time_base if video is not None and video.start_time is not None else Fraction(0)
        starts: dict[int, Fraction] = {}
        with av.open(str(out), "w", format="nut") as target:
            held = _held_by(form)
            writers: dict[int, _Copied | _MadeOver] = {
                s.index: (_Copied if s.codec_context.name in held else _MadeOver)(s, target)
                for s in heard.streams.audio
            }
            for packet in heard.demux(list(heard.streams.audio)):
                if packet.dts is not None:
                    starts.setdefault(packet.stream_index, Fraction(packet.dts * packet.time_base) - zero)
                    writers[packet.stream_index].write(packet)
            for writer in writers.values():
                writer.end()
        return [str(starts.get(stream.index, Fraction(0))) for stream in heard.streams.audio]


def _held_by(form: str) -> set[str]:
    """The codecs that a container holds."""
    with av.open(io.BytesIO(), "w", format=form) as probe:
        return set(probe.supported_codecs)


class _Copied:
    """Packets as they are."""

    def __init__(self, stream: Any, target: Any) -> None:
        self._target, self._place = target, target.add_stream_from_template(stream)

    def write(self, packet: Any) -> None:
        packet.stream = self._place
        self._target.mux(packet)

    def end(self) -> None:
        pass


class _MadeOver:
    """Sound in another codec, for players that know few."""

    def __init__(self, stream: Any, target: Any) -> None:
        rate = min(_RATES, key=lambda known: (known < stream.rate, abs(known - stream.rate)))
        layout = {1: "mono", 2: "stereo"}.get(stream.codec_context.layout.nb_channels, stream.codec_context.layout.name)
        self._target, self._stream = target, target.add_stream("aac", rate=rate, layout=layout)
        context = self._stream.codec_context
        context.open()
        self._even = av.AudioResampler(context.format, context.layout, rate, context.frame_size)

    def write(self, packet: Any) -> None:
        for frame in packet.decode():
            self._put(self._even.resample(frame))

    def end(self) -> None:
        self._put(self._even.resample(None))
        self._target.mux(self._stream.encode(None))

    def _put(self, frames: list[Any]) -> None:
        for frame in frames:
            self._target.mux(self._stream.encode(frame))


class Sound:
    """Audio packets that wait to be written beside frames."""

    def __init__(self, file: Path, starts: list[str]) -> None:
        self._container = av.open(str(file), format="nut", **OPEN_OPTIONS)
        self._starts = [Fraction(start) for start in starts]
        self._places: list[Any] = []
        self._packets = self._shifted()
        self._waiting: tuple[Any, Fraction] | None = None

    def add_to(self, target: Any) -> None:
        """Adds the streams to the container that will hold them."""
        for stream in self._container.streams.audio:
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
        form = "matroska" if beside.suffix.lower() == ".mkv" else "mp4"
        request = {"do": "sound", "path": str(source), "out": str(file), "form": form}
        send(child, {**request, "memory_mib": LIMITS.child_mib}, source)
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

"""Sound from one file beside the pictures of another; runs in the limited child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from maskwright.media.decoding import container_kind


def join_audio(video: Path, sound: Path, out: Path) -> bool:
    """Writes `out`: the video stream of `video` and every audio stream of `sound`, copied packet by packet.

    Sound keeps its place against the first frame. Returns False, writing nothing, when `sound` has no audio.
    """
    options = {"options": {"protocol_whitelist": "file"}, "metadata_errors": "replace"}
    with av.open(str(video)) as pictures, av.open(str(sound), format=container_kind(sound), **options) as heard:
        if not heard.streams.audio:
            return False
        movie = {"movflags": "+faststart"} if out.suffix == ".mp4" else {}
        with av.open(str(out), "w", container_options=movie) as target:
            target.metadata.update(pictures.metadata)
            _copy(pictures, heard, target)
    return True


def _copy(pictures: Any, heard: Any, target: Any) -> None:
    first = pictures.streams.video[0]
    places = {first: target.add_stream_from_template(first)}
    starts = heard.streams.video[0].start_time if heard.streams.video else None
    start_s = starts * heard.streams.video[0].time_base if starts is not None else 0
    shifts = {}
    for stream in heard.streams.audio:
        places[stream] = target.add_stream_from_template(stream)
        shifts[stream] = round(start_s / stream.time_base)
    sources = [pictures.demux(first), heard.demux(list(shifts))]
    for packet in _by_time(sources):
        shift = shifts.get(packet.stream, 0)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts -= shift
        packet.stream = places[packet.stream]
        target.mux(packet)


def _by_time(sources: list[Any]) -> Any:
    """Packets of all sources, earliest first, so that no stream waits long for another in the file."""
    waiting = [next(source, None) for source in sources]
    while any(packet is not None for packet in waiting):
        times = [float("inf") if p is None else float((p.dts or 0) * p.time_base) for p in waiting]
        place = times.index(min(times))
        packet = waiting[place]
        waiting[place] = next(sources[place], None)
        if packet is not None and packet.dts is not None:
            yield packet

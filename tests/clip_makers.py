"""Clips made on the spot, with the oddities that real ones have."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def frame(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A grey ground that brightens with the index, and a bright square that moves; survives 4:2:0."""
    array = np.full((height, width, 3), 20 + 4 * index % 200, np.uint8)
    left = 2 * (index % (width // 4))
    array[8:24, left : left + 16] = 235
    return array


def make_clip(
    path: Path,
    count: int = 20,
    *,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: list[int] | None = None,
    tick: Fraction = Fraction(1, 1000),
    audio: bool = False,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    form: str | None = None,
) -> Path:
    """Writes a clip. `times`: when each frame is shown, in units of `tick` (uneven clips)."""
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], pix_fmt
        if rotation:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.codec_context.time_base = stream.time_base = tick
        sound: Any = container.add_stream("aac" if path.suffix != ".avi" else "pcm_s16le", rate=8000) if audio else None
        for index in range(count):
            picture = av.VideoFrame.from_ndarray(frame(index, *size), format="rgb24").reformat(format=pix_fmt)
            if times is not None:
                picture.pts, picture.time_base = times[index], tick
            container.mux(stream.encode(picture))
        if sound is not None:
            _hum(container, sound, count / rate)
        container.mux(stream.encode(None))
    return path


def _hum(container: Any, stream: Any, seconds: Any) -> None:
    samples = round(float(seconds) * 8000)
    planar = stream.format.name == "fltp"
    for start in range(0, samples, 1024):
        wave = np.sin(np.arange(start, min(start + 1024, samples)) * 0.3)[None, :]
        data = wave.astype(np.float32) if planar else (wave * 9000).astype(np.int16)
        part = av.AudioFrame.from_ndarray(data, format=stream.format.name, layout="mono")
        part.sample_rate, part.pts = 8000, start
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def sound_packets(path: Path) -> list[bytes]:
    """The audio packets of a file, as they are."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

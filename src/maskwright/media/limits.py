"""What is let in: the caps on outside pictures and clips, in one place."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one outside file. Pixels are width x height, of a picture or of one frame; times are seconds."""

    pixels: int = 40_000_000
    image_bytes: int = 512 * MIB
    frames: int = 200_000
    clip_bytes: int = 16 << 30
    child_mib: int = 3072
    """Address space of the process that decodes a clip."""
    open_s: float = 20.0
    """To read a clip's index; one second more for each 100 MiB of file."""
    frame_s: float = 20.0
    """To deliver one frame."""


LIMITS = Limits()

"""The clip of a job: opened, and cut to the length that is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from maskwright.erasing.job import Job
from maskwright.erasing.preparing import Mapped
from maskwright.media.videos import Clip, open_clip


@contextlib.contextmanager
def opened(job: Job) -> Iterator[Clip]:
    """To be used with `with`; raises BadVideo."""
    rate = Fraction(job.rate) if job.rate is not None and job.video.is_dir() else None
    with open_clip(job.video, rate=rate, damaged="keep" if job.damaged else "refuse") as clip:
        if job.length is not None and job.length < len(clip):
            clip = _Shortened(clip, job.length)
        yield clip


class _Shortened(Clip):
    """The first frames of a clip, without its sound."""

    def __init__(self, clip: Clip, length: int) -> None:
        self.info = replace(clip.info, ticks=clip.info.ticks[:length], has_audio=False)
        self.path, self._source = clip.path, clip._source
        self.frames = Mapped(length, lambda i: clip.frames[i])

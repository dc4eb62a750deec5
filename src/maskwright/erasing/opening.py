"""The clip of a job: opened, and cut to the length that is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from maskwright.erasing.job import Job
from maskwright.erasing.preparing import Mapped
from maskwright.errors import BadSettings
from maskwright.media.videos import Clip, open_clip


@contextlib.contextmanager
def opened(job: Job) -> Iterator[Clip]:
    """To be used with `with`; raises BadVideo."""
    if job.rate is not None and job.video.is_file():
        raise BadSettings(f"{job.video} has a rate of its own.", "A rate is for folders of frames.")
    rate = None if job.rate is None else _rate(job.rate)
    if job.length is not None and job.length < 1:
        raise BadSettings(f"{job.name}: {job.length} frames are no clip.", "Give a length of at least 1.")
    with open_clip(job.video, rate=rate, damaged="keep" if job.damaged else "refuse") as clip:
        if job.length is not None and job.length < len(clip):
            clip = _Shortened(clip, job.length)
        yield clip


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise BadSettings(f"{text!r} frames a second is not a rate.", "Write --rate 25 or 30000/1001.") from error
    if not 0 < rate <= 1000:
        raise BadSettings(f"{text} frames a second is not a rate.", "Give a number between 0 and 1000.")
    return rate


class _Shortened(Clip):
    """The first frames of a clip, without its sound."""

    def __init__(self, clip: Clip, length: int) -> None:
        self.info = replace(clip.info, ticks=clip.info.ticks[:length], has_audio=False)
        self.path, self._source = clip.path, clip._source
        self.frames = Mapped(length, lambda i: clip.frames[i])

"""Where the object is, in every frame: given masks, or a phrase that is found and followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maskwright.erasing.job import Engines, Job
from maskwright.erasing.preparing import described_frames
from maskwright.errors import BadMask, BadPhrase, BadSettings
from maskwright.media.images import save_mask
from maskwright.media.videos import Clip, open_masks
from maskwright.values import Image, Mask

LOOKS = 5
"""Frames a phrase is looked for in; the surest one is followed from."""
OBJECT = 1


def mark(job: Job, clip: Clip, engines: Engines, *, align: Any, out: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Writes one mask a frame into `out`; yields (frame, news). Raises BadMask, BadPhrase, BadSettings."""
    if (job.mask is None) == (job.phrase is None):
        raise BadSettings(f"{job.name}: say what to erase, in one way.", "Give --mask or --phrase.")
    if job.mask is not None:
        shortened = job.length == len(clip) and align == "refuse"
        masks = open_masks(job.mask, like=clip, align="crop" if shortened else align, value=job.mask_value)
        for index in range(len(clip)):
            save_mask(out / f"{index:05d}.png", Mask(masks[index]), one_bit=True)
            yield index, {}
        return
    yield from _follow(job, clip, engines, out)


def _follow(job: Job, clip: Clip, engines: Engines, out: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if engines.find is None or engines.tracker is None:
        raise BadSettings("no model is there to find and follow a phrase.", "Give masks with --mask.")
    index, mask, score = _first_sight(job, clip, engines)
    held = 0
    for at, found in engines.tracker().track(clip.frames, {index: {OBJECT: mask}}):
        here = found.get(OBJECT, Mask.empty(*clip.size))
        held += bool(here)
        save_mask(out / f"{at:05d}.png", here, one_bit=True)
        yield at, {"found_in": index, "score": round(score, 4)}
    if not held:
        raise BadMask(f"{job.name}: the tracker lost {job.phrase!r} at once.", "Give masks with --mask.")


def _first_sight(job: Job, clip: Clip, engines: Engines) -> tuple[int, Mask, float]:
    assert engines.find is not None and job.phrase is not None
    shares = [0.0] * len(clip)
    best: tuple[float, int, Mask] | None = None
    for index in described_frames(shares, "multi", min(LOOKS, max(1, len(clip)))):
        mask, score = engines.find(Image(clip.frames[index]), job.phrase)
        if mask is not None and mask.area and (best is None or score > best[0]):
            best = (score, index, mask)
    if best is None:
        raise BadPhrase(
            f"{job.name}: {job.phrase!r} was not found in the clip.",
            "Say it in other words, or give masks with --mask.",
        )
    return best[1], best[2], best[0]

"""Phase 2: the caption file of a clip. What a person wrote is never overwritten; what is stale is made again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.config.erase import EraseSettings
from maskwright.erasing.captioning import prompt_version
from maskwright.erasing.job import Bools, Engines, Frames, Job, Progress
from maskwright.erasing.preparing import Mapped, described_frames, hole_shares, mended
from maskwright.erasing.prompt_file import PromptFile, read_prompt, write_prompt
from maskwright.errors import BadSettings
from maskwright.media.videos import open_clip, open_masks
from maskwright.plumbing.files import read_json, write_json
from maskwright.ports import Captioner
from maskwright.runs.steps import Step, hash_file, hash_value
from maskwright.values import Image, Mask

if TYPE_CHECKING:
    from maskwright.erasing.loop import _Work

NEGATIVE = "people, animals, text, blurry, distorted"
"""What an automatic caption tells the video model to avoid."""


def caption_step(work: _Work, *, force: bool) -> Generator[Progress, None, PromptFile]:
    """The caption in force, made when it is missing or stale."""
    job, s = work.job, work.settings
    places = described_frames(work.shares, s.frames, s.sample_frames)
    engine = work.engines.about("captioner")
    about = {**engine, "frames": places, "version": prompt_version(), **work.mask_settings()}
    inputs = {"video": work.source, "masks": hash_value(work.mask_step.outputs)}
    step = Step(job.folder, "caption", inputs, about)
    path = job.captions
    if s.prompt is not None:
        yield Progress(job.name, "caption", "skipped", detail={"why": "the prompt was given"})
        return PromptFile(prompt=(s.prompt,))
    if path.exists() and (_by_hand(path, step, job, force=force) or (step.is_done() and not force)):
        found = read_prompt(path)
        yield Progress(job.name, "caption", "kept", detail={"prompt": found.words, "source": found.prompt_source})
        return found
    yield Progress(job.name, "caption", "began")
    with step.work() as out:
        made = _describe(work.clip.frames, work.wide, places, work.engines.captioner(), job)
        write_prompt(path, made)
        write_json(out / "written.json", {"sha256": hash_file(path), "prompt": made.words})
    yield Progress(job.name, "caption", "done", detail={"prompt": made.words, "source": made.prompt_source})
    return made


def _by_hand(path: Path, step: Step, job: Job, *, force: bool) -> bool:
    """True when the file says manual, or is not as it was written here. One that another run wrote counts for its own
    clip, until it is to be made anew."""
    found = read_prompt(path)
    if found.prompt_source == "manual":
        return True
    record = step.path / "written.json"
    if not record.exists():
        return not force and Path(found.source_video).absolute() == job.video.absolute()
    return bool(read_json(record)["sha256"] != hash_file(path))


def describe_clip(
    job: Job, engines: Engines, settings: EraseSettings, *, warn: Callable[[str], None] | None = None
) -> PromptFile:
    """The caption of a clip with given masks, on its own: nothing is kept. `warn` hears of frames that are described
    without a mask. Raises errors of maskwright.errors."""
    if job.mask is None:
        raise BadSettings(f"{job.name}: a caption needs masks.", "Give --mask.")
    with open_clip(job.video) as clip:
        masks = open_masks(job.mask, like=clip, align=settings.align, value=job.mask_value)
        shares = hole_shares(masks)
        places = described_frames(shares, settings.frames, settings.sample_frames)
        bare = [str(i) for i in places if not shares[i]]
        if bare and warn is not None:
            warn(
                f"frame {', '.join(bare)} is described and has no mask: an object seen there may be in the caption; "
                "give its mask, or choose --frame_strategy best"
            )
        wide = mended(masks, union=settings.union, dilate=settings.dilate + settings.feather)
        return _describe(clip.frames, wide, places, engines.captioner(), job)


def _describe(frames: Frames, wide: Mapped[Bools], places: list[int], captioner: Captioner, job: Job) -> PromptFile:
    images, masks = [Image(frames[i]) for i in places], [Mask(wide[i]) for i in places]
    return PromptFile(
        prompt=(captioner.caption(images, masks),),
        n_prompt=(NEGATIVE,),
        text_guidance_scale=2.0,
        prompt_source="auto_masked",
        prompt_model=captioner.name,
        prompt_timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
        prompt_frame_idx=tuple(places),
        source_video=str(job.video),
    )

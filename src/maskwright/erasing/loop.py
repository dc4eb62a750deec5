"""One clip through the phases: masks, coarse fill, caption, anchor, refine, output. Each is a step that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.config.erase import EraseSettings
from maskwright.erasing import candidates, writing
from maskwright.erasing.captions import caption_step
from maskwright.erasing.guiding import Guidance, check_scale, guide
from maskwright.erasing.job import PHASES, Bools, Engines, Frame, Frames, Job, Progress, Steps
from maskwright.erasing.marking import mark
from maskwright.erasing.opening import opened
from maskwright.erasing.preparing import (
    Mapped,
    best_frame,
    blanks,
    composed,
    grown,
    hole_shares,
    in_order,
    mended,
    resized,
    resized_masks,
    scaled,
    within,
)
from maskwright.errors import BadSettings
from maskwright.media.images import open_image, open_mask, save_image
from maskwright.media.videos import Clip, open_clip, write_clip
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import check_space, read_json, write_json
from maskwright.ports import FillOptions
from maskwright.runs.steps import Step, hash_file, hash_value, remove_scratch
from maskwright.values import Image, Mask

_MUCH = 0.3
"""Share of a frame from which a mask may grow over all of it."""


def erase_steps(
    job: Job,
    engines: Engines,
    settings: EraseSettings,
    *,
    cancel: Cancel | None = None,
    force: Sequence[str] = (),
    tell: Callable[[Progress], None] | None = None,
) -> Steps:
    """News of every step; the last is the output's, with its files. What is done already is kept.

    `force` names steps (or "1", "2", "3") to do again; `tell` hears of every frame. Raises errors of
    maskwright.errors; earlier steps are kept then.
    """
    check_scale(settings.text_guidance_scale)
    with opened(job) as clip:
        work = _Work(job, engines, settings, clip, _Ear(cancel or Cancel(), tell, _forced(force)))
        yield from work.masks()
        yield from work.coarse()
        yield from work.caption()
        yield from work.anchor()
        yield from work.refine()
        yield from work.output()


def _forced(names: Sequence[str]) -> set[str]:
    known = (*PHASES, "1", "2", "3", "all")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadSettings(f"there is no phase {unknown[0]!r} to force.", f"It is one of: {', '.join(known)}.")
    meaning = {"1": ["coarse"], "2": ["caption"], "3": ["anchor", "refine"]}
    meaning["all"] = ["masks", "shadows", "coarse", "caption"]
    out: set[str] = set()
    for name in names:
        out |= set(meaning.get(name, [name]))
    return out


@dataclass(frozen=True)
class _Ear:
    """Who may stop the run, who hears of it, and what is to be done again."""

    cancel: Cancel
    tell: Callable[[Progress], None] | None
    force: set[str]


class _Work:
    """The state of one clip's run: steps refer to what earlier ones wrote."""

    def __init__(self, job: Job, engines: Engines, settings: EraseSettings, clip: Clip, ear: _Ear) -> None:
        self.job, self.engines, self.settings, self.clip = job, engines, settings, clip
        self.cancel, self.tell, self.force = ear.cancel, ear.tell, ear.force
        remove_scratch(job.folder)
        self.source = hash_file(job.video)
        self.guidance: Guidance | None = None
        self.beside: list[candidates.Candidate] = []
        self.beside_erased: list[str] = []
        self.judge_step: Step | None = None
        self.judged: dict[str, Any] = {"degraded": []}

    # -- masks ------------------------------------------------------------------------------------------------

    def masks(self) -> Steps:
        s = self.settings
        mask = hash_file(self.job.mask) if self.job.mask is not None and self.job.mask.exists() else ""
        inputs = {"video": self.source, "mask": mask, "phrase": hash_value(self.job.phrase or "")}
        finders = {k: v for k, v in self.engines.names.items() if k in ("find", "tracker")} if self.job.phrase else {}
        finders |= {"by": hash_value(dict(self.engines.finding))} if self.job.phrase else {}
        about = {"align": s.align, "value": self.job.mask_value, "length": self.job.length, **finders}
        self.mask_step = Step(self.job.folder, "masks", inputs, about)
        yield from self._run(self.mask_step, self._write_masks)
        files = [self.mask_step.path / f"{i:05d}.png" for i in range(len(self.clip))]
        raw = Mapped(len(files), lambda i: open_mask(files[i]).array, keep=2 * s.union + 3)
        if s.shadows != "off":
            self.beside = candidates.find_candidates(self.clip.frames, raw)
            yield from self._judge(raw)
        raw = candidates.with_candidates(raw, self.beside, self.beside_erased)
        self.inner = mended(raw, union=s.union, dilate=s.dilate)
        self.wide: Mapped[Bools] = Mapped(len(files), lambda i: grown(self.inner[i], s.feather))
        self.shares = read_json(self.mask_step.path / "masks.json")["shares"]

    def _judge(self, masks: Mapped[Bools]) -> Steps:
        """What of the candidates is erased: nothing, all, or what the judge says."""
        mode = self.settings.shadows
        if mode == "judge":
            phrase, ask = self.job.phrase or "", self.engines.asker
            about = {**self.engines.about("vlm"), "prompt": candidates.prompt_version(), "phrase": phrase}
            self.judge_step = Step(self.job.folder, "shadows", self._inputs(), about)
            case = candidates.Case(self.clip.frames, masks, self.beside, phrase)
            asker = partial(ask, self.cancel) if ask is not None else None
            yield from self._run(self.judge_step, partial(candidates.write_judgement, case=case, asker=asker))
            self.judged = read_json(self.judge_step.path / candidates.RECORD)
            self.beside_erased = candidates.erased_kinds(self.judged)
        elif mode == "erase":
            self.beside_erased = [c.kind for c in self.beside]

    def _write_masks(self, out: Path) -> None:
        for index, news in mark(self.job, self.clip, self.engines, align=self.settings.align, out=out):
            self._tell("masks", index, news)
        masks = Mapped(len(self.clip), lambda i: open_mask(out / f"{i:05d}.png").array)
        write_json(out / "masks.json", {"shares": [round(share, 6) for share in hole_shares(masks)]})

    # -- phase 1 ----------------------------------------------------------------------------------------------

    def coarse(self) -> Steps:
        s = self.settings
        self.small = s.downscale or self.clip.size
        about = {**self.engines.about("coarse"), "size": list(self.small), "seed": s.seed, **self.mask_settings()}
        self.coarse_step = Step(self.job.folder, "coarse", self._inputs(), about)
        yield from self._run(self.coarse_step, self._write_coarse)

    def _write_coarse(self, out: Path) -> None:
        frames = resized(self.clip.frames, self.small)
        masks = resized_masks(self.wide, self.small)
        fill = self.engines.filler("coarse").fill(frames, masks, FillOptions(seed=self.settings.seed))
        self._write(out / "coarse.mkv", "coarse", fill)

    # -- phase 2 ----------------------------------------------------------------------------------------------

    def caption(self) -> Steps:
        s = self.settings
        found = None
        if s.use_text or s.use_anchor:
            found = yield from caption_step(self, force="caption" in self.force)
        scale = s.text_guidance_scale
        self.guidance = guide(
            found, anchor=s.use_anchor, text=s.use_text, prompt=s.prompt, n_prompt=s.n_prompt, scale=scale
        )

    # -- phase 3 ----------------------------------------------------------------------------------------------

    def anchor(self) -> Steps:
        s = self.settings
        if not s.use_anchor:
            yield Progress(self.job.name, "anchor", "skipped")
            return
        self.anchor_index = best_frame(self.shares) if s.anchor_frame < 0 else s.anchor_frame
        if self.anchor_index >= len(self.clip):
            raise BadSettings(
                f"{self.job.name}: there is no frame {s.anchor_frame}, the clip has {len(self.clip)}.",
                "Give --anchor-frame below that, or auto.",
            )
        assert self.guidance is not None
        words = self.guidance.anchor_words
        about = {"index": self.anchor_index, **self.engines.about("inpainter"), "words": words}
        self.anchor_step = Step(
            self.job.folder, "anchor", self._inputs(), {**about, "seed": s.seed, **self.mask_settings()}
        )
        yield from self._run(self.anchor_step, self._write_anchor)

    def _write_anchor(self, out: Path) -> None:
        assert self.guidance is not None
        frame, mask = Image(self.clip.frames[self.anchor_index]), Mask(self.wide[self.anchor_index])
        words = self.guidance.anchor_words
        painted = self.engines.inpainter().inpaint(frame, mask, words=words, seed=self.settings.seed)
        save_image(out / "anchor_frame.png", painted)
        write_json(out / "anchor.json", {"index": self.anchor_index, "words": words})
        self._tell("anchor", 0, {"index": self.anchor_index})

    def refine(self) -> Steps:
        s, g = self.settings, self.guidance
        assert g is not None
        inputs = {**self._inputs(), "coarse": hash_value(self.coarse_step.outputs)}
        if s.use_anchor:
            inputs["anchor"] = hash_value(self.anchor_step.outputs)
        about = {**self.engines.about("filler"), "words": g.words, "avoid": g.avoid, "scale": g.scale, "seed": s.seed}
        self.working = within(self.clip.size, s.refine_size)
        if self.working != self.clip.size:
            about["size"] = list(self.working)
        self.refine_step = Step(self.job.folder, "refine", inputs, {**about, **self.mask_settings()})
        yield from self._run(self.refine_step, self._write_refined)

    def _write_refined(self, out: Path) -> None:
        s, g = self.settings, self.guidance
        assert g is not None
        with open_clip(self.coarse_step.path / "coarse.mkv", trusted=True) as coarse:
            frames, masks = resized(self.clip.frames, self.working), resized_masks(self.wide, self.working)
            anchor = None
            if s.use_anchor:
                painted = open_image(self.anchor_step.path / "anchor_frame.png").pixels
                anchor = (self.anchor_index, scaled(painted, self.working))
            options = FillOptions(resized(coarse.frames, self.working), anchor, g.words, g.avoid, g.scale, s.seed)
            fill = self.engines.filler("filler").fill(frames, masks, options)
            self._write(out / "final.mkv", "refine", self._composed(fill))

    def _composed(self, fill: Iterator[Frame]) -> Iterator[Frame]:
        for index, painted in in_order(fill, len(self.clip)):
            painted = scaled(painted, self.clip.size)
            yield composed(self.clip.frames[index], painted, self.inner[index], self.settings.feather)

    # -- output -----------------------------------------------------------------------------------------------

    def output(self) -> Steps:
        s = self.settings
        steps = {"refine": self.refine_step, "coarse": self.coarse_step}
        inputs = {name: hash_value([step.key, step.outputs]) for name, step in steps.items()}  # the report names both
        about = {"lossless": s.lossless, "comparison": s.comparison, "name": self.job.name}
        if s.shadows != "off":
            about["shadows"] = s.shadows
        if self.job.rate is not None:
            about["rate"] = str(self.clip.rate)
        if self.judge_step is not None:
            inputs["shadows"] = hash_value(self.judge_step.outputs)
        self.output_step = Step(self.job.folder, "output", inputs, about)
        state = "done"
        for news in self._run(self.output_step, self._write_output):
            state = news.state
            if state == "began":
                yield news
        files = {name: str(self.output_step.path / name) for name in sorted(self.output_step.outputs)}
        told = {"files": files, "warnings": self._warnings()}
        yield Progress(self.job.name, "output", state, len(self.clip), len(self.clip), told)

    def _write_output(self, out: Path) -> None:
        with (
            open_clip(self.refine_step.path / "final.mkv", trusted=True) as final,
            open_clip(self.coarse_step.path / "coarse.mkv", trusted=True) as coarse,
        ):
            columns: dict[str, Frames] = {
                "input": self.clip.frames,
                "mask": writing.marked_frames(self.clip.frames, self.inner, self.beside),
                "coarse": resized(coarse.frames, self.clip.size),
                "final": final.frames,
            }
            for name in writing.write_results(out, self.clip, columns, self.settings):
                self._tell("output", len(self.clip) - 1, {"file": name})
            write_json(out / "report.json", self._report(final.frames))

    def _report(self, final: Frames) -> dict[str, Any]:
        s, g = self.settings, self.guidance
        assert g is not None
        return {
            "clip": self.job.name,
            "frames": len(self.clip),
            "size": list(self.clip.size),
            "rate": str(self.clip.rate),
            "masked_share": round(float(np.mean(self.shares)), 5),
            "frames_without_mask": [list(run) for run in blanks(self.shares)],
            "warnings": self._warnings(),
            "degraded": list(self.judged["degraded"]),
            "engines": dict(self.engines.names),
            "guidance": {"anchor_words": g.anchor_words, "words": g.words, "avoid": g.avoid, "scale": g.scale},
            "settings": s.model_dump(mode="json"),
            **({"shadows": self._beside_report()} if s.shadows != "off" else {}),
            "fidelity": writing.fidelity(self.clip.frames, final, self.wide),
        }

    def _beside_report(self) -> dict[str, Any]:
        told = {c.kind: writing.candidate_report(c, erased=c.kind in self.beside_erased) for c in self.beside}
        judged = {"judged": self.judged} if self.judge_step is not None else {}
        return {"mode": self.settings.shadows, **told, **judged}

    def _warnings(self) -> list[str]:
        full = [i for i, share in enumerate(self.shares) if share > _MUCH and self.wide[i].all()]
        return [*writing.warnings_of(blanks(self.shares)), *writing.warnings_of_full(full), *self.judged["degraded"]]

    # -- what all steps do ------------------------------------------------------------------------------------

    def _run(self, step: Step, work: Callable[[Path], None]) -> Steps:
        """Does a step unless it is done; a step that was done again makes its followers' inputs new."""
        total = len(self.clip)
        if step.is_done() and step.name not in self.force:
            yield Progress(self.job.name, step.name, "kept", total, total)
            return
        yield Progress(self.job.name, step.name, "began", 0, total)
        with step.work() as out:
            work(out)
        yield Progress(self.job.name, step.name, "done", total, total)

    def _write(self, path: Path, step: str, frames: Iterator[Frame]) -> None:
        """Writes frames without loss, telling of each."""
        width, height = self.clip.size
        check_space(path.parent, int(width * height * len(self.clip)))
        write_clip(path, self._told(frames, step), rate=self.clip.rate, lossless=True)

    def _told(self, frames: Iterator[Frame], step: str) -> Iterator[Frame]:
        for index, frame in in_order(frames, len(self.clip)):
            self._tell(step, index)
            yield frame

    def _tell(self, step: str, index: int, detail: Mapping[str, Any] | None = None) -> None:
        self.cancel.check()
        if self.tell is not None:
            self.tell(Progress(self.job.name, step, "frame", index + 1, len(self.clip), detail or {}))

    def _inputs(self) -> dict[str, str]:
        return {"video": self.source, "masks": hash_value(self.mask_step.outputs)}

    def mask_settings(self) -> dict[str, Any]:
        s = self.settings
        more = {"beside": self.beside_erased} if self.beside_erased else {}
        return {"dilate": s.dilate, "union": s.union, "feather": s.feather, **more}


__all__ = ["erase_steps", "write_clip"]

"""erase, erase_rounds and data sets: settings and names become engines and the loop."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.asking import Asker
from maskwright.assemble.engines import Engines as Models
from maskwright.assemble.loading import load
from maskwright.config.erase import EraseSettings
from maskwright.config.find import FindSettings
from maskwright.config.settings import Settings, resolve, with_overrides
from maskwright.erasing.caption_worker import WorkerCaptioner
from maskwright.erasing.captioning import VlmCaptioner
from maskwright.erasing.job import Engines, Job, Progress
from maskwright.erasing.loop import erase_steps
from maskwright.errors import BadMask, BadSettings, BadVideo, InputError
from maskwright.media.images import save_mask
from maskwright.media.videos import Clip
from maskwright.models.catalogue import find_row
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import read_json, write_json
from maskwright.plumbing.log import HIDDEN, get_log
from maskwright.ports import Vlm
from maskwright.runs.folder import RunFolder, safe_id
from maskwright.values import Image, Mask

KIND, GIVEN = "erase", "given_masks"
PRODUCED = ("erased.mp4", "erased.mkv", "comparison.mp4", "sheet.png", "report.json")
"""What lies at the top of a run of one clip."""
_log = get_log("erase")


@dataclass(frozen=True)
class EraseResult:
    """One clip: `status` done | failed, `files` by name (erased.mp4, comparison.mp4, sheet.png, report.json),
    `steps` name -> done | kept | skipped, `report`, and `error` where it failed."""

    name: str
    status: str
    folder: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    steps: Mapping[str, str] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def video(self) -> Path:
        return self.files["erased.mp4"]

    @property
    def warnings(self) -> list[str]:
        """What a person should look at: frames without a mask, shadows that nobody judged."""
        return list(self.report.get("warnings", ()))

    def to_json(self) -> dict[str, Any]:
        files = {name: str(path) for name, path in self.files.items()}
        return {**asdict(self), "folder": str(self.folder), "files": files}


def erase(
    clip: str | Path | Clip,
    masks: str | Path | Sequence[Any] | None = None,
    *,
    phrase: str | None = None,
    out: str | Path,
    **options: Any,
) -> EraseResult:
    """Removes what the masks (or the phrase) mark from a clip; what is done already in `out` is kept.

    clip: a file, a folder of frames or an open Clip. masks: a folder, a video, a picture, or one array a frame.
    options: any setting of EraseSettings, and name, cancel, force, tell. Raises errors of maskwright.errors.
    """
    last: Progress | None = None
    steps: dict[str, str] = {}
    for last in erase_rounds(clip, masks, phrase=phrase, out=out, **options):
        steps[last.step] = last.state
    assert last is not None
    result = _result(last.clip, Path(out), last, steps)
    for warning in result.warnings:
        _log.warning("look at this", clip=result.name, warning=warning)
    return result


def erase_rounds(
    clip: str | Path | Clip,
    masks: str | Path | Sequence[Any] | None = None,
    *,
    phrase: str | None = None,
    out: str | Path,
    **options: Any,
) -> Iterator[Progress]:
    """The same, step by step, with the options of `erase`."""
    cancel, force, tell = options.pop("cancel", None), options.pop("force", ()), options.pop("tell", None)
    video = clip.path if isinstance(clip, Clip) else Path(clip)
    if isinstance(clip, Clip) and video.is_dir() and options.get("rate") is None:
        options["rate"] = str(clip.rate)
    name = options.pop("name", None) or video.stem
    out = Path(out)
    given = _place_of(masks, out)
    about = {k: options.pop(k, None) for k in ("rate", "mask_value", "damaged", "length", "prompt_file")}
    spec = {"name": name, "video": str(video), "mask": None if given is None else str(given), "phrase": phrase, **about}
    resolved = options.pop("resolved", None) or resolve()
    settings = erase_settings(resolved.section(EraseSettings), options)
    spec = absolute(spec)
    with open_run(out, [spec], settings, resolved) as run:
        if masks is not None and not isinstance(masks, (str, Path)):
            _keep_masks(masks, out / GIVEN)
        yield from run_clip(run, spec, settings, resolved=resolved, cancel=cancel, force=force, tell=tell)


def open_run(
    out: Path, specs: Sequence[Mapping[str, Any]], settings: EraseSettings, resolved: Settings | None = None
) -> RunFolder:
    """The run folder of an erase, to be used with `with`; `resolved` is written there for who goes on with it. Raises
    InputError where two clips would share a folder, or a result would lie where its clip does."""
    _check_places(out, specs)
    told = {"clips": [dict(s) for s in specs], "erase": settings.model_dump(mode="json")}
    about = {} if resolved is None else {"resolved": resolved.to_json()}
    return RunFolder(out, KIND, told, about=about)


def _check_places(out: Path, specs: Sequence[Mapping[str, Any]]) -> None:
    places: dict[str, str] = {}
    for spec in specs:
        name = str(spec["name"])
        other = places.setdefault(safe_id(name), name)
        if other != name:
            raise InputError(f"the clips {other} and {name} would share a folder.", "Rename one of them.")
    tops = {(out / name).resolve() for name in PRODUCED} if len(specs) == 1 else set()
    for given in (Path(specs[0][key]) for key in ("video", "mask") if specs[0].get(key)):
        if given.resolve() in tops:
            raise InputError(f"{given} lies where a result goes.", "Choose another folder with -o.")


def read_run(out: str | Path) -> tuple[list[dict[str, Any]], EraseSettings, Settings | None]:
    """The clips and settings of a run folder, and all that was set then; raises InputError when it holds no erase."""
    about = read_json(Path(out) / "run.json")
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise InputError(f"{out} holds no erase run.", "Give the folder that -o named.")
    settings = EraseSettings.model_validate(about["settings"]["erase"])
    values = dict(about.get("resolved") or {})
    preset = values.pop("preset", None)
    return list(about["settings"]["clips"]), settings, None if preset is None else Settings(preset, _open(values))


def _open(values: Any) -> Any:
    """Settings as they were written, without what was hidden: keys are read from the environment again."""
    if isinstance(values, dict):
        return {key: _open(value) for key, value in values.items() if value != HIDDEN}
    return values


def run_clip(
    run: RunFolder,
    spec: Mapping[str, Any],
    settings: EraseSettings,
    *,
    resolved: Settings | None = None,
    cancel: Cancel | None = None,
    force: Sequence[str] = (),
    tell: Callable[[Progress], None] | None = None,
) -> Generator[Progress, None, None]:
    """The steps of one clip of a run, written into the ledger; its files come to the top of a run of one clip."""
    job = as_job(run.item(str(spec["name"])), spec)
    engines = make_engines(settings, resolved or resolve())
    step = ""
    try:
        for news in erase_steps(job, engines, settings, cancel=cancel, force=force, tell=tell):
            step = news.step
            if news.state == "began":
                run.ledger.begin(job.name, news.step)
            elif news.state in ("done", "kept", "skipped"):
                if run.ledger.get(job.name, news.step) is None:
                    run.ledger.begin(job.name, news.step)
                run.ledger.end(job.name, news.step, "done")
                step = ""
            yield news
    except BaseException as error:
        if step:
            run.ledger.end(job.name, step, "failed", error=str(error)[:400])
        raise
    _bring_up(run.path, job, alone=len(run.settings["clips"]) == 1)


def as_job(folder: Path, spec: Mapping[str, Any]) -> Job:
    """A Job from its row of run.json."""
    paths = {k: None if spec.get(k) is None else Path(spec[k]) for k in ("mask", "prompt_file")}
    rate = None if spec.get("rate") is None else str(spec["rate"])
    return Job(
        name=str(spec["name"]),
        video=Path(spec["video"]),
        folder=folder,
        mask=paths["mask"],
        phrase=spec.get("phrase"),
        prompt_file=paths["prompt_file"],
        rate=rate,
        mask_value=spec.get("mask_value"),
        damaged=bool(spec.get("damaged")),
        length=spec.get("length"),
    )


def make_engines(settings: EraseSettings, resolved: Settings) -> Engines:
    """The engines the settings name, each loaded when it is first needed. A role without a name takes the model of the
    settings' [models], with its options."""
    chosen = {"coarse": settings.coarse, "filler": settings.filler}
    chosen |= {"inpainter": settings.inpainter, "captioner": settings.captioner, "tracker": None, "find": None}
    kinds = {"coarse": "filler", "find": "ranker"}
    own = {role: dict(resolved.models.get(kinds.get(role, role), {})) for role in chosen}
    names = {role: name or str(own[role].get("name", "lite")) for role, name in chosen.items()}
    options = {role: own[role] if own[role].get("name") == names[role] else {} for role in names}
    looks = _vlm_choice(settings, resolved)
    if names["captioner"] == "vlm":
        options["captioner"] = looks
    if settings.shadows == "judge":
        names["vlm"], options["vlm"] = str(looks.get("name", "")), looks
    made: dict[tuple[str, str], Any] = {}
    told = {role: {**own, **_painter(role, names, options)} for role, own in options.items()}

    def model(role: str) -> Any:
        kind = kinds.get(role, role)
        key = (kind, names[role])
        if key not in made:
            named = {} if options[role] else {kind: names[role]}
            painter = {} if kind == "inpainter" or options["inpainter"] else {"inpainter": names["inpainter"]}
            made[key] = Models(resolved, {**painter, **named}).need(kind)
        return made[key]

    def captioner() -> Any:
        if names["captioner"] == "worker":
            return WorkerCaptioner(**{k: v for k, v in options["captioner"].items() if k != "name"})
        return VlmCaptioner(_need_vlm(looks)) if names["captioner"] == "vlm" else model("captioner")

    return Engines(
        filler=model,
        inpainter=lambda: model("inpainter"),
        captioner=captioner,
        find=_finder(resolved),
        tracker=lambda: model("tracker"),
        asker=lambda cancel: Asker([_need_vlm(looks)], cancel=cancel) if looks else None,
        names=names,
        options=told,
        finding=_finding(resolved),
    )


def _finding(resolved: Settings) -> dict[str, Any]:
    """All that a mask found by a phrase depends on."""
    kinds = ("segmenter", "ranker", "proposer", "tracker")
    chosen = {kind: resolved.models[kind] for kind in kinds if kind in resolved.models}
    return {"find": resolved.section(FindSettings).model_dump(mode="json"), "models": chosen}


def _painter(role: str, names: Mapping[str, str], options: Mapping[str, Any]) -> dict[str, Any]:
    """What paints for a filler that is built on an inpainter, where it is not the embedded one."""
    kept = role not in ("coarse", "filler") or (names["inpainter"] == "lite" and not options["inpainter"])
    if kept or "inpainter" not in dict(find_row("filler", names[role]).needs):
        return {}
    return {"inpainter": {"name": names["inpainter"], **options["inpainter"]}}


def _vlm_choice(settings: EraseSettings, resolved: Settings) -> dict[str, Any]:
    """Name and options of the vision-language model that is asked; {} when none is chosen."""
    own = dict(resolved.models.get("vlm", {}))
    return own if settings.vlm in (None, own.get("name")) else {"name": settings.vlm}


def _need_vlm(choice: Mapping[str, Any]) -> Vlm:
    if not choice:
        raise BadSettings("no vision-language model is chosen.", "Give --vlm, or write --prompt.")
    return load("vlm", choice["name"], **{k: v for k, v in choice.items() if k != "name"})


def _finder(resolved: Settings) -> Callable[[Image, str], tuple[Mask | None, float]]:
    made: list[Any] = []

    def find(image: Image, phrase: str) -> tuple[Mask | None, float]:
        if not made:
            from maskwright.assemble.finding import Finder

            made.append(Finder(resolved=resolved))
        result = made[0].find(image, phrase)
        return (None if result.abstained else result.mask), float(result.score or 0.0)

    return find


def erase_settings(settings: EraseSettings, overrides: Mapping[str, Any]) -> EraseSettings:
    """Settings with some replaced; raises BadSettings naming the one that is wrong."""
    scale = overrides.get("text_guidance_scale")
    if isinstance(scale, (int, float)) and not scale > 1:
        from maskwright.erasing.guiding import check_scale

        check_scale(float(scale))
    return with_overrides(settings, overrides)


def absolute(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The clip's files by paths that hold in any working folder."""
    paths = {k: str(Path(spec[k]).absolute()) for k in ("video", "mask", "prompt_file") if spec.get(k)}
    return {**spec, **paths}


def _place_of(masks: Any, out: Path) -> Path | None:
    """The path of the masks; arrays lie beside the run."""
    if masks is None or isinstance(masks, (str, Path)):
        return None if masks is None else Path(masks)
    if not len(masks):
        raise BadMask("no masks were given.", "Give one mask a frame.")
    return out / GIVEN


def _keep_masks(masks: Sequence[Any], folder: Path) -> None:
    for old in folder.glob("*.png"):
        old.unlink()
    for index, mask in enumerate(masks):
        save_mask(folder / f"{index:05d}.png", Mask.of(np.asarray(getattr(mask, "array", mask))), one_bit=True)


def _bring_up(out: Path, job: Job, *, alone: bool) -> None:
    """result.json of the item; a run of one clip has its files at the top too."""
    report = read_json(job.folder / "output" / "report.json")
    produced = sorted(p for p in (job.folder / "output").iterdir() if p.name != "manifest.json")
    write_json(
        job.folder / "result.json",
        {
            "id": job.name, "status": "done", "mask": None, "score": None, "error": None,
            "cost": report.get("shadows", {}).get("judged", {}).get("cost", {}),
            "degraded": report["degraded"], "engines": report["engines"],
            "files": [f"output/{p.name}" for p in produced],
        },
    )  # fmt: skip
    if not alone:
        return
    for name in PRODUCED:
        (out / name).unlink(missing_ok=True)
    for path in produced:
        target = out / path.name
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)


def _result(name: str, out: Path, last: Progress, steps: Mapping[str, str]) -> EraseResult:
    files = {k: Path(v) for k, v in last.detail.get("files", {}).items()}
    if "report.json" not in files:
        raise BadVideo(f"{name}: the run ended before its output.", "Run it again.")
    folder = files["report.json"].parent.parent
    return EraseResult(name, "done", folder, files, steps, read_json(files["report.json"]))


__all__ = ["EraseResult", "erase", "erase_rounds", "read_run", "run_clip"]

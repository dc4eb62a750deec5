"""What a batch can do: the tasks, made from a TaskSpec out of settings, models and the loops."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.asking import Asker, RateLimit
from maskwright.asking.ask import check_priced
from maskwright.asking.rate import Breaker
from maskwright.assemble.engines import Engines
from maskwright.config.settings import Settings, with_overrides
from maskwright.errors import BadSettings, MaskwrightError
from maskwright.media.images import open_mask
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cache import DiskCache
from maskwright.plumbing.files import read_json, write_json
from maskwright.plumbing.hashes import hash_file
from maskwright.ports import Vlm
from maskwright.runs.budgets import ItemBudget, RunCache, check_run, item_budget, run_budget
from maskwright.runs.items import costing
from maskwright.runs.jobs import NEEDS, Job
from maskwright.runs.task import Outcome, Task, TaskSpec
from maskwright.values import Cost, Image, Mask

TRANSCRIPT, ANSWERS, ENGINE = "transcript.jsonl", "answers.sqlite", "engine.json"
MODELS_OF: Mapping[str, tuple[str, ...]] = {
    "find": ("segmenter", "ranker", "proposer", "vlm"),
    "segment": ("segmenter",),
    "sculpt": ("segmenter", "ranker", "judge"),
    "cut": ("matter",),
    "parts": ("parser", "inpainter"),
    "lift": ("lifter", "depth", "matter", "parser", "inpainter"),
}
"""Kind of batch -> kinds of models whose choice shapes its results."""
SHARED = ("proposers", "cap", "min_area_share", "max_area_share", "work_side", "finer_side", "prompts", "sculpt")
"""Settings of find that shape what all phrases about a picture share, and cannot be a row's own."""
SECTIONS_OF: Mapping[str, tuple[str, ...]] = {"find": ("find",), "sculpt": ("sculpt",)}
_SHAPING: Mapping[str, tuple[str, ...]] = {"cut": ("matter",), "parts": ("parser", "inpainter"), "lift": ()}
"""Kind -> models loaded once for all items; lift makes its own for the number of faces asked for."""


def make_spec(kind: str, settings: Settings, conduct: Mapping[str, Any]) -> TaskSpec:
    """The spec of a batch under these settings: what shapes its results, and how it is conducted."""
    if kind not in NEEDS:
        raise BadSettings(f"batch does not do {kind!r}.", f"Choose one of: {', '.join(NEEDS)}.")
    whole = settings.to_json()
    sections = SECTIONS_OF.get(kind, ("shape",))
    if kind == "find" and whole["find"]["sculpt"]:
        if _judges(settings.models):
            raise BadSettings(
                "a batch of find asks no judge of sculpt.", "Batch find first, then --do sculpt with the masks found."
            )
        sections = ("find", "sculpt")
    shaping = {name: whole[name] for name in sections if name in whole}
    models = {name: choice for name, choice in settings.models.items() if name in MODELS_OF[kind]}
    folders = [shaping[name]["prompts"] for name in sections if shaping.get(name, {}).get("prompts")]
    own = {"prompts": [hash_file(folder) for folder in folders if Path(folder).is_dir()]} if folders else {}
    return TaskSpec(kind, {"models": models, **shaping, **own}, conduct)


def asks(spec: TaskSpec) -> bool:
    """Whether it puts questions to a vision-language model (which is shared best by threads of one process)."""
    if spec.kind == "find":
        return spec.settings["find"]["mode"] in ("loop+vlm", "loop+text")
    return spec.kind == "sculpt" and bool(_judges(spec.settings["models"]))


def open_task(spec: TaskSpec) -> Task:
    """The ready task of a spec."""
    values = {name: value for name, value in spec.settings.items() if name not in ("preset", "prompts")}
    settings = Settings("batch", values)
    if spec.kind in _SHAPING:
        return _ShapeTask(spec, settings)
    kinds: dict[str, Callable[[TaskSpec, Settings], Task]] = {
        "find": _FindTask,
        "segment": _SegmentTask,
        "sculpt": _SculptTask,
    }
    return kinds[spec.kind](spec, settings)


class _Line:
    """A run's line to a vision-language model: recorded or replayed, cached, limited; one Asker an item, so that each
    item's costs are its own."""

    def __init__(self, spec: TaskSpec, vlms: list[Vlm]) -> None:
        conduct = spec.conduct
        shared = DiskCache(conduct["cache"], conduct["cache_mib"] << 20) if conduct.get("cache") else None
        if conduct.get("replay"):
            shared = DiskCache(Path(conduct["replay"]) / ANSWERS)
        record = conduct.get("record")
        self.cache = RunCache(Path(record) / ANSWERS, shared) if record else shared
        self.rate = RateLimit(conduct.get("per_minute"))
        self.vlms = vlms
        if conduct.get("max_usd") is not None or conduct.get("item_usd") is not None:
            check_priced(vlms)
        self._breakers = [Breaker() for _ in vlms]

    def asker(self, budget: Budget) -> Asker:
        breakers = iter(self._breakers)
        return Asker(self.vlms, cache=self.cache, budget=budget, rate=self.rate, breaker=lambda: next(breakers))


def open_vlms(engines: list[Callable[[], Vlm]], conduct: Mapping[str, Any]) -> list[Vlm]:
    """The vision-language models of a run, recording into its folder, or as its record has them."""
    from maskwright.models.vlms.replay import RecordingVlm, ReplayVlm

    if conduct.get("replay"):
        source = Path(conduct["replay"])
        names = read_json(source / ENGINE)["vlms"]
        return [ReplayVlm(_record(source, place), name=name) for place, name in enumerate(names)]
    vlms = [make() for make in engines]
    if not conduct.get("record"):
        return vlms
    folder = Path(conduct["record"])
    write_json(folder / ENGINE, {"vlms": [vlm.name for vlm in vlms]})
    return [RecordingVlm(vlm, _record(folder, place)) for place, vlm in enumerate(vlms)]


def _record(folder: Path, place: int) -> Path:
    path = folder / (TRANSCRIPT if place == 0 else f"{place}-{TRANSCRIPT}")
    path.touch()
    return path


class _SegmentTask:
    """Boxes and points through the segmenter; the best candidate is the mask."""

    def __init__(self, spec: TaskSpec, settings: Settings) -> None:
        self._segmenter = Engines(settings).need("segmenter")

    def work(self, job: Job, image: Image) -> Outcome:
        [found] = self._segmenter.predict(self._segmenter.encode(image), [job.prompt()])
        cost = Cost(calls={"segmenter_encode": 1, "segmenter": 1})
        engines = {"segmenter": self._segmenter.name}
        if not len(found) or not found.masks[0].any():
            return Outcome("abstained", cost=cost, engines=engines, reason="nothing there")
        return Outcome("done", Mask(found.masks[0]), float(found.scores[0]), cost, engines)


class _FindTask:
    """Phrases through find; one item's questions and limits are its own."""

    def __init__(self, spec: TaskSpec, settings: Settings) -> None:
        from maskwright.assemble.finding import Finder
        from maskwright.config.find import FindSettings
        from maskwright.finding.judging import VlmJudge

        self._conduct, self._run = spec.conduct, run_budget(spec.conduct)
        self._line: _Line | None = None
        self._make_judge = VlmJudge
        self._find = settings.section(FindSettings)
        engines, judge = Engines(settings), None
        if asks(spec):
            if "vlm" not in settings.models:
                raise BadSettings(f"mode {self._find.mode} needs a vision-language model.", "Name one with --vlm.")
            self._line = _Line(spec, open_vlms([lambda: engines.get("vlm")], spec.conduct))
            judge = self._judge(Budget())
        ready = {kind: engines.need(kind) for kind in ("segmenter", "ranker")}
        self._finder = Finder(self._find, engines=ready, judge=judge, resolved=settings)

    def work(self, job: Job, image: Image) -> Outcome:
        from maskwright.finding.loop import FindTask, find_rounds
        from maskwright.finding.result import gather

        budget = item_budget(self._run, self._conduct)
        check_run(self._run)
        settings = self._settings_of(job)
        judge = None if self._line is None else self._judge(budget)
        session, task = self._finder.session(image), FindTask(job.phrase or "", job.id, judge, budget=budget)
        said = settings.model_dump(mode="json")
        with _spending(budget):
            result = gather(find_rounds(session, task, settings), task.phrase, image, session.engines.names(), said)
        whole = result.mask if len(result.masks) < 2 else _union(result.masks)
        return Outcome(
            "abstained" if result.abstained else "done",
            whole,
            result.score,
            result.cost,
            result.trace.engines,
            _fallbacks(result.trace.to_json()),
            result.reason,
            result.trace.to_json(),
            {"instances": len(result.masks)},
            _instances(result.masks),
        )

    def _settings_of(self, job: Job) -> Any:
        """The batch's settings with the row's own over them; raises BadSettings for those that all rows share."""
        shared = [name for name in SHARED if name in job.options]
        if shared:
            raise BadSettings(f"{shared[0]} is the same for all rows of a batch.", f"Give --set find.{shared[0]}=...")
        settings = with_overrides(self._find, job.options)
        if settings.mode != self._find.mode and settings.mode in ("loop+vlm", "loop+text"):
            raise BadSettings(
                f"a row cannot ask for mode {settings.mode} by itself.", f"Give --set find.mode={settings.mode}"
            )
        return settings

    def _judge(self, budget: Budget) -> Any:
        assert self._line is not None
        return self._make_judge(
            self._line.asker(budget), sees=self._find.mode == "loop+vlm", prompts=self._find.prompts
        )


class _SculptTask:
    """Boxes and masks through sculpt."""

    def __init__(self, spec: TaskSpec, settings: Settings) -> None:
        spec = replace(spec, conduct=_with_limits(spec.conduct, settings))
        self._conduct, self._run, self._settings = spec.conduct, run_budget(spec.conduct), settings
        self._engines = Engines(settings)
        self._segmenter = self._engines.need("segmenter")
        links = _judges(spec.settings["models"])
        self._line = _Line(spec, open_vlms([_opener(link) for link in links], spec.conduct)) if links else None

    def work(self, job: Job, image: Image) -> Outcome:
        from maskwright.assemble.sculpting import prepare
        from maskwright.config.sculpt import SculptSettings
        from maskwright.sculpting.loop import SPENT
        from maskwright.sculpting.result import gather

        budget = item_budget(self._run, self._conduct)
        check_run(self._run)
        odd = [name for name in job.options if name not in SculptSettings.model_fields]
        if odd:
            raise BadSettings(f"{odd[0]} is no setting of sculpt.", "See docs/reference/settings.md.")

        with _spending(budget):
            task = prepare(
                image,
                box=job.box,
                mask=None if job.mask is None else open_mask(job.mask),
                target=job.target or job.phrase or "",
                segmenter=self._segmenter,
                judge="rules" if self._line is None else self._judge(budget),
                budget=budget,
                resolved=self._settings,
                **job.options,
            )
            result = gather(task.rounds(), task.trace)
            if result.stop == SPENT:
                check_run(self._run)  # then the item is not done: with more to spend it goes on
        trace = result.trace.to_json()
        detail = {"rounds": result.rounds}
        return Outcome(
            "done",
            result.mask,
            result.score,
            result.cost,
            trace["engines"],
            result.degraded,
            result.stop,
            trace,
            detail,
        )

    def _judge(self, budget: ItemBudget) -> Any:
        from maskwright.assemble.sculpting import judge_chain
        from maskwright.config.sculpt import SculptSettings

        assert self._line is not None
        return judge_chain(self._line.asker(budget), self._settings.section(SculptSettings))


class _ShapeTask:
    """cut, parts and lift by the public function of that name, with models loaded once; results write themselves."""

    def __init__(self, spec: TaskSpec, settings: Settings) -> None:
        self._kind, self._settings = spec.kind, settings
        self._act = getattr(importlib.import_module("maskwright.assemble.shaping"), spec.kind)
        engines = Engines(settings)
        self._models = {kind: engines.need(kind) for kind in _SHAPING[spec.kind]}

    def work(self, job: Job, image: Image) -> Outcome:
        mask = None if job.mask is None else open_mask(job.mask)
        began = time.perf_counter()
        result = self._act(image, mask, **self._models, settings=self._settings, **job.options)
        cost = Cost(dict.fromkeys(self._models, 1), seconds={self._kind: time.perf_counter() - began})
        engines = {kind: str(model.name) for kind, model in self._models.items()}
        shown = _shown_mask(self._kind, result, mask)
        report = getattr(result, "report", {})
        return Outcome("done", shown, None, cost, engines, detail=report, write=_writer(self._kind, result))


@contextmanager
def _spending(budget: Budget) -> Iterator[None]:
    """Errors come out of the block knowing what was spent in it."""
    try:
        yield
    except MaskwrightError as error:
        raise costing(error, budget.spent) from error.__cause__


def _with_limits(conduct: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The conduct, with what [sculpt] says of limits where it says nothing itself: they hold for each item."""
    from maskwright.config.sculpt import SculptSettings

    own = settings.section(SculptSettings)
    said: dict[str, Any] = {"item_calls": own.max_calls, "item_usd": own.max_usd, "item_seconds": own.max_seconds}
    more = {**said, "per_minute": own.per_minute, "cache": own.cache}
    return {**conduct, **{name: value for name, value in more.items() if conduct.get(name) is None}}


def _shown_mask(kind: str, result: Any, mask: Mask | None) -> Mask | None:
    """What the item is about: the mask given, else what the result found."""
    if mask is not None or kind == "lift":
        return mask
    return Mask(result.alpha > 0.5) if kind == "cut" else Mask(result.parts.label_map > 0)


def _writer(kind: str, result: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        result.save(folder / {"cut": "cutout.png", "lift": "model.glb"}.get(kind, kind))

    return write


def _instances(masks: tuple[Mask, ...]) -> Callable[[Path], None] | None:
    """Each instance as a mask of its own, when there are several."""
    from maskwright.media.images import save_mask

    if len(masks) < 2:
        return None

    def write(folder: Path) -> None:
        for number, mask in enumerate(masks, 1):
            save_mask(folder / f"mask-{number:02d}.png", mask)

    return write


def _union(masks: tuple[Mask, ...]) -> Mask:
    whole = masks[0].array.copy()
    for mask in masks[1:]:
        whole |= mask.array
    return Mask(whole)


def _fallbacks(trace: Mapping[str, Any]) -> tuple[str, ...]:
    """Why the judge of a find did not answer, where it did not."""
    exchanges = [one for step in trace["rounds"] for one in step["detail"].get("exchange", ())]
    return tuple(dict.fromkeys(f"judge: {one['abstain']}" for one in exchanges if "abstain" in one))


def _judges(models: Mapping[str, Any]) -> list[Any]:
    """The engines of sculpt's judge that have to be asked (not the rules, not the oracle)."""
    choice = models.get("judge", {"name": "rules"})
    names = choice["name"] if isinstance(choice["name"], list) else [choice]
    return [link for link in names if (link if isinstance(link, str) else link["name"]) not in ("rules", "oracle")]


def _opener(link: Any) -> Callable[[], Vlm]:
    from maskwright.assemble.loading import load

    if isinstance(link, str):
        return lambda: load("vlm", link)
    options = dict(link)
    name = options.pop("name")
    return lambda: load("vlm", name, **options)

"""sculpt and sculpt_rounds: settings and names become engines, a judge and a loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.asking import Asker, RateLimit
from maskwright.asking.ask import check_priced
from maskwright.assemble.engines import Engines, choice_of
from maskwright.assemble.inputs import as_image
from maskwright.assemble.loading import load
from maskwright.config.sculpt import SculptSettings
from maskwright.config.settings import Settings, resolve, with_overrides
from maskwright.errors import BadImage, BadSettings, InputError
from maskwright.media.images import open_image, open_mask
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cache import DiskCache
from maskwright.plumbing.cancel import Cancel
from maskwright.ports import Vlm
from maskwright.sculpting.judges.chain import JudgeChain
from maskwright.sculpting.judges.oracle import OracleJudge
from maskwright.sculpting.judges.rules import RulesJudge
from maskwright.sculpting.judges.vlm import Looking, VlmJudge
from maskwright.sculpting.judging import Judge
from maskwright.sculpting.loop import check_trace, sculpt_loop
from maskwright.sculpting.result import SculptResult, gather, new_trace
from maskwright.sculpting.scene import box_of, make_scene
from maskwright.sculpting.state import Tools
from maskwright.values import Box, Image, Mask, Round, Trace

MODELS = ("segmenter", "ranker")


@dataclass(frozen=True, eq=False)
class Sculpting:
    """One task, ready to run: `rounds()` works, `trace` is empty but for what is resumed."""

    image: Image
    tools: Tools
    start: Mask | None
    trace: Trace
    resume: Trace | None = None

    def rounds(self) -> Iterator[Round]:
        """The loop; the last round carries the answer."""
        return sculpt_loop(self.tools, self.start, self.resume)


def sculpt(
    image: Any,
    *,
    box: Any = None,
    mask: Any = None,
    target: str = "",
    strategy: str | None = None,
    segmenter: Any = None,
    judge: Any = None,
    rounds: int | None = None,
    **more: Any,
) -> SculptResult:
    """A mask (or a box) becomes a better mask: places are proposed by pixels, a judge says what is there, the
    segmenter redraws.

    image: a path, Image, array or PIL image. box: x0, y0, x1, y1 in pixels. mask: to start from. judge: "rules", the
    name of a vlm or a ready Vlm or Judge, or several of them, asked in turn when one is down ("rules" is always last).
    more: depth, ranker, cues, cancel, budget, resume (a Trace), truth (for judge="oracle"), resolved, and any other
    setting of SculptSettings. Raises BadImage, BadMask, BadPrompt, BadSettings, MissingModel, ModelError, Cancelled.
    """
    task = prepare(
        image,
        box=box,
        mask=mask,
        target=target,
        strategy=strategy,
        segmenter=segmenter,
        judge=judge,
        rounds=rounds,
        **more,
    )
    return gather(task.rounds(), task.trace)


def sculpt_rounds(image: Any, **options: Any) -> Iterator[Round]:
    """The same round by round, with the options of `sculpt`; the last round carries the answer."""
    return prepare(image, **options).rounds()


def prepare(
    image: Any,
    *,
    box: Any = None,
    mask: Any = None,
    target: str = "",
    depth: Any = None,
    segmenter: Any = None,
    ranker: Any = None,
    judge: Any = None,
    truth: Any = None,
    cancel: Cancel | None = None,
    budget: Budget | None = None,
    resume: Trace | None = None,
    resolved: Settings | None = None,
    **overrides: Any,
) -> Sculpting:
    """Everything checked and loaded, nothing worked yet. What a trace to resume says of target, box and settings holds
    where nothing else is said."""
    resolved = resolved or resolve()
    picture, start = as_image(image), None if mask is None else as_mask(mask)
    if start is not None:
        start.check_size(picture.size)
        start = start if start else None
    drawn = None if box is None else Box.of(box)
    settings = resolved.section(SculptSettings)
    if resume is not None:
        if start is not None and start != next((step.mask for step in resume.rounds if step.mask), None):
            raise InputError("the trace began from another mask.", "Leave the mask out, or begin anew.")
        settings, drawn, target = _as_before(resume, picture, settings, drawn, target)
    settings = with_overrides(settings, overrides)
    place = box_of(start, drawn, picture)
    scene = make_scene(picture, place, target=target, grow=settings.grow, depth=as_depth(depth), seed=settings.seed)
    budget = budget or Budget(calls=settings.max_calls, usd=settings.max_usd, seconds=settings.max_seconds)
    models = Engines(resolved, {"segmenter": segmenter, "ranker": ranker})
    chosen = _judge(judge, resolved, settings, truth=truth, budget=budget, cancel=cancel, size=picture.size)
    drawer = models.need("segmenter")
    if resume is not None:
        _same_engines(resume, {"segmenter": (segmenter, drawer.name), "judge": (judge, chosen.name)})
    tools = Tools(
        scene,
        drawer,
        drawer.encode(picture),
        chosen,
        settings,
        models.get("ranker") if ranker is not None else None,
        cancel or Cancel(),
        budget,
    )
    said = {"target": scene.target, "box": list(scene.box), **settings.model_dump(mode="json")}
    return Sculpting(picture, tools, start, new_trace(picture, _names(tools), said, resume), resume)


def _as_before(
    trace: Trace, picture: Image, settings: SculptSettings, box: Box | None, target: str
) -> tuple[SculptSettings, Box | None, str]:
    """Settings, box and target of a resumed run; raises InputError for a trace of something else."""
    check_trace(trace, picture)
    said, fields = trace.settings, SculptSettings.model_fields
    before = {name: value for name, value in said.items() if name in fields and name not in settings.model_fields_set}
    if "box" in said:
        earlier = Box.of(said["box"])
        if box is not None and box.clip(*picture.size) != earlier:
            numbers = ",".join(f"{side:g}" for side in earlier)
            raise InputError(f"the trace is of another box: {numbers}.", "Leave the box out, or begin anew.")
        box = earlier
    return with_overrides(settings, before), box, target or str(said.get("target", ""))


def _same_engines(trace: Trace, engines: Mapping[str, tuple[Any, str]]) -> None:
    """Raises InputError where a trace was made by another engine and this one was not asked for."""
    for kind, (asked, name) in engines.items():
        before = trace.engines.get(kind, name)
        if asked is None and before != name:
            raise InputError(
                f"the trace was made with the {kind} {before}, not {name}.", f"Say which {kind} shall go on."
            )


def _judge(
    given: Any,
    resolved: Settings,
    settings: SculptSettings,
    *,
    truth: Any,
    budget: Budget,
    cancel: Cancel | None,
    size: tuple[int, int],
) -> Judge:
    """The judge: one that is ready, the oracle, or a chain of engines that ends in the rules."""
    choice = resolved.models.get("judge", {"name": "rules"}) if given is None else given
    links = list(choice) if isinstance(choice, (list, tuple)) else [choice]
    ready: Any = links[0] if len(links) == 1 else None
    if hasattr(ready, "diagnose"):
        return ready  # type: ignore[no-any-return]
    names = [link["name"] if isinstance(link, Mapping) else link for link in links]
    if "oracle" in names:
        return _oracle(truth, settings, size)
    engines = [_engine(link, resolved) for link, name in zip(links, names) if name != "rules"]
    if not engines:
        return _rules(settings)
    if settings.max_usd is not None:
        check_priced(engines)
    asker = Asker(
        engines,
        cache=None if settings.cache is None else DiskCache(settings.cache),
        budget=budget,
        rate=RateLimit(settings.per_minute),
        cancel=cancel,
    )
    return judge_chain(asker, settings)


def judge_chain(asker: Asker, settings: SculptSettings) -> Judge:
    """Asks, and falls back on the rules."""
    return JudgeChain([VlmJudge(asker, _looking(settings), settings.prompts), _rules(settings)])


def _rules(settings: SculptSettings) -> Judge:
    return RulesJudge(settings.scales, settings.min_patch_px)


def _engine(link: Any, resolved: Settings) -> Vlm:
    if isinstance(link, str):
        link = judge_choice(resolved, link)
    if isinstance(link, Mapping):
        options = dict(link)
        return load("vlm", options.pop("name"), **options)
    if not hasattr(link, "reply"):
        raise BadSettings(f"{link!r} is no judge.", 'Give "rules", the name of a vlm, or a ready one.')
    ready: Vlm = link
    return ready


def judge_choice(resolved: Settings, name: str) -> dict[str, Any]:
    """A judge by name, set as [models.judge] or, failing that, [models.vlm] says of that very model."""
    judge = choice_of(resolved, "judge", name)
    return judge if len(judge) > 1 else choice_of(resolved, "vlm", name)


def _oracle(truth: Any, settings: SculptSettings, size: tuple[int, int]) -> Judge:
    if truth is None:
        raise BadSettings("the judge oracle needs the true mask.", "Give truth=, or choose another judge.")
    known = as_mask(truth)
    known.check_size(size)
    return OracleJudge(known.array, settings.oracle_error, settings.seed, len(settings.scales))


def _looking(settings: SculptSettings) -> Looking:
    return Looking(
        scales=settings.scales,
        min_patch_px=settings.min_patch_px,
        sheet_cells=settings.sheet_cells,
        sheets_per_call=settings.sheets_per_call,
        reasks=settings.reasks,
        one_patch_per_call=settings.one_patch_per_call,
        flips=settings.flips,
        jitter=settings.jitter,
        max_side=settings.vlm_max_side,
        seed=settings.seed,
    )


def _names(tools: Tools) -> dict[str, str]:
    names = {"segmenter": tools.segmenter.name, "judge": tools.judge.name}
    return names if tools.ranker is None else {**names, "ranker": tools.ranker.name}


def as_mask(mask: Any) -> Mask:
    """A mask from a path, a Mask, an array, an RLE or a PIL image; raises BadMask."""
    return open_mask(mask) if isinstance(mask, (str, Path)) else Mask.of(mask)


def as_depth(depth: Any) -> NDArray[np.float32] | None:
    """Relative nearness from an array, a .npy file or a grey picture; raises BadImage."""
    if depth is None:
        return None
    if isinstance(depth, (str, Path)):
        depth = _depth_of_file(Path(depth))
    values = np.asarray(depth)
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise BadImage(f"a depth map of shape {values.shape} is not one.", "Give (height, width) numbers.")
    return values.astype(np.float32)


def _depth_of_file(path: Path) -> NDArray[Any]:
    if path.suffix.lower() != ".npy":
        return open_image(path).pixels[..., 0]
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadImage(f"{path} is no depth map.", "Give a .npy of numbers (height, width), or a picture.") from error
    return values


def engines_of(names: Sequence[str]) -> Any:
    """What --judge gives: one name, or several in order."""
    return None if not names else names[0] if len(names) == 1 else tuple(names)


__all__ = ["SculptResult", "Sculpting", "prepare", "sculpt", "sculpt_rounds"]

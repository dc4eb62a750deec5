"""find and find_rounds: settings and names become engines and a loop."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from maskwright.asking import Asker
from maskwright.assemble.engines import Engines
from maskwright.assemble.inputs import as_image
from maskwright.assemble.loading import load
from maskwright.config.find import FindMode, FindSettings
from maskwright.config.settings import Settings, resolve, with_overrides
from maskwright.errors import BadSettings
from maskwright.finding.counting import CountedRanker, CountedSegmenter, Meter
from maskwright.finding.engines import FindEngines, Judge, Sculpt
from maskwright.finding.judging import VlmJudge
from maskwright.finding.loop import FindTask
from maskwright.finding.loop import find_rounds as loop_rounds
from maskwright.finding.result import FindResult, FindRound, gather
from maskwright.finding.session import FindSession
from maskwright.models.catalogue import find_row
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cache import MemoryCache
from maskwright.plumbing.cancel import Cancel
from maskwright.values import Cost, Image, Mask

SESSION_BYTES = 512 * 2**20
ASKING_MODES = ("loop+vlm", "loop+text")


class Finder:
    """Ready engines and settings for many pictures and phrases; sessions of the last pictures are kept, so that many
    phrases about one picture encode it once. Thread-safe."""

    def __init__(
        self,
        settings: FindSettings | None = None,
        *,
        engines: Mapping[str, Any] | None = None,
        judge: Judge | None = None,
        budget: Budget | None = None,
        resolved: Settings | None = None,
    ) -> None:
        """`engines`: kind (segmenter, ranker, vlm, proposer) -> name or ready model; `judge` replaces the vlm."""
        resolved = resolved or resolve()
        self.settings = settings or resolved.section(FindSettings)
        self._resolved, self._models = resolved, Engines(resolved, engines)
        self.budget = budget
        self.engines = self._gathered(judge)
        self._sessions: MemoryCache[FindSession] = MemoryCache(SESSION_BYTES, lambda session: session.nbytes)

    def rounds(
        self,
        image: Any,
        phrase: str,
        *,
        cancel: Cancel | None = None,
        name: str = "",
        judge: Judge | None = None,
        **overrides: Any,
    ) -> Iterator[FindRound]:
        """The loop, round by round. `overrides` are settings of this call (mode, max_iter, all, thresholds)."""
        settings = with_overrides(self.settings, overrides)
        if settings.mode in ASKING_MODES and judge is None and self.engines.judge is None:
            raise BadSettings(f"mode {settings.mode} needs a vision-language model.", "Name one with vlm=.")
        task = FindTask(phrase, name, judge, cancel, self.budget)
        return loop_rounds(self.session(as_image(image)), task, settings)

    def find(self, image: Any, phrase: str, *, judge: Judge | None = None, **more: Any) -> FindResult:
        """The answer to one phrase; takes what `rounds` takes."""
        picture = as_image(image)
        rounds = self.rounds(picture, phrase, judge=judge, **more)
        settings = with_overrides(self.settings, {k: v for k, v in more.items() if k not in ("cancel", "name")})
        engines = self.engines.names() | ({"judge": judge.name} if judge else {})
        if settings.mode not in ASKING_MODES:
            engines.pop("judge", None)
        return gather(rounds, phrase, picture, engines, settings.model_dump(mode="json"))

    def regions(self, image: Any) -> list[Mask]:
        """Every region worth a look, best first, whatever it is called."""
        session = self.session(as_image(image))
        return [session.full_size(mask) for mask in session.pool((), "", Meter()).masks]

    def session(self, image: Image) -> FindSession:
        """What is known of a picture, made at its first phrase."""
        session = self._sessions.get(image.sha256)
        if session is None:
            session = FindSession(image, self.engines, self.settings)
        self._sessions.put(image.sha256, session)  # again, because it grows
        return session

    def _gathered(self, judge: Judge | None) -> FindEngines:
        segmenter = CountedSegmenter(self._models.need("segmenter"))
        own = segmenter.name == "lite"  # whose network the proposer lite reads
        names = [name if own or name != "lite" else "grid" for name in self.settings.proposers]
        needs_judge = self.settings.mode in ASKING_MODES
        return FindEngines(
            segmenter=segmenter,
            proposers=tuple(self._proposer(name, segmenter) for name in names),
            closer=tuple(self._proposer(name, segmenter, SPARSER.get(name)) for name in names),
            ranker=CountedRanker(self._models.need("ranker")),
            judge=judge or (self._judge() if needs_judge else None),
            sculpt=self._sculpt() if self.settings.sculpt else None,
        )

    def _judge(self) -> Judge:
        vlm = self._models.get("vlm")
        if vlm is None:
            raise BadSettings(
                f"mode {self.settings.mode} needs a vision-language model.",
                "Name one with --vlm, or see: maskwright models list --kind vlm",
            )
        return VlmJudge(
            Asker([vlm], budget=self.budget),
            sees=self.settings.mode == "loop+vlm",
            prompts=self.settings.prompts,
        )

    def _proposer(self, name: str, segmenter: CountedSegmenter, settings: Mapping[str, Any] | None = None) -> Any:
        """A proposer by name, as [models.proposer] sets it, on the find's own segmenter where it needs one."""
        built_on = {"segmenter": segmenter} if "segmenter" in dict(find_row("proposer", name).needs) else {}
        options = dict(self._resolved.models.get("proposer", {}))
        if options.pop("name", name) not in (name, *self.settings.proposers):
            raise BadSettings(
                f"[models.proposer] sets {self._resolved.models['proposer']['name']}, which find does not use.",
                f'Name it under [find]: proposers = ["{self._resolved.models["proposer"]["name"]}"]',
            )
        own = options if self._resolved.models.get("proposer", {}).get("name") == name else {}
        return load("proposer", name, **{**built_on, **(settings or {}), **own})

    def _sculpt(self) -> Sculpt:
        sculpt = importlib.import_module("maskwright.assemble.sculpting").sculpt
        segmenter = self._models.need("segmenter")

        def finish(image: Image, mask: Mask, target: str, cancel: Cancel | None) -> tuple[Mask, Cost]:
            options = {"segmenter": segmenter, "resolved": self._resolved, "budget": self.budget, "cancel": cancel}
            done = sculpt(image, mask=mask, target=target, **options)
            return mask if done.mask is None else done.mask, done.trace.cost

        return finish


SPARSER: Mapping[str, Mapping[str, Any]] = {
    "lite": {"clicks": 30, "pieces": 150, "most": 60},
    "grid": {"points": 8},
}
"""How proposers are set for a part of a picture, which holds fewer things than the whole."""


def find(
    image: Any,
    phrase: str,
    *,
    all: bool | None = None,
    mode: FindMode | None = None,
    max_iter: int | None = None,
    segmenter: Any = None,
    ranker: Any = None,
    vlm: Any = None,
    proposers: Any = None,
    **more: Any,
) -> FindResult:
    """A phrase becomes a mask, or the answer that there is no such thing.

    image: a path, Image, array or PIL image. segmenter, ranker, vlm: names or ready models (a vlm implies mode
    loop+vlm); proposers: names.
    more: any other setting of FindSettings, and judge, cancel, budget.
    Raises BadPhrase, BadImage, BadSettings, MissingModel, BudgetSpent, Cancelled.
    """
    models = {"segmenter": segmenter, "ranker": ranker, "vlm": vlm, "proposers": proposers}
    finder, cancel = _finder({"all": all, "mode": mode, "max_iter": max_iter, **models, **more})
    return finder.find(image, phrase, cancel=cancel)


def find_rounds(image: Any, phrase: str, **options: Any) -> Iterator[FindRound]:
    """The same, round by round, with the options of `find`; the last round holds the answer."""
    finder, cancel = _finder(options)
    return finder.rounds(image, phrase, cancel=cancel)


_FINDERS: MemoryCache[Finder] = MemoryCache(4, lambda _: 1)
"""The last finders by what they were asked for, so that ten phrases on one picture cost one encoding."""


def _finder(options: dict[str, Any]) -> tuple[Finder, Cancel | None]:
    cancel, budget = options.pop("cancel", None), options.pop("budget", None)
    engines = {kind: options.pop(kind, None) for kind in ("segmenter", "ranker", "vlm")}
    judge = options.pop("judge", None)
    proposers = options.pop("proposers", None)
    if isinstance(proposers, str):
        proposers = (proposers,)
    if proposers is not None:
        options["proposers"] = tuple(proposers)
    if options.get("mode") is None and engines["vlm"] is not None:
        options["mode"] = "loop+vlm"
    resolved = resolve()
    settings = with_overrides(resolved.section(FindSettings), options)
    key = (*_identity([*engines.values(), judge, budget]), settings.model_dump_json(), repr(resolved.to_json()))
    finder = _FINDERS.get(key)
    if finder is None:
        finder = Finder(settings, engines=engines, judge=judge, budget=budget, resolved=resolved)
        _FINDERS.put(key, finder)
    return finder, cancel


def _identity(values: Sequence[Any]) -> tuple[Any, ...]:
    """Names as they are; ready models as themselves, which keeps them alive while the finder is."""
    return tuple(value if isinstance(value, str) or value is None else _Same(value) for value in values)


class _Same:
    """Equal only to the very same object."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


__all__ = ["FindMode", "FindResult", "FindRound", "Finder", "find", "find_rounds"]

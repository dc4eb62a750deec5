"""Experiments with models put in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from maskwright.assemble.finding import Finder
from maskwright.assemble.loading import load
from maskwright.bench.datasets import open_dataset
from maskwright.bench.oracle import OracleJudge
from maskwright.bench.running import Progress, Solver, run_experiment
from maskwright.bench.samples import Dataset
from maskwright.config.bench import DataSettings, Experiment, Variant
from maskwright.config.find import FindSettings
from maskwright.config.settings import Settings, resolve, with_overrides
from maskwright.finding.engines import Judge
from maskwright.finding.result import FindResult
from maskwright.plumbing.cancel import Cancel
from maskwright.values import Image, Mask

Truths = Callable[[str], Mask | None]


class FindSolver:
    """A variant's way of asking a Finder."""

    def __init__(self, finder: Finder, judge: Judge | None = None, **overrides: Any) -> None:
        self.finder, self.judge, self.overrides = finder, judge, overrides

    def solve(self, image: Image, phrase: str, name: str) -> FindResult:
        return self.finder.find(image, phrase, judge=self.judge, name=name, **self.overrides)


class Solvers:
    """Makes solvers; a model named by several variants is loaded once. `share`: variants that differ only in how they
    ask use one Finder, and so what it knows of a picture."""

    def __init__(self, settings: Settings | None = None, seed: int = 0, *, share: bool = False) -> None:
        self._settings = settings or resolve()
        self._loaded: dict[tuple[str, str], Any] = {}
        self._finders: dict[str, Finder] = {}
        self._seed, self._share = seed, share

    def make(self, variant: Variant, truths: Truths) -> Solver:
        """The solver of one variant."""
        asking = {"mode": variant.mode, "max_iter": variant.max_iter}
        looking = {"proposers": variant.proposers, **variant.settings}
        if variant.vlm:
            looking["mode"] = variant.mode
        judge = None if variant.oracle_error is None else OracleJudge(truths, variant.oracle_error, self._seed)
        if not self._share:
            return FindSolver(self._finder(variant, {**looking, **asking}, judge), judge)
        key = repr((variant.segmenter, variant.ranker, variant.vlm, looking))
        if key not in self._finders:
            self._finders[key] = self._finder(variant, looking, None)
        return FindSolver(self._finders[key], judge, **asking)

    def _finder(self, variant: Variant, given: dict[str, Any], judge: Judge | None) -> Finder:
        settings = with_overrides(self._settings.section(FindSettings), given)
        engines = {"segmenter": self._model("segmenter", variant.segmenter)}
        engines["ranker"] = self._model("ranker", variant.ranker)
        if variant.vlm:
            engines["vlm"] = self._model("vlm", variant.vlm)
        return Finder(settings, engines=engines, judge=judge, resolved=self._settings)

    def _model(self, kind: str, name: str) -> Any:
        if (kind, name) not in self._loaded:
            chosen = self._settings.models.get(kind, {})
            options = {k: v for k, v in chosen.items() if k != "name"} if chosen.get("name") == name else {}
            self._loaded[kind, name] = load(kind, name, **options)
        return self._loaded[kind, name]


def open_data(data: DataSettings) -> Dataset:
    """The samples of an experiment."""
    return open_dataset(data.name, data.root, data.split).head(data.n)


def _anywhere(experiment: Experiment) -> Experiment:
    """The experiment with the whole path of its data, so that its folder can be read from anywhere."""
    root = experiment.data.root
    if root is None or not Path(root).exists():
        return experiment
    data = experiment.data.model_copy(update={"root": str(Path(root).absolute())})
    return experiment.model_copy(update={"data": data})


def run_bench(
    experiment: Experiment,
    folder: str | Path,
    *,
    settings: Settings | None = None,
    dataset: Dataset | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Progress]:
    """Runs, or goes on with, an experiment in a folder."""
    samples = dataset or open_data(experiment.data)
    experiment = _anywhere(experiment)
    resolved = settings or resolve()
    solvers = Solvers(resolved, experiment.seed, share=experiment.share_sessions)
    used = {kind: resolved.models[kind] for kind in ("segmenter", "ranker", "vlm") if kind in resolved.models}
    further = {"find": resolved.section(FindSettings).model_dump(mode="json"), "models": used}
    return run_experiment(experiment, samples, folder, solvers.make, settings=further, cancel=cancel)

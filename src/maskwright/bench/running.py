"""Runs an experiment into a folder, one result a sample and variant; what is finished is never done again.

run.json, ledger.sqlite, experiment.toml
items/<sample>--<variant>[--<condition>]/mask.png, trace.json, result.json (written last); see `item_name`
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from maskwright.bench.conditions import apply_condition
from maskwright.bench.experiment import write_toml
from maskwright.bench.metrics import Overlap, boundary_f, e_measure, mean_absolute_error, s_measure, weighted_f
from maskwright.bench.samples import Dataset, Sample
from maskwright.config.bench import Experiment, Price, Variant
from maskwright.errors import (
    BadSettings,
    BudgetSpent,
    Cancelled,
    MaskwrightError,
    MissingError,
    RunMismatch,
    StorageError,
    WeightsError,
)
from maskwright.finding.result import FindResult
from maskwright.media.images import save_mask
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import read_json, write_json, write_text
from maskwright.runs.folder import RunFolder, safe_id
from maskwright.runs.steps import hash_value
from maskwright.values import Image, Mask

RESULT = "result.json"

_STOPS = (BadSettings, BudgetSpent, Cancelled, MissingError, StorageError, WeightsError)
"""Errors that end a run: the next sample would meet them too."""


class Solver(Protocol):
    """Answers one phrase about one picture; `name` is the sample's."""

    def solve(self, image: Image, phrase: str, name: str) -> FindResult: ...


MakeSolver = Callable[[Variant, Callable[[str], Mask | None]], Solver]
"""A variant's solver; the second argument is the truth by sample name, for judges that are allowed to know it."""


def item_name(sample: str, variant: str, condition: str) -> str:
    """The folder of an answer; with a hash where the plain name could be another's (other letters, or cut short)."""
    parts = [sample, variant] if condition == "clean" else [sample, variant, condition]
    plain = "--".join(parts)
    name = safe_id(plain)
    clear = name == plain and not any("--" in part for part in parts)
    return name if clear else f"{name[:100]}-{hash_value(parts)[:10]}"


@dataclass(frozen=True)
class Job:
    """One answer that is wanted."""

    sample: Sample
    variant: Variant
    condition: str

    @property
    def id(self) -> str:
        return item_name(self.sample.id, self.variant.name, self.condition)

    @property
    def key(self) -> str:
        """Names everything the answer depends on; a result with another key is not this job's."""
        about = {"sample": self.sample.id, "phrase": self.sample.phrase, "condition": self.condition}
        return hash_value({**about, "variant": self.variant.model_dump(mode="json")})


@dataclass(frozen=True)
class Progress:
    """How far a run is, after each job."""

    done: int
    total: int
    job: Job
    row: Mapping[str, Any]


def run_experiment(
    experiment: Experiment,
    dataset: Dataset,
    folder: str | Path,
    make_solver: MakeSolver,
    *,
    settings: Mapping[str, Any] | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Progress]:
    """Does what is missing in the folder, and what failed, yielding after each job. `settings`: what else the answers
    depend on. Raises RunMismatch for another experiment's folder, RunLocked, and the errors that no sample can
    survive."""
    about = {
        "experiment": experiment.model_dump(mode="json"),
        "samples": hash_value([[s.id, s.phrase] for s in dataset.samples]),
        "settings": dict(settings or {}),
    }
    _check_same(Path(folder), about)
    jobs = list(jobs_of(experiment, dataset))
    with RunFolder(folder, "bench", about, about={"items": len(jobs)}) as run:
        write_text(run.path / "experiment.toml", write_toml(experiment))
        write_json(run.path / "dataset.json", _about(dataset))
        solvers = _Solvers(dataset, make_solver)
        for number, job in enumerate(jobs, 1):
            if cancel is not None:
                cancel.check()
            row = finished(run.path, job) or _do(run, job, solvers, experiment, dataset)
            yield Progress(number, len(jobs), job, row)


def jobs_of(experiment: Experiment, dataset: Dataset) -> Iterator[Job]:
    """Every job in order: picture by picture, so that what was made of a picture is at hand for all its phrases."""
    pictures: dict[str, list[Sample]] = {}
    for sample in dataset.samples:
        pictures.setdefault(sample.cluster, []).append(sample)
    for condition in experiment.conditions:
        for samples in pictures.values():
            for variant in experiment.variants:
                for sample in samples:
                    yield Job(sample, variant, condition)


def finished(folder: Path, job: Job) -> dict[str, Any] | None:
    """The job's result if it is there, is this job's, and did not fail."""
    path = folder / "items" / job.id / RESULT
    if not path.exists():
        return None
    row = read_json(path)
    ours = isinstance(row, dict) and row.get("key") == job.key and row.get("status") in ("done", "abstained")
    return row if ours else None


def _check_same(folder: Path, about: Mapping[str, Any]) -> None:
    path = folder / "run.json"
    if not path.exists():
        return
    found = read_json(path)
    if isinstance(found, dict) and found.get("kind") == "bench" and found.get("settings_sha256") != hash_value(about):
        raise RunMismatch(
            f"{folder} holds another experiment, or was run with other settings (see its run.json).",
            "Choose another folder with -o.",
        )


def _about(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "about": dataset.about,
        "measures": list(dataset.measures),
        "samples": [{"id": s.id, "cluster": s.cluster, "tags": list(s.tags)} for s in dataset.samples],
    }


class _Solvers:
    """Solvers by variant, made when first needed; truths for the judges that may know them."""

    def __init__(self, dataset: Dataset, make: MakeSolver) -> None:
        self._samples = {sample.id: sample for sample in dataset.samples}
        self._make = make
        self._made: dict[str, Solver] = {}

    def get(self, variant: Variant) -> Solver:
        if variant.name not in self._made:
            self._made[variant.name] = self._make(variant, lambda name: self._samples[name].open_truth())
        return self._made[variant.name]


def _do(run: RunFolder, job: Job, solvers: _Solvers, experiment: Experiment, dataset: Dataset) -> dict[str, Any]:
    """One job: answer, files, measures, and the row last of all."""
    run.ledger.begin(job.id, "find")
    place = run.item(job.id)
    row: dict[str, Any] = {"id": job.id, "key": job.key, **_of_sample(job)}
    image = truth = None
    try:
        image = job.sample.open_image()
        truth = job.sample.open_truth()
        solver = solvers.get(job.variant)
        shown, phrase = apply_condition(
            job.condition, image, job.sample.phrase, seed=experiment.seed, sample=job.sample.id
        )
        began = time.perf_counter()
        result = solver.solve(shown, phrase, job.sample.id)
        row |= {"wall_s": time.perf_counter() - began, "phrase": phrase}
        row |= _of_result(result, experiment.prices) | _measured(result.mask, truth, image, experiment, dataset)
        _write_files(place, result, keep_trace=experiment.keep_traces)
    except _STOPS:
        raise
    except MaskwrightError as error:
        row |= _failed(error) | _wrong(image, truth, job.sample, experiment, dataset)
    row["none_such"] = row["truth_px"] == 0
    row |= {"peak_mib": peak_mib(), "peak_device_mib": peak_device_mib()}
    write_json(place / RESULT, row)
    run.ledger.end(job.id, "find", row["status"], error=row["error"])
    return row


def _of_sample(job: Job) -> dict[str, Any]:
    return {
        "sample": job.sample.id,
        "cluster": job.sample.cluster,
        "tags": list(job.sample.tags),
        "none_such": job.sample.none_such,
        "variant": job.variant.name,
        "condition": job.condition,
        "phrase": job.sample.phrase,
        "degraded": [],
        "error": None,
    }


def _of_result(result: FindResult, prices: Mapping[str, Price]) -> dict[str, Any]:
    first, last = result.trace.rounds[0], result.trace.rounds[-1]
    cost = result.cost.to_json()
    if not cost["usd"]:
        judge = result.trace.engines.get("judge", "")
        price = prices.get(judge) or prices.get(judge.partition(":")[2]) or Price()
        cost["usd"] = (cost["tokens_in"] * price.tokens_in + cost["tokens_out"] * price.tokens_out) / 1e6
    return {
        "status": "abstained" if result.abstained else "done",
        "reason": result.reason,
        "score": result.score,
        "first_conf": first.detail["conf"],
        "first_gap": first.detail["gap"],
        "rounds": last.index,
        "mask": None if result.mask is None else "mask.png",
        "cost": cost,
        "engines": dict(result.trace.engines),
        "degraded": [result.reason] if result.reason.startswith("judge abstained") else [],
    }


def _measured(
    answer: Mask | None, truth: Mask | None, image: Image, experiment: Experiment, dataset: Dataset
) -> dict[str, Any]:
    overlap = Overlap.of(answer, truth, image.size)
    found: dict[str, Any] = {
        "inter": overlap.inter,
        "union": overlap.union,
        "truth_px": overlap.truth,
        "answer_px": overlap.answer,
        "image_px": image.width * image.height,
        "iou": overlap.iou,
    }
    empty = Mask.empty(*image.size)
    ours, theirs = (answer or empty).array, (truth or empty).array
    if experiment.boundary and overlap.truth:
        found["boundary"] = boundary_f(ours, theirs)
    if "camouflage" in dataset.measures:
        found |= {"S": s_measure(ours, theirs), "E": e_measure(ours, theirs).mean}
        found |= {"wF": weighted_f(ours, theirs), "MAE": mean_absolute_error(ours, theirs)}
    return found


def _failed(error: MaskwrightError) -> dict[str, Any]:
    """A failure is shown as what it is."""
    return {
        "status": "failed",
        "reason": "failed",
        "error": error.message,
        "score": 0.0,
        "rounds": 0,
        "mask": None,
    }


def _wrong(
    image: Image | None, truth: Mask | None, sample: Sample, experiment: Experiment, dataset: Dataset
) -> dict[str, Any]:
    """A failure counts as a wrong answer: nothing where there is something, everything where there is nothing."""
    if image is not None and (sample.none_such if truth is None else truth.size == image.size):
        everything = Mask(np.ones((image.height, image.width), np.bool_))
        return _measured(None if truth else everything, truth, image, experiment, dataset)
    here = 0 if sample.none_such else 1
    return {"iou": 0.0, "inter": 0, "union": 1, "truth_px": here, "answer_px": 1 - here, "image_px": 0}


def _write_files(place: Path, result: FindResult, *, keep_trace: bool) -> None:
    if result.mask is not None:
        save_mask(place / "mask.png", result.mask, one_bit=True)
    if keep_trace:
        write_json(place / "trace.json", result.trace.to_json())


def peak_mib() -> float:
    """Most memory this process has held so far, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def peak_device_mib() -> float | None:
    """Most CUDA memory torch has held, in MiB; None where torch is not in use or has no CUDA."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return float(torch.cuda.max_memory_allocated()) / 2**20

"""One item from its inputs to its folder: hashed, worked, written whole, with the manifest last."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.errors import (
    BadImage,
    BadMask,
    BudgetSpent,
    Cancelled,
    InputError,
    MaskwrightError,
    StepFailed,
    StorageError,
)
from maskwright.media.images import open_image, save_image, save_mask
from maskwright.media.pictures import overlay
from maskwright.plumbing.files import read_json, write_json, write_text
from maskwright.plumbing.hashes import hash_file
from maskwright.plumbing.log import redact
from maskwright.runs.jobs import BadRow, Job
from maskwright.runs.steps import MANIFEST, Step
from maskwright.runs.task import Outcome, Task, TaskSpec
from maskwright.values import Cost, Image

RESULT, MASK = "result.json", "mask.png"
FINISHED = ("done", "abstained")
Row = dict[str, Any]


def finished(spec: TaskSpec, job: Job, items: Path) -> Row | None:
    """The result of a job that is finished and still matches its inputs, settings and outputs; None otherwise."""
    return _kept(_step(spec, job, items))


def _kept(step: Step) -> Row | None:
    return {**read_json(step.path / RESULT), "skipped": True} if step.is_done() else None


def keys_of(spec: TaskSpec, jobs: Iterable[Job], items: Path) -> Iterator[tuple[str, str]]:
    """(id, key of its step) of each job whose inputs can be read."""
    for job in jobs:
        with suppress(MaskwrightError):
            yield job.id, _step(spec, job, items).key


def _step(spec: TaskSpec, job: Job, items: Path) -> Step:
    return Step(items, job.id, _inputs(job), {"kind": spec.kind, "job": _asked(job), **spec.settings})


def run_item(
    spec: TaskSpec,
    task: Task,
    job: Job,
    items: Path,
    *,
    began: Callable[[str], None] | None = None,
    shown_image: str | None = None,
) -> Row:
    """Works one job unless it is finished already; returns its result (`skipped` true when nothing was done).

    Never raises for the item's sake: a failure is a result. `began` is told the id when work really begins;
    `shown_image` is the picture's name in the result, where `job.image` is only a copy of it.
    """
    start = time.perf_counter()
    try:
        before = _state(job)
        try:
            step = _step(spec, job, items)
        except InputError as error:
            return failed(job.id, error, items, spec.kind, image=shown_image or job.image, keep=True)
        known = _kept(step)
        if known is not None:
            return known
        if began is not None:
            began(job.id)
        image = open_image(job.image)
        outcome = task.work(job, image)
        if _state(job) != before:
            raise BadImage(f"{job.image} changed while it was worked on.", "Run again.")
        if spec.conduct.get("strict") and outcome.degraded:
            fallen = StepFailed(f"a fallback was taken: {'; '.join(outcome.degraded)}.", "Run without --strict.")
            raise costing(fallen, outcome.cost)
        with step.work() as out:
            row = _written(spec, replace(job, image=shown_image or job.image), outcome, image, out)
    except Exception as error:  # noqa: BLE001 - one bad item does not stop the others; it is told as it is
        return failed(job.id, error, items, spec.kind, image=shown_image or job.image)
    return {**row, "seconds": time.perf_counter() - start}


def failed(id_: str, error: Exception, items: Path, kind: str, *, image: str | None = None, keep: bool = False) -> Row:
    """The result of an item that failed, left in its folder without a manifest so that it is tried again; with `keep`,
    what an earlier run finished stays there instead (its inputs are away, and may come back).

    With `stop` and nothing written when it is the run that has to end: then the item is simply not done yet.
    """
    known = isinstance(error, MaskwrightError)
    said = str(error) if known else f"unexpected {type(error).__name__}: {error}"
    row = {**_empty(id_, kind), "status": "failed", "error": redact(said), "image": image}
    row["error_kind"] = type(error).__name__
    row["cost"] = getattr(error, "cost", Cost()).to_json()
    if isinstance(error, (BudgetSpent, Cancelled)) and getattr(error, "of_the_run", isinstance(error, Cancelled)):
        return {**row, "stop": type(error).__name__}
    if keep and (items / id_ / MANIFEST).exists():
        return row
    try:
        if not isinstance(error, StorageError):
            shutil.rmtree(items / id_, ignore_errors=True)
        write_json(items / id_ / RESULT, row)
        if not known:
            write_text(items / id_ / "error.txt", redact("".join(traceback.format_exception(error))))
    except Exception:  # noqa: BLE001 - a failure that cannot be told in the folder is still told
        row["unwritten"] = True
    return row


def costing(error: MaskwrightError, cost: Cost) -> MaskwrightError:
    """The error, knowing what was spent before it."""
    error.__dict__["cost"] = cost
    return error


def bad_row(row: BadRow, items: Path, kind: str) -> Row:
    """The result of a row that is no job."""
    return failed(row.id, InputError(row.error, "Correct the row."), items, kind)


def _empty(id_: str, kind: str) -> Row:
    return {
        "id": id_,
        "kind": kind,
        "status": "failed",
        "mask": None,
        "score": None,
        "cost": {},
        "engines": {},
        "degraded": [],
        "error": None,
    }


def _written(spec: TaskSpec, job: Job, outcome: Outcome, image: Image, out: Path) -> Row:
    """Writes mask, overlay, trace, what the task adds, and result.json."""
    mask = outcome.mask
    if mask is not None:
        save_mask(out / MASK, mask)
        if spec.conduct.get("overlays", True):
            save_image(out / "overlay.png", overlay(image, mask))
    if outcome.trace is not None:
        write_json(out / "trace.json", outcome.trace)
    if outcome.write is not None:
        outcome.write(out)
    row = {
        **_empty(job.id, spec.kind),
        "status": outcome.status,
        "mask": None if mask is None else MASK,
        "score": outcome.score,
        "cost": outcome.cost.to_json(),
        "engines": dict(outcome.engines),
        "degraded": list(outcome.degraded),
        "reason": outcome.reason,
        "image": job.image,
        "size": list(image.size),
        "label": job.phrase or job.target or "object",
        "detail": dict(outcome.detail),
    }
    write_json(out / RESULT, row)
    return row


def _asked(job: Job) -> dict[str, Any]:
    """What of a job shapes its result: not where its files lie, which their hashes say better."""
    return {name: value for name, value in job.to_json().items() if name not in ("image", "mask")}


def _inputs(job: Job) -> dict[str, str]:
    found = {"image": _hash(job.image, BadImage)}
    if job.mask is not None:
        found["mask"] = _hash(job.mask, BadMask)
    return found


def _hash(path: str, kind: type[InputError]) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        raise kind(f"{path} cannot be read ({error.strerror}).", "Check the path.") from error


def _state(job: Job) -> list[tuple[int, int]]:
    """Size and time of the files an item is made of; what cannot be asked is found when it is read."""
    found = []
    for path in (job.image, job.mask):
        try:
            about = Path(path).stat() if path is not None else None
        except OSError:
            about = None
        found.append((0, 0) if about is None else (about.st_size, about.st_mtime_ns))
    return found

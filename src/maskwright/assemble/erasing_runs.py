"""Many clips in one run folder: a failing one is recorded and the rest go on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.assemble.erasing import as_job, open_run, read_run, run_clip
from maskwright.config.erase import EraseSettings
from maskwright.config.settings import Settings, resolve
from maskwright.erasing.job import PHASES, Progress
from maskwright.errors import BudgetSpent, Cancelled, MaskwrightError, StorageError
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import read_json, write_json
from maskwright.runs.folder import RunFolder, safe_id
from maskwright.runs.ledger import Ledger

Row = dict[str, Any]
Tell = Callable[[Progress], None]
ENDED = ("done", "kept", "skipped")
FORCED_IN = {
    "1": ("coarse",), "masks": ("coarse",), "shadows": ("coarse",), "coarse": ("coarse",),
    "2": ("caption",), "caption": ("caption",),
    "3": ("refine",), "anchor": ("refine",), "refine": ("refine",), "output": ("output",), "all": ("coarse", "caption"),
}  # fmt: skip
"""What --force names -> the stages, on Ray, that do it."""


def run_clips(
    out: str | Path,
    specs: Sequence[Mapping[str, Any]],
    settings: EraseSettings,
    *,
    resolved: Settings | None = None,
    force: Sequence[str] = (),
    workers: int = 1,
    ray: Mapping[str, Any] | None = None,
    tell: Tell | None = None,
    cancel: Cancel | None = None,
) -> list[Row]:
    """One row a clip: clip, status done | failed, files, error. With one clip its error is raised.

    `ray`: work on a Ray cluster, {"address": ..., "gpus": ...}, `workers` clips at once (1: one a core).
    """
    resolved = resolved or resolve()
    with open_run(Path(out), specs, settings, resolved) as run:
        if ray is not None:
            rows = _over_ray(run, specs, settings, resolved, force=force, workers=workers, ray=ray)
        elif len(specs) == 1:
            return [_finish(run, specs[0], settings, resolved, force=force, tell=tell, cancel=cancel)]
        elif workers > 1:
            rows = _in_processes(run, specs, settings, resolved, force=force, workers=workers)
        else:
            rows = [_attempt(run, spec, settings, resolved, force=force, tell=tell, cancel=cancel) for spec in specs]
        write_json(run.path / "summary.json", rows)
    return rows


def _finish(
    run: RunFolder, spec: Mapping[str, Any], settings: EraseSettings, resolved: Settings, *, force: Sequence[str],
    tell: Tell | None = None, cancel: Cancel | None = None, until: str = "output",
) -> Row:  # fmt: skip
    """The clip brought to the step `until`."""
    files: dict[str, str] = {}
    steps: dict[str, str] = {}
    warnings: list[str] = []
    with closing(run_clip(run, spec, settings, resolved=resolved, cancel=cancel, force=force, tell=tell)) as rounds:
        for news in rounds:
            steps[news.step] = news.state
            files = dict(news.detail.get("files", files))
            warnings = list(news.detail.get("warnings", warnings))
            if tell is not None:
                tell(news)
            if news.step == until != "output" and news.state in ENDED:
                break
    return {"clip": spec["name"], "status": "done", "files": files, "steps": steps, "warnings": warnings, "error": None}


def _attempt(
    run: RunFolder, spec: Mapping[str, Any], settings: EraseSettings, resolved: Settings, *, force: Sequence[str],
    tell: Tell | None = None, cancel: Cancel | None = None, until: str = "output",
) -> Row:  # fmt: skip
    """The clip's row, failed or done; only what ends the whole run is raised."""
    try:
        return _finish(run, spec, settings, resolved, force=force, tell=tell, cancel=cancel, until=until)
    except (Cancelled, BudgetSpent, StorageError):
        raise
    except MaskwrightError as error:
        return _failed(run, spec, error)


def _failed(run: RunFolder, spec: Mapping[str, Any], error: MaskwrightError) -> Row:
    name = str(spec["name"])
    row: Row = {"id": name, "status": "failed", "mask": None, "score": None, "cost": {}, "engines": {}, "degraded": []}
    write_json(run.item(name) / "result.json", {**row, "error": error.message})
    run.event("failed", clip=name, error=error.message)
    return {"clip": name, "status": "failed", "files": {}, "steps": {}, "warnings": [], "error": error.message}


def _in_processes(
    run: RunFolder, specs: Sequence[Mapping[str, Any]], settings: EraseSettings, resolved: Settings, *,
    force: Sequence[str], workers: int,
) -> list[Row]:  # fmt: skip
    """Each clip in a process of its own; the run's lock stays here."""
    done: dict[str, Row] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(specs)), mp_context=context, max_tasks_per_child=1) as pool:
        about = {"erase": settings.model_dump(mode="json"), "resolved": resolved.to_json(), "force": list(force)}
        waiting = {pool.submit(_elsewhere, str(run.path), dict(spec), about): spec for spec in specs}
        try:
            for future in as_completed(waiting):
                row = future.result()
                done[row["clip"]] = row
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [done[str(spec["name"])] for spec in specs]


def _over_ray(
    run: RunFolder, specs: Sequence[Mapping[str, Any]], settings: EraseSettings, resolved: Settings, *,
    force: Sequence[str], workers: int, ray: Mapping[str, Any],
) -> list[Row]:  # fmt: skip
    """Each phase of each clip as a task; the run's lock stays here."""
    from maskwright.erasing.on_ray import clips_on_ray

    about = {"erase": settings.model_dump(mode="json"), "resolved": resolved.to_json(), "force": list(force)}
    work = partial(_stage_elsewhere, str(run.path.resolve()), about)
    placed = [_absolute(spec) for spec in specs]
    at_once = workers if workers > 1 else 0
    done = {row["clip"]: row for row in clips_on_ray(work, placed, clips_at_once=at_once, **ray)}
    return [done[str(spec["name"])] for spec in specs]


def _absolute(spec: Mapping[str, Any]) -> Row:
    """The clip's files by paths that hold in any working folder."""
    paths = {k: str(Path(spec[k]).resolve()) for k in ("video", "mask", "prompt_file") if spec.get(k)}
    return {**spec, **paths}


def _stage_elsewhere(out: str, about: Mapping[str, Any], spec: Mapping[str, Any], until: str) -> Row:
    """`force` acts in the first stage that does the step; a later one must not do it once more."""
    mine = [name for name in about["force"] if until in FORCED_IN.get(name, ())]
    return _elsewhere(out, dict(spec), {**about, "force": mine}, until)


class _Borrowed(RunFolder):
    """A run folder whose lock another process holds."""

    def __enter__(self) -> _Borrowed:
        (self.path / "items").mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(self.path / "ledger.sqlite")
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()


def _elsewhere(out: str, spec: Row, about: Mapping[str, Any], until: str = "output") -> Row:
    settings = EraseSettings.model_validate(about["erase"])
    values = {k: v for k, v in about["resolved"].items() if k != "preset"}
    resolved = Settings(about["resolved"]["preset"], values)
    with _Borrowed(Path(out), "erase", {"clips": [spec, spec]}) as run:
        return _attempt(run, spec, settings, resolved, force=about["force"], until=until)


def status(out: str | Path) -> list[Row]:
    """One row a clip: its steps and whether each is done, failed, running or still to come."""
    specs, _, _ = read_run(out)
    ledger = Ledger(Path(out) / "ledger.sqlite")
    try:
        states = {(entry.item, entry.step): entry for entry in ledger}
    finally:
        ledger.close()
    rows = []
    for spec in specs:
        job = as_job(Path(out) / "items" / safe_id(str(spec["name"])), spec)
        listed = [step for step in PHASES if step != "shadows" or (job.name, step) in states]
        steps = {step: states[job.name, step].state if (job.name, step) in states else "to come" for step in listed}
        result = job.folder / "result.json"
        error = read_json(result).get("error") if result.exists() else None
        rows.append({"clip": job.name, "steps": steps, "error": error})
    return rows

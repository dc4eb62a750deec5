"""Many clips in one run folder: a failing one is recorded and the rest go on."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from maskwright.assemble.erasing import absolute, as_job, open_run, read_run, run_clip
from maskwright.config.erase import EraseSettings
from maskwright.config.settings import Settings, resolve
from maskwright.erasing.job import PHASES, Progress
from maskwright.errors import BudgetSpent, Cancelled, MaskwrightError, StorageError
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import read_json, write_json
from maskwright.plumbing.log import get_log
from maskwright.runs.folder import RunFolder, safe_id
from maskwright.runs.ledger import Ledger

_log = get_log("erase")
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
    resolved, specs = resolved or resolve(), [absolute(spec) for spec in specs]
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
        return _failed(run, spec, error.message)
    except Exception as error:  # noqa: BLE001 - one clip's trouble; the others go on
        _log.warning("failed unexpectedly", clip=str(spec["name"]), why=traceback.format_exc())
        return _failed(run, spec, f"{type(error).__name__}: {error}")


def _failed(run: RunFolder, spec: Mapping[str, Any], message: str) -> Row:
    name = str(spec["name"])
    row: Row = {"id": name, "status": "failed", "mask": None, "score": None, "cost": {}, "engines": {}, "degraded": []}
    write_json(run.item(name) / "result.json", {**row, "error": message})
    run.event("failed", clip=name, error=message)
    return {"clip": name, "status": "failed", "files": {}, "steps": {}, "warnings": [], "error": message}


def _in_processes(
    run: RunFolder, specs: Sequence[Mapping[str, Any]], settings: EraseSettings, resolved: Settings, *,
    force: Sequence[str], workers: int,
) -> list[Row]:  # fmt: skip
    """Each clip in a process of its own; the run's lock stays here. A process that dies is a failed clip; none is left
    behind."""
    about = {"erase": settings.model_dump(mode="json"), "resolved": resolved.to_json(), "force": list(force)}
    waiting, done = [dict(spec) for spec in specs], dict[str, Row]()
    working: dict[Connection, tuple[SpawnProcess, Row]] = {}
    try:
        while waiting or working:
            while waiting and len(working) < workers:
                spec = waiting.pop(0)
                receiver, process = _started(str(run.path), spec, about)
                working[receiver] = (process, spec)
            for ready in wait(list(working)):
                assert isinstance(ready, Connection)
                process, spec = working.pop(ready)
                done[str(spec["name"])] = _heard(run, spec, ready, process)
    finally:
        for process, _ in working.values():
            process.terminate()
        for process, _ in working.values():
            process.join()
    return [done[str(spec["name"])] for spec in specs]


def _started(out: str, spec: Row, about: Row) -> tuple[Connection, SpawnProcess]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_alone, args=(sender, out, spec, about))
    process.start()
    sender.close()
    return receiver, process


def _alone(sender: Connection, out: str, spec: Row, about: Row) -> None:
    """One clip in this process: its row, or the error that ends the run, is sent."""
    try:
        sender.send(_elsewhere(out, spec, about))
    except MaskwrightError as error:
        sender.send(error)
    except KeyboardInterrupt:
        pass


def _heard(run: RunFolder, spec: Row, receiver: Connection, process: SpawnProcess) -> Row:
    try:
        said: Any = receiver.recv()
    except EOFError:
        process.join()
        said = _failed(run, spec, f"its process ended before it did (exit code {process.exitcode}).")
    finally:
        receiver.close()
    process.join()
    if isinstance(said, MaskwrightError):
        raise said
    row: Row = said
    return row


def _over_ray(
    run: RunFolder, specs: Sequence[Mapping[str, Any]], settings: EraseSettings, resolved: Settings, *,
    force: Sequence[str], workers: int, ray: Mapping[str, Any],
) -> list[Row]:  # fmt: skip
    """Each phase of each clip as a task; the run's lock stays here."""
    from maskwright.erasing.on_ray import clips_on_ray

    about = {"erase": settings.model_dump(mode="json"), "resolved": resolved.to_json(), "force": list(force)}
    work = partial(_stage_elsewhere, str(run.path.resolve()), about)
    at_once = workers if workers > 1 else 0
    done = {row["clip"]: row for row in clips_on_ray(work, list(specs), clips_at_once=at_once, **ray)}
    return [done[str(spec["name"])] for spec in specs]


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

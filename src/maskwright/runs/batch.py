"""A batch from rows to a finished run folder, and the same again from the folder alone."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from maskwright.errors import InputError, RunMismatch
from maskwright.plumbing.files import read_json, write_json, write_text
from maskwright.plumbing.store import is_url
from maskwright.runs.folder import RunFolder
from maskwright.runs.items import Row
from maskwright.runs.jobs import BadRow, Job, Rows
from maskwright.runs.mirror import ABOUT, at_hand, working_copy
from maskwright.runs.pool import Conduct, Pool
from maskwright.runs.summary import Tally
from maskwright.runs.task import TaskSpec

JOBS, SUMMARY = "jobs.jsonl", "summary.json"
KIND = "batch"
OnRow = Callable[[Row, Tally], None]
MakePool = Callable[[RunFolder, TaskSpec, Conduct], Pool]


@dataclass(frozen=True)
class Batch:
    """What is to be done: rows, a task, how, and where: in the folder `out`, which is the working copy of the run
    folder at `url` where there is one (`mirror.working_copy` names it)."""

    out: Path
    spec: TaskSpec
    rows: Rows
    conduct: Conduct = field(default_factory=Conduct)
    wait_s: float = 0.0
    url: str | None = None

    def run(self, on_row: OnRow | None = None, *, on: str = "local", make_pool: MakePool = Pool) -> dict[str, Any]:
        """Works what is not finished yet, in this machine's pool or another; returns summary.json's value. Ctrl-C once
        finishes what is in hand, twice stops. Raises RunLocked, RunMismatch, StorageError, and the errors of loading
        models."""
        settings = {"task": self.spec.kind, **self.spec.settings}
        about = {"spec": self.spec.to_json(), "conduct": vars(self.conduct), "items": len(self.rows), "on": on}
        tally = Tally(len(self.rows))

        def heard(row: Row) -> None:
            tally.add(row)
            if on_row is not None:
                on_row(row, tally)

        kind = f"{KIND}-{self.spec.kind}"
        place = RunFolder(self.out, kind, settings, about=about, wait_s=self.wait_s, url=self.url)
        with interrupts() as pools, place as run:
            write_text(self.out / JOBS, "".join(json.dumps(row_to_json(row)) + "\n" for row in self.rows))
            run.event("begun", items=len(self.rows))
            pool = make_pool(run, self.spec, self.conduct)
            pools.append(pool)
            pool.work(self.rows, heard)
            summary = tally.to_json(pool.stopped_by)
            write_json(self.out / SUMMARY, summary)
            run.event("ended", **{k: summary[k] for k in ("done", "abstained", "failed", "left", "stopped_by")})
        return summary


def open_batch(folder: str | Path) -> Batch:
    """The batch that a run folder, here or at a URL, holds; raises InputError, RunMismatch, StorageError."""
    with at_hand(folder) as here:
        about = read_about(here)
        if not str(about.get("kind", "")).startswith(KIND):
            raise RunMismatch(f"{folder} holds a run of kind {about.get('kind')}.", "Resume it with its own command.")
        rows = read_rows(here)
    try:
        spec, conduct = TaskSpec(**about["spec"]), Conduct(**about["conduct"])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{folder}/{ABOUT} is damaged ({error!r}).", "Run the batch again into another folder."
        ) from error
    out, url = place_of(folder)
    if spec.conduct.get("record"):
        spec = replace(spec, conduct={**spec.conduct, "record": str(out.absolute())})
    return Batch(out, spec, rows, conduct, url=url)


def place_of(folder: str | Path) -> tuple[Path, str | None]:
    """Where to work, and the URL where the run folder really is, if it is at one."""
    return (working_copy(str(folder)), str(folder)) if is_url(folder) else (Path(folder), None)


def read_about(folder: Path) -> dict[str, Any]:
    """run.json; raises InputError when the folder is no run."""
    if not (folder / ABOUT).is_file():
        raise InputError(f"{folder} is no run folder.", "Give a folder with a run.json; see: maskwright runs list")
    found = read_json(folder / ABOUT)
    if not isinstance(found, dict):
        raise InputError(f"{folder / ABOUT} is damaged.", "Run the batch again into another folder.")
    return found


def read_rows(folder: Path) -> Rows:
    """The rows a run folder was made from."""
    if not (folder / JOBS).is_file():
        raise InputError(f"{folder} has no {JOBS}.", "Run the batch again with its original input.")
    rows: Rows = []
    for line in (folder / JOBS).read_text(encoding="utf-8").splitlines():
        try:
            value = json.loads(line)
            rows.append(BadRow(value["id"], value["error"]) if "error" in value else Job.from_json(value))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{folder / JOBS} is damaged ({error!r}).", "Run the batch again with its original input."
            ) from error
    return rows


def row_to_json(row: Job | BadRow) -> Mapping[str, Any]:
    return {"id": row.id, "error": row.error} if isinstance(row, BadRow) else row.to_json()


@contextmanager
def interrupts() -> Iterator[list[Pool]]:
    """Ctrl-C (and a request to terminate): once lets the pool put in the list finish what is in hand, twice stops it;
    with none there it ends the program. So to the end of the block: a second one that comes late must not cut off what
    is written last. Only in the main thread."""
    pools: list[Pool] = []
    if threading.current_thread() is not threading.main_thread():
        yield pools
        return

    def asked(_signal: int, _frame: FrameType | None) -> None:
        if not pools:
            raise KeyboardInterrupt
        if pools[0].stop.is_set:
            pools[0].abort.set()
        else:
            sys.stderr.write("finishing what is in hand; once more to stop now.\n")
        pools[0].stop.set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield pools
    finally:
        for number, old in before.items():
            signal.signal(number, old)

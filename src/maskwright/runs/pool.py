"""The local pool: hands items to lanes, keeps the ledger, sees to budgets, stops and resumes."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

from maskwright.errors import MaskwrightError, WorkerError
from maskwright.plumbing.cancel import Cancel
from maskwright.runs.folder import RunFolder
from maskwright.runs.items import FINISHED, Row, bad_row, failed, finished, keys_of
from maskwright.runs.jobs import BadRow, Job
from maskwright.runs.lanes import Lane, Message, ProcessLane, ThreadLane, fault_of
from maskwright.runs.task import TaskSpec

OnRow = Callable[[Row], None]
_PATIENCE_S = 0.2


@dataclass(frozen=True)
class Conduct:
    """How many: `workers` processes (0: threads of this process), `in_flight` items at once in each, `tries` when a
    process dies; `max_seconds` for the whole."""

    workers: int = 0
    in_flight: int = 2
    tries: int = 2
    max_seconds: float | None = None

    @classmethod
    def suited(cls, *, asking: bool, workers: int = 0, in_flight: int = 0, **more: Any) -> Conduct:
        """What suits this machine where 0 is given: a process for every two cores (a single one is this process) with
        three items in hand, so that reading and writing overlap with the model; threads of this process alone where
        most of the time is waiting for answers, more than an endpoint takes at once, so that it is never idle."""
        workers = workers or max(1, (os.cpu_count() or 1) // 2)
        return cls(0 if asking or workers == 1 else workers, in_flight or (24 if asking else 3), **more)


class Pool:
    """Works every job of a run; `stop` set once finishes what is in hand, `abort` ends at once."""

    def __init__(self, run: RunFolder, spec: TaskSpec, conduct: Conduct) -> None:
        self.stop, self.abort = Cancel(), Cancel()
        self.stopped_by: str | None = None
        self._run, self._spec, self._conduct = run, spec, conduct
        self._items = run.path / "items"
        self._queue: Queue[Message] = Queue()
        self._lanes: list[Lane] = []
        self._waiting: deque[Job] = deque()
        self._lost: dict[str, int] = {}
        self._on_row: OnRow = lambda row: None
        self._until: float | None = None
        self._idle_deaths = 0

    def work(self, rows: Iterable[Job | BadRow], on_row: OnRow | None = None) -> None:
        """Returns when all is worked or the run is stopped (`stopped_by` says by what). Raises the error of a task that
        cannot begin."""
        self._on_row = on_row or self._on_row
        if self._conduct.max_seconds is not None:
            self._until = time.monotonic() + self._conduct.max_seconds
        rows = list(rows)
        self._bring(row for row in rows if isinstance(row, Job))
        for row in rows:
            if isinstance(row, BadRow):
                self._take(bad_row(row, self._items, self._spec.kind))
            elif (known := self._finished(row)) is not None:
                self._take(known)
            else:
                self._waiting.append(row)
        if self._waiting:
            self._work_waiting()

    def _work_waiting(self) -> None:
        try:
            self._open_lanes()
            self._conduct_all()
        finally:
            self._close_lanes()

    def _bring(self, jobs: Iterable[Job]) -> None:
        """Of a run folder at a URL: what is finished there is brought here, and known to the ledger."""
        if self._run.mirror is not None:
            for id_ in self._run.mirror.bring(keys_of(self._spec, jobs, self._items)):
                self._run.ledger.note(id_, self._spec.kind, FINISHED[0])

    def _finished(self, job: Job) -> Row | None:
        """What the ledger has as finished, looked at here: then nothing need be loaded for it."""
        entry = self._run.ledger.get(job.id, self._spec.kind)
        if entry is None or entry.state not in FINISHED:
            return None
        try:
            return finished(self._spec, job, self._items)
        except MaskwrightError:
            return None  # its input is gone or cannot be read: told when it is worked

    def _open_lanes(self) -> None:
        wanted = min(self._conduct.workers, len(self._waiting))
        if wanted <= 0:
            task = self._spec.open()
            self._lanes.append(ThreadLane(self._spec, self._items, self._conduct.in_flight, self._queue, task))
        for _ in range(max(0, wanted)):
            self._lanes.append(self._new_process())

    def _new_process(self) -> ProcessLane:
        return ProcessLane(self._spec, self._items, self._conduct.in_flight, self._queue)

    def _conduct_all(self) -> None:
        while self._waiting or any(lane.hand for lane in self._lanes):
            if self._should_stop() and not any(lane.hand for lane in self._lanes):
                return
            if self.abort.is_set:
                self.stopped_by = self.stopped_by or "Cancelled"
                return
            try:
                lane, message = self._queue.get(timeout=_PATIENCE_S)
            except Empty:
                continue
            self._hear(lane, message)

    def _hear(self, lane: Lane, message: Mapping[str, Any]) -> None:
        if "fault" in message:
            raise fault_of(message["fault"])
        if "began" in message:
            self._run.ledger.begin(message["began"], self._spec.kind)
        elif "row" in message:
            lane.hand.pop(message["row"]["id"], None)
            self._take(message["row"])
        elif "lost" in message:
            self._replace(lane, message["lost"])
            return
        self._feed(lane)

    def _feed(self, lane: Lane) -> None:
        while self._waiting and len(lane.hand) < self._conduct.in_flight and not self._should_stop():
            lane.give(self._waiting.popleft())

    def _take(self, row: Row) -> None:
        """A result into the ledger and the events."""
        if row.get("stop"):
            self.stopped_by = self.stopped_by or row["stop"]
            self._run.ledger.note(row["id"], self._spec.kind, "stopped", error=row.get("error"))
            return
        counters = {"cost": row.get("cost", {}), "degraded": row.get("degraded", []), "seconds": row.get("seconds")}
        self._run.ledger.note(row["id"], self._spec.kind, row["status"], counters=counters, error=row.get("error"))
        if not row.get("skipped"):
            self._run.event("item", id=row["id"], status=row["status"], error=row.get("error"))
        self._run.settled(row["id"], worked=not row.get("skipped"))
        self._on_row(row)

    def _replace(self, lane: Lane, why: str) -> None:
        """A process died: what it had in hand is tried again, once more at most, by a new one."""
        lane.kill()
        self._lanes.remove(lane)
        self._run.event("lost", why=why, items=list(lane.hand))
        self._idle_deaths += not lane.hand
        if self._idle_deaths > self._conduct.tries:
            raise WorkerError(f"processes that work on items end at once ({why}).", "Try --workers 0 to see why.")
        for job in lane.hand.values():
            self._lost[job.id] = self._lost.get(job.id, 0) + 1
            if self._lost[job.id] < self._conduct.tries:
                self._waiting.appendleft(job)
            else:
                error = WorkerError(f"the process that worked on it ended ({why}).", "Run again to try it once more.")
                self._take(failed(job.id, error, self._items, self._spec.kind, image=job.image))
        lane.hand.clear()
        if self._waiting and not self._should_stop():
            self._lanes.append(self._new_process())

    def _should_stop(self) -> bool:
        if self.stop.is_set:
            self.stopped_by = self.stopped_by or "Cancelled"
        if self._until is not None and time.monotonic() > self._until:
            self.stopped_by = self.stopped_by or "BudgetSpent"
        return self.stopped_by is not None

    def _close_lanes(self) -> None:
        for lane in self._lanes:
            if lane.hand:
                lane.kill()
            else:
                lane.finish()

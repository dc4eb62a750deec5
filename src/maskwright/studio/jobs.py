"""Long work of the page: it goes on when the page is closed, and its result is found again by its link."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.errors import Busy, Cancelled, InputError, MaskwrightError
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import read_json, write_json
from maskwright.plumbing.log import get_log
from maskwright.studio.faults import OOPS
from maskwright.studio.lanes import working_for

_log = get_log("studio.jobs")
STATE = "job.json"
_KEPT = ("state", "share", "note", "error", "fault", "began", "ended", "result")
RESTARTED = "the studio was restarted; start it again to go on."


@dataclass
class Job:
    """One long piece of work: state is waiting | running | done | stopped | failed | interrupted."""

    id: str
    kind: str
    session: str
    folder: Path
    state: str = "waiting"
    share: float = 0.0
    note: str = ""
    error: str = ""
    fault: str = ""
    """Name of the error's class, when it failed."""
    began: float = field(default_factory=time.time)
    ended: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    cancel: Cancel = field(default_factory=Cancel)

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "stopped", "failed", "interrupted")

    @property
    def left_s(self) -> float | None:
        """Seconds left at the present rate, when anything is known."""
        spent = time.time() - self.began
        return spent / self.share * (1 - self.share) if 0.02 < self.share < 1 and spent > 1 else None

    @property
    def files(self) -> list[Path]:
        """What a finished job made."""
        return [Path(p) for p in self.result.get("files", [])]

    def tell(self, share: float, note: str = "") -> None:
        """Progress 0..1 with a few words; raises Cancelled when the visitor pressed Stop."""
        self.share, self.note = min(max(share, 0.0), 1.0), note or self.note
        self.cancel.check()

    def fail(self, error: MaskwrightError) -> None:
        self.state, self.error, self.fault = "failed", str(error), type(error).__name__

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("id", "kind", "session", *_KEPT)}


Work = Callable[[Job], dict[str, Any]]


class Jobs:
    """Runs jobs on a few threads (the models' lanes do the sharing) and keeps a record of each in its folder."""

    def __init__(self, *, at_once: int = 4, waiting: int = 64) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="job")
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._noting = threading.Lock()
        """Held while a record is written: a session whose jobs were forgotten is not written to any more."""
        self._waiting = waiting
        self.running = 0
        """Jobs that go on now, those of sessions that have ended too."""
        self._closing = False

    def start(self, kind: str, session: str, folder: Path, work: Work) -> Job:
        """Puts work in line; raises Busy when too much waits already."""
        with self._lock:
            if sum(not job.is_over for job in self._jobs.values()) >= self._waiting:
                raise Busy("too much long work is waiting.", "Try again in a minute.", 60.0)
            id_ = secrets.token_urlsafe(12)
            job = Job(id_, kind, session, folder / f"job-{id_}")
            self._jobs[id_] = job
        self._note(job)
        self._pool.submit(self._run, job, work)
        return job

    def find(self, id_: str) -> Job:
        """The job; raises InputError for one that never was or whose session has ended."""
        job = self._jobs.get(id_)
        if job is None:
            raise InputError("there is no such job.", "Its session may have ended; start it again.")
        return job

    def knows(self, id_: str) -> bool:
        return id_ in self._jobs

    def of(self, session: str) -> list[Job]:
        """A session's jobs, the newest first."""
        return sorted((j for j in list(self._jobs.values()) if j.session == session), key=lambda j: -j.began)

    def forget(self, session: str) -> None:
        """Stops and drops everything of a session; afterwards no record is written into its folder."""
        for job in self.of(session):
            job.cancel.set()
            with self._lock, self._noting:
                self._jobs.pop(job.id, None)

    def recover(self, session: str, folder: Path) -> list[Job]:
        """Jobs found in a session's folder after a restart: finished ones with their results, others as interrupted."""
        found = []
        for state in sorted(folder.glob(f"job-*/{STATE}")):
            values = read_json(state)
            job = Job(values["id"], values["kind"], session, state.parent)
            for name in _KEPT:
                setattr(job, name, values.get(name, getattr(job, name)))
            if not job.is_over:
                job.state, job.error = "interrupted", RESTARTED
            with self._lock:
                self._jobs[job.id] = job
            found.append(job)
        return found

    def close(self) -> None:
        """Asks everything to stop and waits for it."""
        self._closing = True
        for job in list(self._jobs.values()):
            job.cancel.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job, work: Work) -> None:
        with self._lock:
            self.running += 1
        try:
            self._do(job, work)
        finally:
            with self._lock:
                self.running -= 1

    def _do(self, job: Job, work: Work) -> None:
        job.state, job.began = "running", time.time()
        try:
            with working_for(job.session, job.cancel):
                job.cancel.check()
                job.result = work(job)
            job.state, job.share = "done", 1.0
        except Cancelled:
            job.state = "interrupted" if self._closing else "stopped"
            job.error = RESTARTED if self._closing else ""
        except MaskwrightError as error:
            job.fail(error)
        except Exception as error:  # noqa: BLE001 - one visitor's fault must not end the thread; it is logged and shown
            job.state, job.error = "failed", OOPS
            _log.warning("job failed", kind=job.kind, error=repr(error))
        job.ended = time.time()
        self._note(job)
        if not self.knows(job.id):  # its session ended meanwhile; what the work wrote since then goes too
            shutil.rmtree(job.folder.parent, ignore_errors=True)

    def _note(self, job: Job) -> None:
        with self._noting:
            if not self.knows(job.id):
                return
            try:
                write_json(job.folder / STATE, job.to_json())
            except MaskwrightError as error:
                _log.warning("job not noted", kind=job.kind, error=str(error))

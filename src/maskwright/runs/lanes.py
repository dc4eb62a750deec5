"""Where items are worked on: threads of this process, or processes. Both take jobs and put messages on one queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Any, Protocol

from maskwright import errors
from maskwright.errors import MaskwrightError, WorkerError
from maskwright.runs.items import run_item
from maskwright.runs.jobs import Job
from maskwright.runs.task import Task, TaskSpec

Message = tuple["Lane", dict[str, Any]]
"""A lane and what it says: {"ready"}, {"began": id}, {"row": result}, {"fault": ...} or {"lost": why}."""


class Lane(Protocol):
    """Takes jobs; `hand` are those it has not answered yet."""

    hand: dict[str, Job]

    def give(self, job: Job) -> None: ...

    def finish(self) -> None:
        """No more jobs; waits for what is in hand."""
        ...

    def kill(self) -> None:
        """Ends at once; what is in hand is lost (and done again by a later run)."""
        ...


class ThreadLane:
    """Threads of this process that share one task."""

    def __init__(self, spec: TaskSpec, items: Path, in_flight: int, queue: Queue[Message], task: Task) -> None:
        self.hand: dict[str, Job] = {}
        self._spec, self._items, self._queue, self._task = spec, items, queue, task
        self._pool = ThreadPoolExecutor(in_flight, "item")
        self._ended = False
        queue.put((self, {"ready": os.getpid()}))

    def give(self, job: Job) -> None:
        self.hand[job.id] = job
        self._pool.submit(self._work, job)

    def finish(self) -> None:
        self._pool.shutdown()

    def kill(self) -> None:
        self._ended = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, job: Job) -> None:
        def began(id_: str) -> None:
            self._queue.put((self, {"began": id_}))

        row = run_item(self._spec, self._task, job, self._items, began=began)
        if not self._ended:
            self._queue.put((self, {"row": row}))


class ProcessLane:
    """A process of its own, with its own copy of the models."""

    def __init__(self, spec: TaskSpec, items: Path, in_flight: int, queue: Queue[Message]) -> None:
        self.hand: dict[str, Job] = {}
        self._queue = queue
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "maskwright.runs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | _one_thread_each(),
        )
        self._say({"spec": spec.to_json(), "items": str(items.absolute()), "in_flight": in_flight})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def give(self, job: Job) -> None:
        self.hand[job.id] = job
        self._say({**job.to_json()})

    def finish(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self._close()

    def kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()
        self._close()

    def _say(self, value: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(value).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return  # it is gone: its reader tells

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._queue.put((self, json.loads(line)))
        code = self._process.wait()
        why = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        self._queue.put((self, {"lost": why}))

    def _close(self) -> None:
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def fault_of(value: dict[str, str]) -> MaskwrightError:
    """The error a worker process reported when it could not begin."""
    kind: type[MaskwrightError] = getattr(errors, value["kind"], WorkerError)
    return kind(value["message"], value["hint"])


def _one_thread_each() -> dict[str, str]:
    """Processes share the cores: a library in one of them takes one, unless the user said otherwise."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
    return {name: os.environ.get(name, "1") for name in names}

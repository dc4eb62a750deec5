"""Lanes: each model is owned by one thread with a bounded, fair queue. Nothing holds a model across a stream."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from maskwright.errors import Busy
from maskwright.plumbing.cancel import Cancel

owner: ContextVar[str] = ContextVar("owner", default="nobody")
"""The session on whose behalf this thread works; the queue is fair between owners."""
stopping: ContextVar[Cancel | None] = ContextVar("stopping", default=None)
"""That session's wish to stop: nobody waits for a lane once it is set."""

MAX_MERGED = 16
LOOK_S = 0.1
"""How often somebody who waits for an answer looks whether it is still wanted."""


@contextmanager
def working_for(name: str, cancel: Cancel | None = None) -> Iterator[None]:
    """Everything asked of lanes inside belongs to session `name`, and is given up with Cancelled when `cancel` is set:
    what still waits is taken out of the queue, a step that runs ends by itself and its answer is thrown away."""
    tokens = owner.set(name), stopping.set(cancel)
    try:
        yield
    finally:
        owner.reset(tokens[0])
        stopping.reset(tokens[1])


def check_wanted() -> None:
    """Raises Cancelled when the session this thread works for wants to stop."""
    cancel = stopping.get()
    if cancel is not None:
        cancel.check()


@dataclass(eq=False)
class Job:
    """One step: `run` takes the payloads of this and of merged jobs (same `merge_key`) and gives an answer for each."""

    owner: str
    run: Callable[[Sequence[Any]], Sequence[Any]]
    payload: Any
    merge_key: Hashable | None
    future: Future[Any] = field(default_factory=Future)


class Works(Protocol):
    """What a wrapped model needs of its lane."""

    def call(
        self, run: Callable[[Sequence[Any]], Sequence[Any]], payload: Any, merge_key: Hashable | None = None
    ) -> Any: ...

    def stream(self, make: Callable[[], Iterator[Any]]) -> Iterator[Any]: ...


class Lane:
    """One thread, one queue, owners in turn. `limit` jobs may wait; more are refused at once with Busy."""

    def __init__(self, name: str, limit: int = 256) -> None:
        self.name, self.limit = name, limit
        self.merged = 0
        self.steps = 0
        self.is_working = False
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._count = 0
        self._step_s = 0.05
        self._ready = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"lane-{name}", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return self._count

    def call(
        self, run: Callable[[Sequence[Any]], Sequence[Any]], payload: Any, merge_key: Hashable | None = None
    ) -> Any:
        """The answer to one step; called on the lane's own thread it runs at once. Raises Busy, Cancelled."""
        if threading.current_thread() is self._thread:
            return run([payload])[0]
        check_wanted()
        job = Job(owner.get(), run, payload, merge_key)
        with self._ready:
            if self._closed or self._count >= self.limit:
                wait_s = round(max(0.5, self._count * self._step_s), 1)
                raise Busy(f"{self.name} is busy.", f"Try again in {wait_s:g} s.", wait_s)
            self._waiting.setdefault(job.owner, deque()).append(job)
            self._count += 1
            self._ready.notify()
        return _awaited(job.future)

    def stream(self, make: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """An iterator each of whose steps is one job, so that others get in between."""
        source = self.call(lambda _: [make()], None)
        end = object()
        while (item := self.call(lambda _: [next(source, end)], None)) is not end:
            yield item

    def close(self) -> None:
        """Refuses new jobs, finishes those that wait and ends the thread."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=10)

    def _work(self) -> None:
        while jobs := self._next():
            began, self.is_working = time.monotonic(), True
            _answer(jobs)
            self.is_working = False
            self.steps += 1
            self.merged += len(jobs) - 1
            self._step_s += 0.1 * ((time.monotonic() - began) / len(jobs) - self._step_s)
            del jobs  # a lane that waits must not keep the last visitor's clip alive

    def _next(self) -> list[Job]:
        """The first job of the owner whose turn it is, with every waiting job that can be merged into it."""
        with self._ready:
            while not self._count:
                if self._closed:
                    return []
                self._ready.wait()
            name, queue = next(iter(self._waiting.items()))
            jobs = [queue.popleft()]
            self._waiting.move_to_end(name)
            if jobs[0].merge_key is not None:
                jobs += self._same(jobs[0].merge_key)
            self._waiting = OrderedDict((k, v) for k, v in self._waiting.items() if v)
            self._count -= len(jobs)
            return jobs

    def _same(self, key: Hashable) -> list[Job]:
        found: list[Job] = []
        for queue in self._waiting.values():
            while queue and queue[0].merge_key == key and len(found) + 1 < MAX_MERGED:
                found.append(queue.popleft())
        return found


def _awaited(future: Future[Any]) -> Any:
    """Its result as soon as it is there; raises Cancelled as soon as nobody wants it any more."""
    while True:
        try:
            return future.result(timeout=LOOK_S)
        except TimeoutError:
            if future.done():
                raise
        try:
            check_wanted()
        except BaseException:
            future.cancel()
            raise


def _answer(jobs: list[Job]) -> None:
    """Runs merged jobs in one step; when that fails, each alone, so that one bad job hurts nobody else."""
    jobs = [job for job in jobs if job.future.running() or job.future.set_running_or_notify_cancel()]
    if not jobs:
        return
    try:
        answers = jobs[0].run([job.payload for job in jobs])
    except BaseException as error:  # noqa: BLE001 - handed to the caller who waits for it
        if len(jobs) == 1:
            jobs[0].future.set_exception(error)
        else:
            for job in jobs:
                _answer([job])
        return
    for job, answer in zip(jobs, answers, strict=True):
        job.future.set_result(answer)


class SingleLock:
    """The way that lanes are compared with: one lock around everything, held for the whole of a stream."""

    def __init__(self, name: str = "everything", limit: int = 0) -> None:
        self.name = name
        self._lock = threading.RLock()

    def call(
        self, run: Callable[[Sequence[Any]], Sequence[Any]], payload: Any, merge_key: Hashable | None = None
    ) -> Any:
        check_wanted()
        with self._lock:
            return run([payload])[0]

    def stream(self, make: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        check_wanted()
        with self._lock:
            yield from list(make())

    def close(self) -> None:
        return None

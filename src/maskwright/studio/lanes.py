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

owner: ContextVar[str] = ContextVar("owner", default="nobody")
"""The session on whose behalf this thread works; the queue is fair between owners."""

MAX_MERGED = 16


@contextmanager
def working_for(name: str) -> Iterator[None]:
    """Everything asked of lanes inside belongs to session `name`."""
    token = owner.set(name)
    try:
        yield
    finally:
        owner.reset(token)


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
        """The answer to one step; called on the lane's own thread it runs at once. Raises Busy."""
        if threading.current_thread() is self._thread:
            return run([payload])[0]
        job = Job(owner.get(), run, payload, merge_key)
        with self._ready:
            if self._closed or self._count >= self.limit:
                wait_s = round(max(0.5, self._count * self._step_s), 1)
                raise Busy(f"{self.name} is busy.", f"Try again in {wait_s:g} s.", wait_s)
            self._waiting.setdefault(job.owner, deque()).append(job)
            self._count += 1
            self._ready.notify()
        return job.future.result()

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
            began = time.monotonic()
            _answer(jobs)
            self.steps += 1
            self.merged += len(jobs) - 1
            self._step_s += 0.1 * ((time.monotonic() - began) / len(jobs) - self._step_s)

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


def _answer(jobs: list[Job]) -> None:
    """Runs merged jobs in one step; when that fails, each alone, so that one bad job hurts nobody else."""
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
        with self._lock:
            return run([payload])[0]

    def stream(self, make: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        with self._lock:
            yield from list(make())

    def close(self) -> None:
        return None

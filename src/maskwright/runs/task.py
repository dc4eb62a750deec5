"""What a batch does to each item: a Task, made from a TaskSpec in whatever process works."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from maskwright.runs.jobs import Job
from maskwright.values import Cost, Image, Mask

OPEN_TASK = "maskwright.assemble.batching:open_task"


@dataclass(frozen=True)
class TaskSpec:
    """Everything a process needs to make the task, JSON-able: `settings` shape results (and are part of what makes an
    item finished), `conduct` is about how (budgets, caches, records)."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    conduct: Mapping[str, Any] = field(default_factory=dict)
    target: str = OPEN_TASK

    def open(self) -> Task:
        """The ready task; loads what it needs. Raises the errors of loading models."""
        module, _, attribute = self.target.partition(":")
        make: Callable[[TaskSpec], Task] = getattr(importlib.import_module(module), attribute)
        return make(self)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a task made of one item. `status`: done | abstained. `write` puts further files into the item's folder;
    `detail` is JSON-able."""

    status: str
    mask: Mask | None = None
    score: float | None = None
    cost: Cost = field(default_factory=Cost)
    engines: Mapping[str, str] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    reason: str = ""
    trace: Mapping[str, Any] | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    write: Callable[[Path], None] | None = None


class Task(Protocol):
    """One kind of work, ready; used by several threads at once."""

    def work(self, job: Job, image: Image) -> Outcome:
        """Raises errors of maskwright.errors; BudgetSpent with `of_the_run` True ends the whole run."""
        ...

"""A small deterministic task for tests of batches: the bright half of each picture, with every way to go wrong."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from maskwright.errors import BadPhrase, BudgetSpent, ModelError
from maskwright.media.images import save_image
from maskwright.runs.jobs import Job
from maskwright.runs.task import Outcome, TaskSpec
from maskwright.values import Cost, Image, Mask

TARGET = "run_tasks:open_task"


class BrightTask:
    """`job.phrase` says what happens: crash, die (once or always), fail, abstain, degrade, spend, touch."""

    def __init__(self, spec: TaskSpec) -> None:
        self.threshold = int(spec.settings.get("threshold", 127))
        if spec.settings.get("broken"):
            raise ModelError("the model cannot be loaded.", "Mend it.")

    def work(self, job: Job, image: Image) -> Outcome:
        what = job.phrase or ""
        if what == "crash":
            raise ZeroDivisionError("in the task")
        if what == "fail":
            raise BadPhrase("the phrase is no good.", "Give another.")
        if what == "die" or (what == "die once" and _first_time(job)):
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "spend":
            error = BudgetSpent("the budget is spent.", "Raise it.")
            error.__dict__["of_the_run"] = True
            raise error
        if what == "touch":
            Path(job.image).write_bytes(Path(job.image).read_bytes() + b"x")
        mask = Mask(image.pixels.max(axis=2) > self.threshold)
        cost = Cost(calls={"bright": 1}, seconds={"work": 0.0})
        degraded = ("darker model",) if what == "degrade" else ()
        if what == "abstain":
            return Outcome("abstained", cost=cost, reason="nothing there")
        return Outcome("done", mask, 0.5, cost, {"segmenter": "bright"}, degraded)


def _first_time(job: Job) -> bool:
    mark = Path(job.image + ".died")
    if mark.exists():
        return False
    mark.touch()
    return True


def open_task(spec: TaskSpec) -> BrightTask:
    return BrightTask(spec)


def make_pictures(folder: Path, count: int, size: int = 24) -> list[Path]:
    """Small pictures, all different."""
    found = []
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 256, (size, size, 3), dtype=np.uint8)
        found.append(save_image(folder / f"p{index:04d}.png", Image(pixels)))
    return found


def jobs_of(files: list[Path], phrases: dict[int, str] | None = None) -> list[Job]:
    return [Job(p.stem, str(p), phrase=(phrases or {}).get(i)) for i, p in enumerate(files)]

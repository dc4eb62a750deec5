"""Data sets over a Ray cluster: a task for each phase of each clip, over the run folder that all nodes see.

A clip's phases follow one another; what a lost node had in hand is done again by another, finished steps are kept. The
run folder, clips and masks must lie on a disk that every node mounts under the same path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from maskwright.errors import MaskwrightError, WorkerError
from maskwright.runs.ray_pool import _started

Row = dict[str, Any]
Work = Callable[[Mapping[str, Any], str], Row]
"""(a clip of the run, the step it is to be brought to) -> its row: clip, status, files, steps, error."""

STAGES = ("coarse", "caption", "refine", "output")
"""A task each: masks and coarse fill; caption; anchor and refine; output."""
ON_THE_GPU = ("coarse", "caption", "refine")


def clips_on_ray(
    work: Work, specs: Sequence[Mapping[str, Any]], *, clips_at_once: int = 0, address: str | None = None,
    gpus: float = 0.0,
) -> Iterator[Row]:  # fmt: skip
    """Rows as clips end. `clips_at_once`: 0, as many as the cluster has cores; `gpus`: share of one for each task that
    runs models; `address`: as `batch --address`. Raises MissingPackage, WorkerError, and what ends the whole run."""
    ray = _started(address)
    stage = ray.remote(max_retries=3)(_staged)
    room = clips_at_once or max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting = list(specs)
    at_work: dict[Any, str] = {}
    while waiting or at_work:
        while waiting and len(at_work) < room:
            spec = dict(waiting.pop(0))
            row = None
            for name in STAGES:
                resources = {"num_cpus": 1, "num_gpus": (gpus or None) if name in ON_THE_GPU else None}
                row = stage.options(name=f"{spec['name']}: {name}", **resources).remote(work, spec, name, row)
            at_work[row] = str(spec["name"])
        [ended], _ = ray.wait(list(at_work), num_returns=1)
        yield _settled(ray, ended, at_work.pop(ended))


def _staged(work: Work, spec: Mapping[str, Any], stage: str, before: Row | None) -> Row:
    """A clip brought to one stage; nothing where an earlier one failed."""
    if before is not None and before["status"] != "done":
        return before
    row = work(spec, stage)
    return {**row, "steps": {**row["steps"], **(before["steps"] if before is not None else {})}}


def _settled(cluster: Any, ended: Any, name: str) -> Row:
    from ray.exceptions import RayError

    try:
        row: Row = cluster.get(ended)
    except RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, MaskwrightError):
            raise cause from error
        said = str(error).strip().splitlines()[-1][:300]
        hint = "Finished phases are kept: run it again."
        raise WorkerError(f"the Ray cluster failed at {name}: {said}", hint) from error
    return row

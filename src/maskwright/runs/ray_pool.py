"""The same items over a Ray cluster: an actor pool that loads the models once, results into the same run folder.

Pictures travel to the actors and finished item folders travel back as bytes, so nodes need no shared disk; only the
driver writes the run folder. Lost actors and nodes are Ray's to replace: what they had in hand is worked again.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.errors import BadImage, MaskwrightError, MissingPackage, WorkerError
from maskwright.plumbing.files import storage_errors
from maskwright.plumbing.store import is_url, read_url
from maskwright.runs.batch import Batch, OnRow
from maskwright.runs.folder import RunFolder
from maskwright.runs.items import Row, failed, run_item
from maskwright.runs.jobs import Job
from maskwright.runs.pool import Conduct, Pool
from maskwright.runs.task import TaskSpec


class ItemWorker:
    """One actor: opens the task once, then works one job a call."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = TaskSpec(**spec)
        self._task = self._spec.open()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """{"job", "image", "mask"} -> {"id", "row": JSON, "files": the item's folder as a zip}."""
        job = Job.from_json(json.loads(row["job"]))
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            try:
                local = _local(job, row, folder)
            except (OSError, MaskwrightError) as error:
                said = BadImage(f"{job.image} cannot be read ({error}).", "Check the path.")
                bad = error if isinstance(error, MaskwrightError) else said
                result = failed(job.id, bad, folder / "items", self._spec.kind, image=job.image)
            else:
                result = run_item(self._spec, self._task, local, folder / "items", shown_image=job.image)
            return {"id": job.id, "row": json.dumps(result, default=str), "files": _packed(folder / "items" / job.id)}


def run_on_ray(
    batch: Batch, *, address: str | None = None, gpus: float = 0.0, on_row: OnRow | None = None
) -> dict[str, Any]:
    """Like Batch.run, over the cluster at `address` ("auto": the one this machine belongs to; None: a new local one).

    `gpus`: share of a GPU for each actor. Raises MissingPackage, WorkerError, RunLocked.
    """
    ray = _started(address)

    def pool(run: RunFolder, spec: TaskSpec, conduct: Conduct) -> Pool:
        return RayPool(run, spec, conduct, ray, gpus)

    return batch.run(on_row, on="ray", make_pool=pool)


def _started(address: str | None) -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingPackage("--on ray needs the package ray.", "Type: pip install 'maskwright[ray]'") from error
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise WorkerError(f"no Ray cluster at {address}: {error}", "Start one: ray start --head") from error
    return ray


class RayPool(Pool):
    """The pool of a cluster: the ledger, the run folder and what is finished are seen to here, items worked there."""

    def __init__(self, run: RunFolder, spec: TaskSpec, conduct: Conduct, ray: Any, gpus: float) -> None:
        super().__init__(run, spec, conduct)
        self._ray, self._gpus = ray, gpus

    def _work_waiting(self) -> None:
        from ray.exceptions import RayError

        try:
            for answer in self._answers():
                self._take(_settled(answer, self._items))
                if self._should_stop():
                    return
        except RayError as error:
            said = str(error).strip().splitlines()[-1][:300]
            raise WorkerError(
                f"the Ray cluster failed: {said}", "Finished items are kept; run the same again."
            ) from error

    def _answers(self) -> Iterator[dict[str, Any]]:
        """What actors made of the jobs that wait, as it comes."""
        import ray.data

        if self._should_stop():
            return
        actors = max(1, self._conduct.workers or int(self._ray.cluster_resources().get("CPU", 1)))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        rows = ray.data.from_items(
            [{"job": json.dumps(job.to_json())} for job in self._waiting], override_num_blocks=len(self._waiting)
        )
        worked = rows.map(_with_bytes).map(
            ItemWorker,
            fn_constructor_args=(self._spec.to_json(),),
            concurrency=(1, actors),
            num_cpus=1,
            num_gpus=self._gpus or None,
        )
        yield from worked.iter_rows()


def _with_bytes(row: dict[str, Any]) -> dict[str, Any]:
    """The job's files beside it. An actor reads what is not here (a URL) by itself."""
    job = json.loads(row["job"])
    found = {name: Path(job[name]) for name in ("image", "mask") if job.get(name) and not is_url(job[name])}
    data = {name: path.read_bytes() for name, path in found.items() if path.is_file()}
    return {**row, "image": data.get("image", b""), "mask": data.get("mask", b"")}


def _local(job: Job, row: dict[str, Any], folder: Path) -> Job:
    """The job with its files on this node."""
    places: dict[str, str] = {}
    for name, source in (("image", job.image), ("mask", job.mask)):
        if source is None:
            continue
        data = row[name] or _fetched(source)
        path = folder / f"{name}{Path(source).suffix}"
        path.write_bytes(data)
        places[name] = str(path)
    return replace(job, **places)  # type: ignore[arg-type]


def _fetched(source: str) -> bytes:
    return read_url(source) if is_url(source) else Path(source).read_bytes()


def _packed(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return out.getvalue()


def _settled(answer: dict[str, Any], items: Path) -> Row:
    """Puts an item's folder into its place, whole, the picture's own path in its result."""
    row: Row = json.loads(answer["row"])
    scratch = items / f".{answer['id']}-{uuid.uuid4().hex[:8]}"
    with storage_errors(scratch):
        try:
            scratch.mkdir(parents=True)
            with zipfile.ZipFile(io.BytesIO(answer["files"])) as archive:
                archive.extractall(scratch)
            place = items / answer["id"]
            if place.exists():
                shutil.rmtree(place)
            scratch.replace(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return row

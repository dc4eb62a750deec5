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
from maskwright.plumbing.files import storage_errors, write_json, write_text
from maskwright.runs.batch import JOBS, KIND, SUMMARY, Batch, OnRow, row_to_json
from maskwright.runs.folder import RunFolder
from maskwright.runs.items import Row, bad_row, failed, finished, run_item
from maskwright.runs.jobs import BadRow, Job
from maskwright.runs.summary import Tally
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
            except OSError as error:
                bad = BadImage(f"{job.image} cannot be read ({error}).", "Check the path.")
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
    tally = Tally(len(batch.rows))
    settings = {"task": batch.spec.kind, **batch.spec.settings}
    about = {"spec": batch.spec.to_json(), "conduct": vars(batch.conduct), "items": len(batch.rows), "on": "ray"}
    with RunFolder(batch.out, f"{KIND}-{batch.spec.kind}", settings, about=about, wait_s=batch.wait_s) as run:
        write_text(batch.out / JOBS, "".join(json.dumps(row_to_json(row)) + "\n" for row in batch.rows))
        for row in _all_rows(ray, batch, run, gpus):
            counters = {"cost": row.get("cost", {}), "degraded": row.get("degraded", [])}
            run.ledger.note(row["id"], batch.spec.kind, row["status"], counters=counters, error=row.get("error"))
            tally.add(row)
            if on_row is not None:
                on_row(row, tally)
        summary = tally.to_json()
        write_json(batch.out / SUMMARY, summary)
    return summary


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


def _all_rows(ray: Any, batch: Batch, run: RunFolder, gpus: float) -> Iterator[Row]:
    """Results of bad rows, of what is finished, and of what the cluster works, as they come."""
    items = run.path / "items"
    waiting: list[Job] = []
    for row in batch.rows:
        if isinstance(row, BadRow):
            yield bad_row(row, items, batch.spec.kind)
            continue
        known = _known(batch.spec, row, items)
        if known is not None:
            yield known
        else:
            waiting.append(row)
    if waiting:
        yield from _worked(ray, batch, waiting, items, gpus)


def _known(spec: TaskSpec, job: Job, items: Path) -> Row | None:
    try:
        return finished(spec, job, items)
    except MaskwrightError:
        return None


def _worked(cluster: Any, batch: Batch, waiting: list[Job], items: Path, gpus: float) -> Iterator[Row]:
    import ray.data
    from ray.exceptions import RayError

    actors = max(1, batch.conduct.workers or int(cluster.cluster_resources().get("CPU", 1)))
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = ray.data.from_items(
        [{"job": json.dumps(job.to_json())} for job in waiting], override_num_blocks=len(waiting)
    )
    worked = rows.map(_with_bytes).map(
        ItemWorker,
        fn_constructor_args=(batch.spec.to_json(),),
        concurrency=(1, actors),
        num_cpus=1,
        num_gpus=gpus or None,
    )
    try:
        for answer in worked.iter_rows():
            yield _settled(answer, items)
    except RayError as error:
        said = str(error).strip().splitlines()[-1][:300]
        raise WorkerError(f"the Ray cluster failed: {said}", "Finished items are kept; run the same again.") from error


def _with_bytes(row: dict[str, Any]) -> dict[str, Any]:
    """The job's files beside it. An actor reads what is not here (a URL) by itself."""
    job = json.loads(row["job"])
    found = {name: Path(job[name]) for name in ("image", "mask") if job.get(name) and "://" not in job[name]}
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
    if "://" not in source:
        return Path(source).read_bytes()
    import fsspec

    with fsspec.open(source, "rb") as stream:
        data: bytes = stream.read()
    return data


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

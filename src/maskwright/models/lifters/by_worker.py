"""Lifters that run in environments of their own: Hunyuan3D-2.x, TripoSR, Shap-E."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import MissingModel, WorkerError
from maskwright.media.images import save_image
from maskwright.plumbing.worker_places import open_worker
from maskwright.plumbing.worker_process import Worker, run_worker
from maskwright.ports import Mesh
from maskwright.values import Image, Mask


class WorkerLifter:
    """Hands the cut-out to a worker and reads back its mesh.

    `model`: the folder of its weights; `environment`: an interpreter, a venv or a conda environment (none: the one that
    `maskwright workers setup` made); `views`: further pictures by side ("left", "back", "right") for models that take
    them; `more`: further values of its request.
    """

    def __init__(
        self, kind: str, *, model: str | None = None, environment: str | None = None,
        views: Mapping[str, Image] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        if model is None:
            raise MissingModel(
                f"{kind} runs on weights that you fetch yourself.", "Set models.lifter.model to their folder."
            )
        self.name, self.kind = f"{kind}-worker", kind
        self.worker: Worker = open_worker(kind, environment)
        self.request, self.views = {"model": model, **more}, dict(views or {})

    def lift(self, cutout: Image, *, depth: NDArray[np.float32] | None = None, seed: int = 0) -> Mesh:
        """The worker's mesh, turned like ours and one metre long; raises WorkerError, OutOfMemory."""
        folder = Path(tempfile.mkdtemp(prefix="maskwright-lift-"))
        keep_log = False
        try:
            return self._lifted(folder, cutout, seed)
        except WorkerError:
            keep_log = True  # the error names it
            raise
        finally:
            _clear(folder, keep_log)

    def _lifted(self, folder: Path, cutout: Image, seed: int) -> Mesh:
        (folder / "out").mkdir()
        sides = {name: str(save_image(folder / f"{name}.png", view)) for name, view in self.views.items()}
        shown = str(save_image(folder / "cutout.png", cutout))
        request = {**self.request, "image": shown, "views": sides, "seed": seed, "out": str(folder / "out")}
        result = run_worker(self.worker, request, folder, outputs=("mesh",))
        return self._read(Path(result["mesh"]), cutout)

    def _read(self, path: Path, cutout: Image) -> Mesh:
        try:
            with np.load(path, allow_pickle=False) as values:
                vertices, faces = values["vertices"].astype(np.float32), values["faces"].astype(np.int32)
                uv = values["uv"].astype(np.float32) if "uv" in values else None
                texture = values.get("texture")
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise WorkerError(
                f"{self.name} wrote a mesh that cannot be read.", f"See {path.parents[1] / 'output.log'}."
            ) from error
        if not len(vertices) or not len(faces):
            raise WorkerError(f"{self.name} made an empty mesh.", "Try another cut-out or seed.")
        vertices = _upright(vertices)
        if uv is None or texture is None:
            uv, texture = _projected(vertices, cutout)
        return Mesh(vertices, faces, uv, texture)


def _clear(folder: Path, keep_log: bool) -> None:
    """Removes the folder, all but the worker's log when that is to be read."""
    log = folder / "output.log"
    if not (keep_log and log.exists()):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path != log:
            path.unlink(missing_ok=True)


def _upright(vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """One metre in its longest side, standing on y = 0, centred."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    return np.asarray((vertices - middle) / max(float((high - low).max()), 1e-9), np.float32)


def _projected(vertices: NDArray[np.float32], cutout: Image) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The picture thrown onto the mesh from the front, for models that give no texture."""
    box = None if cutout.alpha is None else Mask(cutout.alpha >= 128).box
    x0, y0, x1, y1 = (0, 0, cutout.width, cutout.height) if box is None else box.pixels()
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    uv = (vertices[:, :2] - low[:2]) / np.maximum(high[:2] - low[:2], 1e-9)
    return uv.astype(np.float32), np.ascontiguousarray(cutout.pixels[y0:y1, x0:x1])


def hunyuan3d_worker(**settings: Any) -> WorkerLifter:
    return WorkerLifter("hunyuan3d", **settings)


def triposr_worker(**settings: Any) -> WorkerLifter:
    return WorkerLifter("triposr", **settings)


def shap_e_worker(**settings: Any) -> WorkerLifter:
    return WorkerLifter("shap_e", **settings)

"""Lifters of other environments, with stand-ins that keep (or break) the worker contract: what comes back is mended and
measured like any mesh, and what goes wrong is said plainly, with nothing half-written."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import maskwright as mw
from maskwright.errors import MaskwrightError, MissingModel, ModelError, OutOfMemory, WorkerError
from maskwright.models.lifters.by_worker import WorkerLifter
from maskwright.plumbing.worker_places import script
from maskwright.plumbing.worker_process import Worker
from maskwright.values import Image

CONTRACT = Path(script("triposr")).parents[1]
SPHERE = """
    import numpy as np
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 40, endpoint=False), np.linspace(0, np.pi, 21)[1:-1])
    points = np.stack([np.sin(v) * np.cos(u), np.cos(v), np.sin(v) * np.sin(u)], -1).reshape(-1, 3) * 7 + 3
    i, j = np.meshgrid(np.arange(18), np.arange(40), indexing="ij")
    a, b = i * 40 + j, i * 40 + (j + 1) % 40
    quads = np.concatenate([np.stack([a, b, a + 40], -1).reshape(-1, 3), np.stack([b, b + 40, a + 40], -1).reshape(-1, 3)])
    mote = points[:3] + 50
    vertices = np.concatenate([points, mote]); faces = np.concatenate([quads, [[len(points), len(points) + 1, len(points) + 2]]])
    mesh = request["out"] + "/mesh.npz"
"""
BODIES = {
    "works": SPHERE + "    tell(done=1, total=2)\n    np.savez(mesh, vertices=vertices, faces=faces)\n    return {'mesh': mesh}",
    "dies half-way": SPHERE + "    tell(done=1, total=2)\n    open(mesh, 'wb').write(b'half')\n    import os; os.kill(os.getpid(), 9)",
    "empty file": SPHERE + "    open(mesh, 'wb').close()\n    return {'mesh': mesh}",
    "not a mesh": SPHERE + "    open(mesh, 'wb').write(b'PK not a zip')\n    return {'mesh': mesh}",
    "no faces": SPHERE + "    np.savez(mesh, vertices=vertices[:0], faces=faces[:0])\n    return {'mesh': mesh}",
    "pickled": SPHERE + "    np.savez(mesh, vertices=np.array([{}], object), faces=faces)\n    return {'mesh': mesh}",
    "faces off the end": SPHERE + "    np.savez(mesh, vertices=vertices, faces=faces + 10**6)\n    return {'mesh': mesh}",
    "not numbers": SPHERE + "    np.savez(mesh, vertices=vertices * np.nan, faces=faces)\n    return {'mesh': mesh}",
    "no memory": "    raise RuntimeError('CUDA out of memory: tried')",
    "silent": "    import time; time.sleep(60)",
    "no result": "    import os; os._exit(0)",
}  # fmt: skip


def lifter(folder: Path, body: str, **limits: float) -> WorkerLifter:
    """A TripoSR lifter whose worker is a stand-in."""
    code = f"import sys\nsys.path.insert(0, {str(CONTRACT)!r})\nimport contract\n\ndef work(request, tell):\n{BODIES[body]}\n\n"
    (folder / "worker.py").write_text(code + "contract.main(work)\n")
    made = WorkerLifter("triposr", model=str(folder), environment=sys.executable)
    made.worker = Worker("triposr", folder / "worker.py", Path(sys.executable), **limits)
    return made


@pytest.fixture(autouse=True)
def logs_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed worker leaves to be read goes with the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def cutout() -> Image:
    y, x = np.mgrid[:64, :64]
    alpha = (((x - 32) ** 2 + (y - 32) ** 2) < 25**2).astype(np.uint8) * 255
    return Image(np.dstack([x * 4, y * 4, np.full_like(x, 90)]).astype(np.uint8), alpha)


def test_what_comes_back_is_mended_thinned_and_measured(tmp_path: Path, cutout: Image) -> None:
    """A sphere open at both poles, far from the origin, with a mote beside it."""
    found = mw.lift(cutout, lifter=lifter(tmp_path, "works"), faces=600, largest_only=True, height_m=1.75)
    assert found.report["watertight"]
    assert found.report["pieces"] == 1
    assert 100 < found.report["faces"] <= 600
    assert found.report["lifter"] == "triposr-worker"
    assert found.mesh.vertices[:, 1].min() == pytest.approx(0, abs=1e-6)
    assert np.ptp(found.mesh.vertices[:, 1]) == pytest.approx(1.75, abs=1e-4)
    assert found.mesh.texture is not None
    found.save(tmp_path / "out.glb")
    assert (tmp_path / "out.glb").read_bytes()[:4] == b"glTF"


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        ("dies half-way", WorkerError, "triposr"),
        ("empty file", WorkerError, "gave no mesh"),
        ("not a mesh", WorkerError, "cannot be read"),
        ("no faces", WorkerError, "empty mesh"),
        ("pickled", WorkerError, "cannot be read"),
        ("faces off the end", ModelError, "name no vertex"),
        ("not numbers", ModelError, "empty or broken mesh"),
        ("no memory", OutOfMemory, "memory"),
        ("no result", WorkerError, "result"),
    ],
)
def test_what_goes_wrong_is_said(
    tmp_path: Path, cutout: Image, body: str, error: type[MaskwrightError], says: str
) -> None:
    with pytest.raises(error, match=says):
        mw.lift(cutout, lifter=lifter(tmp_path, body)).save(tmp_path / "out.glb")
    assert not (tmp_path / "out.glb").exists()


def test_the_log_that_an_error_names_is_kept_and_nothing_else(tmp_path: Path, cutout: Image) -> None:
    with pytest.raises(WorkerError) as caught:
        mw.lift(cutout, lifter=lifter(tmp_path, "not a mesh"))
    named = re.search(r"See (\S+output\.log)", str(caught.value))
    assert named is not None
    log = Path(named[1])
    assert [p.name for p in log.parent.iterdir()] == ["output.log"]
    log.unlink()
    log.parent.rmdir()


def test_a_silent_worker_is_stopped(tmp_path: Path, cutout: Image) -> None:
    with pytest.raises(WorkerError, match=r"silent|still|said nothing|time"):
        lifter(tmp_path, "silent", idle_s=1.0).lift(cutout)


def test_without_weights_it_says_what_to_do() -> None:
    with pytest.raises(MissingModel, match="weights"):
        mw.load("lifter", "triposr-worker")

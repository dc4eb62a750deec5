"""A batch over a Ray cluster of two local nodes, one of them killed half-way: same results, no item lost, in a run
folder here and in one at a URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'maskwright[ray]')")

from maskwright.media.exports import export  # noqa: E402
from maskwright.runs.batch import Batch  # noqa: E402
from maskwright.runs.pool import Conduct  # noqa: E402
from maskwright.runs.ray_pool import run_on_ray  # noqa: E402
from maskwright.runs.reading import labelled  # noqa: E402
from maskwright.runs.task import TaskSpec  # noqa: E402
from run_tasks import TARGET, jobs_of, make_pictures  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]
COUNT = 24


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    tests = str(Path(__file__).resolve().parents[1])
    monkeypatch.setenv("PYTHONPATH", tests + os.pathsep + os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    store = {"object_store_memory": 120 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False, **store})
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.parametrize("far", [False, True], ids=["here", "at a URL"])
def test_two_nodes_one_killed(tmp_path: Path, cluster: Any, far: bool) -> None:
    second = cluster.add_node(num_cpus=2, object_store_memory=120 * 2**20)
    cluster.wait_for_nodes()
    files = make_pictures(tmp_path / "in", COUNT)
    rows = list(jobs_of(files, {5: "fail", 7: "abstain"}))
    calm = Batch(tmp_path / "calm", TaskSpec("find", {}, {}, target=TARGET), rows, Conduct(0, 2))
    calm.run()
    url = (tmp_path / "far").as_uri() if far else None
    batch = replace(calm, out=tmp_path / "out", conduct=Conduct(3, 1), url=url)
    seen: list[str] = []

    def heard(row: dict[str, Any], _: Any) -> None:
        seen.append(row["id"])
        if len(seen) == COUNT // 3:
            cluster.remove_node(second, allow_graceful=False)

    summary = run_on_ray(batch, address=cluster.address, on_row=heard)
    assert (summary["done"], summary["abstained"], summary["failed"], summary["left"]) == (COUNT - 2, 1, 1, 0)
    assert sorted(seen) == [path.stem for path in files]
    exports = [export(labelled(tmp_path / name), "coco", tmp_path / f"{name}.json") for name in ("calm", "out")]
    assert exports[0].read_bytes() == exports[1].read_bytes()
    if far:
        items = [files_of(tmp_path / name / "items") for name in ("calm", "far")]
        assert items[0] == items[1]
        batch = replace(batch, out=tmp_path / "another machine's")
    assert batch.run()["finished_before"] == COUNT - 1


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

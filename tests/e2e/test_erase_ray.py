"""A data set erased over a Ray cluster of two local nodes, one of them killed half-way: the same files as here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'maskwright[ray]')")

from erase_clips import five_clips  # noqa: E402
from maskwright.assemble import erasing_runs  # noqa: E402
from maskwright.assemble.erasing_runs import run_clips, status  # noqa: E402
from maskwright.config.erase import EraseSettings  # noqa: E402
from maskwright.erasing import on_ray  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]
SETTINGS = EraseSettings(coarse="fake", filler="fake", inpainter="fake", comparison=False)
FILES = ("coarse/coarse.mkv", "refine/final.mkv", "output/erased.mp4", "output/sheet.png")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    tests = str(Path(__file__).resolve().parents[1])
    monkeypatch.setenv("PYTHONPATH", tests + os.pathsep + os.environ.get("PYTHONPATH", ""))
    store = {"object_store_memory": 120 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **store})
    yield made
    ray.shutdown()
    made.shutdown()


def test_two_nodes_one_killed(tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    second = cluster.add_node(num_cpus=1, object_store_memory=120 * 2**20)
    cluster.wait_for_nodes()
    specs = five_clips(tmp_path)
    calm = run_clips(tmp_path / "calm", specs, SETTINGS)
    seen: list[str] = []
    settled = on_ray._settled

    def noticed(*given: Any) -> Any:
        row = settled(*given)
        seen.append(row["clip"])
        if len(seen) == 1:
            cluster.remove_node(second, allow_graceful=False)
        return row

    monkeypatch.setattr(on_ray, "_settled", noticed)
    given = {"ray": {"address": cluster.address, "gpus": 0.0}}
    rows = run_clips(tmp_path / "out", specs, SETTINGS, **given)
    assert [row["status"] for row in rows] == [row["status"] for row in calm]
    assert [row["status"] for row in rows] == ["done", "done", "failed", "done", "done"]
    assert "3 masks for 4 frames" in rows[2]["error"]
    assert sorted(seen) == [f"c{n}" for n in range(5)]
    for name in ("c0", "c1", "c3", "c4"):
        for file in FILES:
            places = [tmp_path / run / "items" / name / file for run in ("calm", "out")]
            assert places[0].read_bytes() == places[1].read_bytes(), (name, file)
    assert set(status(tmp_path / "out")[0]["steps"].values()) == {"done"}
    again = run_clips(tmp_path / "out", specs, SETTINGS, **given)
    assert [set(row["steps"].values()) for row in again if row["status"] == "done"] == [{"kept"}] * 4
    forced = run_clips(tmp_path / "out", specs[:1], SETTINGS, force=["3"], **given)
    assert {k for k, v in forced[0]["steps"].items() if v == "done"} == {"anchor", "refine"}
    assert set(erasing_runs.FORCED_IN["3"]) <= set(on_ray.STAGES)

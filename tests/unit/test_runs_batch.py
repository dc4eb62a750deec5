"""Batches: every item ends as a result, what is finished stays, what changed is done again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maskwright.errors import InputError, ModelError, RunLocked, RunMismatch
from maskwright.media.images import open_mask
from maskwright.runs import reading
from maskwright.runs.batch import Batch, open_batch
from maskwright.runs.folder import RunFolder
from maskwright.runs.jobs import BadRow
from maskwright.runs.ledger import Ledger
from maskwright.runs.pool import Conduct
from maskwright.runs.task import TaskSpec
from run_tasks import TARGET, jobs_of, make_pictures

HERE = Conduct(0, 2)


@pytest.fixture(autouse=True)
def path_for_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))


def make(tmp_path: Path, count: int = 5, phrases: dict[int, str] | None = None, **settings: Any) -> Batch:
    files = make_pictures(tmp_path / "in", count)
    spec = TaskSpec("find", settings, {"overlays": False}, target=TARGET)
    return Batch(tmp_path / "out", spec, list(jobs_of(files, phrases)), HERE)


def attempts(out: Path) -> dict[str, int]:
    ledger = Ledger(out / "ledger.sqlite")
    found = {entry.item: entry.attempt for entry in ledger}
    ledger.close()
    return found


@pytest.mark.parametrize("conduct", [HERE, Conduct(1, 1), Conduct(2, 2)], ids=["threads", "one process", "two"])
def test_all_items_are_done_wherever_they_are_worked(tmp_path: Path, conduct: Conduct) -> None:
    batch = replace(make(tmp_path), conduct=conduct)
    seen: list[str] = []
    summary = batch.run(lambda row, tally: seen.append(row["id"]))
    assert (summary["done"], summary["exit_code"], summary["left"]) == (5, 0, 0)
    assert sorted(seen) == [f"p{i:04d}" for i in range(5)]
    assert summary["cost"]["calls"] == {"bright": 5}
    result = json.loads((tmp_path / "out/items/p0003/result.json").read_text())
    names = {"id", "status", "mask", "score", "cost", "engines", "degraded", "error"}
    assert names <= result.keys() and (result["status"], result["error"]) == ("done", None)
    assert open_mask(tmp_path / "out/items/p0003/mask.png").size == (24, 24)
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.suffix) == [
        "events.jsonl", "jobs.jsonl", "ledger.sqlite", "run.json", "summary.json",
    ]  # fmt: skip


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    batch = make(tmp_path)
    batch.run()
    again = batch.run()
    assert (again["done"], again["finished_before"]) == (5, 5)
    assert set(attempts(batch.out).values()) == {1}


def test_a_run_with_nothing_left_loads_nothing(tmp_path: Path) -> None:
    batch = make(tmp_path)
    batch.run()
    broken = replace(batch, spec=replace(batch.spec, target="no.such:thing"))
    assert broken.run()["finished_before"] == 5


CHANGES = {"the picture": "in/p0001.png", "the mask": "out/items/p0001/mask.png"}


@pytest.mark.parametrize("name", CHANGES.values(), ids=CHANGES)
def test_only_what_changed_is_done_again(tmp_path: Path, name: str) -> None:
    batch = make(tmp_path)
    batch.run()
    other = (tmp_path / name.replace("p0001", "p0002")).read_bytes()
    (tmp_path / name).write_bytes(other)
    assert batch.run()["finished_before"] == 4
    assert attempts(batch.out) == {f"p{i:04d}": 1 + (i == 1) for i in range(5)}


def test_other_settings_redo_all_and_other_rows_redo_theirs(tmp_path: Path) -> None:
    batch = make(tmp_path)
    batch.run()
    rows = [replace(row, target="x") if row.id == "p0004" else row for row in batch.rows]
    assert replace(batch, rows=rows).run()["finished_before"] == 4
    assert replace(batch, spec=replace(batch.spec, settings={"threshold": 9})).run()["finished_before"] == 0


FAULTS = {
    "crash": ("failed", "unexpected ZeroDivisionError"),
    "fail": ("failed", "phrase is no good"),
    "abstain": ("abstained", None),
    "touch": ("failed", "changed while it was worked on"),
}


@pytest.mark.parametrize(("what", "status", "words"), [(k, *v) for k, v in FAULTS.items()], ids=FAULTS)
def test_one_bad_item_does_not_stop_the_others(tmp_path: Path, what: str, status: str, words: str | None) -> None:
    batch = make(tmp_path, 4, {2: what})
    summary = batch.run()
    assert (summary["done"], summary[status], summary["exit_code"]) == (3, 1, 8 if status == "failed" else 0)
    row = json.loads((batch.out / "items/p0002/result.json").read_text())
    assert row["status"] == status and (words is None or words in row["error"])


def test_failed_items_are_tried_again(tmp_path: Path) -> None:
    batch = make(tmp_path, 3, {1: "fail"})
    batch.run()
    batch.run()
    assert attempts(batch.out) == {"p0000": 1, "p0001": 2, "p0002": 1}


def test_missing_and_damaged_pictures_are_named(tmp_path: Path) -> None:
    batch = make(tmp_path, 4)
    (tmp_path / "in/p0000.png").unlink()
    (tmp_path / "in/p0003.png").write_bytes(b"nonsense")
    summary = batch.run()
    errors = {f["id"]: f["error"] for f in summary["failures"]}
    assert summary["done"] == 2 and "p0000.png" in errors["p0000"] and "p0003.png" in errors["p0003"]


def test_rows_that_are_no_jobs_are_failures_by_name(tmp_path: Path) -> None:
    batch = make(tmp_path, 2)
    summary = replace(batch, rows=[*batch.rows, BadRow("line-4711", "line 4711: it is not JSON.")]).run()
    assert (summary["done"], summary["failed"]) == (2, 1)
    assert "4711" in json.loads((batch.out / "items/line-4711/result.json").read_text())["error"]


@pytest.mark.parametrize(("what", "done"), [("die once", 4), ("die", 3)])
def test_a_process_that_dies_takes_no_item_with_it(tmp_path: Path, what: str, done: int) -> None:
    summary = replace(make(tmp_path, 4, {1: what}), conduct=Conduct(1, 1)).run()
    assert (summary["done"], summary["failed"]) == (done, 4 - done)
    assert done == 4 or "killed by signal 9" in summary["failures"][0]["error"]


@pytest.mark.parametrize("conduct", [HERE, Conduct(1, 1)], ids=["threads", "process"])
def test_a_task_that_cannot_begin_ends_the_run_at_once(tmp_path: Path, conduct: Conduct) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        replace(make(tmp_path, broken=True), conduct=conduct).run()


def test_a_spent_budget_stops_the_run_and_leaves_the_rest(tmp_path: Path) -> None:
    batch = replace(make(tmp_path, 6, {2: "spend"}), conduct=Conduct(0, 1))
    summary = batch.run()
    assert (summary["done"], summary["left"], summary["exit_code"]) == (2, 4, 6)
    assert not (batch.out / "items/p0002/result.json").exists()


def test_no_time_at_all(tmp_path: Path) -> None:
    summary = replace(make(tmp_path), conduct=Conduct(0, 1, 2, -1.0)).run()
    assert (summary["done"], summary["left"], summary["stopped_by"]) == (0, 5, "BudgetSpent")


def test_strict_makes_a_fallback_a_failure(tmp_path: Path) -> None:
    batch = make(tmp_path, 3, {1: "degrade"})
    assert batch.run()["degraded"] == {"darker model": 1}
    strict = replace(batch, out=tmp_path / "strict", spec=replace(batch.spec, conduct={"strict": True}))
    assert strict.run()["failures"][0]["error"].startswith("a fallback was taken: darker model")


def test_a_folder_in_use_is_refused_and_another_kind_too(tmp_path: Path) -> None:
    batch = make(tmp_path)
    with RunFolder(batch.out, "batch-find", {}), pytest.raises(RunLocked, match="in use"):
        batch.run()
    with pytest.raises(RunMismatch):
        replace(batch, spec=replace(batch.spec, kind="cut")).run()


# -- reading runs


def test_a_run_is_resumed_from_its_folder_alone(tmp_path: Path) -> None:
    batch = make(tmp_path, 4, {1: "spend"})
    batch.run()
    (tmp_path / "out/items").rename(tmp_path / "moved")
    again = open_batch(batch.out)
    assert (again.spec, again.rows, again.conduct) == (batch.spec, batch.rows, batch.conduct)


def test_runs_are_listed_shown_and_exported(tmp_path: Path) -> None:
    batch = make(tmp_path, 4, {1: "abstain", 2: "fail"})
    batch.run()
    [row] = reading.list_runs(tmp_path)
    assert (row["kind"], row["items"], row["done"], row["abstained"], row["failed"]) == ("batch-find", 4, 2, 1, 1)
    shown = reading.show_run(batch.out)
    assert [f["id"] for f in shown["failures"]] == ["p0002"] and shown["summary"]["done"] == 2
    assert [item.id for item in reading.labelled(batch.out)] == ["p0000", "p0003"]
    (batch.out / "items/p0000/result.json").write_text("{")
    assert [item.id for item in reading.labelled(batch.out)] == ["p0003"]


def test_what_differs_between_two_runs(tmp_path: Path) -> None:
    one = make(tmp_path, 4)
    one.run()
    spec = replace(one.spec, settings={"threshold": 200})
    two = replace(one, out=tmp_path / "two", spec=spec, rows=one.rows[1:])
    two.run()
    found = reading.compare(one.out, two.out)
    assert found["settings"] == {"threshold": [None, 200]} and found["only_first"] == ["p0000"]
    assert [c["id"] for c in found["changed"]] == ["p0001", "p0002", "p0003"] and 0 < found["changed"][0]["iou"] < 1
    assert reading.compare(one.out, one.out)["changed"] == []


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run folder"):
        open_batch(tmp_path)
    assert reading.list_runs(tmp_path) == []

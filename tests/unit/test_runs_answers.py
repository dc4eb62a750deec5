"""Answers of vision-language models in runs: recorded, replayed without an engine, shared, limited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from maskwright.cli.main import main
from maskwright.errors import BudgetSpent
from maskwright.media.images import save_image
from maskwright.models.vlms.fake import FakeVlm
from maskwright.plumbing.cache import DiskCache
from maskwright.runs import reading
from maskwright.runs.budgets import RunCache, item_budget, run_budget
from maskwright.values import Cost, Image

OPTIONS = ["--do", "sculpt", "--set", "models.segmenter.name=fake", "--set", "sculpt.rounds=1", "--vlm", "fake"]


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    rows = []
    for index in range(2):
        pixels = rng.integers(0, 80, (80, 96, 3), dtype=np.uint8)
        pixels[20:60, 20 + index : 70] += 120
        image = save_image(tmp_path / f"p{index}.png", Image(pixels))
        rows.append({"id": f"p{index}", "image": str(image), "box": [15, 15, 75, 65], "target": "a box"})
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def call(jobs: Path, out: Path, *more: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["batch", str(jobs), "-o", str(out), *OPTIONS, *more, "--json"])
    assert result.exit_code == code, (result.output, result.exception)
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_a_run_is_had_again_from_its_record(jobs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = call(jobs, tmp_path / "first")
    assert first["done"] == 2 and first["cost"]["calls"]["vlm"] > 0
    assert "judge: fake+rules" in " ".join(first["engines"]) or any("fake" in name for name in first["engines"])
    monkeypatch.setattr(FakeVlm, "reply", lambda *_: pytest.fail("the engine was asked"))
    again = call(jobs, tmp_path / "again", "--replay", str(tmp_path / "first"))
    assert again["engines"] == first["engines"] and again["degraded"] == first["degraded"]
    assert reading.compare(tmp_path / "first", tmp_path / "again")["changed"] == []


def test_runs_share_answers(jobs: Path, tmp_path: Path) -> None:
    shared = ["--cache", str(tmp_path / "answers.sqlite")]
    first = call(jobs, tmp_path / "first", *shared)
    second = call(jobs, tmp_path / "second", *shared)
    assert second["cost"]["calls"].get("vlm", 0) < first["cost"]["calls"]["vlm"]
    assert reading.compare(tmp_path / "first", tmp_path / "second")["changed"] == []


def test_a_budget_of_one_question_stops_the_run(jobs: Path, tmp_path: Path) -> None:
    out = call(jobs, tmp_path / "out", "--max-calls", "1", "--in-flight", "1", code=6)
    assert out["stopped_by"] == "BudgetSpent" and out["cost"]["calls"].get("vlm", 0) <= 1 and out["left"] >= 1


def test_items_spend_within_the_run() -> None:
    run = run_budget({"max_calls": 3})
    one, two = (item_budget(run, {"item_calls": 2}) for _ in range(2))
    one.spend(Cost(calls={"vlm": 2}))
    with pytest.raises(BudgetSpent) as own:
        one.check()
    assert not getattr(own.value, "of_the_run", False)
    two.check()
    two.spend(Cost(calls={"vlm": 1}))
    with pytest.raises(BudgetSpent) as whole:
        two.check()
    assert getattr(whole.value, "of_the_run", False)


def test_a_run_keeps_what_the_shared_cache_knew(tmp_path: Path) -> None:
    shared = DiskCache(tmp_path / "shared.sqlite")
    shared.put("k", b"v")
    first = RunCache(tmp_path / "run.sqlite", shared)
    assert (first.get("k"), first.get("other")) == (b"v", None)
    first.put("new", b"w")
    assert shared.get("new") == b"w"
    first.close()
    alone = RunCache(tmp_path / "run.sqlite", None)
    assert (alone.get("k"), alone.get("new")) == (b"v", b"w")
    alone.close()

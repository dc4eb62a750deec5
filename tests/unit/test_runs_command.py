"""`maskwright batch` and `maskwright runs` on the command line, with the deterministic fake segmenter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from maskwright.cli.main import main
from maskwright.media.images import open_mask, save_mask
from maskwright.values import Mask
from run_tasks import make_pictures

FAKE = ["--set", "models.segmenter.name=fake", "--workers", "0"]


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    rows = [{"id": p.stem, "image": str(p), "box": [2, 2, 20, 20]} for p in make_pictures(tmp_path / "in", 3)]
    path = tmp_path / "jobs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def call(*args: Any, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout) if "--json" in args and result.stdout else result.stdout


def test_batch_show_export_diff(jobs: Path, tmp_path: Path) -> None:
    summary = call("batch", jobs, "-o", tmp_path / "out", *FAKE, "--json")
    assert (summary["done"], summary["engines"]) == (3, {"segmenter: fake": 3})
    assert "3 done" in call("batch", jobs, "-o", tmp_path / "out", *FAKE)
    assert call("runs", "resume", tmp_path / "out", "--json")["finished_before"] == 3
    assert call("runs", "list", tmp_path, "--json")[0]["done"] == 3
    assert "batch-segment" in call("runs", "list", tmp_path)
    assert call("runs", "show", tmp_path / "out", "--json")["counts"] == {"done": 3}
    assert "3 done" in call("runs", "show", tmp_path / "out")
    call("runs", "export", tmp_path / "out", "--as", "png", "-o", tmp_path / "png")
    assert open_mask(tmp_path / "png/p0001.png") == open_mask(tmp_path / "out/items/p0001/mask.png")
    assert "same      3" in call("runs", "diff", tmp_path / "out", tmp_path / "out")
    assert call("runs", "diff", tmp_path / "out", tmp_path / "out", "--json")["same"] == 3


def test_a_dry_run_writes_nothing(jobs: Path, tmp_path: Path) -> None:
    with jobs.open("a") as stream:
        stream.write("{\n")
    plan = call("batch", jobs, "-o", tmp_path / "out", *FAKE, "--dry-run", "--json")
    assert (plan["do"], plan["items"], plan["unusable"], plan["most_calls"]) == ("segment", 4, 1, 0)
    assert "p0001" in call("batch", jobs, "-o", tmp_path / "out", *FAKE, "--dry-run")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts_questions(tmp_path: Path) -> None:
    make_pictures(tmp_path / "in", 2)
    plan = call("batch", tmp_path / "in", "--phrase", "cat", "--vlm", "fake", "--dry-run", "--json")
    assert plan["do"] == "find" and plan["most_calls"] >= 2 and plan["most_tokens"] > 0


def test_failures_are_told_by_the_exit_code(jobs: Path, tmp_path: Path) -> None:
    (tmp_path / "in/p0001.png").unlink()
    out = call("batch", jobs, "-o", tmp_path / "out", *FAKE, "--json", code=8)
    assert (out["done"], out["failed"]) == (2, 1)
    assert "p0001" in call("runs", "show", tmp_path / "out")


def test_sculpt_from_masks_and_a_mask_of_another_size(tmp_path: Path) -> None:
    import numpy as np

    files = make_pictures(tmp_path / "in", 2, 48)
    square = np.zeros((48, 48), bool)
    square[10:30, 10:30] = True
    save_mask(tmp_path / "good.png", Mask(square))
    save_mask(tmp_path / "small.png", Mask(square[:20, :20]))
    rows = [{"id": m, "image": str(files[0]), "mask": f"{m}.png", "target": "x"} for m in ("good", "small")]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = call(
        "batch", tmp_path / "jobs.jsonl", "-o", tmp_path / "out", "--set", "sculpt.rounds=1", *FAKE, "--json", code=8
    )
    assert out["failures"][0]["id"] == "small" and "20x20" in out["failures"][0]["error"]
    assert json.loads((tmp_path / "out/items/good/trace.json").read_text())["task"] == "sculpt"


def test_what_to_do_must_be_clear(tmp_path: Path) -> None:
    make_pictures(tmp_path / "in", 1)
    result = CliRunner().invoke(main, ["batch", str(tmp_path / "in")])
    assert result.exit_code != 0 and "--do" in str(result.exception)


@pytest.mark.parametrize(
    "option",
    ["--workers=-3", "--in-flight=-1", "--max-calls=-1", "--max-calls=0", "--max-seconds=0", "--max-usd=nan",
     "--item-calls=0", "--per-minute=0", "--wait=-1"],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, option: str) -> None:
    make_pictures(tmp_path / "in", 1)
    result = CliRunner().invoke(main, ["batch", str(tmp_path / "in"), "--phrase", "cat", "--dry-run", option])
    name = option.partition("=")[0]
    said = f"{result.output} {result.exception}"
    assert result.exit_code != 0 and (name in said or f"runs.{name[2:].replace('-', '_')}" in said)

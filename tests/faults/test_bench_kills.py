"""A bench run that is killed goes on where it was, and reports the same bytes."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from maskwright.bench.experiment import make_experiment, write_toml

FAKES = {"segmenter": "fake", "ranker": "fake", "proposers": ["fake"]}
VARIANTS = [
    {"name": "one-shot", "mode": "one-shot", **FAKES},
    {"name": "oracle", "mode": "loop+vlm", "max_iter": 2, "oracle_error": 0.2, **FAKES},
]
REPORTS = ("report.html", "report.md", "report.json")


def start(toml: Path, folder: Path) -> subprocess.Popen[bytes]:
    arguments = ["bench", "run", str(toml), "-o", str(folder), "--no-timings"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-m", "maskwright.cli.main", *arguments], **silent)


def results(folder: Path) -> int:
    return len(list(folder.glob("items/*/result.json")))


def kill_after(process: subprocess.Popen[bytes], folder: Path, count: int, wait_s: float) -> bool:
    """Kills the process a moment after `count` results are there; False when it had finished by itself."""
    while process.poll() is None:
        if results(folder) >= count:
            time.sleep(wait_s)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.002)
    return False


def killed_run(toml: Path, folder: Path, kills: int, total: int, seed: int) -> int:
    """Runs to the end with `kills` kills at random moments; gives how many struck."""
    rng = random.Random(seed)
    struck = 0
    for at in sorted(rng.sample(range(total), kills)):
        struck += kill_after(start(toml, folder), folder, at, rng.random() * 0.05)
    assert start(toml, folder).wait() == 0
    return struck


def attempts(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        return dict(db.execute("SELECT item, attempt FROM steps").fetchall())


def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    experiment = make_experiment(
        {"data": {"name": "sample", "split": "2"}, "variants": VARIANTS, "resamples": 100, "keep_traces": False}
    )
    toml = tmp_path / "e.toml"
    toml.write_text(write_toml(experiment), encoding="utf-8")
    assert start(toml, tmp_path / "calm").wait() == 0
    total = results(tmp_path / "calm")
    struck = killed_run(toml, tmp_path / "killed", 3, total, seed=5)
    assert struck >= 1
    for name in REPORTS:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes(), name
    tried = attempts(tmp_path / "killed")
    assert len(tried) == total
    assert sum(tried.values()) - total <= struck, "at most the step under way is done again"

"""Kills and cancels in the middle of an erase (the full counts: benchmarks/faults_erase.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from faults_erase import cancels, kills

pytestmark = pytest.mark.slow


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    found = kills(tmp_path, count=3, seed=5, frames=4, chain=3)
    print(found)
    assert (found["different"], found["other_bytes"], found["leftovers"]) == (0, 0, 0)
    assert found["most_steps_redone"] <= 1
    assert found["kills"] == 3


def test_a_stopped_run_leaves_no_process(tmp_path: Path) -> None:
    found = cancels(tmp_path, count=2, seed=5)
    print(found)
    assert (found["cancels"], found["orphans"]) == (2, 0)

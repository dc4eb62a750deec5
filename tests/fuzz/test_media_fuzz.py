"""The quick form of benchmarks/fuzz.py: mutated pictures and clips never bring an untyped error, a hang, or fewer
frames than announced."""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"
    spec = importlib.util.spec_from_file_location("fuzz", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mutated_pictures(fuzz: ModuleType) -> None:
    seeds = [(name, data) for name, data in fuzz.image_seeds() if "large" not in name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of damaged notes
        found = {case: fuzz.try_image(fuzz.mutated(seeds, case)[2])["outcome"] for case in range(400)}
    assert {case: outcome for case, outcome in found.items() if outcome not in ("opened", "refused")} == {}
    assert min(Counter(found.values()).values()) > 40  # both ends are really tried


def test_mutated_clips(fuzz: ModuleType) -> None:
    seeds = fuzz.clip_seeds()
    rows = []
    for case in range(11):
        name, how, data = fuzz.mutated(seeds, case)
        rows.append({"how": how, **fuzz.try_clip(data, Path(name).suffix)})
    assert [r for r in rows if r["outcome"] not in ("whole", "fewer", "refused", "stopped")] == []
    assert [r for r in rows if r["how"] == "truncate" and r["outcome"] == "fewer"] == []


def test_cases_are_the_same_each_time(fuzz: ModuleType) -> None:
    seeds = [("a", bytes(range(256))), ("b", bytes(500))]
    assert [fuzz.mutated(seeds, case) for case in range(50)] == [fuzz.mutated(seeds, case) for case in range(50)]


def test_all_orientations(fuzz: ModuleType) -> None:
    assert fuzz.orientations() == 8

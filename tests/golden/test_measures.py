"""Measures equal their references.

measures.json was made with davis2017-evaluation (f_measure) and PySODMetrics 1.6.2 over the
pairs of shapes.py; entries those leave NaN are absent. Where PySODMetrics is installed it is asked again.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from maskwright.bench.metrics import (
    Overlap,
    boundary_f,
    clicks_needed,
    e_measure,
    mean_absolute_error,
    s_measure,
    summarise,
    weighted_f,
)
from maskwright.errors import BadMask, InputError
from maskwright.values import Mask

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from shapes import PAIRS, pair  # noqa: E402

GOLDEN = json.loads((HERE / "measures.json").read_text(encoding="utf-8"))


def _ours(name: str) -> dict[str, float]:
    answer, truth = pair(name)
    alignment = e_measure(answer, truth)
    return {
        "boundary": boundary_f(answer if answer.dtype == bool else answer > 127, truth),
        "s": s_measure(answer, truth),
        "e_mean": alignment.mean,
        "e_best": alignment.best,
        "e_adaptive": alignment.adaptive,
        "wf": weighted_f(answer, truth),
        "mae": mean_absolute_error(answer, truth),
    }


@pytest.mark.parametrize("name", PAIRS)
def test_measures_equal_their_recorded_references(name: str) -> None:
    ours = _ours(name)
    assert all(np.isfinite(v) for v in ours.values())
    for measure, value in GOLDEN[name].items():
        assert ours[measure] == pytest.approx(value, abs=1e-9), measure


@pytest.mark.parametrize("name", PAIRS)
def test_measures_equal_pysodmetrics(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sod = pytest.importorskip("py_sod_metrics")
        answer, truth = pair(name)
        shown = answer.astype(np.uint8) * 255 if answer.dtype == bool else answer
        steps = {"s": sod.Smeasure(), "wf": sod.WeightedFmeasure(), "mae": sod.MAE()}
        for step in steps.values():
            step.step(shown, truth.astype(np.uint8) * 255)
        found = {"s": steps["s"].get_results()["sm"], "wf": steps["wf"].get_results()["wfm"]}
        found["mae"] = steps["mae"].get_results()["mae"]
    ours = _ours(name)
    for measure, value in found.items():
        if np.isfinite(value):
            assert ours[measure] == pytest.approx(float(value), abs=1e-9), measure


@pytest.mark.parametrize("name", PAIRS)
def test_iou_equals_pycocotools(name: str) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    answer, truth = pair(name)
    if answer.dtype != bool or (not answer.any() and not truth.any()):
        pytest.skip("masks with something in them only")
    a, t = (coco.encode(np.asfortranarray(m.astype(np.uint8))) for m in (answer, truth))
    ours = Overlap.of(Mask(answer), Mask(truth), Mask(truth).size)
    assert ours.iou == pytest.approx(float(coco.iou([a], [t], [0])[0, 0]), abs=1e-12)


def test_summary_by_hand() -> None:
    overlaps = [
        Overlap(inter=6, union=8, truth=7, answer=7),  # 0.75
        Overlap(inter=0, union=4, truth=4, answer=0),  # given up
        Overlap(inter=0, union=0, truth=0, answer=0),  # rightly silent
        Overlap(inter=0, union=5, truth=0, answer=5),  # found what is not there
    ]
    found = summarise(overlaps)
    assert found == {
        "mIoU": 0.375,
        "cIoU": 6 / 17,
        "gIoU": 0.4375,
        "P@0.5": 0.5,
        "P@0.7": 0.5,
        "P@0.9": 0.0,
        "N-acc": 0.5,
        "false abstention": 0.5,
    }
    assert set(summarise([]).values()) == {None}


def test_number_of_clicks() -> None:
    ious = np.array([[0.2, 0.86, 0.91], [0.9, 0.4, 0.9], [0.1, 0.2, 0.3]])
    assert clicks_needed(ious, 0.85).tolist() == [2, 1, 3]
    assert clicks_needed(ious, 0.9).tolist() == [3, 1, 3]
    with pytest.raises(InputError):
        clicks_needed(np.zeros((3, 0)), 0.9)


def test_masks_of_two_sizes_are_refused() -> None:
    a, b = np.zeros((3, 4), bool), np.zeros((4, 3), bool)
    for measure in (boundary_f, s_measure, mean_absolute_error):
        with pytest.raises(BadMask):
            measure(a, b)
    with pytest.raises(BadMask):
        Overlap.of(Mask(a), None, (3, 4))

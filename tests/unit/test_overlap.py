"""Shared pixels and run lengths equal the plain way of counting them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.values import MaskStack, overlap, rle
from maskwright.values.mask import intersections

SIZES = [(1, 1), (3, 5), (8, 8), (17, 64), (48, 64), (63, 65), (70, 130)]


def _masks(kind: str, n: int, height: int, width: int, seed: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    if kind == "noise":
        return rng.random((n, height, width)) < 0.5
    if kind == "boxes":
        edges = np.sort(rng.integers(0, 2 * max(height, width), (n, 2, 2)), axis=1) - 2
        return np.stack([(x >= a) & (y >= b) & (x < c) & (y < d) for (a, b), (c, d) in edges])
    level = {"empty": 0, "full": 1}[kind]
    return np.full((n, height, width), bool(level))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("left", ["noise", "boxes", "empty", "full"])
@pytest.mark.parametrize("right", ["noise", "boxes", "full"])
def test_intersections_are_exact(size: tuple[int, int], left: str, right: str) -> None:
    a, b = _masks(left, 7, *size, seed=1), _masks(right, 5, *size, seed=2)
    plain = np.einsum("nhw,mhw->nm", a.astype(np.int64), b.astype(np.int64))
    np.testing.assert_array_equal(intersections(MaskStack.of(a), MaskStack.of(b)), plain)


def test_intersections_are_exact_over_many_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = _masks("boxes", 6, 70, 130, seed=3), _masks("noise", 6, 70, 130, seed=4)
    plain = intersections(MaskStack.of(a), MaskStack.of(b))
    monkeypatch.setattr(overlap, "_CHUNK", 5)
    np.testing.assert_array_equal(intersections(MaskStack.of(a), MaskStack.of(b)), plain)
    monkeypatch.setattr(overlap, "_MOST_PAIRS", 0)
    np.testing.assert_array_equal(intersections(MaskStack.of(a), MaskStack.of(b)), plain)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["noise", "boxes", "empty", "full"])
def test_run_lengths_equal_pycocotools(kind: str, size: tuple[int, int]) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    for mask in _masks(kind, 5, *size, seed=5):
        reference = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert rle.encode(mask)["counts"] == reference["counts"].decode()
        np.testing.assert_array_equal(rle.decode(rle.encode(mask)), mask)

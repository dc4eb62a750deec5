"""How sure a difference is: bootstrap over pictures, and tests on paired samples. Seeded; the same in, the same out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from maskwright.errors import InputError

Floats = NDArray[np.float64]

RESAMPLES = 2000
_BLOCK = 2_000_000
"""Draws made at a time; part of the seeded sequence, so do not change it lightly."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval (or another), and how much it rests on."""

    value: float
    low: float
    high: float
    n: int
    clusters: int

    def to_json(self) -> dict[str, float | int]:
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n, "clusters": self.clusters}


def bootstrap_mean(
    values: Floats,
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The mean of (N,) values; whole clusters (pictures) are drawn with replacement, since samples of one picture are
    not independent. Raises InputError for no or non-finite values."""
    ones = np.ones(len(values))
    return bootstrap_ratio(values, ones, clusters, resamples=resamples, seed=seed, level=level)


def bootstrap_difference(
    a: Floats,
    b: Floats,
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The mean of b - a over the same samples, resampled in pairs."""
    if len(a) != len(b):
        raise InputError(f"{len(a)} and {len(b)} results are not pairs.", "Compare runs over the same samples.")
    return bootstrap_mean(np.asarray(b) - np.asarray(a), clusters, resamples=resamples, seed=seed, level=level)


def bootstrap_ratio(
    tops: Floats,
    bottoms: Floats,
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Sum of tops over sum of bottoms (cIoU: intersections over unions), by clusters."""
    tops, bottoms = np.asarray(tops, dtype=np.float64), np.asarray(bottoms, dtype=np.float64)
    if not len(tops) or not np.isfinite(tops).all() or not np.isfinite(bottoms).all():
        raise InputError(f"there are no usable values to resample ({len(tops)}).", "Run more samples first.")
    groups = _numbers(clusters, len(tops))
    count = int(groups.max()) + 1
    sums = np.stack([np.bincount(groups, tops, minlength=count), np.bincount(groups, bottoms, minlength=count)], axis=1)
    drawn = np.concatenate([weights @ sums for weights in _weights(count, resamples, seed)])
    ratios = drawn[:, 0] / np.where(drawn[:, 1] == 0, np.nan, drawn[:, 1])
    tail = (1 - level) / 2
    low, high = np.nanquantile(ratios, [tail, 1 - tail])
    total = float(bottoms.sum())
    return Interval(float(tops.sum()) / total if total else float("nan"), float(low), float(high), len(tops), count)


def _numbers(clusters: Sequence[str] | None, n: int) -> NDArray[np.int64]:
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise InputError(f"{len(clusters)} cluster names for {n} values.", "Give one name a value.")
    return np.unique(np.asarray(clusters), return_inverse=True)[1].astype(np.int64)


def _weights(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each cluster was drawn: (block, count) arrays, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // count)
    for start in range(0, resamples, rows):
        block = min(rows, resamples - start)
        drawn = rng.integers(0, count, size=(block, count), dtype=np.int32)
        drawn += (np.arange(block, dtype=np.int32) * count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=block * count).reshape(block, count).astype(np.float64)


@dataclass(frozen=True)
class PairedTests:
    """better, worse, same: how many of b are above, below, equal to a; p of the sign and the Wilcoxon test."""

    better: int
    worse: int
    same: int
    sign_p: float
    wilcoxon_p: float

    def to_json(self) -> dict[str, float | int]:
        return {
            "better": self.better,
            "worse": self.worse,
            "same": self.same,
            "sign_p": self.sign_p,
            "wilcoxon_p": self.wilcoxon_p,
        }


def paired_tests(a: Floats, b: Floats) -> PairedTests:
    """Two-sided tests that b is as good as a, over the same samples; p is 1 where nothing differs."""
    away = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    better, worse = int((away > 0).sum()), int((away < 0).sum())
    if better + worse == 0:
        return PairedTests(0, 0, len(away), 1.0, 1.0)
    sign = float(stats.binomtest(better, better + worse).pvalue)
    wilcoxon = float(stats.wilcoxon(away[away != 0], method="approx" if better + worse > 25 else "auto").pvalue)
    return PairedTests(better, worse, len(away) - better - worse, sign, wilcoxon)

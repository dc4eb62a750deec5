"""Bootstrap intervals and paired tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from maskwright.bench.uncertainty import bootstrap_difference, bootstrap_mean, bootstrap_ratio, paired_tests
from maskwright.errors import InputError


def test_mean_interval_equals_the_plain_loop_and_theory() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.2, 400)
    found = bootstrap_mean(values, resamples=4000, seed=1)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.002)
    assert found.high == pytest.approx(values.mean() + half, abs=0.002)


def test_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(0.5, 0.2, 50), 8)
    names = [str(i // 8) for i in range(400)]
    alone, grouped = bootstrap_mean(values, seed=3), bootstrap_mean(values, names, seed=3)
    assert (grouped.n, grouped.clusters) == (400, 50)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    values = np.random.default_rng(4).random(100)
    assert bootstrap_mean(values, seed=5) == bootstrap_mean(values, seed=5)
    assert bootstrap_mean(values, seed=5) != bootstrap_mean(values, seed=6)


def test_ratio_is_the_overall_iou() -> None:
    found = bootstrap_ratio(np.array([6.0, 0.0, 10.0]), np.array([8.0, 4.0, 12.0]))
    assert found.value == pytest.approx(16 / 24)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_paired_difference_sees_what_unpaired_intervals_hide() -> None:
    rng = np.random.default_rng(7)
    a = rng.random(200)
    b = a + 0.02 + rng.normal(0, 0.01, 200)
    assert bootstrap_difference(a, b).low > 0.015
    assert bootstrap_mean(b).low < bootstrap_mean(a).high


def test_tests_equal_scipy_and_survive_ties() -> None:
    rng = np.random.default_rng(8)
    a = np.round(rng.random(60), 2)
    b = np.round(a + rng.normal(0.02, 0.05, 60), 2)
    found, away = paired_tests(a, b), b - a
    assert (found.better, found.worse, found.same) == ((away > 0).sum(), (away < 0).sum(), (away == 0).sum())
    assert found.sign_p == pytest.approx(stats.binomtest(found.better, found.better + found.worse).pvalue)
    assert 0 < found.wilcoxon_p < 0.05
    assert paired_tests(a, a).wilcoxon_p == 1.0


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf, 1.0]])
def test_no_values_is_an_error_not_a_number(values: list[float]) -> None:
    with pytest.raises(InputError):
        bootstrap_mean(np.array(values))

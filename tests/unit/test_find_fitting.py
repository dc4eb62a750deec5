"""Which candidate a phrase means: what counts as a thing, and what the likely ones agree on."""

from __future__ import annotations

import numpy as np

from maskwright.finding.fitting import agreed, worth
from maskwright.values import Ranking

QUALITY = np.array([0.9, 0.9, 0.45], np.float32)
AREAS = np.array([0.01, 0.16, 0.16], np.float32)


def ranking(wholes: list[float] | None) -> Ranking:
    flat = np.zeros((1, 3), np.float32)
    told = None if wholes is None else np.array(wholes, np.float32)
    return Ranking(flat, flat + 0.5, np.ones(1, np.bool_), told)


def test_where_the_ranker_does_not_tell_larger_and_steadier_regions_are_things() -> None:
    found = worth(ranking(None), QUALITY, AREAS)
    assert found[1] > found[0] and found[1] > found[2]


def test_what_the_ranker_tells_replaces_the_area() -> None:
    found = worth(ranking([0.8, 0.4, 0.8]), QUALITY, AREAS)
    assert found.argmax() == 0 and found[1] > found[2]


def test_nothing_is_worth_nothing() -> None:
    assert (worth(ranking([0.0, 0.0, 0.0]), np.zeros(3, np.float32), AREAS) > 0).all()


def test_a_region_that_likely_ones_agree_with_wins_over_a_lone_one() -> None:
    chances = np.array([0.6, 0.55, 0.55], np.float32)
    overlaps = np.array([[1, 0, 0], [0, 1, 0.8], [0, 0.8, 1]], np.float64)
    found = agreed(chances, overlaps)
    assert found[0] < found[1] and found.max() == np.float32(0.6)


def test_no_chance_stays_none() -> None:
    assert not agreed(np.zeros(3, np.float32), np.eye(3)).any()

"""Which candidate a phrase means: what counts as a thing, and what the likely ones agree on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from maskwright.finding.fitting import agreed, fit_phrase, worth
from maskwright.finding.phrases import look
from maskwright.values import Image, Ranking

QUALITY = np.array([0.9, 0.9, 0.45], np.float32)
AREAS = np.array([0.01, 0.16, 0.16], np.float32)


def test_where_the_ranker_does_not_tell_larger_and_steadier_regions_are_things() -> None:
    found = worth(None, QUALITY, AREAS)
    assert found[1] > found[0] and found[1] > found[2]


def test_what_the_ranker_tells_counts_more_than_the_area() -> None:
    found = worth(np.array([0.8, 0.3, 0.8], np.float32), QUALITY, AREAS)
    assert found[0] > found[1]


@pytest.mark.parametrize(("phrase", "winner"), [("the dog", 0), ("the sky", 1), ("the hand", 1), ("天空", 1)])
def test_areas_and_limbs_are_no_wholes(phrase: str, winner: int) -> None:
    masks = np.zeros((2, 60, 80), np.bool_)
    masks[0, 20:30, 20:30], masks[1, 30:] = True, True
    scene = look(Image(np.full((60, 80, 3), 90, np.uint8)), masks)

    def rank(nouns: Sequence[str]) -> Ranking:
        flat = np.zeros((len(nouns), 2), np.float32)
        return Ranking(flat, flat + 0.5, np.ones(len(nouns), np.bool_), np.array([0.9, 0.02], np.float32))

    fit = fit_phrase(phrase, scene, rank, np.full(2, 0.8, np.float32), lambda: np.eye(2))
    assert fit.chances.argmax() == winner


def test_nothing_is_worth_nothing() -> None:
    assert (worth(np.zeros(3, np.float32), np.zeros(3, np.float32), AREAS) > 0).all()


def test_a_region_that_likely_ones_agree_with_wins_over_a_lone_one() -> None:
    chances = np.array([0.6, 0.55, 0.55], np.float32)
    overlaps = np.array([[1, 0, 0], [0, 1, 0.8], [0, 0.8, 1]], np.float64)
    found = agreed(chances, overlaps)
    assert found[0] < found[1] and found.max() == np.float32(0.6)


def test_no_chance_stays_none() -> None:
    assert not agreed(np.zeros(3, np.float32), np.eye(3)).any()

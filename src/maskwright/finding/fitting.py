"""How well candidates fit a phrase: what the ranker sees, joined with what position, size, colour and order say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.values import Image, Ranking


@dataclass(frozen=True, eq=False)
class Fit:
    """chances (K,) float32 0..1: that each candidate is what the phrase names; `parsed` is what was read in the
    phrase, JSON-able; `known` is False where the ranker knows none of its words."""

    chances: NDArray[np.float32]
    parsed: Mapping[str, Any] = field(default_factory=dict)
    known: bool = True
    many: bool = False


def fit_phrase(phrase: str, image: Image, masks: NDArray[np.bool_], ranking: Ranking) -> Fit:
    """The fit of each of the (K, H, W) masks."""
    return Fit(ranking.probabilities[0].astype(np.float32), {}, bool(ranking.known[0]))


def mixed(fits: list[tuple[Fit, float]]) -> Fit:
    """One fit of several phrasings, by weight; the first is the phrase as it was asked."""
    total = sum(weight for _, weight in fits)
    chances = sum((fit.chances * np.float32(weight / total) for fit, weight in fits), np.float32(0))
    first = fits[0][0]
    return Fit(np.asarray(chances, dtype=np.float32), first.parsed, any(f.known for f, _ in fits), first.many)

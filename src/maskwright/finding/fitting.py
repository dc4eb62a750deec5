"""How well candidates fit a phrase: what the ranker sees, joined with what position, size, colour and order say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.finding.phrases import Scene, fit, parse, section_of
from maskwright.finding.phrases.combining import LEAST
from maskwright.values import Ranking

Rank = Callable[[Sequence[str]], Ranking]
"""Asks the ranker about nouns, for every candidate."""


@dataclass(frozen=True, eq=False)
class Fit:
    """chances (K,) float32 0..1: that each candidate is what the phrase names, with what the others say of it (see
    `agreed`); `own` (K,) without that; `none`: that no candidate is; `parsed` is what was read in the phrase,
    JSON-able; `known` is False where its noun could not be judged; `many` where several are asked for, `count` of them
    at most (None: all there are); `also` are other phrases that ask for more."""

    chances: NDArray[np.float32]
    own: NDArray[np.float32]
    none: float = 0.0
    parsed: Mapping[str, Any] = field(default_factory=dict)
    known: bool = True
    many: bool = False
    count: int | None = None
    also: tuple[str, ...] = ()


SIZE_EXPONENT = 0.5
"""How much more likely a larger region is a whole thing than a part of one, where the ranker does not tell."""
WHOLE_SIZE, WHOLE_QUALITY = 0.2, 2.0
"""What size and the segmenter's own opinion still count beside what the ranker tells; chosen on the
training pictures and by looking at the package's own samples."""
NO_WHOLES = frozenset({"areas", "body"})
"""Sections of the noun table whose nouns are no whole things: the sky, a wall, a hand."""
SHARPNESS = 2.0
"""Exponent of the chances from which the overlap with the thing meant is expected: above 1, unlikely ones say less."""


def fit_phrase(
    text: str, scene: Scene, rank: Rank, quality: NDArray[np.float32], overlaps: Callable[[], NDArray[np.float64]]
) -> Fit:
    """The fit of each candidate of the scene; `quality` (K,) is what the segmenter thinks of each, `overlaps` gives
    their IoU with each other, (K, K)."""
    if not len(scene):
        empty = np.zeros(0, dtype=np.float32)
        return Fit(empty, empty, 1.0, {}, False)
    phrase = parse(text)
    told = section_of(phrase.noun) not in NO_WHOLES

    def ranked(nouns: Sequence[str]) -> Ranking:
        ranking = rank(nouns)
        return ranking if told else replace(ranking, wholes=None)

    found = fit(scene, phrase, ranked, lambda r: worth(r.wholes, quality, scene.areas))
    chances = agreed(found.chances, overlaps())
    return Fit(chances, found.chances, found.none, found.trace, found.known, phrase.many, phrase.count, phrase.also)


def worth(
    wholes: NDArray[np.float32] | None, quality: NDArray[np.float32], areas: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(K,) how much each region counts as a thing: phrases mean wholes, while a noun fits a thing's parts as well."""
    sure, large = np.maximum(quality, LEAST), np.maximum(areas, 1e-6)
    if wholes is None:
        return np.asarray(sure * large**SIZE_EXPONENT, dtype=np.float32)
    return np.asarray(np.maximum(wholes, LEAST) * sure**WHOLE_QUALITY * large**WHOLE_SIZE, dtype=np.float32)


def agreed(chances: NDArray[np.float32], overlaps: NDArray[np.float64]) -> NDArray[np.float32]:
    """What counts is a region's own chance and the overlap to be expected with the thing meant, should it be another
    candidate: so a region that many likely ones agree with wins over a lone one. The best chance keeps its value."""
    if float(chances.max()) <= 0:
        return chances
    beliefs = (chances / chances.max()) ** SHARPNESS
    joined = chances * (overlaps @ (beliefs / beliefs.sum()))
    return np.asarray(joined * (float(chances.max()) / float(joined.max())), dtype=np.float32)


def mixed(fits: list[tuple[Fit, float]]) -> Fit:
    """One fit of several phrasings, by weight; the first is the phrase as it was asked."""
    if len(fits) == 1:
        return fits[0][0]
    total = sum(weight for _, weight in fits)
    chances, own = (
        np.asarray(sum((part * np.float32(weight / total) for part, weight in parts), np.float32(0)), dtype=np.float32)
        for parts in ([(fit.chances, weight) for fit, weight in fits], [(fit.own, weight) for fit, weight in fits])
    )
    none = sum(fit.none * weight / total for fit, weight in fits)
    first = fits[0][0]
    known = any(fit.known for fit, _ in fits)
    return Fit(chances, own, none, first.parsed, known, first.many, first.count, first.also)

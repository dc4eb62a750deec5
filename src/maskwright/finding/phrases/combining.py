"""From noun chances and attribute chances to one answer: a posterior over regions, and the chance of none."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.finding.phrases.attributes import AttributeScores, score_attributes
from maskwright.finding.phrases.phrase import Phrase
from maskwright.finding.phrases.scene import Scene
from maskwright.values import Ranking

Floats = NDArray[np.float32]
LOWEST, LOWEST_SUM = -6.0, -12.0
LEAST = 0.01
"""Wholeness and quality at least, so that a sure noun can outweigh them."""
UNKNOWN_WEIGHT = 0.15
"""How much of the noun's say is left when nobody knows the noun."""
UNKNOWN_NONE = 0.6
"""Chance of none at least, for such a phrase and for a place beyond the last of its kind: it can be pointed at, never
be sure of."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """chances (K,) calibrated, each that the region is what the phrase names; `none` that no region is; `known` is
    False when the head noun could not be judged; `trace` is JSON-able."""

    chances: Floats
    none: float
    known: bool
    trace: Mapping[str, Any]


def fit(
    scene: Scene,
    phrase: Phrase,
    rank: Callable[[Sequence[str]], Ranking],
    worth: Callable[[Ranking], Floats] | None = None,
) -> Posterior:
    """The whole way for one phrase; `rank` asks a ranker about nouns for the scene's regions, `worth` gives how much
    each region counts as a thing (None: all are true things)."""
    ranking = rank(phrase.queries)
    nouns = dict(zip(phrase.queries, ranking.probabilities))
    attributes = score_attributes(scene, phrase, nouns, None if worth is None else ranking.wholes)
    return combine(phrase, ranking, attributes, None if worth is None else worth(ranking))


def combine(phrase: Phrase, ranking: Ranking, attributes: AttributeScores, worth: Floats | None = None) -> Posterior:
    """`ranking` holds a row for each of phrase.queries, the head first; `worth` (K,) is above 0."""
    head = ranking.logits[0].astype(np.float64)
    if not len(head):
        return Posterior(np.zeros(0, np.float32), 1.0, False, {"phrase": phrase.to_json(), "nouns": phrase.queries})
    known = bool(ranking.known[0]) or not phrase.noun
    logs = combined(head, attributes, 1.0 if known and phrase.noun else UNKNOWN_WEIGHT)
    sums = whole_sums(logs, ranking.wholes)
    drawn = ranking.drawn is not None and bool(ranking.drawn[int(np.argmax(sums))])
    none = none_chance(signs(head, attributes, sums), drawn)
    none = none if known and attributes.too_few is None else max(none, UNKNOWN_NONE)
    if worth is not None:
        logs = logs + np.log(worth.astype(np.float64))
    best = int(np.argmax(logs))
    chances = ((1 - none) * np.exp(logs - logs[best])).astype(np.float32)
    shown = {"noun": round(float(1 / (1 + np.exp(-head[best]))), 3), **attributes.to_json(best)}
    trace = {
        "phrase": phrase.to_json(), "known": known, "nouns": list(phrase.queries), "none": round(none, 3),
        "best": shown,
    }  # fmt: skip
    if attributes.too_few is not None:
        trace["only"] = attributes.too_few
    return Posterior(chances, none, known, trace)


def combined(noun: NDArray[np.float64], attributes: AttributeScores, noun_weight: float = 1.0) -> NDArray[np.float64]:
    """(K,) log scores: noun evidence that saturates once a region is plausible, and each group of attributes with a
    weight of its own."""
    k = calibration()["score"]
    saturated = -np.logaddexp(0, -(noun - k["noun_offset"]) * math.exp(k["log_noun_slope"]))
    out: NDArray[np.float64] = noun_weight * math.exp(k["log_noun_weight"]) * saturated
    for name, logs in attributes.groups.items():
        out = out + math.exp(k[f"log_{name}_weight"]) * logs
    return out


def whole_sums(logs: NDArray[np.float64], wholes: Floats | None) -> NDArray[np.float64]:
    """(K,) log scores of regions as whole things, where the ranker tells how whole they are."""
    return logs if wholes is None else logs + np.log(np.maximum(wholes, LEAST).astype(np.float64))


def signs(noun: NDArray[np.float64], attributes: AttributeScores, sums: NDArray[np.float64]) -> dict[str, float]:
    """What tells whether anything fits: the best noun anywhere, and of the likeliest region its noun, its sum, and for
    each group of attributes that it was said and how well it fits."""
    best = int(np.argmax(sums))
    found = {
        "best_noun": max(float(noun.max()), LOWEST),
        "noun": max(float(noun[best]), LOWEST),
        "sum": max(float(sums[best]), LOWEST_SUM),
    }
    for name, logs in attributes.groups.items():
        found |= {f"has_{name}": 1.0, name: max(float(logs[best]), LOWEST)}
    return found


def none_chance(found: Mapping[str, float], drawn: bool = False) -> float:
    """The chance that nothing fits, from `signs`; 0.5 is where one answerable phrase in twenty of those it was learned
    on is refused, about photographs or, where the likeliest region is `drawn`, about drawings."""
    k = calibration()["none_drawn" if drawn else "none"]
    z = k["offset"] - math.log(k["cut"] / (1 - k["cut"])) + sum(k[name] * value for name, value in found.items())
    return 1 / (1 + math.exp(-z))


@cache
def calibration() -> Mapping[str, Mapping[str, float]]:
    """tables/calibration.toml: [score] weighs noun against attributes, [none] turns both into a chance of none,
    [none_drawn] does so for drawings."""
    table = resources.files("maskwright.finding.phrases").joinpath("tables", "calibration.toml")
    return tomllib.loads(table.read_text(encoding="utf-8"))

"""From noun chances and attribute chances to one answer: a posterior over regions, and the chance of none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.finding.phrases.attributes import AttributeScores, score_attributes
from maskwright.finding.phrases.phrase import Phrase
from maskwright.finding.phrases.scene import Scene
from maskwright.values import Ranking

Floats = NDArray[np.float32]
NOUN_WEIGHT = 0.8
UNKNOWN_NOUN_WEIGHT = 0.15
CALIBRATION = {"slope": 1.0, "offset": 0.0}


@dataclass(frozen=True, eq=False)
class Posterior:
    """chances (K,) calibrated, each that the region is what the phrase names; `none` that no region is; `known` is
    False when the head noun could not be judged; `trace` is JSON-able."""

    chances: Floats
    none: float
    known: bool
    trace: Mapping[str, Any]


def fit(scene: Scene, phrase: Phrase, rank: Callable[[Sequence[str]], Ranking]) -> Posterior:
    """The whole way for one phrase; `rank` asks a ranker about nouns for the scene's regions."""
    ranking = rank(phrase.queries)
    nouns = dict(zip(phrase.queries, ranking.probabilities))
    return combine(phrase, ranking, score_attributes(scene, phrase, nouns))


def combine(phrase: Phrase, ranking: Ranking, attributes: AttributeScores) -> Posterior:
    """`ranking` holds a row for each of phrase.queries, the head first."""
    head = ranking.probabilities[0].astype(np.float32)
    known = bool(ranking.known[0]) and bool(phrase.noun)
    weight = NOUN_WEIGHT if known else UNKNOWN_NOUN_WEIGHT
    logs = weight * np.log(np.maximum(head, 1e-6)) + attributes.log_chances
    chances = _calibrated(logs)
    best = int(np.argmax(logs)) if len(logs) else -1
    none = 1.0 if best < 0 else 1 - float(chances[best])
    trace = {
        "phrase": phrase.to_json(), "known": known, "nouns": list(phrase.queries),
        "best": {} if best < 0 else {"noun": round(float(head[best]), 3), **attributes.to_json(best)},
    }  # fmt: skip
    return Posterior(chances, none, known, trace)


def _calibrated(logs: Floats) -> Floats:
    z = CALIBRATION["slope"] * logs + CALIBRATION["offset"]
    return np.asarray(np.exp(np.minimum(z, -0.01)), dtype=np.float32)

"""From features to a logit for a noun: ImageNet posteriors and learned classes, weighed by what the noun is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.models.rankers.lite_words import Vocabulary

Floats = NDArray[np.float32]
STAGES = ("dense", "both")
SHAPE_SCALE = 2.0
LOOKS_WEIGHT = 1.3


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one look at K regions gave: stage, ImageNet posteriors (K, 1000), learned scores (K, L), wholeness (K,),
    and whether a person looks like a man (towards 1) or a woman (towards -1) (K,)."""

    stage: str
    posteriors: Floats
    scores: Floats
    whole: Floats
    looks: Floats


@dataclass(frozen=True, eq=False)
class Heads:
    """The classifier of the backbone and, for each stage ("dense": the one pass; "both": with a crop), the learned
    head, each noun's prior, and the logistic weights of ImageNet evidence, learned evidence and wholeness."""

    fc_weight: Floats
    fc_bias: Floats
    temperature: float
    head: Mapping[str, Floats]
    bias: Mapping[str, Floats]
    prior: Mapping[str, Floats]
    pair: Mapping[str, Floats]
    looks: Mapping[str, Floats]

    @classmethod
    def of(cls, store: Mapping[str, NDArray[Any]]) -> Heads:
        """From the arrays of the tables file."""
        names = ("head", "bias", "prior", "pair", "looks")
        parts = [{s: store[f"{s}_{name}"].astype(np.float32) for s in STAGES} for name in names]
        weight = store["fc_weight"].astype(np.float32)
        return cls(weight, store["fc_bias"], float(store["temperature"][0]), *parts)

    def look(self, dense: Floats, crop: Floats | None, shape: Floats) -> Evidence:
        """Evidence from (K, 1280) features of the one pass and, when given, of the regions' own crops."""
        blocks = [dense] if crop is None else [dense, crop]
        stage = STAGES[len(blocks) - 1]
        logs = [log_softmax((b @ self.fc_weight.T + self.fc_bias) / np.float32(self.temperature)) for b in blocks]
        mean = np.exp(np.mean(logs, axis=0))
        row = rooted(dense, crop, shape)
        scores = row @ self.head[stage].T + self.bias[stage]
        looks = row @ self.looks[stage][:-1] + self.looks[stage][-1]
        return Evidence(stage, mean / mean.sum(axis=1, keepdims=True), scores[:, :-1], scores[:, -1], looks)

    def score(self, evidence: Evidence, row: int, words: Vocabulary) -> Floats:
        """(K,) logits that each region is the noun of this row."""
        columns, weights = words.classes.row(row)
        learned, shares = words.learned.row(row)
        has = (len(columns) > 0, len(learned) > 0)
        if not any(has):
            return self.unknown(evidence)
        k = self.pair[evidence.stage][2 if all(has) else int(has[1])]
        logit = k[3] + k[2] * evidence.whole
        if has[0]:
            chance = evidence.posteriors[:, columns] @ weights
            logit = logit + k[0] * (np.log(chance + 1e-6) - self.prior[evidence.stage][row])
        if has[1]:
            logit = logit + k[1] * (evidence.scores[:, learned] * shares).max(axis=1)
        if words.leaning[row]:
            logit = logit + LOOKS_WEIGHT * np.clip(words.leaning[row] * evidence.looks, -1, 1)
        return np.asarray(logit, dtype=np.float32)

    def unknown(self, evidence: Evidence) -> Floats:
        """A noun nobody knows: a whole thing is a little likelier than a piece of one."""
        return np.asarray(-2.0 + 0.5 * np.clip(evidence.whole, 0, 1), dtype=np.float32)


def rooted(dense: Floats, crop: Floats | None, shape: Floats) -> Floats:
    """What the learned heads read: roots of the (K, 1280) features, and the facts of the shape."""
    blocks = [dense] if crop is None else [dense, crop]
    roots = [np.sqrt(np.maximum(block, 0)) for block in blocks]
    return np.concatenate([*roots, shape * np.float32(SHAPE_SCALE)], axis=1)


def log_softmax(z: Floats) -> Floats:
    """Logarithms of the chances of each row's classes."""
    z = z - z.max(axis=1, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)), dtype=np.float32)

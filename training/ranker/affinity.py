"""From words to what the network knows: how much each ImageNet class and each learned class speaks for a noun."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from wordnet import WordNet

TABLES = Path(__file__).resolve().parents[2] / "src/maskwright/finding/phrases/tables"
PEOPLE = "person crowd man woman boy girl child baby player rider skier snowboarder surfer skateboarder driver chef"
NEAR = 0.45
"""Cosine of sentence embeddings above which another noun's class says something about a noun."""
SURE = 0.62
"""Cosine above which the noun counts as known through its neighbour."""


class Affinities:
    """tables(): A (words x 1000) and B (words x learned classes), csr, 0..1; known (words,) bool."""

    def __init__(self, vocabulary: Mapping[str, NDArray], classes: list[int], learned: list[str], concepts: Any):
        self.net = WordNet()
        self.words = [str(w) for w in vocabulary["words"]]
        self.vectors = vocabulary["embeddings"].astype(np.float32)
        self.classes, self.learned, self.concepts = classes, learned, concepts
        self.class_vectors = vocabulary["class_embeddings"].astype(np.float32)
        self.names: dict[str, list[int]] = {}
        for i, offset in enumerate(classes):
            for lemma in self.net.synsets[offset].lemmas:
                self.names.setdefault(lemma.replace("_", " "), []).append(i)
        self.above = [self.net.above(o) for o in classes]
        self.members: dict[int, list[int]] = {}
        for i, up in enumerate(self.above):
            for offset in up:
                self.members.setdefault(offset, []).append(i)
        rows = tomllib.loads((TABLES / "nouns.toml").read_text())
        self.lexicon = {noun: [noun, *o] for s in rows.values() for noun, o in s.items()}
        self.person = self.net.senses["person"][0]
        self.learned_synsets = {c: self._main_sense(c) for c in learned}

    def _main_sense(self, noun: str) -> int | None:
        """The sense a class is meant in: the first physical one of the noun."""
        fixed = {"tv": "television_set", "computer mouse": None, "cell phone": "cellular_telephone", "ball": "ball"}
        lemma = fixed.get(noun, noun.replace(" ", "_"))
        for offset in self.net.senses.get(lemma or "", []):
            if offset in self.net.physical:
                return offset
        return None

    def tables(self) -> tuple[csr_matrix, csr_matrix, NDArray]:
        A = np.zeros((len(self.words), len(self.classes)), np.float32)
        B = np.zeros((len(self.words), len(self.learned)), np.float32)
        for i, word in enumerate(self.words):
            A[i], B[i] = self._row(word)
        known = (A.max(1) > 0) | (B.max(1) > 0)
        self._borrow(A, B, known)
        return csr_matrix(A), csr_matrix(B), known

    def _row(self, word: str) -> tuple[NDArray, NDArray]:
        a, b = self._by_wordnet(word)
        if word in PEOPLE.split():
            word_of = "person"
        else:
            word_of = word
        listed = self.concepts["imagenet"].get(word_of)
        if listed:
            a = np.zeros_like(a)
            for name in listed:
                for j in self.names.get(name, []):
                    a[j] = 1.0
        if word in self.lexicon:
            b = np.zeros_like(b)
            for name, weight in self.concepts["learned"].get(word, {}).items():
                if name in self.learned:
                    b[self.learned.index(name)] = weight
            if word_of in self.learned:
                b[self.learned.index(word_of)] = 1.0
        return a, b

    def _by_wordnet(self, word: str) -> tuple[NDArray, NDArray]:
        """Classes below the noun count fully, classes just above it partly, senses by how common they are."""
        a, b = np.zeros(len(self.classes), np.float32), np.zeros(len(self.learned), np.float32)
        lemma = word.replace(" ", "_")
        senses = self.net.senses.get(lemma, [])
        usable = [
            (o, self.net.count(lemma, i) + 1 / (i + 1))
            for i, o in enumerate(senses)
            if o in self.net.physical or o in self.members
        ]
        total = sum(w for _, w in usable) or 1.0
        for offset, share in usable:
            share /= total
            up = self.net.above(offset)
            if len(self.members.get(offset, [])) <= 150:
                a[self.members.get(offset, [])] += share
            for j, o in enumerate(self.classes):
                if o in up and up[o] > 0:
                    a[j] += 0.6 * share
            for j, name in enumerate(self.learned):
                o = self.learned_synsets[name]
                if o is None:
                    continue
                if (o in up and up[o] <= 5) or (
                    offset in self.net.above(o) and len(self.members.get(offset, [])) <= 150
                ):
                    b[j] += share
        a, b = a / max(a.max(), 1e-6), b / max(b.max(), 1e-6)
        a[a < 0.05] = 0
        b[b < 0.15] = 0
        return a, b

    def _borrow(self, A: NDArray, B: NDArray, known: NDArray) -> None:
        """A noun without classes of its own borrows its nearest neighbours' (by sentence embedding)."""
        lost = np.flatnonzero(~known)
        found = np.flatnonzero(known)
        for start in range(0, len(lost), 2000):
            rows = lost[start : start + 2000]
            near = self.vectors[rows] @ self.vectors[found].T
            best = np.argsort(-near, axis=1)[:, :3]
            for r, order, cosines in zip(rows, best, near):
                weights = np.clip((cosines[order] - NEAR) / (1 - NEAR), 0, 1)
                for j, w in zip(order, weights):
                    A[r] = np.maximum(A[r], w * A[found[j]])
                    B[r] = np.maximum(B[r], w * B[found[j]])
                A[r][A[r] < 0.05] = 0
                B[r][B[r] < 0.1] = 0
                known[r] = cosines[order[0]] >= SURE and self._same_branch(r, found[order[0]])

    def _same_branch(self, r: int, other: int) -> bool:
        """Both nouns hang under a common ancestor that is not too general."""
        a, b = (self.net.senses.get(self.words[i].replace(" ", "_"), [None])[0] for i in (r, other))
        if a is None or b is None:
            return False
        up_a, up_b = self.net.above(a), self.net.above(b)
        shared = [up_a[o] + up_b[o] for o in up_a if o in up_b]
        return bool(shared) and min(shared) <= 4

"""The embedded vocabulary: from what somebody typed to a row of the affinity tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

BEFORE = re.compile(
    r"\b(?:on|in|at|with|without|near|by|next|behind|under|above|below|beside|holding|wearing|from|to|of|that|which|who"
    r"|not|between|inside|over|against|sitting|standing|riding|closest|nearest|carrying)\b"
)
LONGEST = 3


@dataclass(frozen=True, eq=False)
class Sparse:
    """Rows of (column, weight): ptr (N + 1,), col and val (M,), val 0..255."""

    ptr: NDArray[np.uint32]
    col: NDArray[np.uint16]
    val: NDArray[np.uint8]

    def row(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Columns and their weights 0..1."""
        start, stop = int(self.ptr[index]), int(self.ptr[index + 1])
        return self.col[start:stop].astype(np.int64), self.val[start:stop].astype(np.float32) / np.float32(255)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """words by row; aliases (other English words and Chinese ones) point to rows; known (N,) says which rows the
    network can judge; classes and learned link a row to ImageNet classes and to learned ones."""

    words: tuple[str, ...]
    aliases: Mapping[str, int]
    known: NDArray[np.bool_]
    classes: Sparse
    learned: Sparse
    leaning: NDArray[np.int8]
    """1 for nouns of men and boys, -1 for nouns of women and girls, else 0."""

    @classmethod
    def of(cls, store: Mapping[str, NDArray[np.generic]]) -> Vocabulary:
        """From the arrays of the tables file."""
        words = tuple(bytes(store["words"]).decode().split("\n"))
        pairs = (line.split("\t") for line in bytes(store["aliases"]).decode().split("\n"))
        tables = [Sparse(*(np.asarray(store[f"{name}_{part}"]) for part in ("ptr", "col", "val"))) for name in "ab"]
        known = np.asarray(store["known"]).astype(np.bool_)
        leaning = np.asarray(store["leaning"]).astype(np.int8) - np.int8(1)
        return cls(words, {word: int(row) for word, row in pairs}, known, tables[0], tables[1], leaning)

    @cached_property
    def _rows(self) -> Mapping[str, int]:
        return {**{word: i for i, word in enumerate(self.words)}, **self.aliases}

    def row(self, phrase: str) -> int:
        """The row of the noun a phrase is about: the whole of it, else its head; -1 when no word is in the tables."""
        text = " ".join(re.sub(r"[^\w\s'-]", " ", phrase.lower()).split())
        if text in self._rows:
            return self._rows[text]
        if any("\u4e00" <= c <= "\u9fff" for c in text):
            return self._last_part(text.replace(" ", ""))
        return self._last_noun(text)

    def _last_noun(self, text: str) -> int:
        """The longest run of words, the last one possible, before the first preposition."""
        head = BEFORE.split(re.sub(r"^(?:the|a|an)\s+", "", text), maxsplit=1)[0].split() or text.split()
        for end in range(len(head), 0, -1):
            for size in range(min(LONGEST, end), 0, -1):
                run = head[end - size : end]
                for word in (" ".join(run), *(" ".join([*run[:-1], one]) for one in _singulars(run[-1]))):
                    if word in self._rows:
                        return self._rows[word]
        return -1

    def _last_part(self, text: str) -> int:
        """Chinese puts the noun last: the longest ending that is a word."""
        for size in range(min(8, len(text)), 0, -1):
            if text[-size:] in self._rows:
                return self._rows[text[-size:]]
        return -1


def _singulars(word: str) -> tuple[str, ...]:
    """Guesses at the singular of an English plural, likelier first."""
    endings = (("men", "man"), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("s", ""), ("es", ""))
    return (
        tuple(word.removesuffix(end) + one for end, one in endings if word.endswith(end)) if word[-2:] != "ss" else ()
    )

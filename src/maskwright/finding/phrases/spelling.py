"""A word that is one slip of the hand away from one that the tables know."""

from __future__ import annotations

from functools import cache
from importlib import resources

from maskwright.finding.phrases.lexicon import lexicon

SHORTEST = 3
"""Letters of a word that is mended at least; one so short only when letters are changed round or no vowel is left."""


@cache
def mended(word: str) -> str:
    """The English word of the tables that was probably meant, or the word itself: when it is one, when nothing is near,
    and when it is another English word (tables/lookalikes.txt)."""
    if len(word) < SHORTEST or not word.isalpha() or is_known(word) or word in lookalikes():
        return word
    return min(near(word), key=lambda known: _unlikely(word, known), default=word)


def _unlikely(word: str, known: str) -> tuple[bool, bool, int, str]:
    """First letters are seldom wrong, letters are often changed round, and more are left out than put in."""
    return known[0] != word[0], sorted(known) != sorted(word), -len(known), known


def is_known(word: str) -> bool:
    """Whether it stands anywhere in the tables, or its singular does."""
    return word in single_words() or lexicon("en").has(word)


def near(word: str) -> list[str]:
    """The words of the tables that are one slip away."""
    found = [known for known in single_words() if one_slip(word, known)]
    if len(word) > SHORTEST or not set(word) & set("aeiouy"):
        return found
    return [known for known in found if sorted(known) == sorted(word)]


def one_slip(a: str, b: str) -> bool:
    """One letter more, fewer or other, or two changed round."""
    if abs(len(a) - len(b)) > 1:
        return False
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    x, y = a[same:], b[same:]
    return x[1:] == y[1:] or x[1:] == y or x == y[1:] or (x[:2] == y[:2][::-1] and x[2:] == y[2:])


@cache
def single_words() -> frozenset[str]:
    """Every English word that stands anywhere in the tables."""
    tables = lexicon("en")
    rows = [table.entries for table in (*tables.groups.values(), tables.nouns)]
    return frozenset(word for entries in rows for key in entries for word in key if word.isalpha() and len(word) > 2)


@cache
def lookalikes() -> frozenset[str]:
    """English words that would pass for misspelt ones of the tables."""
    table = resources.files("maskwright.finding.phrases").joinpath("tables", "lookalikes.txt")
    lines = table.read_text(encoding="ascii").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())

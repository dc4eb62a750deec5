"""The tables of words, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

Key = tuple[str, ...]

IRREGULAR = {
    "men": "man", "people": "person", "persons": "person", "ppl": "person",
    "women": "woman", "children": "child", "kids": "kid", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "knives": "knife", "leaves": "leaf", "wolves": "wolf", "loaves": "loaf",
    "shelves": "shelf", "scarves": "scarf", "calves": "calf", "halves": "half", "oxen": "ox", "ladies": "lady",
    "guys": "guy", "potatoes": "potato", "tomatoes": "tomato", "buses": "bus", "glasses": "glass", "boxes": "box",
    "couches": "couch", "benches": "bench", "dishes": "dish", "sandwiches": "sandwich", "foxes": "fox",
    "watches": "watch", "horses": "horse", "houses": "house", "vases": "vase", "shoes": "shoe", "canoes": "canoe",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Words of one group: a tuple of words (English) or of characters (Chinese) -> meaning."""

    entries: Mapping[Key, str]
    longest: int

    def match(self, words: Sequence[str], at: int) -> tuple[str, int]:
        """(meaning, words used) of the longest entry that starts at `at`; ("", 0) when none does."""
        for size in range(min(self.longest, len(words) - at), 0, -1):
            meaning = self.entries.get(tuple(words[at : at + size]))
            if meaning is not None:
                return meaning, size
        return "", 0


@dataclass(frozen=True)
class Lexicon:
    """groups by name (tables/words.toml), nouns, and the section each canonical noun stands in."""

    groups: Mapping[str, Table]
    nouns: Table
    sections: Mapping[str, str]

    def noun(self, words: Sequence[str], at: int) -> tuple[str, int, bool]:
        """(canonical noun, words used, plural) of the longest noun at `at`; ("", 0, False) when none is."""
        for size in range(min(self.nouns.longest, len(words) - at), 0, -1):
            key = tuple(words[at : at + size])
            if key in self.nouns.entries:
                return self.nouns.entries[key], size, False
            single = self.nouns.entries.get((*key[:-1], singular(key[-1])))
            if single is not None:
                return single, size, True
        return "", 0, False

    def has(self, word: str) -> bool:
        """Whether any table has the word by itself."""
        return self.noun([word], 0)[1] > 0 or any((word,) in table.entries for table in self.groups.values())


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


def singular(word: str) -> str:
    """The singular of a plain English plural; the word itself when it looks singular."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word


@cache
def lexicon(language: str) -> Lexicon:
    """The tables of one language, "en" or "zh"."""
    words, nouns = _read("words.toml"), _read("nouns.toml")
    groups = {name: _table(rows, language) for name, rows in words.items()}
    sections = {noun: section for section, rows in nouns.items() for noun in rows}
    named = {noun: [noun, *others] for rows in nouns.values() for noun, others in rows.items()}
    return Lexicon(groups, _table(named, language), sections)


def section_of(noun: str) -> str:
    """The section of the noun table ("animals", "areas"...), "" for a noun that stands in none."""
    return lexicon("en").sections.get(noun, "")


def _read(name: str) -> Mapping[str, Mapping[str, list[str]]]:
    text = resources.files("maskwright.finding.phrases").joinpath("tables", name).read_text(encoding="utf-8")
    return tomllib.loads(text)


def _table(rows: Mapping[str, Iterable[str]], language: str) -> Table:
    entries: dict[Key, str] = {}
    for meaning, words in rows.items():
        for word in words:
            if is_chinese(word) == (language == "zh"):
                entries.setdefault(_key(word, language), meaning)
    return Table(entries, max((len(key) for key in entries), default=0))


def _key(word: str, language: str) -> Key:
    return tuple(word) if language == "zh" else tuple(word.lower().split())

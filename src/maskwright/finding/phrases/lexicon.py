"""The tables of words, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

Key = tuple[str, ...]

IRREGULAR = {
    "people": "person", "persons": "person", "ppl": "person", "children": "child", "feet": "foot", "teeth": "tooth",
    "mice": "mouse", "geese": "goose", "knives": "knife", "wolves": "wolf", "calves": "calf", "halves": "half",
    "oxen": "ox", "glasses": "glass", "buses": "bus",
}  # fmt: skip
ENDINGS = (
    ("men", "man"), ("ies", "y"), ("ies", "ie"), ("ves", "f"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss"),
    ("xes", "x"), ("zes", "z"), ("oes", "o"), ("s", ""), ("es", ""),
)  # fmt: skip
"""What plurals end in and what their singulars do, likelier ones first."""
NOT_PLURAL = ("ss", "us", "is")


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
            for single in singulars(key[-1]):
                if (*key[:-1], single) in self.nouns.entries:
                    return self.nouns.entries[*key[:-1], single], size, True
        return "", 0, False

    def has(self, word: str) -> bool:
        """Whether any table has the word by itself."""
        return self.noun([word], 0)[1] > 0 or any((word,) in table.entries for table in self.groups.values())


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


def singulars(word: str) -> list[str]:
    """What an English word may be the plural of, likelier first: "axes" of "ax" and of "axe"; [] for none."""
    if word in IRREGULAR:
        return [IRREGULAR[word]]
    fits = [word.removesuffix(end) + single for end, single in ENDINGS if word.endswith(end) and word[-2:] != "ss"]
    return [single for single in fits if len(single) > 1]


def singular(word: str) -> str:
    """The singular of a plural whose word is in no table; the word itself when it looks singular."""
    seems = word in IRREGULAR or (len(word) > 3 and not word.endswith(NOT_PLURAL))
    return next(iter(singulars(word)), word) if seems else word


@cache
def lexicon(language: str) -> Lexicon:
    """The tables of one language, "en" or "zh"."""
    groups = {name: _table(rows, language) for name, rows in _read("words.toml").items()}
    files = ("nouns.toml", "nouns_zh.toml") if language == "zh" else ("nouns.toml",)
    rows = [
        (section, noun, others)
        for name in files
        for section, nouns in _read(name).items()
        for noun, others in nouns.items()
    ]
    named: dict[str, list[str]] = {}
    sections: dict[str, str] = {}
    for section, noun, others in rows:
        named.setdefault(noun, [noun]).extend(others)
        sections.setdefault(noun, section)
    return Lexicon(groups, _table(named, language), sections)


def section_of(noun: str) -> str:
    """The section of the noun table ("animals", "areas"...), "" for a noun that stands in none."""
    return lexicon("zh").sections.get(noun, "")


def is_person(noun: str) -> bool:
    """Whether what goes with it is worn or held, and its colour that of its clothes."""
    return section_of(noun) == "people"


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

"""A walk over the words of an English phrase: what the tables know of those ahead."""

from __future__ import annotations

import re
from collections.abc import Iterator

from maskwright.finding.phrases.lexicon import Lexicon, singular
from maskwright.finding.phrases.spelling import mended

SHORT = (
    (r"\bw/o\b", " without "),
    (r"\bw/|\bw\b", " with "),
    (r"&", " and "),
    (r"\b(that|which|who|it|there)'s\b", r"\1 is"),
    (r"\ball but (the )?", "all not "),
    (r"\b(everything|everyone|everybody|anything|anyone|nothing) but\b", r"\1 except"),
)
"""What people who type in a hurry write."""


def words_of(text: str, tables: Lexicon) -> Iterator[str]:
    """Lower-case words, misspelt ones mended; "black-and-white" in pieces, unless a table has it in one."""
    text = text.lower().replace("’", "'")
    for short, full in SHORT:
        text = re.sub(short, full, text)
    for word in re.findall(r"[\w]+(?:[-'][\w]+)*", text):
        for piece in [word] if tables.has(word) else word.split("-"):
            yield mended(piece)


class Walk:
    """`at` is the next word."""

    def __init__(self, words: list[str], tables: Lexicon) -> None:
        self.words, self.tables, self.at = words, tables, 0

    def _match(self, group: str, at: int | None = None) -> tuple[str, int]:
        at = self.at if at is None else at
        if group == "quantities" and self._is_count(at):
            return self.words[at], 1
        return self.tables.groups[group].match(self.words, at)

    def _is_count(self, at: int) -> bool:
        """A number before several: "7 men", "10 red cars"; but not "player 7", "number 18"."""
        number = self.words[at] if at < len(self.words) else ""
        if not number.isdecimal() or not 1 < int(number) < 100 or self.words[at - 1 : at] in (["number"], ["no"]):
            return False
        return any(self.tables.noun(self.words, i)[2] for i in (at + 1, at + 2) if i < len(self.words))

    def _longest(self, groups: tuple[str, ...], at: int | None = None) -> tuple[str, str, int]:
        """(group, meaning, words used) of the longest match; the first group wins a tie."""
        found = [(group, *self._match(group, at)) for group in groups]
        return max(found, key=lambda item: item[2])

    def _longest_place(self) -> tuple[tuple[str, str], int]:
        group, meaning, used = self._longest(("extremes", "sides", "positions"))
        return (group, meaning), used

    def _longest_relation(self) -> tuple[str, int]:
        """ "parked in front of" is in front of, and not in; "parked closest to us" is a place."""
        relation, reach = self._match("relations")
        _, acted = self._match("actions")
        after, further = self._match("relations", self.at + acted)
        further = 0 if self._longest(("extremes", "positions"), self.at + acted)[2] > further else further
        return (after, acted + further) if acted and further and acted + further > reach else (relation, reach)

    def _skip(self, kind: str) -> bool:
        meaning, used = self._match("skipped")
        if used and meaning == kind:
            self.at += used
        return bool(used and meaning == kind)

    def _skip_and(self) -> bool:
        said = self.words[self.at : self.at + 1] == ["and"]
        self.at += said
        return said

    def _is_noun_next(self, at: int) -> bool:
        while at < len(self.words) and not self.tables.noun(self.words, at)[1]:
            if not self._longest(("skipped", "colours", "patterns", "materials", "quantities"), at)[2]:
                return False
            at += 1
        return at < len(self.words)

    def _match_word(self, group: str, said: list[str]) -> bool:
        return bool(said) and self.tables.groups[group].match([singular(said[-1])], 0)[1] > 0

"""Reads an English phrase: modifiers, head noun, then what follows it."""

from __future__ import annotations

import re

from maskwright.finding.phrases.draft import Draft, once
from maskwright.finding.phrases.lexicon import Lexicon, lexicon, singular
from maskwright.finding.phrases.phrase import PEOPLE, Part, Phrase, Relation

ADJECTIVE_PLACES = frozenset((
    "left", "right", "top", "bottom", "upper", "lower", "middle", "center", "centre", "central",
    "front", "back", "rear", "nearest", "closest", "background", "foreground", "lefthand",
    "righthand",
))  # fmt: skip
WORN = ("garments", "body")
MODIFIERS = (
    "ordinals", "quantities", "extremes", "sizes", "colours", "patterns", "materials", "positions", "actions",
)  # fmt: skip
ARTICLES = ("the", "a", "an", "his", "her")
WEARING = ("wear", "inside", "hold")


def parse_english(text: str) -> Phrase:
    """The phrase taken apart; never raises on text."""
    words = re.findall(r"[\w]+(?:[-'][\w]+)*", text.lower().replace("’", "'"))
    return _Reader(words, lexicon("en")).read().done(text, "en")


class _Reader:
    """One walk over the words; `at` is the next word."""

    def __init__(self, words: list[str], tables: Lexicon) -> None:
        self.words, self.tables, self.at = words, tables, 0
        self.colours_before = 0

    def read(self) -> Draft:
        draft = Draft()
        self._noun_phrase(draft)
        while self.at < len(self.words):
            self._follower(draft)
        return draft

    def _match(self, group: str, at: int | None = None) -> tuple[str, int]:
        return self.tables.groups[group].match(self.words, self.at if at is None else at)

    def _noun_phrase(self, draft: Draft) -> None:
        """Words up to the head noun: the last noun before something that cannot stand before a noun."""
        while self._skip("lead"):
            pass
        end = self._span_end()
        while self.at < end:
            if not self._before_noun(draft, end):
                self._noun_or_unknown(draft, end)
        if not draft.noun and draft.said:
            draft.noun = draft.said[-1]

    def _skip(self, kind: str) -> bool:
        meaning, used = self._match("skipped")
        if used and meaning == kind:
            self.at += used
        return bool(used and meaning == kind)

    def _span_end(self) -> int:
        """Where the noun phrase that starts here ends."""
        i, named = self.at, False
        while i < len(self.words):
            if i > self.at and (self._starts_follower(i) or (named and self.words[i] == "and")):
                return i
            size = self.tables.noun(self.words, i)[1]
            i, named = i + max(1, size), named or size > 0
        return i

    def _starts_follower(self, i: int) -> bool:
        """True at a relation, a negation, or a place of several words (or one that ends the phrase)."""
        if self._match("negations", i)[1]:
            return True
        if self.tables.noun(self.words, i)[1] > 1:
            return False
        place = max(self._match(g, i)[1] for g in ("positions", "sides", "extremes"))
        if place > 1:
            return True
        return self._match("relations", i)[1] > 0 and self.words[i] not in ADJECTIVE_PLACES

    def _before_noun(self, draft: Draft, end: int) -> bool:
        """Reads one modifier; False when a noun (or an unknown word) stands here."""
        noun, size, _ = self.tables.noun(self.words, self.at)
        later = any(self.tables.noun(self.words, i)[1] for i in range(self.at + max(size, 1), end))
        if noun and (size > 1 or not later) and not self._is_plain_modifier(later, end):
            return False
        return self._modifier(draft) or self._skip("empty") or self._skip("lead") or self._skip_and()

    def _skip_and(self) -> bool:
        said = self.words[self.at : self.at + 1] == ["and"]
        self.at += said
        return said

    def _is_plain_modifier(self, later: bool, end: int) -> bool:
        """A word that is noun and modifier ("top", "orange") is a modifier only before a noun or before "one"."""
        return later or (self.at + 1 < end and self.words[self.at + 1] in ("one", "ones", "object", "thing"))

    def _modifier(self, draft: Draft, negated: bool = False) -> bool:
        """One adjective, number, ordinal or place word: the longest that any group knows."""
        group, meaning, used = self._longest(MODIFIERS)
        if not used:
            return False
        draft.keep(group, meaning, negated=negated)
        self.at += used
        return True

    def _longest(self, groups: tuple[str, ...], at: int | None = None) -> tuple[str, str, int]:
        """(group, meaning, words used) of the longest match; the first group wins a tie."""
        found = [(group, *self._match(group, at)) for group in groups]
        return max(found, key=lambda item: item[2])

    def _noun_or_unknown(self, draft: Draft, end: int) -> None:
        word = self.words[self.at]
        noun, size, plural = self.tables.noun(self.words, self.at)
        owner = word.removesuffix("'s")
        if owner != word and self.at + 1 < end and not size:
            self._owner(draft, owner)
        elif size and draft.noun in PEOPLE and self.tables.sections.get(noun) in WORN:
            self._worn_without_words(draft, noun, size)
        elif size:
            self.colours_before = len(draft.colours)
            draft.noun, draft.in_lexicon = noun, True
            draft.plural = plural and noun not in ("glasses", "object")
            draft.said += self.words[self.at : self.at + size]
            self.at += size
        else:
            self._unknown(draft, word)

    def _worn_without_words(self, draft: Draft, noun: str, size: int) -> None:
        """ "girl white shirt": a garment after a person is worn, and the colours between are its own."""
        draft.parts.append(Part(noun, once(draft.colours[self.colours_before :])))
        del draft.colours[self.colours_before :]
        self.at += size

    def _unknown(self, draft: Draft, word: str) -> None:
        draft.said.append(singular(word))
        if draft.in_lexicon:
            draft.unsupported.append(word)
        self.at += 1

    def _owner(self, draft: Draft, owner: str) -> None:
        noun, _, _ = self.tables.noun([owner], 0)
        whose = Phrase(text=owner, noun=noun or owner, said=owner, in_lexicon=bool(noun))
        draft.relations.append(Relation("held_by", whose))
        self.at += 1

    def _follower(self, draft: Draft) -> None:
        """One thing after the noun."""
        negated = self._negation()
        if self.at >= len(self.words):
            return
        place, length = self._longest_place()
        relation, reach = self._match("relations")
        action, acted = self._match("actions")
        if acted >= max(length, reach, 1):
            draft.actions.append(f"not {action}" if negated else action)
            self.at += acted
        elif length and length >= reach and not self._has_object(length):
            self._place(draft, place, length, negated)
        elif reach:
            self.at += reach
            self._relation(draft, relation, negated)
        elif length:
            self._place(draft, place, length, negated)
        elif negated and self._is_noun_next():
            self._relation(draft, "hold", True)
        elif not (self._modifier(draft, negated) or self._skip("empty") or self._skip("lead") or self._skip_and()):
            self._leftover(draft)

    def _negation(self) -> bool:
        while self._skip("empty") and self.at < len(self.words):
            pass
        _, used = self._match("negations")
        self.at += used
        return used > 0

    def _is_noun_next(self) -> bool:
        at = self.at
        while at < len(self.words) and self._longest(("skipped", "colours", "patterns", "materials"), at)[2]:
            at += 1
        return self.tables.noun(self.words, at)[1] > 0

    def _longest_place(self) -> tuple[tuple[str, str], int]:
        group, meaning, used = self._longest(("extremes", "sides", "positions"))
        return (group, meaning), used

    def _has_object(self, length: int) -> bool:
        """ "behind the cake": a place word that goes on to a noun of its own is a relation."""
        after = self.at + length
        return after < len(self.words) and self._match("relations")[1] >= length and self.words[after] in ARTICLES

    def _place(self, draft: Draft, found: tuple[str, str], length: int, negated: bool) -> None:
        group, meaning = found
        self.at += length
        if group == "sides" and draft.rank is not None:
            draft.side = meaning
        elif negated:
            draft.not_positions.append(meaning)
        elif group == "extremes":
            draft.extremes.append(meaning)
        else:
            draft.positions.append(meaning)

    def _relation(self, draft: Draft, kind: str, negated: bool) -> None:
        """A relation and the noun phrase after it, which may turn out to be something worn."""
        inner = Draft()
        start = self.at
        self._noun_phrase(inner)
        self._worn_by_object(inner)
        thing = inner.done(" ".join(self.words[start : self.at]), "en")
        if kind in WEARING and self._is_worn(thing, kind):
            draft.parts.append(Part(thing.noun, thing.colours, thing.looks, negated))
            self._and_more(draft, kind, negated)
        elif thing.noun:
            draft.relations.append(Relation("inside" if kind == "wear" else kind, thing, negated))
        elif self.at == start and self.at < len(self.words):
            self._leftover(draft)
        else:
            draft.positions += inner.positions
            draft.extremes += inner.extremes

    def _and_more(self, draft: Draft, kind: str, negated: bool) -> None:
        """ "a blue shirt and black hat"."""
        if self.at < len(self.words) - 1 and self.words[self.at] == "and":
            self.at += 1
            self._relation(draft, kind, negated)

    def _worn_by_object(self, inner: Draft) -> None:
        """ "behind the man in the red cap": clothes right after the object are the object's."""
        kind, used = self._match("relations")
        if not used or kind not in ("wear", "inside") or inner.noun not in PEOPLE:
            return
        ahead = _Reader(self.words[self.at + used :], self.tables)
        worn = Draft()
        ahead._noun_phrase(worn)
        if self.tables.sections.get(worn.noun) in WORN or (worn.colours and not worn.noun):
            inner.parts.append(Part(worn.noun, once(worn.colours), once(worn.looks)))
            self.at += used + ahead.at

    def _is_worn(self, thing: Phrase, kind: str) -> bool:
        if not thing.noun:
            return bool(thing.colours)
        return self.tables.sections.get(thing.noun) in WORN or kind == "wear"

    def _leftover(self, draft: Draft) -> None:
        word = self.words[self.at]
        noun, size, _ = self.tables.noun(self.words, self.at)
        if size and not draft.noun:
            draft.noun, draft.in_lexicon, draft.said = noun, True, self.words[self.at : self.at + size]
        elif word.endswith("ing"):
            draft.actions.append(word)
        else:
            draft.unsupported.append(word)
        self.at += max(size, 1)

"""Reads an English phrase: a noun phrase, then what follows it."""

from __future__ import annotations

from maskwright.finding.phrases.draft import Draft, once
from maskwright.finding.phrases.heads import ADJECTIVE_PLACES, ARTICLES, THEY, WORN, NounPhrase
from maskwright.finding.phrases.lexicon import is_person, lexicon
from maskwright.finding.phrases.phrase import Part, Phrase, Relation
from maskwright.finding.phrases.walking import words_of

WEARING = ("wear", "inside", "hold")
EXCEPT = ("except", "except for", "other than", "but not")
"""What denies the thing itself: "the animals except the dog"."""
INVERSE = {
    "on": "below", "ride": "below", "inside": "hold", "behind": "front_of", "front_of": "behind", "near": "near",
    "left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above", "far": "far",
}  # fmt: skip
"""What a thing is to another that is so to it; else it is held by it."""


def parse_english(text: str) -> Phrase:
    """The phrase taken apart; never raises on text."""
    tables = lexicon("en")
    return _Reader(list(words_of(text, tables)), tables).read().done(text, "en")


class _Reader(NounPhrase):
    def read(self) -> Draft:
        draft = Draft()
        self._noun_phrase(draft)
        while self.at < len(self.words):
            self._follower(draft)
        return draft

    def _follower(self, draft: Draft) -> None:
        """One thing after the noun."""
        if self._of(draft) or self._done_by(draft):
            return
        start = self.at
        negated = self._negation()
        excepted = " ".join(self.words[start : self.at]).endswith(EXCEPT)
        if negated and not self._is_noun_next(self.at):
            self.at += self._degrees(self.at)
        if self.at >= len(self.words):
            return
        place, length = self._longest_place()
        relation, reach = self._longest_relation()
        if reach and self.words[self.at + reach - 1] == "of" and self._match("skipped", self.at + reach - 1)[1] > 1:
            relation, reach = "", 0  # "on the left of the picture"
        action, acted = self._match("actions")
        with_object = acted == reach and self._is_noun_next(self.at + reach)
        if acted >= max(length, reach, 1) and not with_object:
            draft.actions.append(f"not {action}" if negated else action)
            self.at += acted
        elif length and length >= reach and not self._is_the_others(length, reach):
            self._place(draft, place, length, negated)
        elif reach:
            self.at += reach
            self._relation(draft, relation, negated)
        elif length:
            self._place(draft, place, length, negated)
        elif negated and self._is_noun_next(self.at):
            self._relation(draft, "except" if excepted else "hold", True)
        elif not (
            self._modifier_after(draft, negated) or self._skip("empty") or self._skip("lead") or self._skip_and()
        ):
            self._leftover(draft)

    def _modifier_after(self, draft: Draft, negated: bool) -> bool:
        return self._denied_modifier(draft) if negated else self._modifier(draft)

    def _of(self, draft: Draft) -> bool:
        """ "the bowl of fruit" holds it, "the wheel of the car" belongs to it, "one of the cups" is a cup; False at
        anything else."""
        if self.words[self.at] != "of" or not draft.noun or self._match("skipped")[1] > 1:
            return False
        if self.words[self.at - 1] == "one":
            draft.noun, draft.said, draft.in_lexicon, draft.one_of = "", [], False, True
            self._noun_phrase(draft)
            return True
        placed = self.words[self.at - 1] in ADJECTIVE_PLACES
        self.at += 1
        if self._is_noun_next(self.at):
            holds = self._match_word("containers", draft.said)
            self._relation(draft, "near" if placed else "hold" if holds else "held_by", False)
            self._amid(draft)
        return True

    def _amid(self, draft: Draft) -> None:
        """ "in the middle of the two women" is between them."""
        if draft.relations and draft.relations[-1].object.many and draft.positions[-1:] == ["middle"]:
            draft.positions.pop()
            draft.relations[-1] = Relation("between", draft.relations[-1].object)

    def _done_by(self, draft: Draft) -> bool:
        """ "the cake the man is holding", "the couch that she lies on"; False at anything else."""
        start = self.at
        self.at += self.words[self.at] in ("that", "which", "who") and self.at + 1 < len(self.words)
        word = self.words[self.at]
        if not draft.noun or word not in (*ARTICLES, *THEY):
            self.at = start
            return False
        inner = Draft(noun="person", in_lexicon=True)
        if word in THEY:
            self.at += 1
        else:
            inner = Draft()
            self._noun_phrase(inner)
        while self._skip("empty") and self.at < len(self.words):
            pass
        relation, reach = self._longest_relation()
        reach = reach or self._match("actions")[1]
        if not inner.in_lexicon or not reach or self._is_noun_next(self.at + reach):
            self.at = start
            return False
        self.at += reach
        thing = inner.done(" ".join(self.words[start : self.at]), "en")
        draft.relations.append(Relation(INVERSE.get(relation, "held_by"), thing))
        return True

    def _negation(self) -> bool:
        while self._skip("empty") and self.at < len(self.words):
            pass
        _, used = self._match("negations")
        self.at += used
        return used > 0

    def _is_the_others(self, length: int, reach: int) -> bool:
        """ "behind the cake" is a relation; "on the right plate" is one to the plate at the right."""
        noun, size, _ = self.tables.noun(self.words, self.at + length)
        thing = size > 0 and self.tables.sections[noun] not in (*WORN, "people")
        named = 0 < reach < length - 1 and thing and self.words[self.at + reach] in ARTICLES
        return named or self._has_object(self.at, length)

    def _place(self, draft: Draft, found: tuple[str, str], length: int, negated: bool) -> None:
        group, meaning = found
        words = self.words[self.at : self.at + length]
        self.at += length
        if group == "sides" and draft.rank is not None:
            draft.side, draft.counted = meaning, words[0] != "on"
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
        if negated and inner.said[-1:] in (["one"], ["ones"]):  # "except the red one"
            draft.not_colours += inner.colours
            draft.not_positions += [*inner.positions, *inner.extremes]
            return
        if inner.noun == "object" and inner.said[-1] in ("one", "ones"):  # "between the two black ones"
            inner.noun = draft.noun or inner.noun
        thing = inner.done(" ".join(self.words[start : self.at]), "en")
        if kind == "except":
            draft.unsupported.append(f"not {thing.noun}")
            return
        if kind in WEARING and self._is_worn(thing, kind):
            draft.parts.append(Part(thing.noun, thing.colours, thing.looks, negated))
            self._and_more(draft, kind, negated)
        elif thing.noun:
            draft.relations.append(Relation("inside" if kind == "wear" else kind, thing, negated))
            self._and_more(draft, kind, negated)
        elif self.at == start and self.at < len(self.words):
            self._leftover(draft)
        else:
            draft.positions += inner.positions
            draft.extremes += inner.extremes
            draft.looks += inner.looks
            draft.unsupported += inner.unsupported

    def _and_more(self, draft: Draft, kind: str, negated: bool) -> None:
        """ "a blue shirt and black hat", "between the table and the wall"."""
        after = self.words[self.at + 1 : self.at + 2]
        if after and self.words[self.at] == "and" and (after[0] in ARTICLES or self._is_noun_next(self.at + 1)):
            self.at += 1
            self._relation(draft, kind, negated)

    def _worn_by_object(self, inner: Draft) -> None:
        """ "behind the man in the red cap", "near the boy with the umbrella": clothes and bags right after the object
        are its own."""
        kind, used = self._match("relations")
        if not used or kind not in WEARING or not is_person(inner.noun):
            return
        ahead = _Reader(self.words[self.at + used :], self.tables)
        worn = Draft()
        ahead._noun_phrase(worn)
        section = self.tables.sections.get(worn.noun)
        if section in WORN or (worn.colours and not worn.noun and kind != "hold"):
            inner.parts.append(Part(worn.noun, once(worn.colours), once(worn.looks)))
        elif section == "carried" and kind == "hold":
            said = " ".join(ahead.words[: ahead.at])
            inner.relations.append(Relation("hold", worn.done(said, "en")))
        else:
            return
        self.at += used + ahead.at

    def _is_worn(self, thing: Phrase, kind: str) -> bool:
        if not thing.noun:
            return bool(thing.colours)
        return self.tables.sections.get(thing.noun) in WORN or kind == "wear"

    def _leftover(self, draft: Draft) -> None:
        word = self.words[self.at]
        noun, size, _ = self.tables.noun(self.words, self.at)
        if size and self._goes_with(draft, noun, size):
            return
        if size and not draft.noun:
            draft.noun, draft.in_lexicon, draft.said = noun, True, self.words[self.at : self.at + size]
        elif word.endswith("ing"):
            draft.actions.append(word)
        else:
            draft.unsupported.append(word)
        self.at += max(size, 1)

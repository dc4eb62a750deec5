"""Reads an English phrase: modifiers, head noun, then what follows it."""

from __future__ import annotations

from maskwright.finding.phrases.draft import Draft, once
from maskwright.finding.phrases.lexicon import lexicon, singular
from maskwright.finding.phrases.phrase import PEOPLE, Part, Phrase, Relation
from maskwright.finding.phrases.walking import Walk, words_of

ADJECTIVE_PLACES = frozenset((
    "left", "right", "top", "bottom", "upper", "lower", "middle", "center", "centre", "central",
    "front", "back", "rear", "nearest", "closest", "background", "foreground", "lefthand",
    "righthand",
))  # fmt: skip
WORN = ("garments", "body")
HOLDERS = ("man", "guy", "dude", "woman", "lady", "girl", "boy", "person", "player")
"""Words that what follows is held by; "passenger train" and "baby stroller" are things."""
MODIFIERS = (
    "ordinals", "quantities", "extremes", "sizes", "colours", "patterns", "materials", "positions", "actions",
)  # fmt: skip
ARTICLES = ("the", "a", "an", "his", "her")
DEGREES = ("the", "so", "that", "very", "too", "really")
THEY = ("he", "she", "they", "theyre", "they're", "he's", "hes", "she's", "shes")
CLAUSES = frozenset(("of", "and", "that", "which", "who", "whose", *ARTICLES, *THEY))
"""After a noun these begin something else."""
WEARING = ("wear", "inside", "hold")
INVERSE = {
    "on": "below", "ride": "below", "inside": "hold", "behind": "front_of", "front_of": "behind", "near": "near",
    "left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above", "far": "far",
}  # fmt: skip
"""What a thing is to another that is so to it; else it is held by it."""
LEAD_NOUNS = frozenset(("circle", "mark", "mask", "outline", "segment"))
"""What leads a phrase, and is the thing asked for where nothing follows."""
BESIDE = {"vehicles": "ride", "areas": "near", "nature": "near", "street": "near", "furniture": "near"}
"""What "man bike", "girl phone" mean, by the section of the second noun; else to hold it."""


def parse_english(text: str) -> Phrase:
    """The phrase taken apart; never raises on text."""
    tables = lexicon("en")
    return _Reader(list(words_of(text, tables)), tables).read().done(text, "en")


class _Reader(Walk):
    """`colours_before`: how many colours had been read when the head noun was."""

    colours_before = 0

    def read(self) -> Draft:
        draft = Draft()
        self._noun_phrase(draft)
        while self.at < len(self.words):
            self._follower(draft)
        return draft

    def _noun_phrase(self, draft: Draft) -> None:
        """Words up to the head noun: the last noun before something that cannot stand before a noun."""
        while self._skip_lead(self._span_end()):
            pass
        end = self._span_end()
        while self.at < end:
            if not self._before_noun(draft, end):
                self._noun_or_unknown(draft, end)
        if not draft.noun and draft.said:
            draft.noun = draft.said[-1]

    def _span_end(self) -> int:
        """Where the noun phrase that starts here ends."""
        i, named = self.at, False
        while i < len(self.words):
            denied = 0 if named else self._denied(i)
            if i > self.at and not denied and (self._starts_follower(i) or self._starts_clause(i, named)):
                return i
            size = self.tables.noun(self.words, i)[1]
            named = named or (size > 0 and self.words[i] not in ADJECTIVE_PLACES) or self._is_strange_head(i)
            i += max(1, size, denied)
        return i

    def _denied(self, i: int) -> int:
        """How many words say no to the modifier after them: "not red car", "not the red car", "not so big car"."""
        used = self._match("negations", i)[1]
        used += self._degrees(i + used) if used else 0
        return used if used and self._longest(MODIFIERS, i + used)[2] else 0

    def _degrees(self, i: int) -> int:
        """How many words there say only how much."""
        return next((k for k, word in enumerate(self.words[i:]) if word not in DEGREES), 0)

    def _starts_follower(self, i: int) -> bool:
        """True at a relation, a negation, or a place of several words (or one that ends the phrase)."""
        if self._match("negations", i)[1]:
            return True
        if self.tables.noun(self.words, i)[1] > 1:
            return False
        place = max(self._match(g, i)[1] for g in ("positions", "sides", "extremes"))
        reach = self._match("relations", i)[1]
        return place > 1 or reach > 1 or (reach > 0 and self.words[i] not in ADJECTIVE_PLACES)

    def _starts_clause(self, i: int, named: bool) -> bool:
        """True where something else begins after a noun, and at a doing that no noun follows."""
        if self.tables.noun(self.words, i)[1]:
            return False
        doing = self._match("actions", i)[1] > 0 or (len(self.words[i]) > 5 and self.words[i].endswith("ing"))
        if named:
            return doing or self.words[i] in CLAUSES or self._has_object(i, 1)
        coloured = self._match("colours", i - 1)[1] > 0  # "in white crying"
        return doing and coloured and not self._is_noun_next(i + 1)

    def _is_strange_head(self, i: int) -> bool:
        """ "the shadow of the dog": an unknown word before "of" is a noun, unless it counts or cuts ("slice of")."""
        if self.words[i + 1 : i + 2] != ["of"] or self.words[i].isdigit():
            return False
        return not self._longest((*MODIFIERS, "skipped", "partitives"), i)[2]

    def _before_noun(self, draft: Draft, end: int) -> bool:
        """Reads one modifier; False when a noun (or an unknown word) stands here."""
        denied = 0 if draft.noun else self._denied(self.at)
        if denied:
            self.at += denied
            return self._modifier(draft, negated=True)
        noun, size, _ = self.tables.noun(self.words, self.at)
        later = any(self.tables.noun(self.words, i)[1] for i in range(self.at + max(size, 1), end))
        modifies = later or self._is_plain_modifier(draft, end) or self._longest(MODIFIERS)[2] > size
        if noun and not modifies:
            return False
        self._mark_one_of(draft)
        return self._modifier(draft) or self._skip("empty") or self._skip_lead(end) or self._skip_and()

    def _skip_lead(self, end: int) -> bool:
        """Skips "find", "circle" ...; but "the circle" is one."""
        word, after = (self.words[i] if i < len(self.words) else "" for i in (self.at, self.at + 1))
        leads = word not in LEAD_NOUNS or self.at + 1 < end or after in ARTICLES
        return leads and self._skip("lead")

    def _mark_one_of(self, draft: Draft) -> None:
        """ "the smaller of the two dogs" is one dog."""
        compared = draft.sizes or draft.extremes or draft.positions or draft.rank is not None
        if self.words[self.at] == "of" and not draft.noun and compared:
            draft.one_of = True

    def _is_plain_modifier(self, draft: Draft, end: int) -> bool:
        """A word that is noun and modifier ("top", "orange") before "one", or a place that is no garment: "top left",
        "chair top", "top shelf"."""
        after = self.words[self.at + 1] if self.at + 1 < end else ""
        if after in ("one", "ones", "object", "thing"):
            return True
        if self.words[self.at] not in ADJECTIVE_PLACES:
            return False
        fresh = len(draft.colours) > self.colours_before
        return after != "" or (draft.in_lexicon and not (fresh and draft.noun in PEOPLE))

    def _modifier(self, draft: Draft, negated: bool = False) -> bool:
        """One adjective, number, ordinal or place word: the longest that any group knows."""
        group, meaning, used = self._longest(MODIFIERS)
        if not used:
            return False
        draft.keep(group, meaning, negated=negated)
        self.at += used
        return True

    def _noun_or_unknown(self, draft: Draft, end: int) -> None:
        word = self.words[self.at]
        noun, size, plural = self.tables.noun(self.words, self.at)
        owner = word.removesuffix("'s")
        if owner != word and self.at + 1 < end and not size:
            self._owner(draft, owner)
        elif size and self._owns(draft, noun):
            self._head(draft, noun, size)
        elif size and self._goes_with(draft, noun, size):
            pass
        elif size:
            self._head(draft, noun, size)
            draft.plural = plural and noun not in ("glasses", "object")
        else:
            self._unknown(draft, word)

    def _head(self, draft: Draft, noun: str, size: int) -> None:
        owner, owned = self.tables.sections[noun], self.tables.sections.get(draft.noun) if draft.in_lexicon else ""
        if (noun in PEOPLE and owned in WORN) or (owner == "animals" and owned == "body"):
            before = self.colours_before
            draft.parts.append(Part(draft.noun, once(draft.colours[:before]), once(draft.looks)))  # "black shirt girl"
            draft.colours, draft.looks = draft.colours[before:], []
            draft.sizes = [] if owned == "body" else draft.sizes  # "long-haired cat"
        colour = self._match("colours")[0] if size > 1 else ""
        if colour and colour not in noun:  # "brown bear" is one noun, and brown
            draft.colours.append(colour)
        self.colours_before = len(draft.colours)
        draft.noun, draft.in_lexicon = noun, True
        draft.said += self.words[self.at : self.at + size]
        self.at += size

    def _owns(self, draft: Draft, noun: str) -> bool:
        """ "the mans shirt", "dogs head": a plural right before something of its own has lost its apostrophe."""
        owner = self.words[self.at - 1]
        section = self.tables.sections[noun]
        if not (draft.plural and owner.endswith("s") and draft.said[-1] == owner and section in (*WORN, "carried")):
            return False
        whose = Phrase(text=owner, noun=draft.noun, said=owner, in_lexicon=True)
        draft.relations.append(Relation("held_by", whose))
        draft.plural = False
        return True

    def _goes_with(self, draft: Draft, noun: str, size: int) -> bool:
        """ "girl white shirt", "girl red umbrella": what follows a person is worn or held, and the colours between are
        its own. False when it does not go with one."""
        section, colours = self.tables.sections[noun], once(draft.colours[self.colours_before :])
        if draft.noun in PEOPLE and section in WORN:
            draft.parts.append(Part(noun, colours))
        elif draft.noun in PEOPLE and draft.said[-1] in HOLDERS and section not in ("people", "animals", "anything"):
            said = " ".join(self.words[self.at : self.at + size])
            thing = Phrase(text=said, noun=noun, said=said, in_lexicon=True, colours=colours)
            draft.relations.append(Relation(BESIDE.get(section, "hold"), thing))
        else:
            return False
        del draft.colours[self.colours_before :]
        self.at += size
        return True

    def _unknown(self, draft: Draft, word: str) -> None:
        if word.isdigit():
            draft.unsupported.append(word)
        else:
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
        if self._of(draft) or self._done_by(draft):
            return
        negated = self._negation()
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
            self._relation(draft, "hold", True)
        elif not (self._modifier(draft, negated) or self._skip("empty") or self._skip("lead") or self._skip_and()):
            self._leftover(draft)

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
        return True

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

    def _has_object(self, at: int, length: int) -> bool:
        """ "behind the cake": a place word that goes on to a noun of its own is a relation."""
        after = at + length
        return after < len(self.words) and self._match("relations", at)[1] >= length and self.words[after] in ARTICLES

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
        if size and self._goes_with(draft, noun, size):
            return
        if size and not draft.noun:
            draft.noun, draft.in_lexicon, draft.said = noun, True, self.words[self.at : self.at + size]
        elif word.endswith("ing"):
            draft.actions.append(word)
        else:
            draft.unsupported.append(word)
        self.at += max(size, 1)

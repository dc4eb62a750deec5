"""Reads an English noun phrase: modifiers, then the head noun."""

from __future__ import annotations

from maskwright.finding.phrases.draft import Draft, once
from maskwright.finding.phrases.lexicon import is_person, singular
from maskwright.finding.phrases.phrase import Part, Phrase, Relation
from maskwright.finding.phrases.walking import Walk

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
LEAD_NOUNS = frozenset(("circle", "mark", "mask", "outline", "segment"))
"""What leads a phrase, and is the thing asked for where nothing follows."""
BESIDE = {"vehicles": "ride", "areas": "near", "nature": "near", "street": "near", "furniture": "near"}
"""What "man bike", "girl phone" mean, by the section of the second noun; else to hold it."""


class NounPhrase(Walk):
    """`colours_before`: how many colours had been read when the head noun was."""

    colours_before = 0

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
            return self._denied_modifier(draft)
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
        return after != "" or (draft.in_lexicon and not (fresh and is_person(draft.noun)))

    def _modifier(self, draft: Draft, negated: bool = False) -> bool:
        """One adjective, number, ordinal or place word: the longest that any group knows."""
        group, meaning, used = self._longest(MODIFIERS)
        if not used:
            return False
        draft.keep(group, meaning, negated=negated)
        self.at += used
        return True

    def _denied_modifier(self, draft: Draft) -> bool:
        """ "(not) red or blue": neither."""
        read = self._modifier(draft, negated=True)
        while (
            read and self.words[self.at : self.at + 1] in (["or"], ["nor"]) and self._longest(MODIFIERS, self.at + 1)[2]
        ):
            self.at += 1
            self._modifier(draft, negated=True)
        return read

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
        if (is_person(noun) and owned in WORN) or (owner == "animals" and owned == "body"):
            before = self.colours_before
            draft.parts.append(Part(draft.noun, once(draft.colours[:before]), once(draft.looks)))  # "black shirt girl"
            draft.colours, draft.looks = draft.colours[before:], []
            draft.sizes = [] if owned == "body" else draft.sizes  # "long-haired cat"
        colour = self._match("colours")[0] if size > 1 else ""
        if colour and colour not in noun:  # "brown bear" is one noun, and brown
            draft.colours.append(colour)
        self.colours_before = len(draft.colours)
        draft.noun, draft.in_lexicon = noun, True
        draft.many |= self.words[self.at].startswith("every")  # "everyone"
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
        if is_person(draft.noun) and section in WORN:
            draft.parts.append(Part(noun, colours))
        elif is_person(draft.noun) and draft.said[-1] in HOLDERS and section not in ("people", "animals", "anything"):
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

    def _has_object(self, at: int, length: int) -> bool:
        """ "behind the cake": a place word that goes on to a noun of its own is a relation."""
        after = at + length
        return after < len(self.words) and self._match("relations", at)[1] >= length and self.words[after] in ARTICLES

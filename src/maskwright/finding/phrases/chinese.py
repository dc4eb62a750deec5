"""Reads a Chinese phrase: words found by longest match, modifiers before 的, the head noun last."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from maskwright.finding.phrases.draft import Draft, once
from maskwright.finding.phrases.heads import BESIDE
from maskwright.finding.phrases.lexicon import Lexicon, is_person, lexicon
from maskwright.finding.phrases.phrase import Part, Phrase, Relation

MODIFIERS = ("ordinals", "extremes", "sizes", "colours", "patterns", "materials", "quantities", "positions", "sides")
GROUPS = (
    *MODIFIERS,
    "negations",
    "actions",
    "relations_zh_verb",
    "relations_zh_place",
    "measures",
    "skipped",
    "besides",
)
WORN = ("garments", "body")
COUNTED_BY_SIZE = r"(第[一二三四五六七八九十\d]+)([大小高矮长宽])(?=的|$)"
"""The second of all by size, not the second large one: "第二大的"."""
DIGITS = "零一二三四五六七八九"
NUMBER = r"(?<=第)\d{1,2}(?!\d)|(?<!\d)\d{1,2}(?=[个只辆位名条头匹架艘台张把])"
"""Numbers that count, and not those to be read on something."""
FIRST_FEW = r"(?:(?<=[边侧数起的])|^)前(?=[两二三四五六七八九十][个只辆位名])"
"""The first of a row, and not what stands before something: "左边前两个"."""
AND = ("和", "与", "跟", "同", "及")
APART = ("离", "距离", "距")
"""Verbs that say nothing yet: "离门最近" is near, "离门最远" is far."""
COUNTING = "从数起"
"""Characters of a side that is counted from: "从左", "右数", "左起"."""
IN_THE_PICTURE = (
    r"(?:图片|照片|画面|图像|相片|图)(?:(?:上(?![方面部角边])|中(?![间央部])|里面?|内)的?|的?(?=[左右上下中最正]))"
)
"""Says nothing, as places are meant in the picture: "照片里的", "画面左边"."""
PLACES = {
    "on": "top", "above": "top", "below": "bottom", "front_of": "front", "behind": "back", "left_of": "left",
    "right_of": "right", "between": "middle",
}  # fmt: skip
"""What a place word says of the picture where no noun stands before it ("右上的钟")."""
FLUSHED = (
    "colours", "not_colours", "looks", "positions", "not_positions", "extremes", "sizes", "unsupported",
)  # fmt: skip


@dataclass(frozen=True)
class Word:
    """A stretch of characters and every group that knows it: group -> meaning; noun "" when it is none."""

    text: str
    noun: str
    groups: dict[str, str]


def parse_chinese(text: str) -> Phrase:
    """The phrase taken apart; never raises on text."""
    tables = lexicon("zh")
    characters = re.sub(r"[\s,，。.!！?？、:：;；\"'“”‘’]+", "", text)
    characters = re.sub(NUMBER, _numeral, re.sub(IN_THE_PICTURE, "", characters))
    characters = re.sub(FIRST_FEW, "第一", re.sub(COUNTED_BY_SIZE, r"\1最\2", characters))
    words = split(characters, tables)
    words += _who(words)
    reader = _Reader(words, tables)
    reader.read()
    return reader.draft.done(text, "zh")


def _numeral(found: re.Match[str]) -> str:
    """The characters for a number below 100: 12 is 十二, and 2 of something 两."""
    tens, ones = divmod(int(found[0]), 10)
    if found[0] == "2" and found.string[found.start() - 1 : found.start()] != "第":
        return "两"
    return ("" if tens < 2 else DIGITS[tens]) + ("十" if tens else "") + (DIGITS[ones] if ones or not tens else "")


def split(text: str, tables: Lexicon) -> list[Word]:
    """Words by longest match; characters that no table knows are joined into one unknown word."""
    out: list[Word] = []
    unknown, at = "", 0
    while at < len(text):
        word = _longest(text, at, tables)
        word = Word("的", "", {}) if word is None and text[at] == "的" else word
        if word is None:
            unknown, at = unknown + text[at], at + 1
            continue
        if unknown:
            out.append(Word(unknown, "", {}))
            unknown = ""
        out.append(word)
        at += len(word.text)
    return [*out, Word(unknown, "", {})] if unknown else out


def _longest(text: str, at: int, tables: Lexicon) -> Word | None:
    characters = list(text)
    noun, best, _ = tables.noun(characters, at)
    found = {group: tables.groups[group].match(characters, at) for group in GROUPS}
    size = max([best, *(used for _, used in found.values())])
    if not size:
        return None
    groups = {group: meaning for group, (meaning, used) in found.items() if used == size}
    return Word(text[at : at + size], noun if best == size else "", groups)


def _who(words: list[Word]) -> list[Word]:
    """ "戴帽子的", "骑马的那个" leave out that they are people."""
    said = [w for w in words if "measures" not in w.groups]
    verbs = [w.groups.get("relations_zh_verb") for w in said]
    if not said or said[-1].text != "的" or not {"wear", "hold", "ride"} & set(verbs):
        return []
    return [Word("人", "person", {})]


def _is_strange(word: Word) -> bool:
    return not word.groups and not word.noun and word.text != "的"


class _Reader:
    """Walks the words once. `waiting` holds modifiers for the next noun; `verb` is a relation that still needs its
    object; `apart` is true where how far it is has yet to be said."""

    def __init__(self, words: list[Word], tables: Lexicon) -> None:
        self.words, self.tables = words, tables
        self.draft, self.waiting = Draft(), Draft()
        self.verb = ""
        self.apart = False
        self.negated = self.verb_negated = False
        self.head = max((i for i, w in enumerate(words) if self._may_be_head(i)), default=-1)
        if self.head < 0 and not any(_is_strange(w) for w in words):  # "两只猫中较小的那只": the noun stands before 中
            inside = (i for i, w in enumerate(words) if w.noun and self._place_after(i) == "inside")
            self.head = max(inside, default=-1)
            self.draft.one_of = self.head >= 0

    def _may_be_head(self, i: int) -> bool:
        """A noun that no place word follows ("床上" is a place, not a bed)."""
        if not self.words[i].noun:
            return False
        follows = self.words[i + 1] if i + 1 < len(self.words) else None
        return follows is None or "relations_zh_place" not in follows.groups

    def read(self) -> None:
        skip = False
        for i, word in enumerate(self.words):
            if skip:
                skip = False
            elif word.text == "的":
                self._close_modifier(i)
            elif word.noun and i == self.head:
                self._head(word)
                skip = self.draft.one_of
            elif word.noun and self._stands_alone(i):
                skip = self._other_noun(i, word)
            else:
                self._modifier(i, word)
        self._flush()
        if self.head < 0:
            self._unknown_head()

    def _head(self, word: Word) -> None:
        self._flush()
        self.draft.noun, self.draft.in_lexicon = word.noun, True
        self.draft.said.append(word.text)

    def _unknown_head(self) -> None:
        """No noun any table knows: the last unknown word is one."""
        unknown = [w.text for w in self.words if _is_strange(w)]
        if unknown:
            self.draft.noun = unknown[-1]
            self.draft.said.append(unknown[-1])
            self.draft.unsupported = [u for u in self.draft.unsupported if u != unknown[-1]]

    def _place_after(self, i: int) -> str:
        after = self.words[i + 1] if i + 1 < len(self.words) else None
        return "" if after is None else after.groups.get("relations_zh_place", "")

    def _stands_alone(self, i: int) -> bool:
        """Whether a noun is meant as one, and not as a modifier ("木头桌子")."""
        groups = self.words[i].groups
        after = next((w for w in self.words[i + 1 :] if w.text != "的"), None)
        if any(g in groups for g in MODIFIERS) and after is not None and after.noun:
            return False
        return not groups or i < self.head or self._place_after(i) != ""

    def _other_noun(self, i: int, word: Word) -> bool:
        """A noun that is not the head; True when the next word (a place) was used too."""
        place = self._place_after(i)
        if (
            place and self.tables.sections.get(word.noun) == "body" and self._is_verb(i + 2)
        ):  # "头上戴着": where it is worn
            return True
        inner, self.waiting = self.waiting, Draft()
        inner.noun, inner.in_lexicon = word.noun, True
        inner.said.append(word.text)
        if place and is_person(inner.noun) and self.words[i - 1].text == "的":
            inner.parts, self.draft.parts = self.draft.parts, []  # "戴帽子的男人左边的女人": the man's hat
        if self.verb == "on" and place:  # "站在树旁边": near it
            self.verb = place
        if self.verb and not (place and self.verb == "hold"):
            self._close_verb(inner)
            return bool(place)
        if not place and self._is_one_of_two(i):
            self.draft.relations.append(Relation("between", inner.done(word.text, "zh"), self.negated))
            return False
        worn = self.tables.sections.get(word.noun) in WORN and not place
        owns = i + 1 < len(self.words) and self.words[i + 1].text == "的" and not (worn and self._is_person())
        kind = place or (self._tie(i, word.noun) if owns else "")
        if owns and self.words[i - 1].text.endswith("不是"):  # "不是狗的动物"
            self.draft.unsupported.append(f"not {word.noun}")
        elif kind:
            self.draft.relations.append(Relation(kind, inner.done(word.text, "zh"), self.negated))
        elif worn:
            self.draft.parts.append(Part(word.noun, once(inner.colours), once(inner.looks), self.negated))
        else:
            self.draft.unsupported.append(word.text)
        self.negated, self.verb = False, ""
        return bool(place)

    def _tie(self, i: int, noun: str) -> str:
        """ "狗的尾巴" belongs to it; "背包的男人" has it, and after a word that no table knows, somebody does something
        with it: "扛着梯子的男人"."""
        section, head = self.tables.sections[noun], self.tables.sections.get(self.words[self.head].noun)
        before = [w for w in self.words[:i] if w.text != "着"]
        does = head in ("people", "animals") and bool(before) and _is_strange(before[-1])
        has = head == "people" and section == "carried"
        return BESIDE.get(section, "hold") if does or has else "held_by"

    def _is_verb(self, i: int) -> bool:
        return i < self.head and "relations_zh_verb" in self.words[i].groups

    def _is_one_of_two(self, i: int) -> bool:
        """The first of "桌子和椅子之间"."""
        after = self.words[i + 1 : self.head]
        second = next((k for k, w in enumerate(after, i + 1) if w.noun), -1)
        return bool(after) and after[0].text in AND and second > 0 and self._place_after(second) == "between"

    def _is_person(self) -> bool:
        return self.head >= 0 and is_person(self.words[self.head].noun)

    def _close_verb(self, inner: Draft) -> None:
        """The open verb gets its object."""
        worn = self.verb == "wear" or (self.verb == "hold" and self.tables.sections.get(inner.noun) in WORN)
        if worn:
            part = Part(inner.noun, once(inner.colours), once(inner.looks), self.verb_negated)
            self.draft.parts.append(part)
        else:
            thing = inner.done("".join(inner.said), "zh")
            self.draft.relations.append(Relation(self.verb, thing, self.verb_negated))
        self.verb = ""

    def _close_modifier(self, i: int) -> None:
        """的 ends a modifier; "穿红色的男人" is somebody in red."""
        if self.verb == "wear" and self.waiting.colours and i + 1 == self.head:
            self.draft.parts.append(Part("", once(self.waiting.colours), once(self.waiting.looks), self.verb_negated))
            self.waiting, self.verb = Draft(), ""

    def _modifier(self, i: int, word: Word) -> None:
        groups = word.groups
        if "besides" in groups:
            self._deny_what_waits()
        elif self.apart and self.draft.relations and word.text[-1] in "近远":
            self.apart = False
            if word.text[-1] == "远":
                self.draft.relations[-1] = replace(self.draft.relations[-1], kind="far")
        elif "negations" in groups and i != len(self.words) - 1:
            self.negated = True
        elif "actions" in groups and not self._noun_follows(i):
            self.draft.actions.append(groups["actions"])
        elif "relations_zh_verb" in groups and i < max(self.head, 0):
            self._flush()
            self.verb, self.verb_negated, self.negated = groups["relations_zh_verb"], self.negated, False
            self.apart = word.text in APART
        elif not self._simple_modifier(word):
            place = PLACES.get(groups.get("relations_zh_place", ""))
            if place:
                self.waiting.positions.append(place)
            elif not groups and word.text:
                self.draft.unsupported.append(word.text)

    def _deny_what_waits(self) -> None:
        """ "红色以外的车": the car is not red."""
        self.waiting.not_colours += self.waiting.colours
        self.waiting.not_positions += [*self.waiting.positions, *self.waiting.extremes]
        self.waiting.colours, self.waiting.positions, self.waiting.extremes = [], [], []

    def _noun_follows(self, i: int) -> bool:
        return i + 1 < self.head and bool(self.words[i + 1].noun)

    def _simple_modifier(self, word: Word) -> bool:
        group = next((g for g in MODIFIERS if g in word.groups), "")
        if group:
            self.waiting.keep(group, word.groups[group], negated=self.negated)
            self.waiting.counted |= group == "sides" and any(c in word.text for c in COUNTING)
            self.negated = False
        return bool(group)

    def _flush(self) -> None:
        """Modifiers that wait belong to the head after all."""
        for name in FLUSHED:
            getattr(self.draft, name).extend(getattr(self.waiting, name))
        if self.waiting.rank is not None:
            self.draft.rank = self.waiting.rank
        self.draft.counted |= self.waiting.counted
        if self.waiting.many:
            self.draft.many, self.draft.count = True, self.waiting.count
            self.draft.run = self.waiting.run
        self.waiting = Draft()

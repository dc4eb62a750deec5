"""A phrase in the making."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from maskwright.finding.phrases.lexicon import is_person
from maskwright.finding.phrases.phrase import Ordinal, Part, Phrase, Relation

PAIRED = frozenset(
    ("scissors", "glasses", "sunglasses", "pants", "jeans", "shorts", "headphones", "binoculars", "pliers", "tweezers")
)
"""A pair of these is one thing."""


@dataclass
class Draft:
    """The fields of a Phrase while words are read; `plural`, `side` and `one_of` (one of several) are settled when it
    is done."""

    noun: str = ""
    said: list[str] = field(default_factory=list)
    in_lexicon: bool = False
    colours: list[str] = field(default_factory=list)
    not_colours: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    positions: list[str] = field(default_factory=list)
    not_positions: list[str] = field(default_factory=list)
    extremes: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)
    rank: int | None = None
    run: int = 1
    side: str = ""
    counted: bool = False
    parts: list[Part] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    count: int | None = None
    pair: bool = False
    many: bool = False
    plural: bool = False
    one_of: bool = False
    unsupported: list[str] = field(default_factory=list)

    def keep(self, group: str, meaning: str, *, negated: bool = False) -> None:
        """Files one modifier under its group of tables/words.toml."""
        if negated:
            self._keep_negated(group, meaning)
        elif group == "colours":
            self.colours.append(meaning)
        elif group in ("patterns", "materials"):
            self.looks.append(meaning)
        elif group == "ordinals":
            self.rank = int(meaning)
        elif group == "quantities" and meaning == "pair":
            self.pair = True
        elif group == "quantities" and (meaning == "all" or not self.noun):  # "three dogs and two cats"
            self.many, self.count = True, None if meaning == "all" else int(meaning)
            self.run = self.count or 1 if self.rank in (1, -1) else 1  # "the first two"
        elif group == "quantities":
            self.unsupported.append(meaning)
        elif group == "sides":
            self.positions.append(meaning)
        else:
            getattr(self, group).append(meaning)

    def _keep_negated(self, group: str, meaning: str) -> None:
        if group == "colours":
            self.not_colours.append(meaning)
        elif group in ("positions", "extremes", "sides"):
            self.not_positions.append(meaning)
        else:
            self.unsupported.append(f"not {meaning}")

    def done(self, text: str, language: str) -> Phrase:
        """The frozen phrase."""
        if is_person(self.noun) and "blonde" in self.colours:
            self.colours.remove("blonde")
            self.parts.append(Part("hair", ("blonde",)))
        if self.pair and self.noun not in PAIRED:
            self.many, self.count = True, 2
        if self.pair and self.noun in PAIRED:
            self.plural = False
        ordinal = self._ordinal()
        positions = [p for p in self.positions if ordinal is None or self.side or p != ordinal.side]
        return Phrase(
            text=text, language=language, noun=self.noun, said=" ".join(self.said), in_lexicon=self.in_lexicon,
            colours=once(self.colours), not_colours=once(self.not_colours), looks=once(self.looks),
            positions=once(positions), not_positions=once(self.not_positions), extremes=once(self.extremes),
            sizes=once(self.sizes), ordinal=ordinal, parts=tuple(self.parts), relations=tuple(self.relations),
            actions=once(self.actions), count=None if self.one_of else self.count,
            many=(self.many or self.plural) and not self.one_of,
            unsupported=once(self.unsupported),
        )  # fmt: skip

    def _ordinal(self) -> Ordinal | None:
        """ "the last on the right" is the first from there; "the last from the right" stands at the left; "the second
        largest" is counted by size."""
        if self.rank is None:
            return self._furthest_few()
        if self.rank > 0 and self.sizes and self.sizes[-1].endswith("est") and not self.counted:
            self.positions += [self.side] if self.side else []
            return Ordinal(self.rank, self.sizes.pop(), self.run)
        said = next((p for p in self.positions if p in ("left", "right", "top", "bottom", "front", "back")), "")
        side = self.side or said
        rank = -self.rank if self.rank < 0 and side and not self.counted else self.rank
        return Ordinal(rank, side or "left", self.run)

    def _furthest_few(self) -> Ordinal | None:
        """ "the leftmost two", "the two largest" are the first two."""
        ranks = self.extremes if self.extremes else [size for size in self.sizes if size.endswith("est")]
        if self.count is None or self.count < 2 or len(ranks) != 1 or self.one_of:
            return None
        first = ranks[0]
        (self.extremes if self.extremes else self.sizes).remove(first)
        return Ordinal(1, first, self.count)


def once(values: Iterable[str]) -> tuple[str, ...]:
    """The values without repeats, in order."""
    return tuple(dict.fromkeys(values))

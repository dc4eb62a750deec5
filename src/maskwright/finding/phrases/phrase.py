"""What a phrase asks for, taken apart: a value that goes into traces as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from maskwright.finding.phrases.lexicon import is_person


@dataclass(frozen=True)
class Part:
    """Something worn or grown: noun ("" for just "in red"), its colours and materials; `negated`: must be absent."""

    noun: str = ""
    colours: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class Ordinal:
    """The rank-th (1 = first, -1 = last) of its kind counted from a side (left, right, top, bottom, front, back), or
    from the one of most size ("largest", "shortest" ...); with a `count`, so many in a row: "the first two"."""

    rank: int
    side: str = "left"
    count: int = 1


@dataclass(frozen=True)
class Relation:
    """How the thing asked for stands to another: kind is a row of tables/words.toml [relations]."""

    kind: str
    object: Phrase
    negated: bool = False


@dataclass(frozen=True)
class Phrase:
    """noun is the canonical English word ("" when none was said), `said` the words used; `in_lexicon` is False for a
    noun no table knows. colours, looks (pattern, material), positions, sizes belong to the thing itself; `not_colours`
    must not be seen. `many` asks for every instance. `also` are the other phrases of a list: "a dog, two cats".
    `unsupported` lists what was read but cannot be judged."""

    text: str
    language: str = "en"
    noun: str = ""
    said: str = ""
    in_lexicon: bool = False
    colours: tuple[str, ...] = ()
    not_colours: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    not_positions: tuple[str, ...] = ()
    extremes: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    ordinal: Ordinal | None = None
    parts: tuple[Part, ...] = ()
    relations: tuple[Relation, ...] = ()
    actions: tuple[str, ...] = ()
    count: int | None = None
    many: bool = False
    also: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = field(default=())

    @property
    def queries(self) -> tuple[str, ...]:
        """The nouns to ask a ranker about, the head first ("object" when none was said), without repeats."""
        nouns = [self.noun or "object", *(p.noun for p in self.parts if p.noun)]
        for relation in self.relations:
            nouns.append(relation.object.noun or "object")
        return tuple(dict.fromkeys(nouns))

    @property
    def is_person(self) -> bool:
        return is_person(self.noun)

    @property
    def has_attributes(self) -> bool:
        """True when anything but a noun was understood."""
        plain = (
            self.colours, self.not_colours, self.looks, self.positions, self.not_positions, self.extremes,
            self.sizes, self.parts, self.relations,
        )  # fmt: skip
        return self.ordinal is not None or any(plain)

    @property
    def says_nothing(self) -> bool:
        """True when no word of it meant anything: "of the"."""
        return replace(self, text="", language="en") == Phrase("")

    def to_json(self) -> dict[str, Any]:
        """What was understood, without what was not said."""
        return {key: value for key, value in _plain(self).items() if value not in (None, [], "", False)}


def _plain(value: Phrase) -> Mapping[str, Any]:
    out: dict[str, Any] = dict(value.__dict__)
    out["ordinal"] = None if value.ordinal is None else _ranked(value.ordinal)
    out["parts"] = [
        {"noun": p.noun, "colours": list(p.colours), "looks": list(p.looks), "negated": p.negated} for p in value.parts
    ]
    out["relations"] = [{"kind": r.kind, "object": r.object.to_json(), "negated": r.negated} for r in value.relations]
    return {key: list(v) if isinstance(v, tuple) else v for key, v in out.items()}


def _ranked(ordinal: Ordinal) -> dict[str, Any]:
    run = {"count": ordinal.count} if ordinal.count > 1 else {}
    return {"rank": ordinal.rank, "side": ordinal.side, **run}

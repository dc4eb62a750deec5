"""Phrases about a scene that name exactly one thing in it, or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from maskwright.bench.scenes.scene import HEIGHT, WIDTH, Placed, Scene
from maskwright.bench.scenes.things import COLOURS, THINGS

KINDS = ("category", "colour", "position", "size", "ordinal", "relation", "none_such")
_ORDINALS = ("second", "third")


@dataclass(frozen=True, eq=False)
class Said:
    """A phrase, what kind it is, and the thing it names (None: nothing)."""

    text: str
    kind: str
    thing: Placed | None


def phrases_of(scene: Scene, *, each: int = 1) -> list[Said]:
    """At most `each` phrases of every kind, chosen by the scene's seed."""
    rng = np.random.default_rng([scene.seed, 7])
    known: dict[str, list[Said]] = {}
    for said in _all(scene):
        known.setdefault(said.kind, []).append(said)
    chosen = []
    for kind in KINDS:
        found = known.get(kind, [])
        picked = rng.permutation(len(found))[:each]
        chosen += [found[i] for i in picked]
    return chosen


def _all(scene: Scene) -> Iterator[Said]:
    groups: dict[str, list[Placed]] = {}
    for thing in scene.things:
        if thing.mask.area >= 0.4 * _open_area(thing):
            groups.setdefault(thing.kind, []).append(thing)
    counts = Counter(t.kind for t in scene.things)
    groups = {kind: things for kind, things in groups.items() if len(things) == counts[kind]}
    for kind, things in groups.items():
        if len(things) == 1:
            yield Said(f"the {kind}", "category", things[0])
        else:
            yield from _among(kind, things)
    yield from _relations(groups)
    yield from _absent(scene)


def _open_area(thing: Placed) -> float:
    """About how many pixels a thing of its side covers when nothing hides it."""
    return 0.45 * thing.side**2


def _among(kind: str, things: list[Placed]) -> Iterator[Said]:
    """What tells one of several alike things from the others."""
    for thing in things:
        yield Said(f"the {thing.colour} {kind}", "colour", thing)
    for axis, low, high, room in ((0, "left", "right", WIDTH), (1, "top", "bottom", HEIGHT)):
        row = sorted(things, key=lambda t: t.centre[axis])
        apart = [b.centre[axis] - a.centre[axis] for a, b in pairwise(row)]
        where = "on the" if axis == 0 else "at the"
        if apart[0] > 0.12 * room:
            yield Said(f"the {kind} {where} {low}", "position", row[0])
        if apart[-1] > 0.12 * room:
            yield Said(f"the {kind} {where} {high}", "position", row[-1])
        if axis == 0 and len(row) > 2 and min(apart) > 0.05 * room:
            for i, word in enumerate(_ORDINALS[: len(row) - 2], 1):
                yield Said(f"the {word} {kind} from the left", "ordinal", row[i])
    by_side = sorted(things, key=lambda t: t.side)
    if by_side[-1].side > 1.3 * by_side[-2].side:
        yield Said(f"the largest {kind}", "size", by_side[-1])
    if by_side[1].side > 1.3 * by_side[0].side:
        yield Said(f"the smallest {kind}", "size", by_side[0])


def _relations(groups: dict[str, list[Placed]]) -> Iterator[Said]:
    """ "the cup to the left of the book", where only one of the cups is."""
    for anchor_kind, anchors in groups.items():
        if len(anchors) != 1:
            continue
        x = anchors[0].centre[0]
        for kind, things in groups.items():
            if kind == anchor_kind or len(things) < 2:
                continue
            for word, side in (("left", -1), ("right", 1)):
                there = [t for t in things if side * (t.centre[0] - x) > 0]
                clear = [t for t in there if side * (t.centre[0] - x) > 0.08 * WIDTH]
                if len(there) == 1 and clear:
                    yield Said(f"the {kind} to the {word} of the {anchor_kind}", "relation", there[0])


def _absent(scene: Scene) -> Iterator[Said]:
    present = {t.kind for t in scene.things}
    pairs = {(t.kind, t.colour) for t in scene.things}
    for kind in THINGS:
        if kind not in present:
            yield Said(f"the {kind}", "none_such", None)
    for kind in sorted(present):
        for colour in COLOURS:
            if (kind, colour) not in pairs:
                yield Said(f"the {colour} {kind}", "none_such", None)

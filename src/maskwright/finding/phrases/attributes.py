"""Everything in a phrase but its noun, scored against the regions of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maskwright.finding.phrases import places
from maskwright.finding.phrases.colours import chance_of, words_for
from maskwright.finding.phrases.phrase import Part, Phrase, Relation
from maskwright.finding.phrases.relations import pair_chance
from maskwright.finding.phrases.scene import Scene

Floats = NDArray[np.float32]

ZONES = {
    "hat": "head", "helmet": "head", "hair": "head", "glasses": "head", "sunglasses": "head", "beard": "head",
    "mask": "head", "scarf": "upper", "pants": "lower", "jeans": "lower", "shorts": "lower", "skirt": "lower",
    "fur": "whole", "shoe": "feet", "boot": "feet", "sandal": "feet", "sock": "feet",
}  # fmt: skip
"""Where on a figure something is worn; anything else on the upper part."""


@dataclass(frozen=True, eq=False)
class AttributeScores:
    """log_chances (K,): the sum over attributes of the log chance that a region fits each; `each` maps a label of
    the attribute to its chances (K,), for the trace; `groups` has the log chances (K,) of looks, places and relations
    apart, where such were said; `too_few` is how many of its kind were seen, where the phrase counts further."""

    log_chances: Floats
    each: Mapping[str, Floats] = field(default_factory=dict)
    groups: Mapping[str, Floats] = field(default_factory=dict)
    too_few: int | None = None

    def to_json(self, index: int) -> dict[str, float]:
        """The chances of one region, by attribute."""
        return {label: round(float(chances[index]), 3) for label, chances in self.each.items()}


def score_attributes(
    scene: Scene, phrase: Phrase, nouns: Mapping[str, Floats], wholes: Floats | None = None
) -> AttributeScores:
    """`nouns`: for each of phrase.queries, the chance (K,) that each region is that noun; `wholes` (K,) 0..1 is how
    much of one whole thing each is, since places, sizes and numbers are meant among things and not among their pieces
    (None: all are whole)."""
    kind = nouns.get(phrase.noun or "object", np.ones(len(scene), np.float32))
    kind = kind if wholes is None else kind * wholes
    looks: dict[str, Floats] = {}
    _own_looks(scene, phrase, looks)
    for part in phrase.parts:
        looks[_part_label(part)] = _maybe_not(part_chance(scene, part, nouns), part.negated)
    relations = {
        _relation_label(relation): _maybe_not(relation_chance(scene, relation, nouns, wholes), relation.negated)
        for relation in phrase.relations
    }
    found: dict[str, Floats] = {}
    group = _group(kind, {**looks, **relations})
    _places(scene, phrase, group, found)
    too_few = None if phrase.ordinal is None else places.too_few(scene, phrase.ordinal, group)
    each = {**looks, **relations, **found}
    named = {"looks": looks, "places": found, "relations": relations}
    groups = {name: _logs(scene, chances) for name, chances in named.items() if chances}
    return AttributeScores(_logs(scene, each), each, groups, too_few)


def _logs(scene: Scene, each: Mapping[str, Floats]) -> Floats:
    total = sum((np.log(chances) for chances in each.values()), np.zeros(len(scene), np.float32))
    return np.asarray(total, dtype=np.float32)


def _own_looks(scene: Scene, phrase: Phrase, each: dict[str, Floats]) -> None:
    zone = "upper" if phrase.is_person else "whole"
    if phrase.colours:
        each["colour " + " and ".join(phrase.colours)] = _colours(scene, phrase.colours, zone)
    for colour in phrase.not_colours:
        each[f"not {colour}"] = 1 - chance_of(colour, scene.colours(zone))


def _colours(scene: Scene, asked: tuple[str, ...], zone: str) -> Floats:
    """One colour must stand out; of several, each must be seen, if less."""
    chances = np.stack([chance_of(colour, scene.colours(zone)) for colour in asked])
    if len(asked) == 1:
        return np.asarray(chances[0], dtype=np.float32)
    return np.asarray(np.sqrt(chances.max(axis=0) * chances.mean(axis=0)), dtype=np.float32)


def part_chance(scene: Scene, part: Part, nouns: Mapping[str, Floats]) -> Floats:
    """Something worn: its colour in its stretch of the figure; without a colour, whether it is seen at all."""
    zone = ZONES.get(part.noun, "upper")
    seen = nouns.get(part.noun)
    if not part.colours:
        return _presence(scene, seen)
    chance = _colours(scene, part.colours, zone)
    if seen is not None:
        chance = np.maximum(chance, _worn_region(scene, part, seen))
    return np.asarray(np.clip(chance, 0.03, 0.97), dtype=np.float32)


def _worn_region(scene: Scene, part: Part, seen: Floats) -> Floats:
    """A region that is the garment, of the right colour, within the figure."""
    apt = _colours(scene, part.colours, "whole") * np.clip(2 * seen, 0, 1)
    within = scene.overlap.T * (scene.areas[None] < 0.8 * scene.areas[:, None])
    return np.asarray((within * apt[None]).max(axis=1, initial=0), dtype=np.float32)


def _presence(scene: Scene, seen: Floats | None) -> Floats:
    """Weak evidence: the region itself, or a smaller one within it, looks a little like the garment."""
    if seen is None or not len(scene):
        return np.full(len(scene), 0.5, np.float32)
    within = scene.overlap.T * (scene.areas[None] < 0.6 * scene.areas[:, None])
    raised = np.maximum(seen, 0.8 * (within * seen[None]).max(axis=1, initial=0))
    return np.asarray(np.clip(0.3 + 0.5 * raised / max(float(raised.max()), 0.1), 0.05, 0.9), dtype=np.float32)


def relation_chance(
    scene: Scene, relation: Relation, nouns: Mapping[str, Floats], wholes: Floats | None = None
) -> Floats:
    """The best partner: a region that fits the object's own words and stands in the relation."""
    thing = relation.object
    fits = nouns.get(thing.noun or "object", np.full(len(scene), 0.5, np.float32))
    inner = score_attributes(scene, thing, nouns, wholes)
    partner = fits * np.exp(inner.log_chances)
    surest = float(partner.max(initial=0))
    if surest < 0.02:
        return np.full(len(scene), 0.35, np.float32)
    pairs = pair_chance(scene, relation.kind) * (partner / max(surest, 0.15))[None]
    pairs = pairs * (1 - np.minimum(scene.overlap, scene.overlap.T))
    best = pairs.max(axis=1, initial=0)
    if relation.kind == "between" and thing.many and len(scene) > 2:  # else its other side is a relation of its own
        best = np.sqrt(best * np.sort(pairs, axis=1)[:, -2])
    trust = min(1.0, 0.35 + surest)
    return np.asarray(np.clip(trust * best + (1 - trust) * 0.35, 0.03, 0.95), dtype=np.float32)


def _group(kind: Floats, each: Mapping[str, Floats]) -> Floats:
    """How surely each region is of the kind that places and ordinals count: its noun and its looks."""
    chance = kind.astype(np.float32)
    for chances in each.values():
        chance = chance * chances
    return np.asarray(chance, dtype=np.float32)


def _places(scene: Scene, phrase: Phrase, group: Floats, each: dict[str, Floats]) -> None:
    for word in phrase.positions:
        each[f"place {word}"] = places.position_chance(scene, word, group)
    for word in phrase.not_positions:
        each[f"not {word}"] = 1 - places.position_chance(scene, word, group)
    for word in phrase.extremes:
        each[f"furthest {word}"] = places.extreme_chance(scene, word, group)
    for word in phrase.sizes:
        each[f"size {word}"] = places.size_chance(scene, word, group)
    if phrase.ordinal is not None:
        run = f" and on, {phrase.ordinal.count} in all," if phrase.ordinal.count > 1 else ""
        label = f"number {phrase.ordinal.rank}{run} from {phrase.ordinal.side}"
        each[label] = places.ordinal_chance(scene, phrase.ordinal, group)


def _maybe_not(chance: Floats, negated: bool) -> Floats:
    return np.asarray(np.clip(1 - chance, 0.03, 0.97), dtype=np.float32) if negated else chance


def _part_label(part: Part) -> str:
    words = [*(["without"] if part.negated else ["in"]), *part.colours, part.noun or "clothes"]
    return " ".join(words)


def _relation_label(relation: Relation) -> str:
    return f"{'not ' if relation.negated else ''}{relation.kind} {relation.object.noun or 'something'}"


def seen_colours(scene: Scene, index: int) -> list[str]:
    """The colour words for one region."""
    return words_for(scene.colours()[index])

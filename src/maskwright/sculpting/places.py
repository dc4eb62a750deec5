"""Places a judge is asked about, and what it said of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from maskwright.values import Abstain, Verdict

Sampler = Literal["inside", "band", "outside", "control", "check", "anchor"]
QUALITIES = ("sharp", "soft", "fragmented")


@dataclass(frozen=True, slots=True)
class Place:
    """One spot of the full image; `id` is issued by us and the only thing a model may refer to."""

    id: str
    x: float
    y: float
    sampler: Sampler
    weight: float = 1.0

    @property
    def xy(self) -> tuple[float, float]:
        return (self.x, self.y)


@dataclass(frozen=True)
class Judged:
    """A place, the verdicts of its patches (one a scale), its fused score 0..1, and why there is none."""

    place: Place
    patches: tuple[Verdict | Abstain, ...]
    similarity: float | None = None
    score: float | None = None

    @property
    def p(self) -> float | None:
        """Mean confidence over the patches that were answered, "no" counted as 0; None when none was."""
        answered = [v for v in self.patches if isinstance(v, Verdict)]
        if not answered:
            return None
        return float(np.mean([v.confidence if v.is_target else 0.0 for v in answered]))

    def to_json(self) -> dict[str, Any]:
        """Nothing is rounded, so that a resumed run equals an unbroken one."""
        return {
            "id": self.place.id,
            "x": float(self.place.x),
            "y": float(self.place.y),
            "sampler": self.place.sampler,
            "weight": float(self.place.weight),
            "patches": [patch_to_json(v) for v in self.patches],
            "similarity": None if self.similarity is None else float(self.similarity),
            "score": None if self.score is None else float(self.score),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Judged:
        place = Place(value["id"], value["x"], value["y"], value["sampler"], value.get("weight", 1.0))
        patches = tuple(_patch_from_json(p, place.id) for p in value["patches"])
        return cls(place, patches, value["similarity"], value["score"])


def patch_to_json(patch: Verdict | Abstain) -> dict[str, Any]:
    if isinstance(patch, Abstain):
        return {"abstain": patch.reason}
    return {"is_target": patch.is_target, "conf": float(patch.confidence)}


def _patch_from_json(value: Mapping[str, Any], place_id: str) -> Verdict | Abstain:
    if "abstain" in value:
        return Abstain(value["abstain"])
    return Verdict(place_id, value["is_target"], value["conf"])


@dataclass(frozen=True)
class Diagnosis:
    """What a judge sees wrong with a mask, in a few words a part; `key_cues` describe the target."""

    missing_parts: tuple[str, ...] = ()
    over_segments: tuple[str, ...] = ()
    boundary_quality: str = "sharp"
    key_cues: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.missing_parts and not self.over_segments

    def to_json(self) -> dict[str, Any]:
        return {
            "missing_parts": list(self.missing_parts),
            "over_segments": list(self.over_segments),
            "boundary_quality": self.boundary_quality,
            "key_cues": list(self.key_cues),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Diagnosis:
        return cls(
            tuple(value["missing_parts"]),
            tuple(value["over_segments"]),
            value["boundary_quality"],
            tuple(value["key_cues"]),
        )


@dataclass(frozen=True)
class Anchor:
    """A numbered place on the contour with the contour's direction there (a unit vector along it, and its outward
    normal), and the side of its square in full-image pixels."""

    number: int
    x: float
    y: float
    tangent: tuple[float, float]
    normal: tuple[float, float]
    side_px: float
    weight: float = 1.0

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "x": self.x,
            "y": self.y,
            "normal": [round(v, 4) for v in self.normal],
            "side_px": round(self.side_px, 2),
        }


@dataclass(frozen=True)
class AnchorAsk:
    """An anchor that needs work, and why in a few words."""

    number: int
    reason: str = ""


@dataclass(frozen=True)
class Cell:
    """One part of an anchor's square: its corners (4, 2) in full-image pixels and the place a click would go."""

    place: Place
    anchor: int
    corners: tuple[tuple[float, float], ...]
    inside: bool
    name: str = field(default="")


def directions(words: Sequence[str]) -> list[tuple[float, float]]:
    """Unit vectors (x right, y down) of the direction words in some texts; texts without one give none."""
    found = []
    for text in words:
        tokens = set(text.casefold().replace("-", " ").replace(",", " ").split())
        x = _has(tokens, _RIGHT) - _has(tokens, _LEFT)
        y = _has(tokens, _DOWN) - _has(tokens, _UP)
        if x or y:
            length = float(np.hypot(x, y))
            found.append((x / length, y / length))
    return found


_LEFT = {"left", "west"}
_RIGHT = {"right", "east"}
_UP = {"top", "upper", "up", "above", "north", "head"}
_DOWN = {"bottom", "lower", "down", "below", "south", "feet", "foot"}


def _has(tokens: set[str], words: set[str]) -> int:
    return int(bool(tokens & words))

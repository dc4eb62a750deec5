"""Where a thing is, how large, and the how-manieth: chances (K,) that each region fits one such word."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.finding.phrases.phrase import Ordinal
from maskwright.finding.phrases.scene import Scene

Floats = NDArray[np.float32]
DOUBTFUL = 0.2
"""Share of the surest one's chance from which on a region may be one of its kind."""
SAME = 0.6
"""Share of the smaller of two regions inside the other from which on they count as one thing."""


def position_chance(scene: Scene, word: str, group: Floats) -> Floats:
    """`group` (K,) 0..1: how surely each region is of the kind asked for; a place is meant among its kind."""
    if word == "middle":
        return _middle(scene, group)
    if word in ("corner", "edge"):
        return _rim(scene, word)
    value = _along(scene, word)
    absolute = sigmoid((0.5 - value) / 0.13) if word in ("left", "right", "top", "bottom") else np.full_like(value, 0.5)
    relative = _before_others(scene, value, group, _width(word))
    weight = np.float32(0.45 if word in ("left", "right", "top", "bottom") else 0.1)
    return _clip(weight * absolute + (1 - weight) * relative)


def extreme_chance(scene: Scene, word: str, group: Floats) -> Floats:
    """The one furthest to a side among its kind."""
    return _clip(_first(scene, _along(scene, word), group, _width(word)))


def size_chance(scene: Scene, word: str, group: Floats) -> Floats:
    """largest, smallest, tallest... among its kind; large, small, tall... more gently."""
    if word in ("round", "square"):
        return _shape(scene, word)
    value, sign = _measure(scene, word)
    first = _first(scene, -sign * value, group, 0.12)
    if word.endswith("est"):
        return _clip(first)
    relative = _before_others(scene, -sign * value, group, 0.25)
    return _clip(0.25 + 0.6 * relative)


def ordinal_chance(scene: Scene, ordinal: Ordinal, group: Floats) -> Floats:
    """The rank-th distinct region of its kind, counted from a side, or so many from there on."""
    members = distinct(scene, group)
    value = _along(scene, ordinal.side)
    members = sorted(members, key=lambda k: float(value[k]))
    out = np.full(len(scene), 0.03, dtype=np.float32)
    first = ordinal.rank - 1 if ordinal.rank > 0 else len(members) + ordinal.rank - (ordinal.count - 1)
    for place, k in enumerate(members):
        away = max(first - place, place - (first + ordinal.count - 1), 0)
        chance = {0: 0.92, 1: 0.12}.get(away, 0.04)
        same = (scene.overlap[k] > SAME) & (scene.overlap[:, k] > SAME)
        out[same] = np.maximum(out[same], chance)
        out[k] = max(out[k], chance)
    return out


def distinct(scene: Scene, group: Floats, share: float = 0.3) -> list[int]:
    """Regions not much less sure than the surest, without those that are the same thing or a piece of one."""
    if not len(group):
        return []
    strong = np.flatnonzero(group >= share * max(float(group.max()), 1e-6))
    kept: list[int] = []
    for k in strong[np.argsort(-group[strong], kind="stable")].tolist():
        if all(max(scene.overlap[k, j], scene.overlap[j, k]) < SAME for j in kept):
            kept.append(k)
    return kept


def too_few(scene: Scene, ordinal: Ordinal, group: Floats) -> int | None:
    """How many of its kind there are, the doubtful ones too, when an ordinal counts further than that."""
    seen = len(distinct(scene, group, DOUBTFUL))
    return seen if seen < abs(ordinal.rank) else None


def _along(scene: Scene, side: str) -> Floats:
    """A number that grows away from the side: 0 at it, about 1 at the other; of sizes, from the largest on."""
    if side.endswith("est"):
        value, sign = _measure(scene, side)
        return np.asarray(-sign * value, dtype=np.float32)
    if side in ("front", "back"):
        near = 0.55 * scene.boxes[:, 3] + 0.45 * np.sqrt(np.clip(scene.areas * 4, 0, 1))
        return np.asarray(1 - near if side == "front" else near, dtype=np.float32)
    value = {"left": scene.x, "right": 1 - scene.x, "top": scene.y, "bottom": 1 - scene.y}[side]
    return np.asarray(value, dtype=np.float32)


def _width(word: str) -> float:
    return 0.05 if word in ("front", "back") else 0.025


def _first(scene: Scene, value: Floats, group: Floats, width: float) -> Floats:
    """(K,) chance that no other of the kind has a smaller value."""
    ahead = sigmoid((value[:, None] - value[None, :]) / width)
    return np.asarray(np.prod(1 - _rivals(scene, group) * ahead, axis=1), dtype=np.float32)


def _before_others(scene: Scene, value: Floats, group: Floats, width: float) -> Floats:
    """(K,) share of its kind that has a larger value; 0.6 where it stands alone."""
    behind = sigmoid((value[None, :] - value[:, None]) / width)
    rivals = _rivals(scene, group)
    total = rivals.sum(axis=1)
    return np.asarray((0.6 * 0.5 + (rivals * behind).sum(axis=1)) / (0.5 + total), dtype=np.float32)


def _rivals(scene: Scene, group: Floats) -> Floats:
    """(K, K) how surely j is another thing of the same kind than k: never itself, nor what mostly overlaps it."""
    same = np.maximum(scene.overlap, scene.overlap.T)
    sure = group / max(float(group.max()), 1e-6) if len(group) else group
    sure = np.where(sure >= 0.2, sure, 0)
    return np.asarray(sure[None, :] * (same < SAME), dtype=np.float32)


def _middle(scene: Scene, group: Floats) -> Floats:
    """Near the picture's middle, and between others of its kind."""
    absolute = np.exp(-(((scene.x - 0.5) / 0.2) ** 2) - ((scene.y - 0.5) / 0.45) ** 2)
    rivals = _rivals(scene, group)
    left = (rivals * sigmoid((scene.x[:, None] - scene.x[None]) / 0.025)).sum(axis=1)
    right = (rivals * sigmoid((scene.x[None] - scene.x[:, None]) / 0.025)).sum(axis=1)
    balance = (np.minimum(left, right) + 0.3) / (np.maximum(left, right) + 0.3)
    return _clip(0.5 * absolute + 0.5 * balance)


def _rim(scene: Scene, word: str) -> Floats:
    dx, dy = 0.5 - np.abs(scene.x - 0.5), 0.5 - np.abs(scene.y - 0.5)
    away = np.maximum(dx, dy) if word == "corner" else np.minimum(dx, dy)
    return _clip(sigmoid((0.25 - away) / 0.06))


def _measure(scene: Scene, word: str) -> tuple[Floats, float]:
    """(logarithm of what is compared, 1 when more is meant)."""
    areas = np.log(np.maximum(scene.areas, 1e-6))
    heights, widths = np.log(np.maximum(scene.heights, 1e-4)), np.log(np.maximum(scene.widths, 1e-4))
    longer = np.maximum(heights, widths)
    table = {
        "largest": (areas, 1.0), "large": (areas, 1.0), "smallest": (areas, -1.0), "small": (areas, -1.0),
        "tallest": (heights, 1.0), "tall": (heights, 1.0), "shortest": (heights, -1.0), "short": (heights, -1.0),
        "longest": (longer, 1.0), "long": (longer, 1.0), "widest": (widths, 1.0),
    }  # fmt: skip
    return table[word]


def _shape(scene: Scene, word: str) -> Floats:
    fill = scene.areas * scene.aspect / np.maximum(scene.heights * scene.widths, 1e-6)
    ratio = np.abs(np.log(np.maximum(scene.heights, 1e-4) / np.maximum(scene.widths, 1e-4)))
    wanted = np.pi / 4 if word == "round" else 0.97
    return _clip(np.exp(-(((fill - wanted) / 0.12) ** 2) - (ratio / 0.6) ** 2 * (word == "round")))


def sigmoid(value: NDArray[Any]) -> Floats:
    """0..1, without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -60, 60))), dtype=np.float32)


def _clip(chance: Floats) -> Floats:
    return np.asarray(np.clip(chance, 0.02, 0.98), dtype=np.float32)

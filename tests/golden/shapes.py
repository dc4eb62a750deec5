"""Seeded pairs of an answer (mask or soft map) and a truth, used to compare measures with their references."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PAIRS = (
    "discs 480x640", "discs 97x61", "soft 120x160", "noise 64x64", "noise soft 33x47", "empty/empty", "empty/disc",
    "disc/empty", "full/disc", "disc/full", "full/full", "one pixel/disc", "disc/one pixel", "one pixel/one pixel",
    "corner pixel/disc", "one pixel/last pixel",
)  # fmt: skip


def pair(name: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(answer bool or uint8, truth bool) by name; deterministic."""
    kind, _, rest = name.partition(" ")
    if kind in ("discs", "soft", "noise"):
        height, width = (int(v) for v in rest.split()[-1].split("x"))
        rng = np.random.default_rng(11)
        answer, truth = _disc(height, width, 0.45, 0.5, 0.3), _disc(height, width, 0.5, 0.55, 0.33)
        if kind == "noise":
            answer, truth = rng.random((height, width)) < 0.4, rng.random((height, width)) < 0.6
        if kind == "soft" or "soft" in rest:
            return (answer * 170 + rng.integers(0, 86, (height, width))).astype(np.uint8), truth
        return answer, truth
    left, _, right = name.partition("/")
    return _plain(left), _plain(right)


def _plain(name: str) -> NDArray[np.bool_]:
    mask = _disc(48, 64, 0.5, 0.5, 0.3) if name == "disc" else np.full((48, 64), name == "full")
    place = {"one pixel": (20, 30), "corner pixel": (0, 0), "last pixel": (47, 63)}.get(name)
    if place:
        mask[place] = True
    return mask


def _disc(height: int, width: int, x: float, y: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:height, :width]
    inside: NDArray[np.bool_] = (columns - x * width) ** 2 + (rows - y * height) ** 2 < (
        radius * min(height, width)
    ) ** 2
    return inside

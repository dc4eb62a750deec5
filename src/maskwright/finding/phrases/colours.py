"""Naming colours: how much of a region people would call red, dark, beige..."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NAMES = (
    "black", "grey", "white", "red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "beige",
)  # fmt: skip
BINS = 32

HUES = {
    "red": 32.0, "orange": 62.0, "yellow": 90.0, "green": 140.0, "teal": 200.0, "blue": 265.0, "purple": 312.0,
    "pink": 352.0,
}  # fmt: skip
"""Centres on the CIELAB hue circle, degrees."""

WIDTHS = {
    "red": 20.0, "orange": 13.0, "yellow": 17.0, "green": 38.0, "teal": 22.0, "blue": 38.0, "purple": 24.0,
    "pink": 26.0,
}  # fmt: skip

ASKED: dict[str, dict[str, float]] = {
    "red": {"red": 1, "pink": 0.25, "orange": 0.35},
    "orange": {"orange": 1, "red": 0.3, "yellow": 0.2, "brown": 0.25},
    "yellow": {"yellow": 1, "orange": 0.35, "beige": 0.35, "green": 0.1},
    "green": {"green": 1, "teal": 0.4, "yellow": 0.15},
    "teal": {"teal": 1, "green": 0.4, "blue": 0.4},
    "blue": {"blue": 1, "teal": 0.5, "purple": 0.3},
    "purple": {"purple": 1, "pink": 0.35, "blue": 0.3},
    "pink": {"pink": 1, "red": 0.35, "purple": 0.4, "beige": 0.2},
    "brown": {"brown": 1, "orange": 0.4, "beige": 0.45, "red": 0.25},
    "beige": {"beige": 1, "brown": 0.4, "white": 0.3, "yellow": 0.3, "grey": 0.2},
    "black": {"black": 1, "grey": 0.15, "brown": 0.12, "blue": 0.05},
    "white": {"white": 1, "grey": 0.35, "beige": 0.3},
    "grey": {"grey": 1, "black": 0.2, "white": 0.25, "blue": 0.1},
    "blonde": {"beige": 1, "yellow": 1, "brown": 0.4, "orange": 0.4},
}
"""How far pixels of each name speak for an asked colour."""

SHADES = {
    "dark blue": ("blue", -1), "light blue": ("blue", 1), "maroon": ("red", -1), "dark": ("", -1), "light": ("", 1),
}  # fmt: skip
"""Asked colour -> (name, -1 dark or 1 light)."""

GENTLE = 0.3
"""What another "dark green", "light brown" counts that is green or brown, and neither dark nor light."""


@cache
def naming_table() -> tuple[Floats, Floats]:
    """For each of 32^3 RGB bins: chance of each name (32768, 13), and CIELAB lightness (32768,) 0..100."""
    levels = ((np.arange(BINS) + 0.5) * (256 / BINS) / 255).astype(np.float32)
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0]
    light, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    return _named(light, chroma, hue), light.astype(np.float32)


def _named(light: Floats, chroma: Floats, hue: Floats) -> Floats:
    """Soft rules on lightness, chroma and hue; rows sum to 1."""
    out = {name: np.zeros_like(light) for name in NAMES}
    coloured = _step(chroma, 9 + 9 * np.exp(-light / 18) + 4 * _step(light, 85, 6), 3.5)
    out["black"] = (1 - coloured) * (1 - _step(light, 27, 5)) + coloured * (1 - _step(light, 13, 3))
    out["white"] = (1 - coloured) * _step(light, 77, 6)
    out["grey"] = (1 - coloured) * _step(light, 27, 5) * (1 - _step(light, 77, 6))
    rest = coloured * _step(light, 13, 3)
    nearness = {n: np.exp(-((_turn(hue, HUES[n]) / WIDTHS[n]) ** 2)) for n in HUES}
    total = sum(nearness.values(), np.zeros_like(light)) + 1e-6
    for name, near in nearness.items():
        out[name] += rest * near / total
    _earth(out, light, chroma, hue)
    _pale(out, light, chroma)
    stacked = np.stack([out[name] for name in NAMES], axis=1)
    named: Floats = (stacked / np.maximum(stacked.sum(axis=1, keepdims=True), 1e-6)).astype(np.float32)
    return named


def _earth(out: dict[str, Floats], light: Floats, chroma: Floats, hue: Floats) -> None:
    """Dull or dark orange is brown; pale, dull yellow and orange are beige."""
    warm = np.exp(-((_turn(hue, 65) / 32) ** 4))
    brown = warm * (1 - _step(light, 58, 6)) * (1 - _step(chroma, 52, 7))
    beige = warm * _step(light, 58, 6) * (1 - _step(chroma, 33, 5))
    for name in ("red", "orange", "yellow", "green", "pink"):
        share = out[name] * (0.75 if name in ("red", "green", "pink") else 1.0)
        out["brown"] += share * brown
        out["beige"] += share * beige
        out[name] = out[name] - share * (brown + beige).clip(0, 1)


def _pale(out: dict[str, Floats], light: Floats, chroma: Floats) -> None:
    """Light red is pink; dark pink is red."""
    pale = _step(light, 66, 5) * (1 - _step(chroma, 70, 8))
    deep = 1 - _step(light, 42, 5)
    out["pink"], out["red"] = (
        out["pink"] * (1 - 0.6 * deep) + out["red"] * pale,
        out["red"] * (1 - pale) + out["pink"] * 0.6 * deep,
    )


def _step(value: Floats, middle: Floats | float, width: float) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(value - middle) / width)), dtype=np.float32)


def _turn(hue: Floats, centre: float) -> Floats:
    return np.asarray((hue - centre + 180) % 360 - 180, dtype=np.float32)


def bins_of(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Which bin of the naming table each RGB pixel falls in."""
    level = pixels.astype(np.int64) // (256 // BINS)
    return (level[..., 0] * BINS + level[..., 1]) * BINS + level[..., 2]


def shares_of(bins: NDArray[np.int64], weights: Floats) -> Floats:
    """(..., 13 + 2) mean over pixels of the naming chances, then how dark and how light: bins (P,), weights (K, P)."""
    table, light = naming_table()
    names = np.concatenate([table[bins], _dark(light[bins])[:, None], _light(light[bins])[:, None]], axis=1)
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(weights @ names / total, dtype=np.float32)


def _dark(light: Floats) -> Floats:
    return 1 - _step(light, 36, 6)


def _light(light: Floats) -> Floats:
    return _step(light, 62, 6)


def chance_of(asked: str, shares: Floats) -> Floats:
    """(K,) 0..1: how apt an asked colour is for regions with these shares (K, 15)."""
    if asked == "colourful":
        bright = shares[:, 3:11]
        return np.asarray(1 - np.square(bright).sum(1) / np.maximum(bright.sum(1), 1e-3) ** 2, dtype=np.float32)
    name, shade = SHADES.get(asked) or _gentle(asked)
    speaks = ASKED.get(name, {})
    amount = sum((shares[:, NAMES.index(n)] * w for n, w in speaks.items()), np.zeros(len(shares), np.float32))
    if not name:
        amount = np.ones(len(shares), np.float32)
    if shade:
        least = 0 if asked in SHADES else GENTLE
        amount = amount * (least + (1 - least) * (shares[:, 13] if shade < 0 else shares[:, 14]))
        if asked == "dark blue":
            amount = amount + 0.25 * shares[:, 0]
    return np.asarray(_apt(amount), dtype=np.float32)


def _gentle(asked: str) -> tuple[str, int]:
    """The name and the shade of "dark green" and the like."""
    shade, _, name = asked.rpartition(" ")
    return name, {"dark": -1, "light": 1, "": 0}[shade]


def _apt(amount: Floats) -> Floats:
    """A third of the pixels is already enough to name a thing by."""
    return np.asarray(0.02 + 0.96 / (1 + np.exp(-(amount - 0.28) / 0.075)), dtype=np.float32)


def words_for(shares: Floats, most: int = 2) -> list[str]:
    """The names a person would use for one region's shares (15,)."""
    order = np.argsort(-shares[: len(NAMES)], kind="stable")
    return [NAMES[i] for i in order[:most] if shares[i] >= 0.25]

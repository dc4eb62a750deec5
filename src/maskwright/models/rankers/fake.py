"""A ranker without learned weights: it knows eleven colours and a few shapes, and hashes every other word.

Deterministic; good enough to exercise every path of find on drawn scenes, and of no use on photographs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.values import Embedding, Image, Ranking

COLOURS = {
    "red": (200, 35, 35), "green": (50, 150, 60), "blue": (45, 80, 200), "yellow": (235, 210, 50),
    "orange": (235, 130, 35), "purple": (130, 55, 165), "pink": (240, 150, 180), "brown": (125, 80, 45),
    "black": (25, 25, 25), "white": (240, 240, 240), "grey": (128, 128, 128), "gray": (128, 128, 128),
}  # fmt: skip

SHAPES = {
    "circle": ("round", 1.0), "disc": ("round", 1.0), "ball": ("round", 1.0), "square": ("full", 1.0),
    "box": ("full", 1.0), "triangle": ("full", 0.5), "star": ("solid", 0.55), "ring": ("solid", 0.5),
}  # fmt: skip
"""word -> (which measure, the value the shape has)."""

MEASURES = ("round", "full", "solid")


class FakeRanker:
    """Scores regions by the colour and shape words of a phrase."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name

    def encode(self, image: Image, masks: NDArray[np.bool_]) -> Embedding:
        """Median Lab colour (K, 3) and shape measures (K, 3) of the (K, H, W) regions."""
        lab = cv2.cvtColor(image.pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        colours = np.array([_median_colour(lab, mask) for mask in masks], dtype=np.float32).reshape(-1, 3)
        shapes = np.array([_measure(mask) for mask in masks], dtype=np.float32).reshape(-1, 3)
        data = {"colours": colours, "shapes": shapes}
        return Embedding(f"ranker:{self.name}", image.sha256, image.size, data)

    def rank(self, regions: Embedding, phrases: Sequence[str]) -> Ranking:
        """Each known word divides a region's chance by how badly it fits."""
        colours, shapes = regions.data["colours"], regions.data["shapes"]
        rows = [_fit(phrase, colours, shapes) for phrase in phrases]
        fits = np.array([fit for fit, _ in rows], dtype=np.float32).reshape(len(phrases), len(colours))
        known = np.array([k for _, k in rows], dtype=np.bool_)
        clipped = np.clip(fits, 1e-6, 1 - 1e-6)
        return Ranking(np.log(clipped / (1 - clipped)).astype(np.float32), clipped.astype(np.float32), known)


def _median_colour(lab: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    inside = lab[mask]
    return np.median(inside, axis=0) if len(inside) else np.full(3, 1e3, dtype=np.float32)


def _measure(mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Roundness (4 pi area / perimeter^2), share of the box, share of the hull; zeros when empty."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return (0.0, 0.0, 0.0)
    outline = max(found, key=len)
    _, _, width, height = cv2.boundingRect(outline)
    area = float(mask.sum())
    around = max(cv2.arcLength(outline, True), 1.0)
    hull = max(cv2.contourArea(cv2.convexHull(outline)), 1.0)
    return (min(1.0, 4 * np.pi * area / around**2), area / (width * height), min(1.0, area / hull))


def _fit(phrase: str, colours: NDArray[np.float32], shapes: NDArray[np.float32]) -> tuple[NDArray[np.float64], bool]:
    words = re.findall(r"\w+", phrase.lower())
    chance, known = np.full(len(colours), 0.9), False
    for word in words:
        singular = word[:-1] if word.endswith("s") and word[:-1] in SHAPES else word
        if word in COLOURS:
            chance, known = chance * _colour_fit(word, colours), True
        elif singular in SHAPES:
            measure, value = SHAPES[singular]
            away = shapes[:, MEASURES.index(measure)] - value
            chance, known = chance * np.exp(-((away / 0.25) ** 2)), True
    return (chance, True) if known else (_hashed(words, colours), False)


def _colour_fit(word: str, colours: NDArray[np.float32]) -> NDArray[np.float64]:
    names = [name for name in COLOURS if name != "gray"]
    rgb = np.array([[COLOURS[name] for name in names]], dtype=np.float32) / 255
    palette = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0]
    away = np.linalg.norm(colours[:, None] - palette[None], axis=2)
    shares = np.exp(-away / 8.0) + 1e-12
    chosen = names.index("grey" if word == "gray" else word)
    fit: NDArray[np.float64] = shares[:, chosen] / shares.sum(axis=1)
    return fit


def _hashed(words: Sequence[str], colours: NDArray[np.float32]) -> NDArray[np.float64]:
    """Low chances in an order that depends on the words alone."""
    seed = int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:4], "big")
    direction = np.random.default_rng(seed).normal(size=3)
    return 0.1 + 0.05 * np.tanh(colours @ direction / 200)

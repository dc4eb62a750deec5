"""The embedded captioner: what can be measured of a background, in one plain sentence. It names no things it sees,
only brightness, colours, texture and where they lie; it says nothing that a picture's numbers do not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.values import Image, Mask

_NAMED = {
    "black": (12, 0, 0), "dark grey": (35, 0, 0), "grey": (58, 0, 0), "light grey": (80, 0, 0), "white": (97, 0, 0),
    "red": (48, 62, 42), "brown": (40, 16, 26), "orange": (67, 38, 62), "beige": (82, 3, 18), "yellow": (90, -6, 78),
    "green": (50, -38, 32), "dark green": (30, -18, 16), "teal": (52, -28, -10), "blue": (45, 8, -46),
    "light blue": (78, -8, -20), "purple": (40, 40, -38), "pink": (76, 30, 4),
}  # fmt: skip
"""Colour words by their CIE Lab values."""


class LiteCaptioner:
    """One sentence on light, colours and layout; deterministic."""

    def __init__(self, name: str = "lite") -> None:
        self.name = name

    def caption(self, images: Sequence[Image], masks: Sequence[Mask]) -> str:
        """One sentence for all pictures, the masked parts left out."""
        labs = [_lab(image, mask) for image, mask in zip(images, masks, strict=True)]
        seen = [~_fitted(mask, lab) for mask, lab in zip(masks, labs, strict=True)]
        light = float(np.mean([lab[..., 0][s].mean() if s.any() else 50 for lab, s in zip(labs, seen, strict=True)]))
        upper, lower = (_colours(labs, seen, half) for half in (0, 1))
        rough = float(np.mean([_roughness(lab, s) for lab, s in zip(labs, seen, strict=True)]))
        texture = "smooth" if rough < 3 else "lightly textured" if rough < 8 else "richly textured"
        return f"{_light(light)} scene with {upper} above and {lower} below, {texture} surfaces and steady light."


def _lab(image: Image, mask: Mask) -> NDArray[np.float32]:
    """(h, w, 3) CIE Lab, small; what is masked has the mean colour of the rest."""
    scale = min(1.0, 192 / max(image.size))
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    lab = np.asarray(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    hole = _fitted(mask, lab)
    lab[hole] = lab[~hole].mean(axis=0) if not hole.all() else (58, 0, 0)
    return lab


def _fitted(mask: Mask, lab: NDArray[np.float32]) -> NDArray[np.bool_]:
    small = cv2.resize(mask.array.astype(np.float32), lab.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(small > 0)


def _colours(labs: Sequence[NDArray[np.float32]], seen: Sequence[NDArray[np.bool_]], half: int) -> str:
    """The one or two colour words that fill most of the upper (0) or lower (1) half."""
    words, values = list(_NAMED), np.array(list(_NAMED.values()), np.float32)
    counts = np.zeros(len(words))
    for lab, free in zip(labs, seen, strict=True):
        middle = lab.shape[0] // 2
        rows = slice(0, middle) if half == 0 else slice(middle, None)
        pixels = lab[rows][free[rows]]
        away = ((pixels[:, None, :] - values) ** 2).sum(axis=2)
        counts += np.bincount(away.argmin(axis=1), minlength=len(words)) if len(pixels) else 0
    order = np.argsort(-counts)
    if counts[order[1]] > 0.4 * counts[order[0]]:
        return f"{words[order[0]]} and {words[order[1]]}"
    return str(words[order[0]])


def _roughness(lab: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    edges = np.abs(cv2.Laplacian(lab[..., 0], cv2.CV_32F))
    return float(edges[seen].mean()) if seen.any() else 0.0


def _light(level: float) -> str:
    return "A dark" if level < 25 else "A dimly lit" if level < 42 else "An evenly lit" if level < 68 else "A bright"

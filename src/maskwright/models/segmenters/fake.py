"""A segmenter without learned weights: colours like those under the clicks or in the box, that hang together.

Deterministic and honest about what it is: it knows colour and nearness, nothing about things.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.values import Candidates, Embedding, Image, Prompt

Floats = NDArray[np.float32]

TOLERANCES = (14.0, 8.0, 24.0)
"""Lab distances still counted as the clicked colour: medium first, then tight and loose."""


class FakeSegmenter:
    """Floods of similar colour around clicks, colour contrast inside boxes; three answers a prompt."""

    def __init__(self, long_side: int = 384, name: str = "fake") -> None:
        self.name = name
        self.long_side = long_side

    def encode(self, image: Image) -> Embedding:
        """The picture in Lab, smoothed, with its longer side at most `long_side`."""
        scale = min(1.0, self.long_side / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = image.pixels if scale == 1.0 else cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        smooth = cv2.GaussianBlur(lab, (0, 0), 0.8)
        return Embedding(f"segmenter:{self.name}", image.sha256, image.size, {"lab": smooth.astype(np.float32)})

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        """Three masks a prompt, best first; raises BadPrompt for an empty prompt or one of text alone."""
        if any(not len(p.points) and p.box is None and p.logits is None for p in prompts):
            raise BadPrompt("segmenter fake was given an empty prompt.", "Give a point, a box or earlier logits.")
        return [_answer(embedding, prompt) for prompt in prompts]


def _answer(embedding: Embedding, prompt: Prompt) -> Candidates:
    lab = embedding.data["lab"]
    seen = _Seen(lab, embedding.size, prompt)
    maps = [seen.logits(tolerance) for tolerance in TOLERANCES]
    scores = np.array([_stability(m) for m in maps], dtype=np.float32)
    order = np.argsort(-scores, kind="stable")
    masks = np.stack([_full(maps[i], embedding.size) for i in order])
    return Candidates(masks, scores[order], np.stack([maps[i] for i in order]))


class _Seen:
    """One prompt in the coordinates of the small picture."""

    def __init__(self, lab: Floats, size: tuple[int, int], prompt: Prompt) -> None:
        self.lab = lab
        height, width = lab.shape[:2]
        scale = np.array([width / size[0], height / size[1]])
        places = np.floor(prompt.points * scale).astype(np.int64)
        self.places = np.clip(places, 0, [width - 1, height - 1])
        self.inside = self.places[prompt.labels == 1]
        self.near = _distance(lab, self.inside)
        self.far = _distance(lab, self.places[prompt.labels == 0])
        self.window = np.ones((height, width), dtype=np.bool_)
        if prompt.box is not None:
            self.window = _inside(np.array(list(prompt.box)).reshape(2, 2) * scale, (height, width))
        self.boxed = prompt.box is not None
        self.prior = (
            None
            if prompt.logits is None
            else cv2.resize(
                np.asarray(prompt.logits, dtype=np.float32), (width, height), interpolation=cv2.INTER_LINEAR
            )
        )

    def logits(self, tolerance: float) -> Floats:
        """(h, w) float32, above 0 inside."""
        inside, near, far = self.inside, self.near, self.far
        if len(inside):
            free = np.minimum(tolerance - near, (far - near) * 2)
        elif self.boxed:
            free = np.minimum(_contrast(self.lab, self.window) * tolerance / 2, (far - tolerance / 2))
        else:
            free = np.full(self.lab.shape[:2], -tolerance, dtype=np.float32)
        if self.prior is not None:
            free = self._with_prior(free, far, tolerance, some_inside=len(inside) > 0)
        free = np.where(self.window, free, np.minimum(free, -1.0))
        return _connected(free.astype(np.float32), inside)

    def _with_prior(self, free: Floats, far: Floats, tolerance: float, *, some_inside: bool) -> Floats:
        """What was inside stays so, except for what hangs together with a click outside."""
        assert self.prior is not None
        kept = np.where(far < tolerance / 2, -1.0, self.prior)
        return np.maximum(kept, free) if some_inside else kept


def _distance(lab: Floats, places: NDArray[np.int64]) -> Floats:
    """Lab distance of each pixel to the nearest of the clicked colours; far away when nothing is clicked."""
    nearest = np.full(lab.shape[:2], 1e3, dtype=np.float32)
    for x, y in places:
        patch = lab[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].reshape(-1, 3)
        away = lab - np.median(patch, axis=0)
        np.minimum(nearest, np.sqrt(np.einsum("ijk,ijk->ij", away, away)), out=nearest)
    return nearest


def _inside(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    x0, y0 = np.floor(corners[0]).astype(int)
    x1, y1 = np.ceil(corners[1]).astype(int)
    out = np.zeros(shape, dtype=np.bool_)
    out[max(y0, 0) : max(y1, 1), max(x0, 0) : max(x1, 1)] = True
    return out


def _contrast(lab: Floats, window: NDArray[np.bool_]) -> Floats:
    """-1..1: how much more a pixel's colour belongs inside the window than to the ring around it."""
    bins = np.clip((lab - (0, -100, -100)) / (12.5, 12.5, 12.5), 0, 15).astype(np.int64)
    codes = (bins[..., 0] * 16 + bins[..., 1]) * 16 + bins[..., 2]
    reach = max(3, int(np.sqrt(window.sum()) * 0.2)) | 1
    ring = (cv2.dilate(window.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & ~window
    if not ring.any():
        ring = ~window if not window.all() else _border(window.shape)
    inner = np.bincount(codes[window], minlength=4096) / max(1, window.sum())
    outer = np.bincount(codes[ring], minlength=4096) / max(1, ring.sum())
    share = (inner - outer) / np.maximum(inner + outer, 1e-9)
    smooth: Floats = cv2.GaussianBlur(share[codes].astype(np.float32), (0, 0), 1.0)
    return smooth


def _border(shape: tuple[int, int]) -> NDArray[np.bool_]:
    out = np.zeros(shape, dtype=np.bool_)
    out[[0, -1]] = True
    out[:, [0, -1]] = True
    return out


def _connected(logits: Floats, inside: NDArray[np.int64]) -> Floats:
    """Only the pieces that hold a click (without clicks, pieces of at least a tenth of the largest)."""
    count, marks, stats, _ = cv2.connectedComponentsWithStats((logits > 0).astype(np.uint8), connectivity=4)
    if count <= 1:
        return logits
    if len(inside):
        keep = np.unique(marks[inside[:, 1], inside[:, 0]])
    else:
        areas = stats[:, cv2.CC_STAT_AREA]
        keep = np.flatnonzero(areas >= 0.1 * areas[1:].max())
    kept = np.isin(marks, keep[keep > 0])
    return np.where(kept | (logits <= 0), logits, -1.0).astype(np.float32)


def _stability(logits: Floats) -> float:
    """How little the mask changes when the threshold moves, 0..1; 0 when it is empty."""
    inner, outer = int((logits > 1.5).sum()), int((logits > -1.5).sum())
    return 0.98 * inner / outer if inner else 0.0


def _full(logits: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    if logits.shape[::-1] == size:
        return logits > 0
    mask: NDArray[np.bool_] = cv2.resize(logits, size, interpolation=cv2.INTER_LINEAR) > 0
    return mask

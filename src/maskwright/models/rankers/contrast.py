"""Rankers that put pictures and words into one space: CLIP, SigLIP 2, MetaCLIP 2 (transformers) and OpenCLIP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from maskwright.errors import BadPhrase, BadSettings
from maskwright.models.rankers.regions import centred, check_masks, check_views, crop, patch_shares
from maskwright.models.rankers.towers import Towers, load_towers
from maskwright.models.torching import Host, Place, choose_place
from maskwright.models.weights import locate
from maskwright.plumbing.cache import MemoryCache
from maskwright.values import Embedding, Image, Ranking

CROPS_AT_ONCE = 64
TEXT_CACHE_BYTES = 16 * 2**20
TEMPLATES = ("a photo of {}.", "{}")
NEUTRAL = ("a photo of something else.", "background", "an object")
"""What a phrase is measured against where a model gives only a likeness, not a chance."""


class ContrastRanker:
    """Ranks regions by the likeness of their crops to words.

    `views`: how regions are shown, averaged (see regions.VIEWS). `pooled`: the fast path; the picture goes through
    once and each region takes the mean of its patches. `templates`: sentences around the phrase, averaged.
    """

    def __init__(
        self,
        weights: str | Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        views: Sequence[str] = ("dimmed", "context"),
        pooled: bool = False,
        templates: Sequence[str] = TEMPLATES,
        batch: int = CROPS_AT_ONCE,
        name: str = "",
    ) -> None:
        check_views(tuple(views))
        if not templates or any("{}" not in t for t in templates):
            raise BadSettings("a template lacks {}, where the phrase goes.", "Example: a photo of {}.")
        self.name = name or str(weights)
        self.views, self.pooled, self.templates, self.batch = tuple(views), pooled, tuple(templates), batch
        place = choose_place(device, dtype, half="float16")
        towers = load_towers(locate(weights), self.name, place)
        self.host = Host(self.name, towers, place)
        self._words: MemoryCache[NDArray[np.float32]] = MemoryCache(TEXT_CACHE_BYTES, lambda value: value.nbytes)

    def encode(self, image: Image, masks: NDArray[np.bool_]) -> Embedding:
        """Features (K, D) of the (K, H, W) regions, of length 1. Raises BadMask, ModelError, OutOfMemory."""
        check_masks(image, masks)
        masks = np.asarray(masks, dtype=np.bool_)
        features = self._pooled(image, masks) if self.pooled else self._cropped(image, masks)
        return Embedding(f"ranker:{self.name}", image.sha256, image.size, {"features": features})

    def rank(self, regions: Embedding, phrases: Sequence[str]) -> Ranking:
        """Logits (P, K) as the model scales them; chances against neutral phrases, or the model's own (SigLIP)."""
        towers: Towers = self.host.model
        words = np.stack([self._phrase(phrase) for phrase in phrases]) if phrases else np.zeros((0, 1), np.float32)
        seen = regions.data["features"]
        known = np.ones(len(phrases), np.bool_)
        if not len(phrases) or not len(seen):
            empty = np.zeros((len(phrases), len(seen)), np.float32)
            return Ranking(empty, empty, known)
        logits = towers.scale * words @ seen.T + towers.shift
        against = 0.0
        if not towers.chances:
            neutral = towers.scale * np.stack([self._sentence(text) for text in NEUTRAL]) @ seen.T
            against = np.logaddexp.reduce(neutral, axis=0)[None]
        chances = 1 / (1 + np.exp(-(logits - against).astype(np.float64)))
        return Ranking(logits.astype(np.float32), chances.astype(np.float32), known)

    def _cropped(self, image: Image, masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        towers: Towers = self.host.model
        jobs = [(view, i) for i in range(len(masks)) for view in self.views]

        def look(model: Towers, place: Place, some: Sequence[tuple[str, int]]) -> NDArray[np.float32]:
            crops = np.stack([crop(image, masks[i], view, towers.side) for view, i in some])
            return _numbers(model.see(place.put(centred(crops, towers.mean, towers.spread))))

        parts = self.host.batches(look, jobs, self.batch)
        if not parts:
            return np.zeros((0, 1), np.float32)
        each = np.concatenate(parts).reshape(len(masks), len(self.views), -1).mean(axis=1)
        return _unit(each)

    def _pooled(self, image: Image, masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        towers: Towers = self.host.model
        shown = _stretched(image, towers.side)
        shares = torch.from_numpy(patch_shares(masks, towers.grid))

        def look(model: Towers, place: Place) -> NDArray[np.float32]:
            return _numbers(model.pool(place.put(centred(shown, towers.mean, towers.spread)), place.put(shares)))

        return _unit(self.host.call(look)) if len(masks) else np.zeros((0, 1), np.float32)

    def _phrase(self, phrase: str) -> NDArray[np.float32]:
        if not phrase.strip():
            raise BadPhrase("the phrase is empty.", "Say what to look for, such as: the red cup.")
        return _unit(np.mean([self._sentence(t.format(phrase.strip())) for t in self.templates], axis=0))

    def _sentence(self, text: str) -> NDArray[np.float32]:
        found = self._words.get(text)
        if found is None:
            found = self.host.call(lambda model, place: _numbers(model.read([text], place.device)))[0]
            found = _unit(found)
            self._words.put(text, found)
        return found


def _stretched(image: Image, side: int) -> NDArray[np.uint8]:
    shown = cv2.resize(image.pixels, (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(shown[None])


def _numbers(value: Tensor) -> NDArray[np.float32]:
    return F.normalize(value.float(), dim=-1).cpu().numpy()  # type: ignore[no-any-return]


def _unit(value: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    return np.asarray(value / np.maximum(np.linalg.norm(value, axis=-1, keepdims=True), 1e-9), dtype=np.float32)

"""The embedded ranker: one pass over the picture, every region pooled at once, nouns bridged to what was learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask
from maskwright.models.rankers import lite_features as seen
from maskwright.models.rankers.lite_drawn import Drawn, Floats, Sketch
from maskwright.models.rankers.lite_heads import Evidence, Heads
from maskwright.models.rankers.lite_kin import Kin, joined
from maskwright.models.rankers.lite_tables import read_tables
from maskwright.models.rankers.lite_wholes import Wholes, seen_around
from maskwright.models.rankers.lite_words import Vocabulary
from maskwright.models.weights import locate, onnx_session
from maskwright.values import Embedding, Image, Ranking

WEIGHTS = "ranker-lite"
CROPPED = 12
"""Regions of each phrase that are looked at a second time, in a crop of their own."""
KEPT_SIDE = 1600
"""Longer side, in pixels, at which the picture is kept for those crops."""
UNKNOWN_LOGIT = -2.0


class LiteRanker:
    """Nouns against regions, in English or Chinese; words about colour, place and relation are not its business."""

    def __init__(self, name: str = "lite", threads: int = 1, cropped: int = CROPPED) -> None:
        self.name, self.threads, self.cropped = name, threads, cropped
        folder = locate(WEIGHTS)
        self._session = onnx_session(folder / "ranker_lite.onnx", threads=threads)
        tables = read_tables(folder / "ranker_lite.safetensors")
        self._heads, self.vocabulary = Heads.of(tables), Vocabulary.of(tables)
        self._drawn, self._wholes, self._kin = Drawn.of(tables), Wholes.of(tables), Kin.of(tables)

    def encode(self, image: Image, masks: NDArray[np.bool_]) -> Embedding:
        """Pooled features (K, 1280), shape facts (K, 10), wholes (K,) and kin (K, K) of the (K, H, W) regions; picture
        and masks are kept at a longer side of 1600 px at most. Raises BadMask when the masks are not the picture's
        size."""
        if masks.ndim != 3 or masks.shape[1:] != (image.height, image.width):
            raise BadMask(f"masks of shape {masks.shape} do not fit the picture {image.size}.", "Give bool (K, H, W).")
        masks = np.asarray(masks, dtype=np.bool_)
        features = seen.feature_map(self._session, image.pixels)
        dense = seen.pooled(features, seen.coarse(masks, *features.shape[:2]))
        shape, (pixels, small) = seen.shape_facts(masks), _shrunk(image.pixels, masks)
        data = {
            "dense": dense, "shape": shape, "pixels": pixels,
            "wholes": self._wholes.expected(*seen_around(features, dense, shape, masks)),
            "kin": self._kin.chances(dense, masks),
            "masks": np.packbits(small.reshape(len(small), small.shape[1] * small.shape[2]), axis=1),
        }  # fmt: skip
        return Embedding(f"ranker:{self.name}", image.sha256, image.size, data)

    def rank(self, regions: Embedding, phrases: Sequence[str]) -> Ranking:
        """Logits and probabilities (P, K) by the noun of each phrase; known (P,) is False for nouns no table has."""
        count = len(regions.data["dense"])
        rows = [self.vocabulary.row(phrase) for phrase in phrases]
        logits = np.full((len(rows), count), UNKNOWN_LOGIT, dtype=np.float32)
        known = np.array([row >= 0 and bool(self.vocabulary.known[row]) for row in rows], dtype=np.bool_)
        drawn = np.zeros(count, dtype=np.bool_)
        if count:
            first = self._look(regions.data["dense"], None, regions.data["shape"])
            drawn = first[1].flat
            for i, row in enumerate(rows):
                logits[i] = self._logits(*first, row)
                known[i] = known[i] or self._drawn.knows(first[1], row)
            self._look_closer(regions, rows, logits)
            logits = joined(logits, regions.data["kin"])
        chances = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
        return Ranking(logits, chances, known, regions.data.get("wholes"), drawn)

    def _look(self, dense: Floats, crop: Floats | None, shape: Floats) -> tuple[Evidence, Sketch]:
        """What there is to say about regions, as photographs and as drawings."""
        return self._heads.look(dense, crop, shape), self._drawn.look(dense, crop, shape)

    def _logits(self, evidence: Evidence, sketch: Sketch, row: int) -> NDArray[np.float32]:
        if row < 0:
            return self._heads.unknown(evidence)
        return self._drawn.corrected(sketch, row, self._heads.score(evidence, row, self.vocabulary))

    def _look_closer(self, regions: Embedding, rows: Sequence[int], logits: NDArray[np.float32]) -> None:
        """Scores the most likely regions of each phrase again with their own crops; the others stay below them."""
        chosen = sorted({int(k) for line in logits for k in np.argsort(-line, kind="stable")[: self.cropped]})
        crops = self._crops(regions, chosen)
        data = regions.data
        second = self._look(data["dense"][chosen], crops, data["shape"][chosen])
        for i, row in enumerate(rows):
            closer = self._logits(*second, row)
            rest = np.minimum(logits[i], closer.min())
            rest[chosen] = closer
            logits[i] = rest

    def _crops(self, regions: Embedding, chosen: Sequence[int]) -> NDArray[np.float32]:
        """(K, 1280) features of the chosen regions, each seen in a crop of its own."""
        return seen.crop_features(self._session, *_kept(regions, chosen))[:, 0]


def _shrunk(pixels: NDArray[np.uint8], masks: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    height, width = pixels.shape[:2]
    scale = KEPT_SIDE / max(height, width)
    if scale >= 1:
        return pixels, masks
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return seen.resized(pixels, *size), seen.coarse(masks, size[1], size[0]) > 0.5


def _kept(regions: Embedding, chosen: Sequence[int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    pixels = regions.data["pixels"]
    height, width = pixels.shape[:2]
    bits = np.unpackbits(regions.data["masks"][list(chosen)], axis=1, count=height * width)
    return pixels, bits.view(np.bool_).reshape(len(chosen), height, width)

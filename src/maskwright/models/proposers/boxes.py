"""Proposers that turn a phrase into boxes; a segmenter turns the boxes into masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPhrase, BadSettings
from maskwright.models.torching import Host, Place, choose_place, load_part, load_pretrained
from maskwright.models.weights import locate
from maskwright.ports import Segmenter
from maskwright.values import Box, Embedding, Image, Prompt, Proposals

Boxes = NDArray[np.float32]


class PhraseProposer:
    """A detector that reads, and the segmenter that cuts out what it points at.

    `threshold`: the least score of a box; `limit`: boxes at most. `dtype` is that of the whole detector.
    """

    kind: Any = None
    tokenizer_kind: Any = None

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        weights: str | Path,
        device: str = "auto",
        dtype: str = "auto",
        threshold: float = 0.25,
        limit: int = 50,
        name: str = "",
    ) -> None:
        if not 0 <= threshold <= 1 or limit < 1:
            raise BadSettings(f"threshold={threshold}, limit={limit} is not possible.", "0 to 1, and at least 1.")
        self.segmenter, self.threshold, self.limit = segmenter, threshold, limit
        self.name = name or str(weights)
        folder = locate(weights)
        place = choose_place(device, dtype)
        self.host = Host(self.name, load_pretrained(self.kind, folder, self.name, place), place)
        self.tokenizer = load_part(self.tokenizer_kind, folder, self.name)

    def propose(self, image: Image, embedding: Embedding | None = None, phrase: str | None = None) -> Proposals:
        """One mask a box, best first; raises BadPhrase without a phrase, ModelError, OutOfMemory."""
        boxes, scores = self.locate_phrase(image, phrase)
        if not len(boxes):
            none = np.zeros((0, image.height, image.width), np.bool_)
            return Proposals(none, np.zeros(0, np.float32))
        own = embedding is not None and embedding.model == f"segmenter:{self.segmenter.name}"
        seen = embedding if own and embedding is not None else self.segmenter.encode(image)
        answers = self.segmenter.predict(seen, [Prompt(box=Box.of(box)) for box in boxes.tolist()])
        masks = np.stack([answer.masks[0] for answer in answers])
        return Proposals(masks, scores, (self.name,) * len(masks))

    def locate_phrase(self, image: Image, phrase: str | None) -> tuple[Boxes, NDArray[np.float32]]:
        """(N, 4) boxes xyxy inside the picture and their scores (N,), best first."""
        if phrase is None or not phrase.strip():
            raise BadPhrase(f"{self.name} needs a phrase.", "Say what to look for, such as: the red cup.")
        boxes, scores = self.host.call(lambda model, place: self.detect(model, place, image, phrase.strip()))
        boxes = np.clip(boxes, 0, np.array([*image.size, *image.size])).astype(np.float32)
        real = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
        keep = np.flatnonzero(real & (scores >= self.threshold) & np.isfinite(scores))
        keep = keep[np.argsort(-scores[keep], kind="stable")][: self.limit]
        return boxes[keep], scores[keep].astype(np.float32)

    def detect(self, model: Any, place: Place, image: Image, phrase: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """All boxes (N, 4) xyxy in pixels of the picture, and scores (N,)."""
        raise NotImplementedError


def corners(centres: NDArray[Any], size: tuple[float, float]) -> NDArray[Any]:
    """(N, 4) xyxy in pixels from centre and extent in shares of `size`."""
    x, y, w, h = centres.T
    shares = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    return np.asarray(shares * np.array([*size, *size]))

"""What a segmenter is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.values.box import Box


@dataclass(frozen=True, eq=False)
class Prompt:
    """Points (N, 2) float32 (x, y) in full-image pixels with labels (N,) 1 = inside, 0 = outside; a box xyxy;
    `logits`: the low-resolution logits of an earlier answer (Candidates.logits[k]); `text`: a concept phrase."""

    points: Any = ()
    labels: Any = ()
    box: Box | None = None
    logits: NDArray[np.float32] | None = None
    text: str | None = None

    def __init__(
        self,
        points: Sequence[Sequence[float]] | NDArray[Any] = (),
        labels: Sequence[int] | NDArray[Any] | None = None,
        box: Box | Sequence[float] | None = None,
        logits: NDArray[np.float32] | None = None,
        text: str | None = None,
    ) -> None:
        try:
            xy = np.asarray(points, dtype=np.float32).reshape(-1, 2)
            marks = np.ones(len(xy), np.int64) if labels is None else np.asarray(labels, dtype=np.int64).reshape(-1)
        except (TypeError, ValueError) as error:
            raise BadPrompt(f"{points!r} are not points.", "Give (x, y) pairs and labels 1 or 0.") from error
        if len(marks) != len(xy):
            raise BadPrompt(
                f"{len(xy)} points but {len(marks)} labels.", "Give one label (1 inside, 0 outside) a point."
            )
        if not np.isfinite(xy).all() or not np.isin(marks, (0, 1)).all():
            raise BadPrompt("a point is not finite or a label is neither 0 nor 1.", "Give plain numbers.")
        object.__setattr__(self, "points", xy)
        object.__setattr__(self, "labels", marks)
        object.__setattr__(self, "box", None if box is None else Box.of(box))
        object.__setattr__(self, "logits", logits)
        object.__setattr__(self, "text", text)

    @property
    def is_empty(self) -> bool:
        return not len(self.points) and self.box is None and self.logits is None and self.text is None


@dataclass(frozen=True, eq=False)
class Candidates:
    """A segmenter's answers to one prompt, best first: masks (K, H, W) bool at full size, scores (K,) float32 =
    predicted quality 0..1, logits (K, h, w) float32 low-resolution (feed one back through Prompt.logits)."""

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    logits: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.masks)


@dataclass(frozen=True, eq=False)
class Proposals:
    """Regions of a picture worth a look, best first: masks (K, H, W) bool, scores (K,) float32 0..1,
    sources: which proposer made each."""

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    sources: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.masks)


@dataclass(frozen=True, eq=False)
class Embedding:
    """What a model made of one picture, a value to hand back to it: `model` and `image_sha256` name it,
    size is the picture's (width, height), `data` its arrays."""

    model: str
    image_sha256: str
    size: tuple[int, int]
    data: Mapping[str, Any] = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes held by the arrays (numpy or torch)."""
        return sum(int(getattr(v, "nbytes", 0)) for v in self.data.values())


@dataclass(frozen=True, eq=False)
class Ranking:
    """How well regions fit phrases: logits (P, K) float32 (higher fits better), probabilities (P, K) float32
    calibrated (each the chance that the region is what the phrase names), known (P,) bool: False where the model
    does not know the phrase's words. Where the model tells, whatever the phrase: wholes (K,) float32 0..1, how much of
    one whole thing each region is; drawn (K,) bool, which look drawn rather than photographed."""

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    known: NDArray[np.bool_]
    wholes: NDArray[np.float32] | None = None
    drawn: NDArray[np.bool_] | None = None

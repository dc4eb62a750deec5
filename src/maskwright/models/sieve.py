"""What proposers ask of a segmenter that sifts while it answers, so that nothing is drawn to be dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from maskwright.values import Embedding, Prompt


@dataclass(frozen=True)
class Sieve:
    """What a mask needs: more than `least_iou` predicted, and at least `least_stability` when the threshold of its
    logits moves by `offset`."""

    least_iou: float
    least_stability: float
    offset: float = 1.0


@dataclass(frozen=True, eq=False)
class Sifted:
    """What passed: masks (N, H, W) bool, scores (N,) as the model predicts them (above 1 too), stability (N,)."""

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    stability: NDArray[np.float32]


class Sifter(Protocol):
    """A segmenter that answers many prompts and gives only the masks that pass."""

    def sift(self, embedding: Embedding, prompts: Sequence[Prompt], sieve: Sieve) -> Sifted:
        """Masks of all prompts that pass, in the prompts' order, and each prompt's in the model's own order."""
        ...

"""A proposer without learned weights: connected regions of similar colour. Deterministic; made for drawn scenes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.values import Embedding, Image, Proposals


class FakeProposer:
    """Floods similar colours from a grid of seeds; every seed not yet flooded begins a region."""

    def __init__(self, long_side: int = 320, spacing_px: int = 6, tolerance: int = 9, name: str = "fake") -> None:
        self.name = name
        self.long_side, self.spacing_px, self.tolerance = long_side, spacing_px, tolerance

    def propose(self, image: Image, embedding: Embedding | None = None, phrase: str | None = None) -> Proposals:
        """Regions of even colour with their holes filled, largest first; neither argument after the first is read."""
        marks, count = self._flooded(image)
        smalls = [_filled(marks == i) for i in range(1, count)]
        kept = [small for small in smalls if small.sum() >= 12]
        kept.sort(key=lambda small: -int(small.sum()))
        masks = np.zeros((len(kept), image.height, image.width), dtype=np.bool_)
        for out, small in zip(masks, kept):
            out[:] = cv2.resize(small.astype(np.float32), image.size, interpolation=cv2.INTER_LINEAR) > 0.5
        scores = np.array([_compactness(small) for small in kept], dtype=np.float32)
        return Proposals(masks, scores, (self.name,) * len(kept))

    def _flooded(self, image: Image) -> tuple[NDArray[np.uint16], int]:
        """(h, w) region numbers from 1, 0 where none; and the next number."""
        scale = min(1.0, self.long_side / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = cv2.medianBlur(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA), 3)
        lab = np.ascontiguousarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))
        marks = np.zeros(lab.shape[:2], dtype=np.uint16)
        flags = 4 | (255 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
        reach = (self.tolerance * 2, self.tolerance, self.tolerance)
        taken = np.zeros((size[1] + 2, size[0] + 2), dtype=np.uint8)
        count = 1
        for y in range(self.spacing_px // 2, size[1], self.spacing_px):
            for x in range(self.spacing_px // 2, size[0], self.spacing_px):
                if taken[y + 1, x + 1]:
                    continue
                before = taken.copy()
                cv2.floodFill(lab, taken, (x, y), 0, reach, reach, flags)
                marks[(taken != before)[1:-1, 1:-1]] = count
                count += 1
        return marks, count


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = np.zeros(mask.shape, dtype=np.uint8)
    cv2.drawContours(out, outlines, -1, 1, -1)
    return out > 0


def _compactness(mask: NDArray[np.bool_]) -> float:
    """0..1: share of its own box, less for tiny ones."""
    ys, xs = np.nonzero(mask)
    box = (np.ptp(xs) + 1) * (np.ptp(ys) + 1)
    return float(len(xs) / box * min(1.0, len(xs) / 60))

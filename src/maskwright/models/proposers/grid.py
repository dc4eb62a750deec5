"""Automatic proposals with any segmenter: a grid of clicks on the picture and on crops of it, sifted.

The rules are those known from automatic mask generation with point-prompted models: every answer is kept that the
model thinks good and that is stable under a shift of its threshold; twins are suppressed by their boxes; masks that
end at a crop's edge are left to the neighbouring crop; small holes and islands are cleaned away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadSettings
from maskwright.models.sieve import Sieve, Sifted, Sifter
from maskwright.ports import Segmenter
from maskwright.values import Candidates, Embedding, Image, Prompt, Proposals

Bools = NDArray[np.bool_]
Boxes = NDArray[np.float64]
Corners = tuple[int, int, int, int]

EDGE_PX = 20.0
"""A mask this near to a crop's edge ends there because of the crop."""


@dataclass(frozen=True)
class GridOptions:
    """`points`: clicks a side; `batch`: prompts at once; masks need `least_iou` predicted and `least_stability` when
    the threshold moves by `offset`; boxes that overlap more than `twin_iou` are twins; `crop_layers` of 2x2, 4x4 ...
    crops that overlap by `crop_overlap` of the shorter side, with `crop_sparser` times fewer clicks a layer; holes and
    islands under `least_area_px` go."""

    points: int = 32
    batch: int = 64
    least_iou: float = 0.88
    least_stability: float = 0.95
    offset: float = 1.0
    twin_iou: float = 0.7
    crop_layers: int = 0
    crop_overlap: float = 512 / 1500
    crop_sparser: int = 1
    least_area_px: int = 0

    def __post_init__(self) -> None:
        if self.points < 1 or self.batch < 1 or self.crop_layers < 0 or self.crop_sparser < 1:
            raise BadSettings("the grid needs at least one point and one prompt a batch.", "Raise points and batch.")


@dataclass(frozen=True, eq=False)
class Found:
    """Masks (N, H, W), predicted IoU (N,), stability (N,), boxes (N, 4) in whole pixels, the crop of each (N, 4)."""

    masks: Bools
    scores: NDArray[np.float32]
    stability: NDArray[np.float32]
    boxes: Boxes
    crops: Boxes

    def take(self, index: NDArray[np.int64]) -> Found:
        return Found(self.masks[index], self.scores[index], self.stability[index], self.boxes[index], self.crops[index])


class GridProposer:
    """Proposals of a whole picture from any segmenter; settings are the fields of GridOptions."""

    def __init__(self, segmenter: Segmenter, name: str = "grid", **settings: Any) -> None:
        refuse_unknown(GridOptions, settings)
        self.segmenter, self.options, self.name = segmenter, GridOptions(**settings), name

    def propose(self, image: Image, embedding: Embedding | None = None, phrase: str | None = None) -> Proposals:
        """Masks by predicted quality, best first; `embedding` is used when it is this segmenter's own."""
        own = embedding is not None and embedding.model == f"segmenter:{self.segmenter.name}"
        parts = []
        for layer, crop in crop_corners(image.size, self.options.crop_layers, self.options.crop_overlap):
            ready = embedding if own and layer == 0 else None
            parts.append(self._of_crop(image, crop, layer, ready))
        found = joined(parts)
        if len(parts) > 1:
            area = (found.crops[:, 2] - found.crops[:, 0]) * (found.crops[:, 3] - found.crops[:, 1])
            found = found.take(suppressed(found.boxes, 1.0 / area, self.options.twin_iou))
        if self.options.least_area_px > 0:
            found = cleaned(found, self.options)
        order = np.argsort(-found.scores, kind="stable")
        found = found.take(order)
        scores = np.clip(np.nan_to_num(found.scores), 0, 1).astype(np.float32)
        return Proposals(found.masks, scores, (self.name,) * len(order))

    def _of_crop(self, image: Image, crop: Corners, layer: int, ready: Embedding | None) -> Found:
        x0, y0, x1, y1 = crop
        part = image if crop == (0, 0, *image.size) else image.crop(*crop)
        embedding = ready or self.segmenter.encode(part)
        points = grid_points(max(1, self.options.points // self.options.crop_sparser**layer)) * (x1 - x0, y1 - y0)
        batches = (points[i : i + self.options.batch] for i in range(0, len(points), self.options.batch))
        kept = [
            self._placed(self._sifted(embedding, [Prompt([p]) for p in some]), crop, image.size) for some in batches
        ]
        found = joined([*kept, nothing(image.size)])
        return found.take(suppressed(found.boxes, found.scores, self.options.twin_iou))

    def _sifted(self, embedding: Embedding, prompts: Sequence[Prompt]) -> Sifted:
        """Good and stable answers; a segmenter that can sift them itself draws only those."""
        o = self.options
        sieve = Sieve(o.least_iou, o.least_stability, o.offset)
        if hasattr(self.segmenter, "sift"):  # asked by name, since it may be wrapped
            return cast(Sifter, self.segmenter).sift(embedding, prompts, sieve)
        return sifted(self.segmenter.predict(embedding, prompts), sieve)

    def _placed(self, passed: Sifted, crop: Corners, size: tuple[int, int]) -> Found:
        """Those that are not empty and not cut off by the crop, at the size of the picture."""
        boxes = boxes_of(passed.masks) + np.array([*crop[:2], *crop[:2]], np.float64)
        index = np.flatnonzero(passed.masks.any(axis=(1, 2)) & ~cut_off(boxes, crop, size))
        masks = passed.masks[index]
        if crop != (0, 0, *size):
            masks = np.zeros((len(index), size[1], size[0]), dtype=np.bool_)
            masks[:, crop[1] : crop[3], crop[0] : crop[2]] = passed.masks[index]
        crops = np.tile(np.array(crop, np.float64), (len(index), 1))
        return Found(masks, passed.scores[index], passed.stability[index], boxes[index], crops)


def sifted(answers: Sequence[Candidates], sieve: Sieve) -> Sifted:
    """The good and stable ones of a segmenter's answers; stability is counted on their low-resolution logits."""
    masks, scores, stability = [], [], []
    for candidates in answers:
        steady = stabilities(candidates, sieve.offset)
        keep = (candidates.scores > sieve.least_iou) & (steady >= sieve.least_stability)
        masks.append(candidates.masks[keep])
        scores.append(candidates.scores[keep])
        stability.append(steady[keep])
    return Sifted(np.concatenate(masks), np.concatenate(scores), np.concatenate(stability))


def refuse_unknown(options: type, settings: Mapping[str, Any]) -> None:
    """Raises BadSettings when a setting is none of the fields of these options."""
    known = [f.name for f in fields(options)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise BadSettings(f"there is no setting {', '.join(unknown)}.", f"Choose among: {', '.join(known)}.")


def grid_points(side: int) -> NDArray[np.float64]:
    """(side * side, 2) points (x, y) in 0..1, evenly spread, half a step from the border, row by row."""
    line = np.linspace(0.5 / side, 1 - 0.5 / side, side)
    return np.stack([np.tile(line, side), np.repeat(line, side)], axis=-1)


def crop_corners(size: tuple[int, int], layers: int, overlap: float) -> list[tuple[int, Corners]]:
    """(layer, corners) of the picture and of the overlapping crops of each further layer."""
    width, height = size
    out: list[tuple[int, Corners]] = [(0, (0, 0, width, height))]
    for layer in range(1, layers + 1):
        side = 2**layer
        shared = int(overlap * min(width, height) * 2 / side)
        wide, high = (math.ceil((shared * (side - 1) + length) / side) for length in size)
        for i in range(side):
            for j in range(side):
                x0, y0 = (wide - shared) * i, (high - shared) * j
                out.append((layer, (x0, y0, min(x0 + wide, width), min(y0 + high, height))))
    return out


def stabilities(candidates: Candidates, offset: float) -> NDArray[np.float32]:
    """IoU of each mask at thresholds `offset` above and below; 1 where the segmenter gives no logits."""
    if candidates.logits is None:
        return np.ones(len(candidates), np.float32)
    high = (candidates.logits > offset).sum((1, 2)).astype(np.float32)
    low = (candidates.logits > -offset).sum((1, 2)).astype(np.float32)
    out: NDArray[np.float32] = high / np.maximum(low, 1)
    return out


def boxes_of(masks: Bools) -> Boxes:
    """(N, 4) first and last column and row of each mask, inclusive; zeros for empty ones."""
    out = np.zeros((len(masks), 4))
    for box, mask in zip(out, masks):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if rows.size:
            box[:] = columns[0], rows[0], columns[-1], rows[-1]
    return out


def cut_off(boxes: Boxes, crop: Corners, size: tuple[int, int]) -> Bools:
    """Whether each box reaches an edge of the crop that is not an edge of the picture."""
    near_crop = np.abs(boxes - np.array(crop, np.float64)) <= EDGE_PX
    near_picture = np.abs(boxes - np.array([0, 0, *size], np.float64)) <= EDGE_PX
    out: Bools = np.asarray((near_crop & ~near_picture).any(1))
    return out


def suppressed(boxes: Boxes, scores: NDArray[np.floating], most_iou: float) -> NDArray[np.int64]:
    """Indices kept by greedy suppression of overlapping boxes, best score first."""
    order = np.argsort(-scores, kind="stable")
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    keep: list[int] = []
    while order.size:
        first, rest = order[0], order[1:]
        keep.append(int(first))
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = np.clip(high - low, 0, None).prod(1)
        union = area[first] + area[rest] - shared
        order = rest[shared / np.maximum(union, 1e-9) <= most_iou]
    return np.array(keep, dtype=np.int64)


def joined(parts: Sequence[Found]) -> Found:
    """All that was found, in order."""
    return Found(
        np.concatenate([p.masks for p in parts]),
        np.concatenate([p.scores for p in parts]).astype(np.float32),
        np.concatenate([p.stability for p in parts]).astype(np.float32),
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.crops for p in parts]),
    )


def nothing(size: tuple[int, int]) -> Found:
    """No masks of this size."""
    none = np.zeros(0, np.float32)
    return Found(np.zeros((0, size[1], size[0]), dtype=np.bool_), none, none, np.zeros((0, 4)), np.zeros((0, 4)))


def cleaned(found: Found, options: GridOptions) -> Found:
    """Small holes filled and islands removed; masks that this made twins go, changed ones first."""
    masks, unchanged = [], []
    for mask in found.masks:
        mask, filled = without_small(mask, options.least_area_px, holes=True)
        mask, dropped = without_small(mask, options.least_area_px, holes=False)
        masks.append(mask)
        unchanged.append(float(not (filled or dropped)))
    if not masks:
        return found
    stack = np.stack(masks)
    better = Found(stack, found.scores, found.stability, boxes_of(stack), found.crops)
    return better.take(suppressed(better.boxes, np.array(unchanged), options.twin_iou))


def without_small(mask: Bools, least_px: int, *, holes: bool) -> tuple[Bools, bool]:
    """The mask without holes (or islands) under `least_px`, and whether any were there; the largest island stays."""
    _, pieces, stats, _ = cv2.connectedComponentsWithStats((mask ^ holes).astype(np.uint8), connectivity=8)
    sizes = stats[1:, cv2.CC_STAT_AREA]
    small = np.flatnonzero(sizes < least_px) + 1
    if not small.size:
        return mask, False
    if holes:
        return mask | np.isin(pieces, small), True
    large = np.setdiff1d(np.arange(1, len(sizes) + 1), small)
    if not large.size:
        large = np.array([1 + int(np.argmax(sizes))])
    return np.isin(pieces, large), True

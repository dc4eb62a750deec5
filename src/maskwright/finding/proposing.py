"""Proposals: what the proposers give, cleaned, without twins, capped; of the whole picture or of a part of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.config.find import FindSettings
from maskwright.ports import Proposer
from maskwright.values import Box, Embedding, Image, Mask, MaskStack, Proposals, Window

Bools = NDArray[np.bool_]

TWINS = 0.9
"""Proposals that overlap more than this are one."""


def propose(
    image: Image,
    embedding: Embedding | None,
    phrase: str | None,
    *,
    proposers: Sequence[Proposer],
    settings: FindSettings,
) -> Proposals:
    """Regions of the whole picture, best first, at most settings.cap."""
    found = [_named(p, p.propose(image, embedding, phrase)) for p in proposers]
    return _tidy(_join(found, image.size), settings)


def propose_inside(
    image: Image, box: Box, phrase: str | None, *, proposers: Sequence[Proposer], settings: FindSettings
) -> Proposals:
    """Regions of the part inside `box`, looked at enlarged; masks are of the whole picture's size."""
    x0, y0, x1, y1 = box.clip(image.width, image.height).pixels()
    long_side = max(settings.finer_side, x1 - x0, y1 - y0)
    window = Window.around(Box(x0, y0, x1, y1), long_side=long_side)
    crop = image.crop(x0, y0, x1, y1).pixels
    shown = Image(cv2.resize(crop, (window.width, window.height), interpolation=cv2.INTER_CUBIC))
    found = _join([_named(p, p.propose(shown, None, phrase)) for p in proposers], shown.size)
    found = _without_cut(found)
    masks = np.zeros((len(found), image.height, image.width), dtype=np.bool_)
    for out, mask in zip(masks, found.masks):
        out[y0:y1, x0:x1] = cv2.resize(mask.astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA) > 0.5
    sources = tuple(f"{source} closer" for source in found.sources)
    return _tidy(Proposals(masks, found.scores, sources), settings)


def _named(proposer: Proposer, found: Proposals) -> Proposals:
    sources = found.sources if len(found.sources) == len(found) else (proposer.name,) * len(found)
    return Proposals(found.masks, found.scores, sources)


def _join(found: Sequence[Proposals], size: tuple[int, int]) -> Proposals:
    some = [p for p in found if len(p)]
    if not some:
        return Proposals(np.zeros((0, size[1], size[0]), dtype=np.bool_), np.zeros(0, dtype=np.float32), ())
    if len(some) == 1:
        return some[0]
    sources = tuple(source for p in some for source in p.sources)
    return Proposals(np.concatenate([p.masks for p in some]), np.concatenate([p.scores for p in some]), sources)


def _without_cut(found: Proposals) -> Proposals:
    """Those that do not fill three of the window's borders: they are parts of something larger."""
    edges = [found.masks[:, 0], found.masks[:, -1], found.masks[:, :, 0], found.masks[:, :, -1]]
    touched = sum((edge.mean(axis=1) > 0.5).astype(int) for edge in edges) if len(found) else np.zeros(0, int)
    return _pick(found, np.flatnonzero(np.asarray(touched) < 3))


def _pick(found: Proposals, which: NDArray[np.int64]) -> Proposals:
    return Proposals(found.masks[which], found.scores[which], tuple(found.sources[i] for i in which))


def _tidy(found: Proposals, settings: FindSettings) -> Proposals:
    """Islands and holes cleaned, dust and the whole picture left out, twins merged, the best kept."""
    if not len(found):
        return found
    order = np.argsort(-found.scores, kind="stable")
    stack = MaskStack.of(Mask(without_specks(found.masks[i])) for i in order)
    share = stack.areas / (stack.height * stack.width)
    fits = np.flatnonzero((share >= settings.min_area_share) & (share <= settings.max_area_share))
    sized = MaskStack(stack.packed[fits], stack.height, stack.width)
    kept = fits[distinct(sized, TWINS, settings.cap)]
    masks = MaskStack(stack.packed[kept], stack.height, stack.width).unpack()
    return Proposals(masks, found.scores[order[kept]], tuple(found.sources[order[i]] for i in kept))


def distinct(stack: MaskStack, iou: float, limit: int) -> NDArray[np.int64]:
    """Indices of masks, in order, that overlap no earlier kept one by more than `iou`; at most `limit`."""
    if not len(stack):
        return np.zeros(0, dtype=np.int64)
    overlap = stack.iou(stack)
    kept: list[int] = []
    for i in range(len(stack)):
        if len(kept) == limit:
            break
        if not kept or overlap[i, kept].max() <= iou:
            kept.append(i)
    return np.array(kept, dtype=np.int64)


def without_specks(mask: Bools, share: float = 0.02) -> Bools:
    """The mask without islands and holes smaller than `share` of its area."""
    area = int(np.count_nonzero(mask))
    if not area:
        return mask
    x0, y0, x1, y1 = _bounds(mask)
    part = np.pad(mask[y0:y1, x0:x1], 1)
    least = max(4.0, share * area)
    part = _drop_small(part, least)
    part = ~_drop_small(~part, least)
    out = np.zeros_like(mask)
    out[y0:y1, x0:x1] = part[1:-1, 1:-1]
    return out


def _bounds(mask: Bools) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _drop_small(part: Bools, least: float) -> Bools:
    """Without pieces smaller than `least`, but never without the largest."""
    count, marks, stats, _ = cv2.connectedComponentsWithStats(part.astype(np.uint8), connectivity=4)
    if count <= 2:
        return part
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    keep = areas >= min(least, areas.max())
    keep[0] = False
    kept: Bools = keep[marks]
    return kept

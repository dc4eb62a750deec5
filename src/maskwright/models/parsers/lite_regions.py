"""Regions of drawings: areas of one colour, parted by lines; the user merges and names them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.ports import Parts
from maskwright.values import Image, Mask

Labels = NDArray[np.int32]
_COLOURS = 7
_MOST = 24
_LEAST_SHARE = 0.006
_THIN_PX = 2.2
_FLAT_SHARE = 0.62
_SIDE = 640


def looks_drawn(image: Image, mask: Mask | None) -> bool:
    """Whether most of the figure is perfectly flat colour, as in cartoons and icons, never in photographs."""
    grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    change = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    inside = np.ones(grey.shape, np.bool_) if mask is None else mask.array
    return bool((change[inside] <= 2).mean() > _FLAT_SHARE) if inside.any() else False


def colour_regions(image: Image, mask: Mask | None) -> Parts:
    """Labels ("background", "region 1", ...), largest first; lines belong to the area beside them."""
    scale = min(1.0, _SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else image.pixels
    inside = np.ones(pixels.shape[:2], np.bool_)
    if mask is not None:
        inside = cv2.resize(mask.array.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        inside = inside if inside.any() else np.ones_like(inside)
    pieces = _pieces(_quantised(pixels, inside), inside)
    if mask is None:
        pieces[_ground(pieces)] = 0
    labels = _numbered(pieces, inside)
    full = cv2.resize(labels, image.size, interpolation=cv2.INTER_NEAREST)
    if mask is not None:
        full = _only_inside(full, mask.array)
    count = int(full.max())
    names = ("background", *(f"region {i}" for i in range(1, count + 1)))
    return Parts(full, names, np.where(full > 0, 0.5, 1.0).astype(np.float32), {})


def _quantised(pixels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> Labels:
    """Each pixel's colour class, 0.._COLOURS-1, after smoothing that keeps edges."""
    smooth = cv2.bilateralFilter(cv2.medianBlur(pixels, 3), 7, 30, 7)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32) * (0.7, 1.4, 1.4)
    lab = lab.astype(np.float32)
    sample = lab[inside]
    sample = sample[:: max(1, len(sample) // 8000)]
    kinds = min(_COLOURS, len(np.unique(sample.round(), axis=0)))
    cv2.setRNGSeed(7)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 30, 0.5)
    _, _, centres = cv2.kmeans(sample, max(1, kinds), None, stop, 2, cv2.KMEANS_PP_CENTERS)
    distance = np.stack([((lab - c) ** 2).sum(axis=2) for c in centres])
    return np.asarray(distance.argmin(axis=0).astype(np.int32), dtype=np.int32)


def _pieces(classes: Labels, inside: NDArray[np.bool_]) -> Labels:
    """Connected areas of one class, from 1; thin and tiny ones are given to the nearest that is neither."""
    pieces = np.zeros(classes.shape, np.int32)
    least, count = max(12, round(_LEAST_SHARE * inside.sum())), 0
    for kind in range(int(classes.max()) + 1):
        here = ((classes == kind) & inside).astype(np.uint8)
        depth = cv2.distanceTransform(np.pad(here, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        found, labels, stats, _ = cv2.connectedComponentsWithStats(here, connectivity=4)
        for i in range(1, found):
            part = labels == i
            if stats[i, cv2.CC_STAT_AREA] >= least and float(depth[part].max()) > _THIN_PX:
                count += 1
                pieces[part] = count
    if not count:
        return inside.astype(np.int32)
    return _spread(pieces, inside)


def _spread(pieces: Labels, inside: NDArray[np.bool_]) -> Labels:
    """Every inside pixel gets the nearest piece."""
    _, seeds = cv2.distanceTransformWithLabels(
        (pieces == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(seeds.max()) + 1, np.int32)
    table[seeds[pieces > 0]] = pieces[pieces > 0]
    return np.where(inside, table[seeds], 0).astype(np.int32)


def _ground(pieces: Labels) -> NDArray[np.bool_]:
    """The piece that holds most of the picture's border."""
    rim = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    ground: NDArray[np.bool_] = pieces == np.bincount(rim).argmax()
    return ground


def _numbered(pieces: Labels, inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Labels by size, at most _MOST; what is left over joins its nearest neighbour."""
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    order = [int(i) for i in np.argsort(-areas, kind="stable") if areas[i] > 0][:_MOST]
    labels = np.zeros(pieces.shape, np.int32)
    for rank, piece in enumerate(order, 1):
        labels[pieces == piece] = rank
    lost = (labels == 0) & (pieces > 0)
    if lost.any() and order:
        labels = np.where(lost, _spread(labels, inside), labels)
    return labels.astype(np.uint8)


def _only_inside(labels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """At full size: nothing outside the mask, and no inside pixel left over."""
    kept = np.where(inside, labels, 0).astype(np.int32)
    if not kept.any():
        return inside.astype(np.uint8)
    return np.where(inside & (kept == 0), _spread(kept, inside), kept).astype(np.uint8)

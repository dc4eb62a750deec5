"""Regions of drawings: areas of one colour, parted by lines; the user merges and names them."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from maskwright.ports import Parts
from maskwright.values import Image, Mask

Labels = NDArray[np.int32]
Floats = NDArray[np.float32]
_COLOURS = 7
_MOST = 24
_LEAST_SHARE = 0.004
_THIN_PX = 2.2
_PEN_PX, _PEN_LONG = 5, 10
"""Half the width of a drawn line at most, and how many times that it is long at least."""
_TOUCH_PX, _FLAT_TOUCH = 8, 0.6
_EDGE_STEP = 9.0
"""Colour step over four pixels that parts two areas; a gradient's is less."""
_BORDER_SHARE, _ALIKE = 0.06, 14.0
"""Share of the picture's border, and colour step to the ground, of another piece of the ground."""
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
    smooth = _smooth(pixels)
    cores = _pieces(_quantised(smooth, inside), smooth, inside)
    pieces = _spread(cores, inside)
    if mask is None:
        pieces = _without_ground(pieces, cores, smooth)
    labels = _numbered(pieces, inside)
    full = cv2.resize(labels, image.size, interpolation=cv2.INTER_NEAREST)
    if mask is not None:
        full = only_inside(full, mask.array)
    count = int(full.max())
    names = ("background", *(f"region {i}" for i in range(1, count + 1)))
    return Parts(full, names, np.where(full > 0, 0.5, 1.0).astype(np.float32), {})


def _smooth(pixels: NDArray[np.uint8]) -> Floats:
    """Lab with hue before lightness, after smoothing that keeps edges."""
    smooth = cv2.bilateralFilter(cv2.medianBlur(pixels, 3), 7, 30, 7)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32)
    return np.asarray(lab * (0.7, 1.4, 1.4), np.float32)


def _quantised(lab: Floats, inside: NDArray[np.bool_]) -> Labels:
    """Each pixel's colour class, 0.._COLOURS-1."""
    sample = lab[inside]
    sample = sample[:: max(1, len(sample) // 8000)]
    kinds = min(_COLOURS, len(np.unique(sample.round(), axis=0)))
    cv2.setRNGSeed(7)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 30, 0.5)
    _, _, centres = cv2.kmeans(sample, max(1, kinds), None, stop, 2, cv2.KMEANS_PP_CENTERS)
    distance = np.stack([((lab - c) ** 2).sum(axis=2) for c in centres])
    return np.asarray(distance.argmin(axis=0).astype(np.int32), dtype=np.int32)


def _pieces(classes: Labels, smooth: Floats, inside: NDArray[np.bool_]) -> Labels:
    """Connected areas of one colour or one gradient, from 1; 0 on lines, and on what is thin or tiny."""
    areas = _joined(_connected(np.where(inside, classes + 1, 0)), smooth)
    pieces = np.zeros(classes.shape, np.int32)
    least, count = max(12, round(_LEAST_SHARE * inside.sum())), 0
    for area in np.flatnonzero(np.bincount(areas.ravel()) >= least):
        if area == 0:
            continue
        here = _without_lines((areas == area).astype(np.uint8))
        depth = cv2.distanceTransform(np.pad(here, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        found, labels, stats, _ = cv2.connectedComponentsWithStats(here, connectivity=4)
        for i in range(1, found):
            part = labels == i
            if stats[i, cv2.CC_STAT_AREA] >= least and float(depth[part].max()) > _THIN_PX:
                count += 1
                pieces[part] = count
    return pieces if count else inside.astype(np.int32)


def _connected(classes: Labels) -> Labels:
    """Connected areas of one class, from 1; class 0 stays 0."""
    out, count = np.zeros(classes.shape, np.int32), 0
    for kind in range(1, int(classes.max()) + 1):
        found, labels = cv2.connectedComponents((classes == kind).astype(np.uint8), connectivity=4)
        out = np.where(labels > 0, labels + count, out)
        count += found - 1
    return out.astype(np.int32)


def _without_lines(here: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The areas without what is drawn between them: whatever is at most a pen wide and much longer than that."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _PEN_PX + 1,) * 2)
    cores = cv2.dilate(cv2.morphologyEx(here, cv2.MORPH_OPEN, disc), np.ones((3, 3), np.uint8)) & here
    found, labels, stats, _ = cv2.connectedComponentsWithStats(here & ~cores & 1, connectivity=8)
    long = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) > _PEN_LONG * _PEN_PX
    long[0] = False
    kept: NDArray[np.uint8] = np.where(long[labels], 0, here).astype(np.uint8) if found > 1 else here
    return kept


def _joined(areas: Labels, smooth: Floats) -> Labels:
    """Areas that touch without an edge between them, as along a gradient, are one."""
    size = int(areas.max()) + 1
    keys, steps = [], []
    for one, other, step in _across(areas, smooth):
        touch = (one != other) & (one > 0) & (other > 0)
        low, high = np.minimum(one, other)[touch], np.maximum(one, other)[touch]
        keys.append(low.astype(np.int64) * size + high)
        steps.append(step[touch])
    pairs, which = np.unique(np.concatenate(keys), return_inverse=True)
    length = np.bincount(which, minlength=len(pairs))
    flat = np.bincount(which, np.concatenate(steps) < _EDGE_STEP, len(pairs))
    smoothly = (length >= _TOUCH_PX) & (flat > _FLAT_TOUCH * length)
    low, high = pairs[smoothly] // size, pairs[smoothly] % size
    _, joined = connected_components(coo_matrix((np.ones(len(low), np.int8), (low, high)), shape=(size, size)))
    return np.where(areas > 0, joined[areas] + 1, 0).astype(np.int32)


def _across(areas: Labels, smooth: Floats) -> Iterator[tuple[Labels, Labels, Floats]]:
    """Neighbours to the right and below, with the colour step over four pixels there."""
    wide = np.pad(smooth, ((2, 2), (2, 2), (0, 0)), mode="edge")
    right = np.linalg.norm(wide[2:-2, 4:] - wide[2:-2, 1:-3], axis=2)[:, :-1]
    down = np.linalg.norm(wide[4:, 2:-2] - wide[1:-3, 2:-2], axis=2)[:-1]
    yield areas[:, :-1], areas[:, 1:], right
    yield areas[:-1], areas[1:], down


def _spread(pieces: Labels, inside: NDArray[np.bool_]) -> Labels:
    """Every inside pixel gets the nearest piece."""
    _, seeds = cv2.distanceTransformWithLabels(
        (pieces == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(seeds.max()) + 1, np.int32)
    table[seeds[pieces > 0]] = pieces[pieces > 0]
    return np.where(inside, table[seeds], 0).astype(np.int32)


def _without_ground(pieces: Labels, cores: Labels, smooth: Floats) -> Labels:
    """0 on the piece that holds most of the picture's border, and on others there that look like it (a figure that
    reaches the border parts the ground); the lines around the figure stay with the figure."""
    shares = np.bincount(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    most = int(shares.argmax())
    colour = smooth[pieces == most].mean(axis=0)
    others = [int(k) for k in np.flatnonzero(shares >= _BORDER_SHARE * shares.sum()) if k != most]
    alike = [k for k in others if np.linalg.norm(smooth[pieces == k].mean(axis=0) - colour) < _ALIKE]
    ground = np.isin(pieces, [most, *alike])
    figure = np.where(ground, 0, cores)
    if not figure.any():
        return np.where(ground, 0, pieces).astype(np.int32)
    away = cv2.distanceTransform((figure == 0).astype(np.uint8), cv2.DIST_L2, 5)
    line = ground & (cores == 0) & (away <= 2 * _PEN_PX)
    return np.where(ground & ~line, 0, _spread(figure, np.ones_like(ground))).astype(np.int32)


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


def only_inside(labels: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """At full size: nothing outside the mask, and no inside pixel left over."""
    kept = np.where(inside, labels, 0).astype(np.int32)
    if not kept.any():
        return inside.astype(np.uint8)
    return np.where(inside & (kept == 0), _spread(kept, inside), kept).astype(np.uint8)

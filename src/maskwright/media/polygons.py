"""Masks as polygons along their pixel edges, holes included, and back.

Written by hand: OpenCV's contours run through pixel centres (half a pixel is lost on two sides), and no light library
gives exact pixel-edge rings with their holes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from maskwright.values import Mask

Ring = NDArray[np.int64]
"""(N, 2) corners x, y on pixel edges (0..width, 0..height), not closed by a repeated point."""

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))


@dataclass(frozen=True, eq=False)
class Polygon:
    """One connected piece: its outer ring (clockwise on screen) and the rings of its holes (the other way round)."""

    outer: Ring
    holes: tuple[Ring, ...] = ()


def polygons_of(mask: Mask) -> list[Polygon]:
    """Exact polygons of the 4-connected pieces of a mask, in reading order of their first pixel."""
    _, pieces = cv2.connectedComponents(mask.array.astype(np.uint8), connectivity=4)
    outers: dict[int, Ring] = {}
    holes: dict[int, list[Ring]] = {}
    for ring, (x, y) in _rings(mask.array):
        piece = int(pieces[y, x])
        if _doubled_area(ring) > 0:
            outers[piece] = ring
        else:
            holes.setdefault(piece, []).append(ring)
    return [Polygon(ring, tuple(holes.get(piece, ()))) for piece, ring in outers.items()]


def bridged(polygons: list[Polygon]) -> Ring:
    """One ring that walks all pieces and holes, joined by lines walked twice (they enclose nothing); for formats that
    know a single polygon an object."""
    pieces = [_inserted(polygon.outer, list(polygon.holes)) for polygon in polygons]
    return _inserted(pieces[0], pieces[1:])


def mask_of(polygons: list[Polygon], width: int, height: int) -> Mask:
    """The mask that polygons_of came from."""
    crossings = np.zeros((height + 1, width + 1), dtype=np.int64)
    for polygon in polygons:
        for ring in (polygon.outer, *polygon.holes):
            ends = np.roll(ring, -1, axis=0)
            for (x0, y0), (x1, y1) in zip(ring.tolist(), ends.tolist(), strict=True):
                if x0 == x1:
                    crossings[min(y0, y1) : max(y0, y1), x0] += 1
    return Mask(np.cumsum(crossings, axis=1)[:height, :width] % 2 == 1)


def _rings(array: NDArray[np.bool_]) -> list[tuple[Ring, tuple[int, int]]]:
    """Every closed walk along pixel edges with the mask on the right, and a mask pixel beside its first edge."""
    leaving = _edges(array)
    found = []
    for start in list(leaving):
        while leaving.get(start):
            direction = leaving[start][0]
            found.append((_walk(leaving, start, direction), _pixel_right_of(start, direction)))
    return found


def _edges(array: NDArray[np.bool_]) -> dict[tuple[int, int], list[int]]:
    """Corner -> directions (places in _STEPS) of the edges that leave it, in reading order."""
    padded = np.pad(array, 1)
    here = padded[1:, 1:]
    above, left = padded[:-1, 1:], padded[1:, :-1]
    sets = (
        (here & ~above, (0, 0), 0),  # along the top, to the right
        (left & ~here, (0, 0), 1),  # along a right side, down
        (above & ~here, (1, 0), 2),  # along a bottom, to the left
        (here & ~left, (0, 1), 3),  # along a left side, up
    )
    leaving: dict[tuple[int, int], list[int]] = {}
    for edges, (dx, dy), direction in sets:
        for y, x in np.argwhere(edges).tolist():
            leaving.setdefault((x + dx, y + dy), []).append(direction)
    return dict(sorted(leaving.items(), key=lambda item: (item[0][1], item[0][0])))


def _walk(leaving: dict[tuple[int, int], list[int]], start: tuple[int, int], direction: int) -> Ring:
    """Follows edges back to the start, removing them; keeps the corners where it turns."""
    corners: list[tuple[int, int]] = []
    at, heading = start, direction
    before = -1
    while True:
        if heading != before:
            corners.append(at)
        leaving[at].remove(heading)
        at = (at[0] + _STEPS[heading][0], at[1] + _STEPS[heading][1])
        before = heading
        if at == start and (not leaving[at] or direction == (before + 1) % 4):
            break
        ways = leaving[at]
        heading = next(d for d in ((before + 1) % 4, before, (before - 1) % 4) if d in ways)
    if before == direction:
        corners.pop(0)
    return np.array(corners, dtype=np.int64)


def _pixel_right_of(corner: tuple[int, int], direction: int) -> tuple[int, int]:
    dx, dy = ((0, 0), (-1, 0), (-1, -1), (0, -1))[direction]
    return corner[0] + dx, corner[1] + dy


def _doubled_area(ring: Ring) -> int:
    x, y = ring[:, 0], ring[:, 1]
    return int(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _inserted(path: Ring, rings: list[Ring]) -> Ring:
    """`path` with each ring walked as a detour from the corner of `path` that is nearest to the ring's first one."""
    if not rings:
        return path
    _, places = cKDTree(path).query([ring[0] for ring in rings])
    parts, done = [], 0
    for turn in np.argsort(places, kind="stable"):
        place, ring = int(places[turn]), rings[int(turn)]
        parts += [path[done : place + 1], ring, ring[:1], path[place : place + 1]]
        done = place + 1
    return np.concatenate([*parts, path[done:]])

"""A silhouette as a flat sheet of triangles."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from maskwright.errors import ModelError

_FINE = 4
_STEP_PX = 1.0
_APART = 0.05
_TRIES = 8
_INSIDE = (
    (1 / 3, 1 / 3, 1 / 3),
    (0.6, 0.2, 0.2),
    (0.2, 0.6, 0.2),
    (0.2, 0.2, 0.6),
    (0.45, 0.45, 0.1),
    (0.45, 0.1, 0.45),
    (0.1, 0.45, 0.45),
)


@dataclass(frozen=True)
class Sheet:
    """`points` (N, 2) in pixels of the picture; `triangles` (T, 3) counter-clockwise seen from the viewer (y down in
    pixels, up in space); `border_edges` (E, 2) directed as their triangle runs; `border` (N,) bool."""

    points: NDArray[np.float64]
    triangles: NDArray[np.int64]
    border_edges: NDArray[np.int64]

    @property
    def border(self) -> NDArray[np.bool_]:
        flags = np.zeros(len(self.points), np.bool_)
        flags[self.border_edges.ravel()] = True
        return flags


@dataclass(frozen=True)
class Fine:
    """A silhouette at quarter-pixel steps: its corner in the picture and the picture's pixels a step."""

    inside: NDArray[np.bool_]
    corner: tuple[int, int]
    steps: tuple[float, float]

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places between pixel centres of the picture."""
        return (points + 0.5) * self.steps - 0.5 + self.corner


def triangulate(alpha: NDArray[np.uint8], *, max_faces: int, work_side: int) -> Sheet:
    """The part where alpha is at least one half, in coarser steps until the faces fit as well as they can."""
    enlarged = _enlarged(alpha, work_side)
    fine = enlarged.inside
    step, inner, before = _STEP_PX, 4.0, 1 << 62
    for _ in range(_TRIES):
        points = np.concatenate([_outline(fine, step * _FINE), _fill(fine, inner * _FINE)])
        sheet = _sheet(points, fine)
        faces = 2 * len(sheet.triangles) + 2 * len(sheet.border_edges)
        if faces <= max_faces or faces > 0.93 * before:
            break
        before = faces
        excess = (faces / max_faces) ** 0.5
        rough = 2 * len(sheet.border_edges) > 0.35 * max_faces
        step, inner = step * (excess * 1.05 if rough else 1.0), inner * max(excess * 1.1, 1.1)
    return Sheet(enlarged.to_picture(sheet.points), sheet.triangles, sheet.border_edges)


def _enlarged(alpha: NDArray[np.uint8], work_side: int) -> Fine:
    """The object's window at working size times four, smooth between pixels."""
    inside = alpha >= 128
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    window = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    firm = np.where(window >= 128, np.maximum(window, 136), np.minimum(window, 119)).astype(np.uint8)
    padded = np.pad(firm, 1)
    factor = _FINE * min(1.0, work_side / max(window.shape))
    size = (max(8, round(padded.shape[1] * factor)), max(8, round(padded.shape[0] * factor)))
    grown = cv2.resize(padded, size, interpolation=cv2.INTER_LINEAR if factor > 2 else cv2.INTER_AREA)
    steps = (padded.shape[1] / size[0], padded.shape[0] / size[1])
    return Fine(grown >= 128, (int(columns[0]) - 1, int(rows[0]) - 1), steps)


def _outline(fine: NDArray[np.bool_], step: float) -> NDArray[np.float64]:
    """Points along every border, about `step` apart, corners kept."""
    contours, _ = cv2.findContours(fine.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found: list[NDArray[np.float64]] = []
    for contour in contours:
        line = contour[:, 0].astype(np.float64)
        count = int(np.clip(round(len(line) / step), min(len(line), 6), len(line)))
        found.append(line[np.linspace(0, len(line), count, endpoint=False).astype(int)])
        if len(line) < 40 * step:
            corners = cv2.approxPolyDP(contour, 1.2, True)[:, 0].astype(np.float64)
            found.append(corners)
    return np.unique(np.concatenate(found), axis=0)


def _fill(fine: NDArray[np.bool_], spacing: float) -> NDArray[np.float64]:
    """Points of the inside: a fine grid near the outline, twice and four times as wide farther in."""
    depth = cv2.distanceTransform(fine.astype(np.uint8), cv2.DIST_L2, 5)
    found = []
    for level, (low, high) in enumerate(((0.7, 3.0), (3.0, 8.0), (8.0, 1e9))):
        pitch = spacing * 1.8**level
        rows = np.arange(pitch / 2, fine.shape[0], pitch * 0.866)
        for i, row in enumerate(rows):
            columns = np.arange(pitch / 2 * (1 + i % 2), fine.shape[1], pitch)
            near = depth[int(row), columns.astype(int)]
            keep = columns[(near >= low * spacing) & (near < high * spacing)]
            found.append(np.stack([keep, np.full(keep.size, row)], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 2))


def _sheet(points: NDArray[np.float64], fine: NDArray[np.bool_]) -> Sheet:
    triangles = _inside_triangles(points, fine)
    points, triangles = split_pinches(points, triangles)
    used, triangles = np.unique(triangles, return_inverse=True)
    return Sheet(points[used], triangles.reshape(-1, 3), border_edges(triangles.reshape(-1, 3)))


def _inside_triangles(points: NDArray[np.float64], fine: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Delaunay triangles most of which lie inside, turned counter-clockwise for a viewer with y up."""
    try:
        triangles = Delaunay(points).simplices.astype(np.int64)
    except (QhullError, ValueError) as error:
        raise ModelError(
            "this silhouette could not be triangulated.", "Give a larger picture of the object."
        ) from error
    corners = points[triangles]
    votes = np.zeros(len(triangles), np.int64)
    for weights in _INSIDE:
        place = np.einsum("k,tkc->tc", np.array(weights), corners)
        votes += fine[np.rint(place[:, 1]).astype(int), np.rint(place[:, 0]).astype(int)]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    twice = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    keep = (votes >= 4) & (np.abs(twice) > 1e-3)
    triangles, twice = triangles[keep], twice[keep]
    if not len(triangles):
        raise ModelError("this silhouette is too thin to be triangulated.", "Give a larger picture of the object.")
    triangles[twice > 0] = triangles[twice > 0][:, ::-1]
    return np.asarray(triangles, dtype=np.int64)


def border_edges(triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Directed edges that belong to one triangle only."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    key = np.sort(edges, axis=1)
    _, where, count = np.unique(key[:, 0] * (triangles.max() + 1) + key[:, 1], return_inverse=True, return_counts=True)
    return np.asarray(edges[count[where] == 1], dtype=np.int64)


def split_pinches(
    points: NDArray[np.float64], triangles: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The same sheet with a vertex of its own for each fan of triangles that meets another only at a point; the copies
    stand a hair apart, so that tools that weld equal places keep them separate."""
    edges = border_edges(triangles)
    pinched = np.flatnonzero(np.bincount(edges[:, 0], minlength=len(points)) > 1)
    if not pinched.size:
        return points, triangles
    split, places = triangles.copy(), points.tolist()
    around = _triangles_at(triangles, pinched)
    for vertex in pinched.tolist():
        mine = around[vertex]
        for i, fan in enumerate(_fans(triangles[mine], vertex)):
            rows = mine[fan]
            middle = points[triangles[rows].ravel()].mean(axis=0)
            apart = (points[vertex] + _APART * (middle - points[vertex])).tolist()
            if i == 0:
                places[vertex] = apart
                continue
            split[rows] = np.where(triangles[rows] == vertex, len(places), split[rows])
            places.append(apart)
    return np.array(places), split


def _triangles_at(triangles: NDArray[np.int64], vertices: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """For each vertex the triangles that have it as a corner."""
    corner = triangles.ravel()
    wanted = np.flatnonzero(np.isin(corner, vertices))
    order = wanted[np.argsort(corner[wanted], kind="stable")]
    names, starts = np.unique(corner[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order // 3, starts[1:])))


def _fans(triangles: NDArray[np.int64], vertex: int) -> list[list[int]]:
    """Groups of triangles around a vertex that are connected through edges at it."""
    others = [set(t.tolist()) - {int(vertex)} for t in triangles]
    groups: list[tuple[list[int], set[int]]] = []
    for i, pair in enumerate(others):
        joined = [g for g in groups if g[1] & pair]
        merged = ([i], set(pair))
        for group in joined:
            groups.remove(group)
            merged = (merged[0] + group[0], merged[1] | group[1])
        groups.append(merged)
    return [members for members, _ in groups]

"""Regions by merging: small even pieces of the picture joined step by step, most alike first, into a tree."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int32]
Borders = list[tuple[int, int, float, float]]


@dataclass(frozen=True, eq=False)
class MergeTree:
    """`pieces` (h, w): the leaf of every place. Node i < leaves is a leaf; node leaves + k is the k-th merge of
    `children` (M, 2) at `height` (M,). `parent` (leaves + M,): the node it became part of, -1 for the root."""

    pieces: Labels
    children: NDArray[np.int64]
    height: Floats
    parent: NDArray[np.int64]

    @property
    def leaves(self) -> int:
        return len(self.parent) - len(self.children)

    def members(self) -> Bools:
        """(nodes, leaves) which leaves each node holds."""
        out = np.zeros((len(self.parent), self.leaves), dtype=np.bool_)
        out[: self.leaves] = np.eye(self.leaves, dtype=np.bool_)
        for k, (a, b) in enumerate(self.children):
            out[self.leaves + k] = out[a] | out[b]
        return out

    def lasting(self) -> Floats:
        """(nodes,) how much farther the next merge was than the node's own: what stands for itself lasts."""
        own = np.concatenate([np.zeros(self.leaves, np.float32), self.height])
        above = np.where(self.parent >= 0, own[self.parent], own.max() if len(own) else 0.0)
        out: Floats = ((above - own) / np.maximum(above, 1e-6)).astype(np.float32)
        out[: self.leaves] = 0
        return out


def superpixels(lab: Floats, count: int) -> Labels:
    """About `count` small pieces (h, w) from 0: a watershed of the colour gradient from a regular grid of seeds."""
    height, width = lab.shape[:2]
    step = max(4, round(float(np.sqrt(height * width / count))))
    smooth = cv2.GaussianBlur(lab, (0, 0), 0.8)
    slope: Floats = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)).max(2)
    seeds = np.zeros((height, width), np.int32)
    ys, xs = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    for k, (y, x) in enumerate(zip(ys.ravel(), xs.ravel())):
        y, x = _calmest(slope, int(y), int(x), step // 4)
        seeds[y, x] = k + 1
    relief = np.clip(slope * 1.2, 0, 255).astype(np.uint8)
    cv2.watershed(cv2.merge([relief, relief, relief]), seeds)
    _fill_lines(seeds)
    out: Labels = np.unique(seeds, return_inverse=True)[1].reshape(height, width).astype(np.int32)
    return out


def _calmest(slope: Floats, y: int, x: int, reach: int) -> tuple[int, int]:
    y0, x0 = max(0, y - reach), max(0, x - reach)
    patch = slope[y0 : y + reach + 1, x0 : x + reach + 1]
    dy, dx = np.unravel_index(int(np.argmin(patch)), patch.shape)
    return y0 + int(dy), x0 + int(dx)


def _fill_lines(seeds: Labels) -> None:
    """Gives the lines between basins (-1) the largest label beside them, in place."""
    for _ in range(4):
        lines = seeds < 1
        if not lines.any():
            return
        grown = cv2.dilate(np.maximum(seeds, 0).astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
        seeds[lines] = grown[lines]


def merged(pieces: Labels, features: Floats, edges: Floats, weight: float = 0.5) -> MergeTree:
    """The tree over pieces: nearest first in mean `features` (h, w, C), farther across strong `edges` (h, w) and
    for large pairs. `weight`: of the edge."""
    leaves = int(pieces.max()) + 1
    flat = pieces.ravel()
    area = np.bincount(flat, minlength=leaves).astype(np.float64)
    sums = [np.bincount(flat, features[..., c].ravel(), leaves) for c in range(features.shape[2])]
    mean: NDArray[np.float64] = np.stack(sums, 1).astype(np.float64) / area[:, None]
    return _Merging(mean, area, _borders(pieces, edges), weight).run(pieces, leaves)


class _Merging:
    """The regions not yet merged and the borders between them."""

    def __init__(self, mean: NDArray[np.float64], area: NDArray[np.float64], borders: Borders, weight: float):
        self.mean, self.area = list(mean), list(area)
        self.total, self.weight = float(area.sum()), weight
        self.near: list[dict[int, tuple[float, float]]] = [{} for _ in mean]
        for a, b, strength, length in borders:
            self.near[a][b] = self.near[b][a] = (strength, length)

    def distance(self, a: int, b: int) -> float:
        """How unlike two touching regions are."""
        strength, length = self.near[a][b]
        apart = float(np.linalg.norm(self.mean[a] - self.mean[b]))
        smaller = min(self.area[a], self.area[b]) / self.total
        return float((apart + self.weight * strength / length) * smaller**0.3)

    def run(self, pieces: Labels, leaves: int) -> MergeTree:
        heap = [(self.distance(a, b), a, b) for a in range(leaves) for b in self.near[a] if a < b]
        heapq.heapify(heap)
        alive, parent = [True] * leaves, [-1] * leaves
        children: list[tuple[int, int]] = []
        height: list[float] = []
        while heap:
            far, a, b = heapq.heappop(heap)
            if not (alive[a] and alive[b]):
                continue
            new = self._join(a, b)
            alive[a] = alive[b] = False
            alive.append(True)
            parent[a] = parent[b] = new
            parent.append(-1)
            children.append((a, b))
            height.append(max(far, height[-1] if height else 0.0))
            for c in self.near[new]:
                heapq.heappush(heap, (self.distance(new, c), new, c))
        return MergeTree(
            pieces,
            np.array(children, np.int64).reshape(-1, 2),
            np.array(height, np.float32),
            np.array(parent, np.int64),
        )

    def _join(self, a: int, b: int) -> int:
        new = len(self.mean)
        area = self.area[a] + self.area[b]
        self.mean.append((self.mean[a] * self.area[a] + self.mean[b] * self.area[b]) / area)
        self.area.append(area)
        border: dict[int, tuple[float, float]] = {}
        for old in (a, b):
            for c, (strength, length) in self.near[old].items():
                if c not in (a, b):
                    s, n = border.get(c, (0.0, 0.0))
                    border[c] = (s + strength, n + length)
                    self.near[c].pop(old, None)
            self.near[old] = {}
        self.near.append(border)
        for c, value in border.items():
            self.near[c][new] = value
        return new


def _borders(pieces: Labels, edges: Floats) -> Borders:
    """(a, b, summed edge strength, length) of every pair of touching pieces, a < b."""
    count = int(pieces.max()) + 1
    codes, values = [], []
    for one, two, e1, e2 in (
        (pieces[:, :-1], pieces[:, 1:], edges[:, :-1], edges[:, 1:]),
        (pieces[:-1], pieces[1:], edges[:-1], edges[1:]),
    ):
        apart = one != two
        low, high = np.minimum(one, two)[apart].astype(np.int64), np.maximum(one, two)[apart]
        codes.append(low * count + high)
        values.append(np.maximum(e1, e2)[apart])
    code, place = np.unique(np.concatenate(codes), return_inverse=True)
    strength = np.bincount(place, np.concatenate(values))
    length = np.bincount(place)
    return [(int(c) // count, int(c) % count, float(s), float(n)) for c, s, n in zip(code, strength, length)]

"""One level of patch-based painting: which patch outside the hole each patch over it looks like, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

RADIUS = 3
PARTS = 20
"""Numbers kept of a patch's 147 (principal components): enough to compare, quick to fetch."""
WHOLE_SEARCH = 3e7
"""Up to this many pairs every patch is compared with every other."""


@dataclass(eq=False)
class Level:
    """A picture at one size: `colours` (h, w, 3) float32, its `hole`, and `match` (h * w,) which flat pixel's patch the
    patch at each pixel copies (-1: none)."""

    colours: Floats
    hole: Bools
    searched: bool = True
    match: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def half(self) -> Level:
        """The level of half the size; missing pixels do not colour the others."""
        height, width = self.hole.shape
        size = ((width + 1) // 2, (height + 1) // 2)
        seen = (~self.hole).astype(np.float32)
        share = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
        sums = cv2.resize(self.colours * seen[..., None], size, interpolation=cv2.INTER_AREA)
        return Level((sums / np.maximum(share, 1e-6)[..., None]).astype(np.float32), share < 0.5)

    def started_from(self, coarse: Level) -> Level:
        """This level with the coarser one's matches, twice as far."""
        height, width = self.hole.shape
        y, x = np.divmod(np.arange(height * width), width)
        small_height, small_width = coarse.hole.shape
        found = coarse.match[np.minimum(y // 2, small_height - 1) * small_width + np.minimum(x // 2, small_width - 1)]
        to_y, to_x = found // small_width * 2 + y % 2, found % small_width * 2 + x % 2
        fits = (found >= 0) & (to_y < height) & (to_x < width)
        guess = cv2.resize(coarse.colours, (width, height), interpolation=cv2.INTER_LINEAR)
        colours = np.where(self.hole[..., None], guess, self.colours).astype(np.float32)
        return Level(colours, self.hole, self.searched, np.where(fits, to_y * width + to_x, -1))


def first_guess(level: Level) -> Level:
    """The coarsest level with a smooth guess in its hole."""
    colours = np.clip(np.rint(level.colours), 0, 255).astype(np.uint8)
    smooth = cv2.inpaint(colours, level.hole.astype(np.uint8), 3, cv2.INPAINT_NS).astype(np.float32)
    mixed = np.where(level.hole[..., None], smooth, level.colours).astype(np.float32)
    return Level(mixed, level.hole, level.searched, np.full(level.hole.size, -1, np.int64))


def fill_level(level: Level, rng: np.random.Generator, *, first: bool) -> Level:
    """The level with its hole painted; unchanged where no whole patch is left outside the hole."""
    targets, sources = _targets(level.hole), _sources(level.hole)
    if not len(sources):
        return level
    search = _Search(level, targets, sources, rng)
    if not level.searched:
        _vote(level, radius=1, trust=None)
        return level
    for _ in range(10 if first else 4):
        away = search.turn()
        trust = np.zeros(level.hole.size, np.float32)
        spread = max(1.0, float(np.percentile(away, 75)))
        trust[targets] = np.exp(-away / (2 * spread)) + 1e-4
        _vote(level, radius=RADIUS, trust=trust)
    return level


def _targets(hole: Bools) -> Ints:
    """Flat numbers of the pixels whose patch touches the hole."""
    side = 2 * RADIUS + 1
    return np.flatnonzero(cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)))


def _sources(hole: Bools) -> Ints:
    """Flat numbers of the pixels whose whole patch is seen."""
    side = 2 * RADIUS + 1
    free = cv2.erode(
        (~hole).astype(np.uint8), np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.flatnonzero(free)


class _Search:
    """Keeps `level.match` up to date: the nearest source for every target."""

    def __init__(self, level: Level, targets: Ints, sources: Ints, rng: np.random.Generator) -> None:
        self.level, self.targets, self.sources, self.rng = level, targets, sources, rng
        self.height, self.width = level.hole.shape
        self.allowed = np.zeros(level.hole.size, np.bool_)
        self.allowed[sources] = True
        self._start()
        if level.searched:
            self.mean, self.axes = self._components()
            self.known = np.zeros((level.hole.size, PARTS), np.float32)
            for some in np.array_split(sources, 1 + len(sources) // 20_000):
                self.known[some] = self._describe(some)

    def _start(self) -> None:
        """Every target has an allowed match: the one it came with, or a random one."""
        match = self.level.match
        match[~self.allowed[np.maximum(match, 0)]] = -1
        lost = self.targets[match[self.targets] < 0]
        match[lost] = self.rng.choice(self.sources, len(lost))

    def _components(self) -> tuple[Floats, Floats]:
        some = self.rng.choice(self.sources, min(3000, len(self.sources)), replace=False)
        patches = self._patches(some)
        mean = patches.mean(axis=0)
        spread = (patches - mean).T @ (patches - mean)
        _, axes = np.linalg.eigh(spread.astype(np.float64))
        return mean, axes[:, ::-1][:, :PARTS].astype(np.float32)

    def _describe(self, where: Ints) -> Floats:
        return np.asarray((self._patches(where) - self.mean) @ self.axes, np.float32)

    def _patches(self, where: Ints) -> Floats:
        """(n, 147) float32, the border repeated."""
        span = np.arange(-RADIUS, RADIUS + 1)
        y = np.clip((where // self.width)[:, None] + span, 0, self.height - 1)
        x = np.clip((where % self.width)[:, None] + span, 0, self.width - 1)
        patches = self.level.colours[y[:, :, None], x[:, None, :]]
        return np.asarray(patches.reshape(len(where), -1), np.float32)

    def turn(self) -> Floats:
        """One search; the squared distance of each target to its match."""
        wanted = self._describe(self.targets)
        if len(self.targets) * len(self.sources) <= WHOLE_SEARCH:
            self.level.match[self.targets] = self._search_all(wanted)
            return self._away(wanted, self.level.match[self.targets])
        return self._search_near(wanted)

    def _search_all(self, wanted: Floats) -> Ints:
        known = self.known[self.sources]
        length = (known**2).sum(axis=1)
        best = [
            self.sources[np.argmin(length - 2 * (part @ known.T), axis=1)]
            for part in np.array_split(wanted, 1 + len(wanted) * len(known) // 4_000_000)
        ]
        return np.concatenate(best)

    def _search_near(self, wanted: Floats) -> Floats:
        """What the neighbours found, moved along, and random places ever nearer to the best so far."""
        best = self.level.match[self.targets].copy()
        away = self._away(wanted, best)
        for step in (8, -8, 8 * self.width, -8 * self.width, 1, -1, self.width, -self.width):
            beside = np.clip(self.targets + step, 0, self.allowed.size - 1)
            found = self.level.match[beside]
            away = self._better(wanted, best, away, np.where(found >= 0, found - step, -1))
            self.level.match[self.targets] = best
        reach = max(self.height, self.width) // 2
        while reach >= 1:
            away = self._better(wanted, best, away, self._random_near(best, reach))
            reach //= 3
        self.level.match[self.targets] = best
        return away

    def _random_near(self, best: Ints, reach: int) -> Ints:
        y = best // self.width + self.rng.integers(-reach, reach + 1, len(best))
        x = best % self.width + self.rng.integers(-reach, reach + 1, len(best))
        flat = np.clip(y, 0, self.height - 1) * self.width + np.clip(x, 0, self.width - 1)
        return np.asarray(flat, np.int64)

    def _better(self, wanted: Floats, best: Ints, away: Floats, offered: Ints) -> Floats:
        """Takes what is offered where it is nearer; changes `best`."""
        usable = (offered >= 0) & (offered < self.allowed.size)
        usable[usable] = self.allowed[offered[usable]]
        some = np.flatnonzero(usable)
        distance = self._away(wanted[some], offered[some])
        nearer = distance < away[some]
        best[some[nearer]] = offered[some[nearer]]
        away[some[nearer]] = distance[nearer]
        return away

    def _away(self, wanted: Floats, match: Ints) -> Floats:
        gap = self.known[match] - wanted
        out: Floats = np.einsum("ij,ij->i", gap, gap)
        return out


def _vote(level: Level, *, radius: int, trust: Floats | None) -> None:
    """Every hole pixel becomes the mean of what the patches over it say."""
    height, width = level.hole.shape
    flat = level.colours.reshape(-1, 3)
    here = np.flatnonzero(level.hole)
    y, x = here // width, here % width
    sums, total = np.zeros((len(here), 3), np.float32), np.zeros(len(here), np.float32)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            middle_y, middle_x = y - dy, x - dx
            inside = (middle_y >= 0) & (middle_y < height) & (middle_x >= 0) & (middle_x < width)
            middle = np.where(inside, middle_y * width + middle_x, 0)
            found = level.match[middle]
            weight = (inside & (found >= 0)).astype(np.float32) * (1 if trust is None else trust[middle])
            sums += weight[:, None] * flat[np.clip(found + dy * width + dx, 0, len(flat) - 1)]
            total += weight
    said = total > 0
    flat[here[said]] = sums[said] / total[said, None]

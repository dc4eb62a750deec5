"""How soft an edge is, place by place: the width over which the picture itself passes from one side to the other.

An edge blurred by a Gaussian of `sigma` has, across it, a slope of colour that is the Gaussian itself. Slopes of
texture go up and down and cancel along the edge; the edge's own does not. So the slope along each normal, measured in
the direction of the two sides' colours, is compared with Gaussians of many widths (a matched filter), and what
neighbours say counts too. Where colours tell nothing, the whole outline's answer holds. No library has this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float32]
SIGMAS = np.array([0.35, 0.6, 1, 1.5, 2.2, 3.2, 4.6, 6.6, 9.5, 14], np.float32)
SHARPEST = float(SIGMAS[0])
STEP = 4
"""Colours of the sides and answers are kept at a quarter of the size: they change slowly."""
_ROUNDS = 3
_CLEAR = 2.2
"""So many sigmas from the edge a side shows its own colours."""
_FIRST_SHARE = 0.25
_WIDEST_SHARE = 0.45
"""Sigma is at most this share of the reach."""
_WHOLE_SHARE = 0.7
"""What the whole outline says weighs so much beside a neighbourhood of ordinary clearness."""
_CONVINCING = 0.15
"""Share of the slopes that a Gaussian must explain to be believed; with less the answer moves to an ordinary edge."""
_ORDINARY = 1.2
"""Sigma in pixels of an edge that the picture says nothing about: a photograph in focus."""
_KEEN = 1.0
"""Sigma in pixels under which luma has the last word: most files keep chroma at half the size, so that it is soft by
about so much where the edge is not."""
_NOISE = 4.0
_MOST_WEIGHT = 100.0


def signed_distance(inside: NDArray[np.bool_]) -> Floats:
    """Pixels to the mask's edge, positive inside; large where there is no edge."""
    return np.where(inside, _depth(inside) - 0.5, 0.5 - _depth(~inside)).astype(np.float32)


def _depth(side: NDArray[np.bool_]) -> Floats:
    if side.all():
        return np.full(side.shape, 1e4, np.float32)
    found: Floats = cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5)
    return found


def edge_softness(pixels: NDArray[np.uint8], signed: Floats, *, unit: float = 1.0) -> Floats:
    """Sigma in pixels (H, W) for the edge nearest to each place; `signed` from `signed_distance`, `unit` the length
    that neighbourhoods scale with: 1 for pictures of about 1024x768."""
    reach = float(np.clip(32 * unit, 8, 64))
    if min(signed.shape) < 4 * STEP or not (np.abs(signed) < reach).any():
        return np.full(signed.shape, SHARPEST, np.float32)
    filters = _Filters.of(signed, reach)
    strip = _strip(pixels.astype(np.float32), signed, filters)
    softness = np.full(strip.sides.shape[:2], reach * _FIRST_SHARE, np.float32)
    spread = max(1.5, 5 * unit)
    for _ in range(_ROUNDS):
        softness = _refined(strip, softness, spread=spread, reach=reach)
    if (softness[np.abs(strip.distance) < STEP] < _KEEN).any():
        luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)[:, :, None].repeat(3, axis=2)
        keener = _refined(_strip(luma, signed, filters), softness, spread=spread, reach=reach)
        softness = np.where(softness < _KEEN, np.minimum(softness, keener), softness)
    return np.asarray(cv2.resize(softness, signed.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def expected_alpha(signed: Floats, softness: Floats) -> Floats:
    """What alpha is by the edge's softness alone."""
    return np.asarray(ndtr(signed / softness), np.float32)


@dataclass(frozen=True, eq=False)
class _Filters:
    """The slopes (S, N) that edges of these sigmas (S,) have at the N places of `near` (H, W)."""

    near: NDArray[np.bool_]
    sigmas: Floats
    slopes: Floats

    @classmethod
    def of(cls, signed: Floats, reach: float) -> _Filters:
        near = np.abs(signed) <= reach
        sigmas, at = SIGMAS[max(_WIDEST_SHARE * reach, 1.0) >= SIGMAS], signed[near]
        slopes = [(ndtr((at + 1) / sigma) - ndtr((at - 1) / sigma)) / 2 for sigma in map(float, sigmas)]
        return cls(near, sigmas, np.asarray(slopes, np.float32))


@dataclass(frozen=True, eq=False)
class _Strip:
    """What is near the edge at full size (`near`: where; `slopes` there), and all at a quarter of it."""

    filters: _Filters
    slopes: Floats
    sides: Floats
    distance: Floats
    roughness: Floats

    @property
    def near(self) -> NDArray[np.bool_]:
        return self.filters.near

    def up(self, field: Floats) -> Floats:
        """A small field's values at the near pixels."""
        grown: Floats = cv2.resize(field, self.near.shape[::-1], interpolation=cv2.INTER_LINEAR)[self.near]
        return grown

    def down(self, values: Floats) -> Floats:
        """Values of near pixels as a small field."""
        whole = np.zeros(self.near.shape, np.float32)
        whole[self.near] = values
        return _small(whole)


def _strip(colour: Floats, signed: Floats, filters: _Filters) -> _Strip:
    smooth = cv2.GaussianBlur(signed, (0, 0), 1.0)
    normal = np.stack([_slope(smooth, 1, 0), _slope(smooth, 0, 1)], axis=2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True) + 1e-6
    slopes = _slope(colour, 1, 0) * normal[:, :, :1] + _slope(colour, 0, 1) * normal[:, :, 1:]
    roughness = _small((slopes**2).sum(axis=2))
    return _Strip(filters, slopes[filters.near], _small(colour), _small(signed), roughness)


def _slope(field: Floats, x: int, y: int) -> Floats:
    found: Floats = cv2.Sobel(field, -1, x, y, ksize=1) / 2
    return found


def _small(field: Floats) -> Floats:
    size = (max(1, field.shape[1] // STEP), max(1, field.shape[0] // STEP))
    found: Floats = cv2.resize(field, size, interpolation=cv2.INTER_AREA)
    return found


def _refined(strip: _Strip, softness: Floats, *, spread: float, reach: float) -> Floats:
    """One round: the sides' colours from where this softness leaves them pure, then the softness anew."""
    line, clearness = _contrast(strip, np.clip(_CLEAR * softness, 1.5, reach))
    weight = strip.up(clearness)
    along = strip.up(line)
    height = (strip.slopes * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1.0)
    edge = np.abs(strip.distance) < STEP
    weights = cv2.GaussianBlur(clearness * edge, (0, 0), spread)
    share = _WHOLE_SHARE * float(weights[edge].mean() if edge.any() else 0) / (float((clearness * edge).sum()) + 1e-9)
    fits = np.stack([_fit(strip, slope, weight, height, spread=spread, share=share) for slope in strip.filters.slopes])
    best = _best(fits, np.log(strip.filters.sigmas))
    told = np.clip(fits.max(axis=0) / (_energy(strip, weight, height, spread=spread, share=share) * _CONVINCING), 0, 1)
    best = told * best + (1 - told) * math.log(_ORDINARY)
    found: Floats = cv2.GaussianBlur(best, (0, 0), max(1.0, spread / 2))
    return np.asarray(np.exp(found), np.float32)


def _energy(strip: _Strip, weight: Floats, height: Floats, *, spread: float, share: float) -> Floats:
    """All there is to explain around each place."""
    whole = strip.down(weight * height * height)
    return np.asarray(cv2.GaussianBlur(whole, (0, 0), spread) + share * float(whole.sum()) + 1e-9, np.float32)


def _contrast(strip: _Strip, clear: Floats) -> tuple[Floats, Floats]:
    """The way from the outer to the inner colour, and how far it stands out from the ground's own slopes."""
    edge = np.abs(strip.distance) < STEP
    width = max(4.0, 1.2 * float(np.median(clear[edge])) if edge.any() else 4.0) / STEP
    inner, some_in = _mean(strip.sides, strip.distance > clear, width)
    outer, some_out = _mean(strip.sides, strip.distance < -clear, width)
    line = inner - outer
    away = ((np.abs(strip.distance) > clear) & (np.abs(strip.distance) < 100)).astype(np.float32)
    rough = cv2.GaussianBlur(strip.roughness * away, (0, 0), width) / (cv2.GaussianBlur(away, (0, 0), width) + 1e-3)
    clearness = np.minimum((line**2).sum(axis=2) / (rough + _NOISE), _MOST_WEIGHT)
    return line, clearness * np.minimum(1, 20 * np.minimum(some_in, some_out))


def _mean(colour: Floats, where: NDArray[np.bool_], width: float) -> tuple[Floats, Floats]:
    part = where.astype(np.float32)
    weight = cv2.GaussianBlur(part, (0, 0), width)
    return cv2.GaussianBlur(colour * part[:, :, None], (0, 0), width) / (weight[:, :, None] + 1e-6), weight


def _fit(strip: _Strip, slope: Floats, weight: Floats, height: Floats, *, spread: float, share: float) -> Floats:
    """How well an edge of this slope explains what is seen around each place, whatever its height."""
    like, own = strip.down(weight * slope * height), strip.down(weight * slope * slope)
    like = cv2.GaussianBlur(like, (0, 0), spread) + share * float(like.sum())
    own = cv2.GaussianBlur(own, (0, 0), spread) + share * float(own.sum())
    return np.asarray(np.maximum(like, 0) ** 2 / (own + 1e-9), np.float32)


def _best(fits: Floats, scale: Floats) -> Floats:
    """Log sigma (`scale`: those tried) of the best fit, between the tried ones by a parabola."""
    at = fits.argmax(axis=0)
    low, high = np.maximum(at - 1, 0), np.minimum(at + 1, len(scale) - 1)
    below, here, above = (np.take_along_axis(fits, k[None], 0)[0] for k in (low, at, high))
    bend = 2 * here - below - above
    off = np.where((low < at) & (at < high), 0.5 * (above - below) / np.maximum(bend, 1e-12), 0)
    step = np.where(off > 0, scale[high] - scale[at], scale[at] - scale[low])
    return np.asarray(scale[at] + np.clip(off, -1, 1) * step, np.float32)

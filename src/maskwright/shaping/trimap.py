"""From a mask to sure inside, sure outside, and the band between them that has to be solved."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

INSIDE, UNKNOWN, OUTSIDE = 255, 128, 0
HALF_BAND = 3.6
"""Half the width of a fitted band, in sigmas of the edge's blur."""
_PURE = 1.2


def make_trimap(inside: NDArray[np.bool_], band_px: int) -> NDArray[np.uint8]:
    """uint8 (H, W): 255 deeper than `band_px` inside, 0 farther than it outside, 128 between.

    Parts (and gaps) thinner than the band keep their middle line sure, so that nothing vanishes. Borders of the
    picture are not edges.
    """
    to_edge, to_object = _distance(inside), _distance(~inside)
    sure_in = inside & (to_edge > band_px)
    sure_out = ~inside & (to_object > band_px)
    sure_in |= _thin_middles(inside, to_edge, sure_in, band_px)
    sure_out |= _thin_middles(~inside, to_object, sure_out, band_px)
    trimap = np.full(inside.shape, UNKNOWN, np.uint8)
    trimap[sure_in], trimap[sure_out] = INSIDE, OUTSIDE
    return trimap


def fitted_trimap(signed: NDArray[np.float32], softness: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The same from an edge's softness (sigma, pixels): unknown only as far as the edge itself is soft. `signed`:
    pixels to the edge, positive inside. Middle lines of parts and gaps stay sure where they are deep enough."""
    half = HALF_BAND * softness + 1
    deep = np.maximum(1.0, _PURE * softness)
    trimap = np.full(signed.shape, UNKNOWN, np.uint8)
    for side, value in ((signed, INSIDE), (-signed, OUTSIDE)):
        ridge = side >= cv2.dilate(side, np.ones((3, 3), np.uint8)) - 0.05
        trimap[(side > half) | (ridge & (side >= deep))] = value
    return trimap


def widen(trimap: NDArray[np.uint8], alpha: NDArray[np.float32], band_px: int) -> NDArray[np.uint8] | None:
    """The trimap with more room where the solved alpha is still soft at the band's rim; None where it is settled."""
    unknown = trimap == UNKNOWN
    cross = np.ones((3, 3), np.uint8)
    at_outside = unknown & (cv2.dilate((trimap == OUTSIDE).astype(np.uint8), cross) > 0) & (alpha > 0.12)
    at_inside = unknown & (cv2.dilate((trimap == INSIDE).astype(np.uint8), cross) > 0) & (alpha < 0.88)
    seeds = (at_outside | at_inside).astype(np.uint8)
    if seeds.sum() < 8:
        return None
    reach = cv2.dilate(seeds, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band_px + 1,) * 2)) > 0
    wider = trimap.copy()
    wider[reach & (trimap != UNKNOWN)] = UNKNOWN
    return wider if (wider == INSIDE).any() and (wider == OUTSIDE).any() else None


def _distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each inside pixel to the nearest outside one; large everywhere when there is none."""
    if inside.all():
        return np.full(inside.shape, 1e6, np.float32)
    distance: NDArray[np.float32] = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    return distance


def _thin_middles(
    part: NDArray[np.bool_], distance: NDArray[np.float32], sure: NDArray[np.bool_], band_px: int
) -> NDArray[np.bool_]:
    """The middle lines of those parts that have no sure pixel within reach."""
    size = 2 * band_px + 3
    reached = cv2.dilate(sure.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
    ridge = distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8)) - 0.05
    middles: NDArray[np.bool_] = part & ~reached & ridge & (distance > 1.5)
    return middles

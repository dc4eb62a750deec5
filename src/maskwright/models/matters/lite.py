"""Closed-form matting (Levin, Lischinski, Weiss 2008) on the unknown band only, with nothing but NumPy and SciPy.

pymatting solves the same equations on the whole picture and compiles for that; a cut needs the band alone, so the
sparse system here has only the band's unknowns and is solved by conjugate gradients from a colour-guided first guess.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import cg

from maskwright.errors import BadSettings
from maskwright.models.matters.trimaps import checked
from maskwright.values import Image

Floats = NDArray[np.float32]
_WINDOW = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
_CHUNK = 1 << 17
_FEW = 400
_LEAST = 1e-5
_NOISE = 30.0
_CLEAR = (0.6, 5.0)
_LOOSE, _FIRM = (1e-3, 0.2), (2e-2, 0.4)
"""Pulls to what is expected, where colours are clear and where they are not: before anything is known of how well the
expectation fits the picture, and once it is known to fit."""
_SHARP = 0.08
_FITS = (0.045, 0.08)
_SOFT_PX = 1.5


class LiteMatter:
    """`smoothness` regularises the colour lines (larger: smoother); `anchor` pulls gently to the first guess, which
    decides where colours say nothing."""

    name = "lite"
    takes_expected = True

    def __init__(self, *, smoothness: float = 1e-7, anchor: float = 3e-4, tolerance: float = 5e-4) -> None:
        if not (0 < smoothness < 1 and 0 < anchor < 1 and 0 < tolerance < 1):
            raise BadSettings("smoothness, anchor and tolerance lie between 0 and 1.", "Leave them out for defaults.")
        self.smoothness, self.anchor, self.tolerance = smoothness, anchor, tolerance

    def matte(
        self, image: Image, trimap: NDArray[np.uint8], *, expected: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Alpha (H, W) 0..1: 1 and 0 where the trimap is sure, solved in between; `expected`: what it is where colours
        do not tell. Raises BadMask."""
        checked(image, trimap)
        alpha = (trimap == 255).astype(np.float32)
        unknown = trimap == 128
        if not unknown.any() or image.width < 3 or image.height < 3:
            alpha[unknown] = 0.5
            return np.asarray(alpha, dtype=np.float32)
        y, x = _bounds(unknown, 2)
        alpha[y, x] = self._solve(
            image.pixels[y, x], trimap[y, x], None if expected is None else expected[y, x], top=True
        )
        return np.asarray(alpha, dtype=np.float32)

    def _solve(
        self, pixels: NDArray[np.uint8], trimap: NDArray[np.uint8], hint: Floats | None, *, top: bool = False
    ) -> Floats:
        """Alpha of a window: from the answer at half size, which carries what is known far into wide bands."""
        if min(trimap.shape) < 3:
            return _first_guess(pixels, trimap)
        if np.count_nonzero(trimap == 128) < _FEW or min(trimap.shape) < 16:
            guess = _first_guess(pixels, trimap)
        else:
            guess = self._from_half(pixels, trimap, hint)
        firm = 0.0 if hint is None or not top else _firmness(guess, hint, trimap)
        near = cv2.dilate((trimap == 128).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        laplacian = _laplacian(pixels.astype(np.float64) / 255, near, self.smoothness)
        kinds = trimap[near]
        free = np.flatnonzero(kinds == 128)
        rows = laplacian[free]
        fields = _expectation(trimap) if hint is None else (hint, np.ones_like(hint))
        expected, trust = (field[near][free].astype(np.float64) for field in fields)
        pull = self.anchor * trust + _LEAST if hint is None else _doubt(pixels, trimap, firm)[near][free]
        system = rows[:, free] + diags(pull)
        start = guess[near][free].astype(np.float64)
        right = pull * expected - rows @ (kinds == 255).astype(np.float64)
        found, _ = cg(system, right, x0=start, rtol=self.tolerance, maxiter=160, M=diags(1 / system.diagonal()))
        out = guess.copy()
        out[trimap == 128] = np.clip(found, 0, 1)
        return out

    def _from_half(self, pixels: NDArray[np.uint8], trimap: NDArray[np.uint8], hint: Floats | None) -> Floats:
        size = ((trimap.shape[1] + 1) // 2, (trimap.shape[0] + 1) // 2)
        smaller = cv2.resize(trimap, size, interpolation=cv2.INTER_AREA)
        smaller[(smaller > 0) & (smaller < 255)] = 128
        half_hint = None if hint is None else cv2.resize(hint, size, interpolation=cv2.INTER_AREA)
        half = self._solve(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), smaller, half_hint)
        guess: Floats = cv2.resize(half, trimap.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.where(trimap == 128, guess, (trimap == 255).astype(np.float32)).astype(np.float32)


def _expectation(trimap: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """What alpha is when colours say nothing, and how much to trust that: a step at the band's middle, surer the
    farther from it."""
    to_inside = cv2.distanceTransform((trimap != 255).astype(np.uint8), cv2.DIST_L2, 5)
    to_outside = cv2.distanceTransform((trimap != 0).astype(np.uint8), cv2.DIST_L2, 5)
    place = (to_outside - to_inside) / 2
    expected = np.clip(0.5 + place / _SOFT_PX / 2, 0, 1).astype(np.float32)
    half = np.maximum((to_outside + to_inside) / 2, 1.0)
    return expected, (np.abs(place) / half).astype(np.float32) ** 2


def _firmness(guess: Floats, hint: Floats, trimap: NDArray[np.uint8]) -> float:
    """0..1, how far the expectation may be trusted: a mask drawn roughly gives one that the loosely solved answer
    leaves. An edge that is sharp right where the mask has it was drawn well."""
    unknown = trimap == 128
    if float(np.abs(hint - (hint > 0.5))[unknown].mean()) < _SHARP:
        return 1.0
    low, high = _FITS
    return float(np.clip((high - np.abs(guess - hint)[unknown].mean()) / (high - low), 0, 1))


def _doubt(pixels: NDArray[np.uint8], trimap: NDArray[np.uint8], firm: float) -> Floats:
    """How strongly each pixel holds to what is expected: weakly where the two sides differ in colour and one of them is
    even, strongly where both are as varied as they are different; `firm` 0..1 for all of them."""
    reach = int(np.clip(4 * _half_width(trimap) + 1, 9, 101))
    front, variety = _local(pixels, trimap == 255, reach)
    back, other = _local(pixels, trimap == 0, reach)
    own = np.minimum(variety, other)
    apart = ((front - back) ** 2).sum(axis=2) / (2 * own + _NOISE)
    low, high = _CLEAR
    part = np.clip(np.log(high / np.maximum(apart, 1e-6)) / np.log(high / low), 0, 1)
    weakest, strongest = (a ** (1 - firm) * b**firm for a, b in zip(_LOOSE, _FIRM))
    return np.asarray((weakest * (strongest / weakest) ** part).astype(np.float32), dtype=np.float32)


def _local(pixels: NDArray[np.uint8], known: NDArray[np.bool_], reach: int) -> tuple[Floats, Floats]:
    """Mean colour and summed variance of the known pixels around each pixel."""
    colour, share = pixels.astype(np.float32), known.astype(np.float32)
    size = (reach, reach)
    weight = cv2.blur(share, size) + 1e-6
    mean = cv2.blur(colour * share[:, :, None], size) / weight[:, :, None]
    variance = cv2.blur((colour**2).sum(axis=2) * share, size) / weight - (mean**2).sum(axis=2)
    return mean, np.maximum(variance, 0)


def _half_width(trimap: NDArray[np.uint8]) -> float:
    """Half the width of the band, in pixels: what most of its pixels lie within."""
    depth = cv2.distanceTransform((trimap == 128).astype(np.uint8), cv2.DIST_L2, 5)
    return float(np.percentile(depth[trimap == 128], 95))


def _first_guess(pixels: NDArray[np.uint8], trimap: NDArray[np.uint8]) -> Floats:
    """Alpha by how far each unknown pixel lies between the sure sides, in space and in colour."""
    inside, outside = (trimap == 255), (trimap == 0)
    to_inside, inner = _nearest(pixels, inside)
    to_outside, outer = _nearest(pixels, outside)
    colour = pixels.astype(np.float32)
    line = inner - outer
    share = ((colour - outer) * line).sum(axis=2) / np.maximum((line**2).sum(axis=2), 1.0)
    trust = np.clip((line**2).sum(axis=2) / 60.0**2, 0, 1)
    space = to_outside / np.maximum(to_outside + to_inside, 1e-6)
    guess = trust * np.clip(share, 0, 1) + (1 - trust) * space
    return np.where(inside, 1.0, np.where(outside, 0.0, guess)).astype(np.float32)


def _nearest(pixels: NDArray[np.uint8], seeds: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Distance to the nearest seed and the smoothed colour there."""
    if not seeds.any():
        return np.full(seeds.shape, 1e4, np.float32), pixels.astype(np.float32)
    weight = cv2.blur(seeds.astype(np.float32), (5, 5))
    smooth = cv2.blur(pixels.astype(np.float32) * seeds[:, :, None], (5, 5)) / np.maximum(weight, 1e-6)[:, :, None]
    distance, labels = cv2.distanceTransformWithLabels(
        (~seeds).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((labels.max() + 1, 3), np.float32)
    table[labels[seeds]] = smooth[seeds]
    return distance, table[labels]


def _laplacian(colour: NDArray[np.float64], near: NDArray[np.bool_], smoothness: float) -> csr_matrix:
    """The matting Laplacian over the pixels of `near`, from the 3x3 windows that lie whole inside it."""
    centres = cv2.erode(near.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    index = np.full(near.shape, -1, np.int64)
    index[near] = np.arange(np.count_nonzero(near))
    width = near.shape[1]
    steps = np.array([dy * width + dx for dy, dx in _WINDOW])
    flat_colour, flat_index = colour.reshape(-1, 3), index.reshape(-1)
    places = np.flatnonzero(centres)
    count = int(np.count_nonzero(near))
    table = np.zeros((25, count))
    for i in range(0, places.size, _CHUNK):
        _add_windows(table, flat_colour, flat_index, places[i : i + _CHUNK][:, None] + steps, smoothness)
    return _as_sparse(table, index, near)


def _add_windows(
    table: NDArray[np.float64],
    colour: NDArray[np.float64],
    index: NDArray[np.int64],
    members: NDArray[np.int64],
    smoothness: float,
) -> None:
    """Adds every window's 9x9 block, which is symmetric; `table` holds one value a pixel for each of 25 offsets."""
    c = colour[members]
    c = c - c.mean(axis=1, keepdims=True)
    spread = np.einsum("nai,naj->nij", c, c) / 9 + np.eye(3) * (smoothness / 9)
    weighted = np.matmul(c, np.linalg.inv(spread))
    at = index[members]
    for a, (ya, xa) in enumerate(_WINDOW):
        for b, (yb, xb) in enumerate(_WINDOW[: a + 1]):
            value = (a == b) - (1 + np.einsum("ni,ni->n", weighted[:, a], c[:, b])) / 9
            offset = (yb - ya) * 5 + xb - xa
            table[12 + offset][at[:, a]] += value
            if a != b:
                table[12 - offset][at[:, b]] += value


def _as_sparse(table: NDArray[np.float64], index: NDArray[np.int64], near: NDArray[np.bool_]) -> csr_matrix:
    count = table.shape[1]
    padded = np.pad(index, 2, constant_values=-1)
    y, x = np.nonzero(near)
    columns = np.stack([padded[y + dy, x + dx] for dy in range(5) for dx in range(5)], axis=1)
    values = table.T
    keep = (columns >= 0) & (values != 0)
    starts = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
    return csr_matrix((values[keep], columns[keep], starts), shape=(count, count))


def _bounds(inside: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )

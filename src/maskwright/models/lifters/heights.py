"""How far each point of a silhouette stands out: the square root of a soap film's height, round everywhere."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

_FILM_SIDE = 150


def inflate(alpha: NDArray[np.uint8], points: NDArray[np.float64], border: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Heights (N,) in pixels at `points`; 0 on the border. A disc becomes a half sphere, a bar a half cylinder."""
    inside = alpha >= 128
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    y0, x0 = int(rows[0]), int(columns[0])
    window = np.pad(inside[y0 : rows[-1] + 1, x0 : columns[-1] + 1], 1)
    scale = min(1.0, _FILM_SIDE / max(window.shape))
    size = (max(3, round(window.shape[1] * scale)), max(3, round(window.shape[0] * scale)))
    cover = cv2.resize(window.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    film = _film(cover > 0.5) / scale**2
    thin = cv2.distanceTransform(window.astype(np.uint8), cv2.DIST_L2, 5)
    place = points - (x0 - 1, y0 - 1)
    squared = np.maximum(
        4 * _at(film, (place + 0.5) * (size[0] / window.shape[1], size[1] / window.shape[0]) - 0.5),
        _at(thin, place) ** 2,
    )
    height = np.sqrt(np.maximum(squared, 0))
    height[border] = 0
    return height.astype(np.float32)


def _film(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Solves minus the Laplacian = 1 inside, 0 outside."""
    index = np.full(inside.shape, -1, np.int64)
    index[inside] = np.arange(np.count_nonzero(inside))
    count = int(index.max()) + 1
    film = np.zeros(inside.shape, np.float32)
    if not count:
        return film
    padded = np.pad(index, 1, constant_values=-1)
    matrix = diags(np.full(count, 4.0)).tocsr()
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        other = padded[dy : dy + inside.shape[0], dx : dx + inside.shape[1]][inside]
        pairs = other >= 0
        rows = np.flatnonzero(pairs)
        matrix = matrix - csr_matrix((np.ones(rows.size), (rows, other[pairs])), shape=(count, count))
    film[inside] = spsolve(matrix.tocsc(), np.ones(count))
    return film


def _at(field: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values of a field between its pixels (pixel centres at whole numbers)."""
    count = len(points)
    out = np.empty(count, np.float32)
    for i in range(0, count, 30_000):  # cv2.remap takes at most 32767 columns
        part = points[i : i + 30_000].astype(np.float32)
        out[i : i + 30_000] = cv2.remap(field, part[None, :, 0], part[None, :, 1], cv2.INTER_LINEAR)[0]
    return out

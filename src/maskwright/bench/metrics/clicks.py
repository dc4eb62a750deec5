"""Number of clicks: how many it takes to reach a quality."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import InputError


def clicks_needed(ious: NDArray[np.float64], quality: float) -> NDArray[np.int64]:
    """(N,) clicks until IoU reaches `quality`, from (N, C) IoU after each click; C where it never does (the usual
    cap of NoC@85 and NoC@90). Raises InputError when there are no clicks."""
    if ious.ndim != 2 or ious.shape[1] == 0:
        raise InputError(f"IoU of shape {ious.shape} holds no clicks.", "Give one row a sample, one column a click.")
    reached = ious >= quality
    first: NDArray[np.int64] = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, ious.shape[1])
    return first

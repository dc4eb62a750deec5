"""Parts of a mask named by where they lie."""

from __future__ import annotations

import numpy as np

from maskwright.sculpting.scene import Bools

SECTORS = ("right", "lower right", "bottom", "lower left", "left", "upper left", "top", "upper right")


def sector_shares(part: Bools, whole: Bools) -> list[float]:
    """For each of SECTORS about the middle of `whole`: the part's pixels there, as a share of the whole's."""
    rows, columns = np.nonzero(whole)
    if not len(rows):
        rows, columns = np.nonzero(np.ones_like(whole))
    area, centre = len(rows), (float(columns.mean()), float(rows.mean()))
    rows, columns = np.nonzero(part)
    angle = np.arctan2(rows - centre[1], columns - centre[0])
    sector = np.round(angle / (np.pi / 4)).astype(int) % len(SECTORS)
    counts = np.bincount(sector, minlength=len(SECTORS))
    return [float(c) / area for c in counts]


def name_sectors(part: Bools, whole: Bools, notable: float) -> tuple[str, ...]:
    """The sectors where the part is at least `notable` of the whole."""
    return tuple(name for name, share in zip(SECTORS, sector_shares(part, whole)) if share >= notable)

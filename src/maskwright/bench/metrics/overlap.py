"""Intersection over union, in the forms that referring segmentation reports.

mIoU: mean over samples (two empty masks count as 1). cIoU ("overall"): sum of intersections over sum of unions.
gIoU and the no-target accuracy: the generalised task of gRefCOCO (Liu, Ding, Jiang: GRES, 2023), where a sample may
have no target: it counts as 1 when the answer is empty, else as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.values import Mask

PRECISION_AT = (0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixels of one answer and its truth: shared, in either, in the truth, in the answer."""

    inter: int
    union: int
    truth: int
    answer: int

    @classmethod
    def of(cls, answer: Mask | None, truth: Mask | None, size: tuple[int, int]) -> Overlap:
        """None is the empty mask; raises BadMask when a mask is not `size` (width, height)."""
        for mask in (answer, truth):
            if mask is not None:
                mask.check_size(size)
        a, t = (0 if mask is None else mask.area for mask in (answer, truth))
        shared = 0 if answer is None or truth is None else int(np.count_nonzero(answer.array & truth.array))
        return cls(shared, a + t - shared, t, a)

    @property
    def iou(self) -> float:
        """1.0 for two empty masks, which is right for a sample without a target."""
        return self.inter / self.union if self.union else 1.0


def ious_of(overlaps: Sequence[Overlap]) -> NDArray[np.float64]:
    return np.array([o.iou for o in overlaps], dtype=np.float64)


def summarise(overlaps: Sequence[Overlap]) -> dict[str, float | None]:
    """mIoU and precision over samples with a target; cIoU and gIoU over all; no-target accuracy and the share of
    targets given up. None where there is nothing to average."""
    ious = ious_of(overlaps)
    has_target = np.array([o.truth > 0 for o in overlaps], dtype=np.bool_)
    silent = np.array([o.answer == 0 for o in overlaps], dtype=np.bool_)
    with_target = ious[has_target]
    found: dict[str, float | None] = {
        "mIoU": _mean(with_target),
        "cIoU": _ratio(sum(o.inter for o in overlaps), sum(o.union for o in overlaps)),
        "gIoU": _mean(ious),
        **{f"P@{at:g}": _mean(with_target > at) for at in PRECISION_AT},
        "N-acc": _mean(silent[~has_target]),
        "false abstention": _mean(silent[has_target]),
    }
    return found


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float | None:
    return float(np.mean(values)) if values.size else None


def _ratio(top: int, bottom: int) -> float | None:
    return top / bottom if bottom else None

"""From chances to a decision: the best, how sure, and how close the next different thing comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.config.find import FindSettings
from maskwright.finding.session import Pool


@dataclass(frozen=True)
class Decision:
    """order: candidates that differ, best first (indices into the pool); conf of the first, gap to the second."""

    order: tuple[int, ...]
    conf: float
    gap: float
    is_sure: bool


def decide(chances: NDArray[np.float32], pool: Pool, settings: FindSettings) -> Decision:
    """The decision on these chances; an empty pool gives conf 0."""
    order = tuple(best_distinct(chances, pool, settings.distinct_iou, settings.top_k))
    conf = float(chances[order[0]]) if order else 0.0
    gap = conf - float(chances[order[1]]) if len(order) > 1 else conf
    return Decision(order, conf, gap, conf >= settings.sure_from and gap >= settings.tau_gap)


def best_distinct(chances: NDArray[np.float32], pool: Pool, iou: float, limit: int) -> list[int]:
    """The best candidates of which no two overlap by `iou` or more, at most `limit`."""
    ranked = np.lexsort((-pool.quality, -chances)) if len(pool) else np.zeros(0, dtype=np.int64)
    kept: list[int] = []
    for i in ranked.tolist():
        if len(kept) == limit:
            break
        if not kept or float(pool.overlaps[i, kept].max()) < iou:
            kept.append(i)
    return kept


def instances(chances: NDArray[np.float32], pool: Pool, settings: FindSettings, count: int | None = None) -> list[int]:
    """Every candidate good enough to be an instance, or the best `count` of them; none inside or over another by
    much."""
    if not len(pool):
        return []
    least = max(settings.tau_all, settings.share_all * float(chances.max()))
    kept: list[int] = []
    for i in best_distinct(chances, pool, settings.distinct_iou, len(pool)):
        if chances[i] < least or len(kept) == count:
            break
        if not kept or float(_covered(pool, i, kept).max()) < 0.6:
            kept.append(i)
    return kept


def _covered(pool: Pool, one: int, others: list[int]) -> NDArray[np.float64]:
    """Share of the smaller of each pair that lies in the other."""
    bits = pool.stack.packed
    shared = np.bitwise_count(bits[one] & bits[others]).sum(axis=1, dtype=np.int64)
    least: NDArray[np.int64] = np.minimum(pool.stack.areas[one], pool.stack.areas[others])
    return np.asarray(shared / np.maximum(least, 1), dtype=np.float64)

"""From chances to a decision: the best, how sure, and how close the next different thing comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.config.find import FindSettings
from maskwright.finding.fitting import agreed
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


COUNTED = 3
"""Where the phrase says how many there are, a candidate needs this much less to be one of them."""
COVERED = 0.6
"""Of two instances, at most this share of the smaller one lies in the other."""


def instances(own: NDArray[np.float32], pool: Pool, settings: FindSettings, count: int | None = None) -> list[int]:
    """Every candidate good enough to be an instance, or the best `count` of them; none inside or over another by
    much. `own` are their chances before they were agreed: with each instance found, those left agree anew, or the
    first one's neighbours would speak for it against all others."""
    if not len(pool):
        return []
    least = max(settings.tau_all, settings.share_all * float(own.max())) / (1 if count is None else COUNTED)
    kept: list[int] = []
    free = np.arange(len(pool))
    while len(free) and len(kept) != count:
        best = int(free[np.argmax(agreed(own[free], pool.overlaps[np.ix_(free, free)]))])
        if own[best] < least:
            break
        kept.append(best)
        apart = (pool.overlaps[free, best] < settings.distinct_iou) & (_covered(pool, best, free) < COVERED)
        free = free[apart & (free != best)]
    return kept


def _covered(pool: Pool, one: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the smaller of each pair that lies in the other."""
    bits = pool.stack.packed
    shared = np.bitwise_count(bits[one] & bits[others]).sum(axis=1, dtype=np.int64)
    least: NDArray[np.int64] = np.minimum(pool.stack.areas[one], pool.stack.areas[others])
    return np.asarray(shared / np.maximum(least, 1), dtype=np.float64)

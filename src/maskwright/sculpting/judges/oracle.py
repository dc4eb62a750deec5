"""A judge that knows the truth and errs at a set rate: how the loop's own worth is measured. Never for users' masks.

An error at a place is an error at all its scales: the harder case, which no averaging over scales removes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from maskwright.sculpting.judging import Better, Patches
from maskwright.sculpting.places import Anchor, AnchorAsk, Cell, Diagnosis, Place
from maskwright.sculpting.scene import Bools, Scene
from maskwright.sculpting.sectors import SECTORS, sector_shares
from maskwright.sculpting.stopping import iou
from maskwright.values import Abstain, Cost, Verdict

NOTABLE = 0.02
"""Share of the truth's area from which a wrong part is named."""


class OracleJudge:
    """Answers from a truth mask; each answer is wrong with probability `error`, the same way every time."""

    least_error = 0.0

    def __init__(self, truth: Bools, error: float = 0.0, seed: int = 0, scales: int = 3) -> None:
        self.name = f"oracle({error:g})"
        self.truth, self.error, self.seed, self.scales = truth, error, seed, scales
        self._calls = 0

    @property
    def spent(self) -> Cost:
        return Cost(calls={"oracle": self._calls})

    @property
    def degraded(self) -> tuple[str, ...]:
        return ()

    def diagnose(self, scene: Scene, mask: Bools, cues: str) -> Diagnosis | Abstain:
        """Names the sectors where the mask differs from the truth; each sector's answer may be wrong."""
        self._calls += 1
        missing = self._sectors(self.truth & ~mask, "missing")
        over = self._sectors(mask & ~self.truth, "over")
        return Diagnosis(missing, over, "soft" if missing or over else "sharp", ())

    def look(self, scene: Scene, mask: Bools, places: Sequence[Place], cues: str) -> list[Patches]:
        self._calls += 1
        return [self._patches(place) for place in places]

    def pick_anchors(
        self, scene: Scene, mask: Bools, anchors: Sequence[Anchor], most: int
    ) -> list[AnchorAsk] | Abstain:
        self._calls += 1
        wrong = [(self._wrong_share(anchor, mask), anchor) for anchor in anchors]
        asked = [
            (share, anchor.number)
            for share, anchor in wrong
            if self._flip(share > NOTABLE, "anchor", anchor.x, anchor.y)
        ]
        asked.sort(key=lambda pair: -pair[0])
        return [AnchorAsk(number, "differs here") for _, number in asked[:most]]

    def look_at_cells(self, scene: Scene, mask: Bools, cells: Sequence[Cell], cues: str) -> list[Verdict | Abstain]:
        self._calls += 1
        return [self._verdict(cell.place) for cell in cells]

    def compare(self, scene: Scene, earlier: Bools, later: Bools) -> Better | Abstain:
        """Two answers, one an order; a tie when they differ."""
        self._calls += 2
        better = iou(later, self.truth) > iou(earlier, self.truth)
        area = float(np.count_nonzero(earlier)), float(np.count_nonzero(later))
        first, second = (self._flip(better, f"compare{order}", *area) for order in range(2))
        if first != second or np.array_equal(earlier, later):
            return "tie"
        return "later" if first else "earlier"

    def _patches(self, place: Place) -> Patches:
        return (self._verdict(place),) * self.scales

    def _verdict(self, place: Place) -> Verdict:
        row = min(int(place.y), self.truth.shape[0] - 1)
        column = min(int(place.x), self.truth.shape[1] - 1)
        answer = self._flip(bool(self.truth[row, column]), "place", place.x, place.y)
        sure = 0.7 + 0.3 * self._draw("confidence", place.x, place.y)
        return Verdict(place.id, answer, sure, self.name)

    def _wrong_share(self, anchor: Anchor, mask: Bools) -> float:
        half = anchor.side_px / 2
        x0, y0 = max(0, int(anchor.x - half)), max(0, int(anchor.y - half))
        part = np.s_[y0 : int(anchor.y + half) + 1, x0 : int(anchor.x + half) + 1]
        return float(np.mean(mask[part] ^ self.truth[part]))

    def _sectors(self, wrong: Bools, what: str) -> tuple[str, ...]:
        shares = sector_shares(wrong, self.truth)
        pixels = float(np.count_nonzero(wrong))
        return tuple(name for name, share in zip(SECTORS, shares) if self._flip(share > NOTABLE, what + name, pixels))

    def _flip(self, answer: bool, what: str, *numbers: float) -> bool:
        return answer ^ (self._draw(what, *numbers) < self.error)

    def _draw(self, what: str, *numbers: float) -> float:
        """A fixed number in 0..1 for this question."""
        text = f"{self.seed}|{what}|" + "|".join(f"{n:.2f}" for n in numbers)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2.0**56

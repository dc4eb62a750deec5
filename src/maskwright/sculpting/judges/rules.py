"""A judge without a model: colour and texture under the mask's own appearance, depth gating, rims on edges.

The embedded default and the last link of every chain. It knows looks, not things; its answers are weak but never
silent and never cost anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from maskwright.sculpting.appearance import log_odds
from maskwright.sculpting.judging import Better, Patches
from maskwright.sculpting.places import Anchor, AnchorAsk, Cell, Diagnosis, Place
from maskwright.sculpting.scene import Bools, Floats, Scene
from maskwright.sculpting.sectors import name_sectors
from maskwright.values import Abstain, Cost, Verdict

NOTABLE = 0.03
"""Share of the mask's area from which a wrong-looking part is named."""
CLEAR_ODDS = 1.0
CENTRE = 6
"""Looks are averaged over this fraction of a patch's side: what counts is its centre."""
CLEAR_BETTER = 0.2
"""Difference of two masks' worth under which they are called equal."""


class RulesJudge:
    """Judges looks; `scales` are patch sides as shares of the ROI's short side."""

    least_error = 0.35

    def __init__(self, scales: Sequence[float] = (0.08, 0.12, 0.18), min_patch_px: int = 32) -> None:
        self.name = "rules"
        self.scales, self.min_patch_px = tuple(scales), min_patch_px
        self._calls = 0

    @property
    def spent(self) -> Cost:
        return Cost(calls={"rules": self._calls})

    @property
    def degraded(self) -> tuple[str, ...]:
        return ()

    def diagnose(self, scene: Scene, mask: Bools, cues: str) -> Diagnosis | Abstain:
        """Sectors where look and mask disagree clearly."""
        self._calls += 1
        small = scene.shrink(mask)
        odds = log_odds(scene, small)
        reach = cv2.dilate(small.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
        missing = name_sectors(_open(~small & reach & (odds > CLEAR_ODDS)), small, NOTABLE)
        over = name_sectors(_open(small & (odds < -CLEAR_ODDS)), small, NOTABLE)
        return Diagnosis(missing, over, _rim_quality(scene, small), ())

    def look(self, scene: Scene, mask: Bools, places: Sequence[Place], cues: str) -> list[Patches]:
        self._calls += 1
        odds = log_odds(scene, scene.shrink(mask))
        sides = [max(self.min_patch_px, scale * scene.short_side) * scene.factor / CENTRE for scale in self.scales]
        blurred = [cv2.boxFilter(odds, -1, (_odd(side), _odd(side))) for side in sides]
        spots = scene.to_grid([p.xy for p in places])
        return [tuple(self._verdict(p.id, float(b[y, x])) for b in blurred) for p, (x, y) in zip(places, spots)]

    def pick_anchors(
        self, scene: Scene, mask: Bools, anchors: Sequence[Anchor], most: int
    ) -> list[AnchorAsk] | Abstain:
        """Anchors about which look and mask disagree most."""
        self._calls += 1
        small = scene.shrink(mask)
        odds = log_odds(scene, small)
        wrong = np.where(small, odds < -CLEAR_ODDS, odds > CLEAR_ODDS).astype(np.float32)
        shares = [(_mean_near(scene, wrong, a) * a.weight, a.number) for a in anchors]
        ranked = sorted((s for s in shares if s[0] > NOTABLE), key=lambda pair: -pair[0])
        return [AnchorAsk(number, f"looks unlike the mask on {share:.0%}") for share, number in ranked[:most]]

    def look_at_cells(self, scene: Scene, mask: Bools, cells: Sequence[Cell], cues: str) -> list[Verdict | Abstain]:
        patches = self.look(scene, mask, [c.place for c in cells], cues)
        return [each[0] for each in patches]

    def compare(self, scene: Scene, earlier: Bools, later: Bools) -> Better | Abstain:
        """By the look of the pixels where they differ, how well their rims lie on edges, and how simple they are."""
        self._calls += 1
        first, second = scene.shrink(earlier), scene.shrink(later)
        changed = first ^ second
        common = first & second
        if not changed.any() or not common.any():
            return "tie"
        odds = log_odds(scene, common, ~(first | second))
        looks = float(np.mean(np.where(second[changed], odds[changed], -odds[changed]))) / 4
        edges = _on_edges(scene, second) - _on_edges(scene, first)
        shape = _raggedness(first) - _raggedness(second)
        gain = 0.5 * looks + 0.4 * edges + 0.1 * shape
        if abs(gain) < CLEAR_BETTER:
            return "tie"
        return "later" if gain > 0 else "earlier"

    def _verdict(self, place: str, odds: float) -> Verdict:
        sure = float(1 / (1 + np.exp(-abs(odds))))
        return Verdict(place, odds > 0, sure, self.name)


def _odd(side: float) -> int:
    return max(1, round(side)) | 1


def _open(region: Bools) -> Bools:
    """The region without specks."""
    return np.asarray(cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0)


def _mean_near(scene: Scene, values: Floats, anchor: Anchor) -> float:
    half = anchor.side_px / 2
    corners = [(anchor.x - half, anchor.y - half), (anchor.x + half, anchor.y + half)]
    [(x0, y0), (x1, y1)] = scene.to_grid(corners)
    return float(values[y0 : y1 + 1, x0 : x1 + 1].mean())


def _on_edges(scene: Scene, small: Bools) -> float:
    """0..1: how strong the picture's edges are along the rim, beside the ROI's strongest tenth."""
    inner = cv2.erode(small.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    rim = small & ~inner
    strength = edge_strength(scene)
    top = float(np.quantile(strength, 0.9))
    return float(np.mean(np.minimum(strength[rim] / max(top, 1e-6), 1))) if rim.any() else 0.0


def edge_strength(scene: Scene) -> Floats:
    """(h, w) float32: the largest step of lightness or colour within a pixel's neighbours."""
    span = np.ones((3, 3), np.uint8)
    steps = cv2.dilate(scene.lab, span) - cv2.erode(scene.lab, span)
    return np.asarray(steps.max(axis=2), dtype=np.float32)


def _raggedness(small: Bools) -> float:
    """0..1: 0 for a disc, towards 1 for long thin or torn shapes."""
    found, _ = cv2.findContours(small.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    around = sum(cv2.arcLength(ring, True) for ring in found)
    return 1 - min(1.0, 2 * float(np.sqrt(np.pi * max(1, int(small.sum())))) / max(1.0, around))


def _rim_quality(scene: Scene, small: Bools) -> str:
    count, _ = cv2.connectedComponents(small.astype(np.uint8))
    if count > 4:
        return "fragmented"
    return "sharp" if _on_edges(scene, small) > 0.5 else "soft"

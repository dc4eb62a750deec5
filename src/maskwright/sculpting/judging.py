"""The role of a judge: it says what is there, never where to look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from maskwright.sculpting.places import Anchor, AnchorAsk, Cell, Diagnosis, Place
from maskwright.sculpting.scene import Bools, Scene
from maskwright.values import Abstain, Cost, Verdict

Patches = tuple[Verdict | Abstain, ...]
Better = Literal["earlier", "later", "tie"]


class Judge(Protocol):
    """Answers about a scene. Nothing here raises for a bad answer: it abstains. Only BudgetSpent and Cancelled
    come out."""

    name: str

    @property
    def least_error(self) -> float:
        """It is never taken to err less often than this: above 0.1 for judges of looks, whose errors agree."""
        ...

    @property
    def spent(self) -> Cost:
        """What its answers have cost so far."""
        ...

    @property
    def degraded(self) -> tuple[str, ...]:
        """Fallbacks taken so far, in words; empty when none."""
        ...

    def diagnose(self, scene: Scene, mask: Bools, cues: str) -> Diagnosis | Abstain:
        """What is wrong with the mask."""
        ...

    def look(self, scene: Scene, mask: Bools, places: Sequence[Place], cues: str) -> list[Patches]:
        """For each place, one verdict a patch: does its centre belong to the target?"""
        ...

    def pick_anchors(
        self, scene: Scene, mask: Bools, anchors: Sequence[Anchor], most: int
    ) -> list[AnchorAsk] | Abstain:
        """Which anchors' surroundings need work, the worst first, at most `most`; an empty list: none does."""
        ...

    def look_at_cells(self, scene: Scene, mask: Bools, cells: Sequence[Cell], cues: str) -> list[Verdict | Abstain]:
        """For each cell: does what is at its dot belong to the target?"""
        ...

    def compare(self, scene: Scene, earlier: Bools, later: Bools) -> Better | Abstain:
        """Which of two masks fits the target better; both orders are weighed."""
        ...

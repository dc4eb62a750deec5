"""Judges one after another: when one's engines are down the next answers, and the record says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from maskwright.sculpting.judging import Better, Judge, Patches
from maskwright.sculpting.places import Anchor, AnchorAsk, Cell, Diagnosis, Place
from maskwright.sculpting.scene import Bools, Scene
from maskwright.values import Abstain, Cost, Verdict

DOWN = ("no engine answered",)
"""Reasons of an Abstain that are the engine's fault and no judgement."""

T = TypeVar("T")


class JudgeChain:
    """The first judge answers while its engine does; each fallback is a recorded step."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self.judges = tuple(judges)
        self.name = " > ".join(judge.name for judge in judges)
        self._steps: list[str] = []

    @property
    def least_error(self) -> float:
        """That of the weakest judge that has answered."""
        return max(j.least_error for j in self.judges) if self._steps else self.judges[0].least_error

    @property
    def spent(self) -> Cost:
        return sum((judge.spent for judge in self.judges), Cost())

    @property
    def degraded(self) -> tuple[str, ...]:
        own = [step for judge in self.judges for step in judge.degraded]
        return tuple(dict.fromkeys([*own, *self._steps]))

    def diagnose(self, scene: Scene, mask: Bools, cues: str) -> Diagnosis | Abstain:
        return self._first("diagnose", lambda j: j.diagnose(scene, mask, cues), _is_down)

    def look(self, scene: Scene, mask: Bools, places: Sequence[Place], cues: str) -> list[Patches]:
        return self._first("look", lambda j: j.look(scene, mask, places, cues), _patches_down)

    def pick_anchors(
        self, scene: Scene, mask: Bools, anchors: Sequence[Anchor], most: int
    ) -> list[AnchorAsk] | Abstain:
        return self._first("pick anchors", lambda j: j.pick_anchors(scene, mask, anchors, most), _is_down)

    def look_at_cells(self, scene: Scene, mask: Bools, cells: Sequence[Cell], cues: str) -> list[Verdict | Abstain]:
        return self._first("look at cells", lambda j: j.look_at_cells(scene, mask, cells, cues), _all_down)

    def compare(self, scene: Scene, earlier: Bools, later: Bools) -> Better | Abstain:
        return self._first("compare", lambda j: j.compare(scene, earlier, later), _is_down)

    def _first(self, what: str, ask: Callable[[Judge], T], is_down: Callable[[T], bool]) -> T:
        answer = ask(self.judges[0])
        for before, judge in zip(self.judges, self.judges[1:]):
            if not is_down(answer):
                break
            step = f"{what}: {judge.name} instead of {before.name}"
            if step not in self._steps:
                self._steps.append(step)
            answer = ask(judge)
        return answer


def _is_down(answer: object) -> bool:
    return isinstance(answer, Abstain) and answer.reason in DOWN


def _all_down(answers: Sequence[object]) -> bool:
    return bool(answers) and all(_is_down(a) for a in answers)


def _patches_down(answers: Sequence[Patches]) -> bool:
    return bool(answers) and all(_is_down(v) for patches in answers for v in patches)

"""What find works with: models behind their ports, and the judge it may consult."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from maskwright.plumbing.cancel import Cancel
from maskwright.ports import Proposer, Ranker, Segmenter
from maskwright.values import Abstain, Box, Cost, Image, Mask

Action = Literal["pick", "rewrite", "none", "finer"]


@dataclass(frozen=True, eq=False)
class View:
    """What a judge is shown: the picture, the phrase, and the candidates numbered from 1, best first.

    masks (K, H, W) bool of the picture's size, scores (K,) 0..1; `task` names the sample, `turn` counts questions.
    """

    image: Image
    phrase: str
    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    task: str = ""
    turn: int = 0
    many: bool = False


@dataclass(frozen=True)
class Answer:
    """What a judge says. picks are numbers of the View (1-based); region is in the picture's pixels;
    `exchange` is the JSON-able record of question and reply."""

    action: Action
    picks: tuple[int, ...] = ()
    phrase: str = ""
    region: Box | None = None
    confidence: float = 1.0
    exchange: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)


class Judge(Protocol):
    """Someone to ask when the ranking is not sure."""

    name: str

    def choose(self, view: View) -> Answer | Abstain:
        """pick | rewrite | none | finer."""
        ...

    def confirm(self, view: View) -> Answer | Abstain:
        """After a first "none": none again, or finer with the region where it is after all."""
        ...


Sculpt = Callable[[Image, Mask, str, Cancel | None], tuple[Mask, Cost]]
"""A better mask of what a phrase names, and what it cost."""


@dataclass(frozen=True)
class FindEngines:
    """The models of one find. `closer` propose inside a part of the picture (the same, or sparser ones); `judge` is
    needed by the modes that consult one, `sculpt` by settings.sculpt."""

    segmenter: Segmenter
    proposers: tuple[Proposer, ...]
    ranker: Ranker
    closer: tuple[Proposer, ...] = ()
    judge: Judge | None = None
    sculpt: Sculpt | None = None

    def names(self) -> dict[str, str]:
        """Role -> name, for the trace."""
        named = {
            "segmenter": self.segmenter.name,
            "proposers": "+".join(p.name for p in self.proposers),
            "ranker": self.ranker.name,
        }
        return named | ({"judge": self.judge.name} if self.judge else {})

"""What is marked on a picture, step by step: things, boards, and the history that undo goes back in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from maskwright.values import Box, Mask, PackedMask


@dataclass(frozen=True)
class Thing:
    """One named object: what was clicked, the mask, and the other masks that were on offer (best first)."""

    name: str
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: Box | None = None
    start: Mask | None = None
    """A mask that did not come from clicks (words, import, brush); later clicks change it."""
    mask: Mask | None = None
    score: float | None = None
    others: tuple[tuple[Mask, float], ...] = ()


@dataclass(frozen=True)
class Board:
    """Everything undo goes back to: the things on the picture and which one is being worked on."""

    things: tuple[Thing, ...] = (Thing("object 1"),)
    active: int = 0
    act: str = "opened"

    @property
    def thing(self) -> Thing:
        return self.things[self.active]

    def change(self, act: str, **values: Any) -> Board:
        """The board with the active thing changed."""
        things = list(self.things)
        things[self.active] = replace(self.thing, **values)
        return Board(tuple(things), self.active, act)


@dataclass(frozen=True)
class _Folded:
    """A thing at rest: itself without its masks, these packed (start, mask, *others), and the scores of the others."""

    bare: Thing
    masks: tuple[PackedMask | None, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class _Step:
    """A board at rest."""

    things: tuple[_Folded, ...]
    active: int
    act: str


class History:
    """Boards to go back and forth in. Only the one that is shown has its masks as arrays: a hundred clicks on a large
    photograph would leave gigabytes of them."""

    def __init__(self) -> None:
        self.restart(Board())

    def restart(self, board: Board) -> None:
        """This board, and nothing before or after it."""
        self._packed: dict[int, PackedMask] = {}
        """The masks of the shown board by id, packed: most of them stand on the next board, too."""
        self._steps = [self._fold(board)]
        self.board, self.at = board, 0

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def nbytes(self) -> int:
        """What the packed masks of all steps take; one that stands on several counts once."""
        masks = [mask for step in self._steps for thing in step.things for mask in thing.masks if mask is not None]
        return sum({id(mask): len(mask.data) for mask in masks}.values())

    def push(self, board: Board, limit: int) -> None:
        """A new step; what was undone is dropped, and the oldest beyond `limit`."""
        self._steps = [*self._steps[: self.at + 1], self._fold(board)][-limit - 1 :]
        self.board, self.at = board, len(self._steps) - 1

    def step(self, by: int) -> None:
        """Undo (-1), redo (+1) as far as there is history."""
        at = min(max(self.at + by, 0), len(self._steps) - 1)
        if at != self.at:
            self.board, self.at = self._unfold(self._steps[at]), at

    def _fold(self, board: Board) -> _Step:
        known, self._packed = self._packed, {}
        for mask in (mask for thing in board.things for mask in _masks_of(thing) if mask is not None):
            if id(mask) not in self._packed:
                self._packed[id(mask)] = known.get(id(mask)) or PackedMask.of(mask)
        return _Step(tuple(self._fold_thing(thing) for thing in board.things), board.active, board.act)

    def _fold_thing(self, thing: Thing) -> _Folded:
        masks = tuple(None if mask is None else self._packed[id(mask)] for mask in _masks_of(thing))
        return _Folded(replace(thing, start=None, mask=None, others=()), masks, tuple(s for _, s in thing.others))

    def _unfold(self, step: _Step) -> Board:
        packed = {id(mask): mask for thing in step.things for mask in thing.masks if mask is not None}
        masks = {name: mask.unpack() for name, mask in packed.items()}
        self._packed = {id(masks[name]): mask for name, mask in packed.items()}
        things = [_unfold_thing(t, [None if m is None else masks[id(m)] for m in t.masks]) for t in step.things]
        return Board(tuple(things), step.active, step.act)


def _masks_of(thing: Thing) -> tuple[Mask | None, ...]:
    return (thing.start, thing.mask, *(mask for mask, _ in thing.others))


def _unfold_thing(folded: _Folded, masks: list[Mask | None]) -> Thing:
    start, mask, *rest = masks
    others = tuple((other, score) for other, score in zip(rest, folded.scores, strict=True) if other is not None)
    return replace(folded.bare, start=start, mask=mask, others=others)

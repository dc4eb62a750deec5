"""Acts on the picture: each makes the next board of a session's history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import InputError
from maskwright.ports import Segmenter
from maskwright.studio.boards import Board, Thing
from maskwright.values import Box, Image, Mask, Prompt

MOST_OTHERS = 4
NAMELESS = "object"
"""Things that nobody named are this and a number."""
_PRIOR_LOGIT = 6.0
_PRIOR_SIDE = 256


def click(board: Board, segmenter: Segmenter, picture: Image, at: tuple[float, float], *, inside: bool) -> Board:
    """One more click on the active thing; raises InputError for a place outside the picture."""
    x, y = at
    if not (0 <= x < picture.width and 0 <= y < picture.height):
        raise InputError("that click is outside the picture.", "Click inside it.")
    thing = board.thing
    if not inside and not thing.points and thing.box is None and thing.start is None:
        raise InputError("a click that takes away needs something to take from.", "Click the thing itself first.")
    asked = replace(thing, points=(*thing.points, (float(x), float(y))), labels=(*thing.labels, int(inside)))
    return _answered(board, segmenter, picture, asked, "click" if inside else "take away")


def draw_box(board: Board, segmenter: Segmenter, picture: Image, box: Box) -> Board:
    """A box around the active thing."""
    clipped = box.clip(picture.width, picture.height)
    return _answered(board, segmenter, picture, replace(board.thing, box=clipped), "box")


def _answered(board: Board, segmenter: Segmenter, picture: Image, thing: Thing, act: str) -> Board:
    [found] = segmenter.predict(segmenter.encode(picture), [prompt_of(thing)])
    if not len(found):
        raise InputError("the segmenter found nothing there.", "Click another place.")
    masks = [(Mask(m), float(s)) for m, s in zip(found.masks[:MOST_OTHERS], found.scores[:MOST_OTHERS], strict=True)]
    best, score = masks[0]
    return board.change(
        act, points=thing.points, labels=thing.labels, box=thing.box, mask=best, score=score, others=tuple(masks)
    )


def prompt_of(thing: Thing) -> Prompt:
    """What the segmenter is asked for a thing: its clicks, its box, and the mask it started from."""
    logits = None if thing.start is None else prior_of(thing.start)
    return Prompt(thing.points, thing.labels, thing.box, logits)


def prior_of(mask: Mask) -> NDArray[np.float32]:
    """A mask as low-resolution logits."""
    small = cv2.resize(mask.array.astype(np.float32), (_PRIOR_SIDE, _PRIOR_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray((small * 2 - 1) * _PRIOR_LOGIT, dtype=np.float32)


def take_mask(board: Board, mask: Mask, act: str, *, score: float | None = None) -> Board:
    """A whole mask for the active thing, from words, a file, the overview, the wand or a loop; clicks start anew."""
    return board.change(act, start=mask, mask=mask, score=score, points=(), labels=(), box=None, others=())


def take_masks(board: Board, masks: Sequence[Mask], scores: Sequence[float], act: str, name: str = "") -> Board:
    """The first for the active thing, each other one as a thing of its own; a thing that nobody named takes `name`."""
    name = clean_name(name)
    taken = take_mask(board, masks[0], act, score=scores[0])
    if name and kind_of(board.thing.name) == NAMELESS:
        taken = taken.change(act, name=name)
    more = tuple(
        Thing(name or f"{NAMELESS} {number}", start=mask, mask=mask, score=score)
        for number, (mask, score) in enumerate(zip(masks[1:], scores[1:], strict=True), len(board.things) + 1)
    )
    return Board((*taken.things, *more), taken.active, act)


def paint(board: Board, picture: Image, strokes: Mask, *, add: bool) -> Board:
    """The active mask with brush strokes added or erased; raises InputError when there are none."""
    strokes.check_size(picture.size)
    if not strokes:
        raise InputError("nothing was painted yet.", "Load the picture into the brush and paint on it.")
    now = board.thing.mask or Mask.empty(*picture.size)
    array = now.array | strokes.array if add else now.array & ~strokes.array
    return take_mask(board, Mask(array), "brush" if add else "eraser", score=board.thing.score)


def wand(board: Board, picture: Image, at: tuple[float, float], tolerance: int = 16) -> Board:
    """The flat region of similar colour around a place, joined to the active mask: for drawings."""
    x, y = int(at[0]), int(at[1])
    if not (0 <= x < picture.width and 0 <= y < picture.height):
        raise InputError("that click is outside the picture.", "Click inside it.")
    flags = 4 | (255 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    field = np.zeros((picture.height + 2, picture.width + 2), dtype=np.uint8)
    spread = (int(tolerance),) * 3
    cv2.floodFill(np.array(picture.pixels), field, (x, y), (0, 0, 0), spread, spread, flags)
    region = Mask(field[1:-1, 1:-1] > 0)
    return paint(board, picture, region, add=True)


def choose(board: Board, index: int) -> Board:
    """Another of the masks on offer."""
    others = board.thing.others
    if not 0 <= index < len(others):
        raise InputError("there is no such alternative.", "Choose one that is shown.")
    mask, score = others[index]
    return board.change(f"alternative {index + 1}", mask=mask, score=score)


def add_thing(board: Board, name: str = "") -> Board:
    """One more named thing, which becomes the active one."""
    things = (*board.things, Thing(clean_name(name) or f"{NAMELESS} {len(board.things) + 1}"))
    return Board(things, len(things) - 1, "new object")


def select_thing(board: Board, index: int) -> Board:
    if not 0 <= index < len(board.things):
        raise InputError("there is no such object.", "Choose one of the list.")
    return Board(board.things, index, "selected")


def rename_thing(board: Board, name: str) -> Board:
    """Raises InputError for an empty name."""
    cleaned = clean_name(name)
    if not cleaned:
        raise InputError("an object needs a name.", "Type one.")
    return board.change("renamed", name=cleaned)


def remove_thing(board: Board) -> Board:
    """Without the active thing; the last one is emptied instead."""
    things = tuple(t for i, t in enumerate(board.things) if i != board.active) or (Thing("object 1"),)
    return Board(things, min(board.active, len(things) - 1), "removed")


def clean_name(text: str) -> str:
    """A name that fits on a button and into a file: printable, at most 40 characters."""
    return "".join(c for c in text if c.isprintable()).strip()[:40]


def kind_of(name: str) -> str:
    """What a thing is, by its name: things that nobody named are of one kind."""
    return NAMELESS if re.fullmatch(rf"{NAMELESS} \d+", name) else name


def names_of(board: Board) -> list[str]:
    """A name of its own for each thing: equal ones are numbered."""
    found: list[str] = []
    for thing in board.things:
        name, n = thing.name, 2
        while name in found:
            name, n = f"{thing.name} {n}", n + 1
        found.append(name)
    return found


def masks_by_name(board: Board) -> dict[str, Mask]:
    """Name -> mask of everything marked."""
    return {name: thing.mask for name, thing in zip(names_of(board), board.things, strict=True) if thing.mask}


def smallest_at(masks: Iterable[Any], at: tuple[float, float]) -> int | None:
    """Index of the smallest (H, W) bool region that holds a place: what an overview offers under the pointer."""
    x, y = int(at[0]), int(at[1])
    holding = [(int(np.count_nonzero(m)), i) for i, m in enumerate(masks) if 0 <= y < m.shape[0]
               and 0 <= x < m.shape[1] and m[y, x]]  # fmt: skip
    return min(holding)[1] if holding else None

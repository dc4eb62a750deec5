"""A session on disk, so that it survives a restart of the studio."""

from __future__ import annotations

import json
from typing import Any

from maskwright.errors import InputError
from maskwright.media.images import open_image, save_image
from maskwright.plumbing.files import read_json, storage_errors
from maskwright.studio.boards import Board, Thing
from maskwright.studio.sessions import Session
from maskwright.values import Box, Image, Mask

STATE, PICTURE = "session.json", "picture.png"


def save(session: Session, *, with_picture: bool = False) -> None:
    """Writes the board that is shown now (not the whole history), and the picture when it is new.
    Raises InputError for a session that has ended meanwhile."""
    if not session.folder.is_dir():
        raise InputError("this session has ended.", "Reload the page to begin a new one.")
    if with_picture:
        save_image(session.path(PICTURE), session.need_picture())
    board = session.board
    text = json.dumps({"things": [_thing_json(t) for t in board.things], "active": board.active})
    with storage_errors(session.folder), session.lock:
        part = session.path(STATE + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(session.path(STATE))


def restore(session: Session) -> bool:
    """Fills a session from its folder; False when there is none. Raises InputError when it is damaged."""
    if not session.path(STATE).exists():
        return False
    try:
        values = read_json(session.path(STATE))
        board = Board(tuple(_thing(v) for v in values["things"]), int(values["active"]), "restored")
        _ = board.thing  # there is one
        picture = open_image(session.path(PICTURE)) if session.path(PICTURE).exists() else None
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise InputError("the session's file is damaged.", "Begin a new one.") from error
    session.picture = picture
    session.history.restart(board if _fits(board, picture) else Board(act="restored"))
    return True


def _fits(board: Board, picture: Image | None) -> bool:
    """False where the marks are those of another picture: the studio ended just when this one was opened."""
    masks = [mask for thing in board.things for mask in (thing.start, thing.mask) if mask is not None]
    return all(picture is not None and mask.size == picture.size for mask in masks)


def _thing_json(thing: Thing) -> dict[str, Any]:
    return {
        "name": thing.name,
        "points": thing.points,
        "labels": thing.labels,
        "box": None if thing.box is None else tuple(thing.box),
        "start": None if thing.start is None else thing.start.to_rle(),
        "mask": None if thing.mask is None else thing.mask.to_rle(),
        "score": thing.score,
    }


def _thing(values: dict[str, Any]) -> Thing:
    return Thing(
        name=str(values["name"]),
        points=tuple((float(x), float(y)) for x, y in values["points"]),
        labels=tuple(int(v) for v in values["labels"]),
        box=None if values["box"] is None else Box.of(values["box"]),
        start=None if values["start"] is None else Mask.from_rle(values["start"]),
        mask=None if values["mask"] is None else Mask.from_rle(values["mask"]),
        score=values["score"],
    )

"""The sculpt loop as the page streams it: one round at a time, each to be taken or refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import InputError
from maskwright.media.pictures import mark, overlay
from maskwright.studio.desk import Desk
from maskwright.studio.drawing import shown_scale
from maskwright.studio.lanes import working_for
from maskwright.studio.sessions import Session
from maskwright.values import Cost, Image, Mask, Round


@dataclass(frozen=True)
class Turn:
    """One round as it is shown: the picture with its mask and points; `stop`: why the loop ended here, or empty."""

    index: int
    mask: Mask | None
    picture: NDArray[np.uint8]
    change: float | None
    stop: str


def sculpt_rounds(desk: Desk, session: Session, target: str, *, strategy: str, rounds: int) -> Iterator[Turn]:
    """Runs the loop on the active mask; its rounds wait in the session until one is
    taken or refused."""
    from maskwright.assemble.sculpting import sculpt_rounds as rounds_of

    picture, mask = session.need_picture(), session.need_mask()
    session.extras["rounds"] = []
    cancel = session.cancel
    with working_for(session.id, cancel):
        stream = rounds_of(
            picture, mask=mask, target=target or session.board.thing.name, strategy=strategy, rounds=rounds,
            segmenter=desk.segmenter, cancel=cancel,
        )  # fmt: skip
    while True:
        with working_for(session.id, cancel):
            turn = next(stream, None)
        if turn is None:
            return
        session.extras["cost"] = session.extras.get("cost", Cost()) + turn.cost
        if session.picture is not picture:
            return
        shown = Turn(turn.index, turn.mask, _picture(picture, turn), turn.change, turn.stop or "")
        session.extras["rounds"] = [*session.extras["rounds"], shown]
        yield shown


def need_round(session: Session, place: int | None) -> Turn:
    """A round that waits; raises InputError when there is none at this place."""
    waiting: list[Turn] = session.extras.get("rounds", [])
    if place is None or not 0 <= place < len(waiting):
        raise InputError("there is no such round.", "Sculpt first, then choose one of its rounds.")
    return waiting[place]


def take_round(desk: Desk, session: Session, place: int | None) -> Turn:
    """The round's mask becomes the active object's; undo brings back what was."""
    turn = need_round(session, place)
    if turn.mask is not None:
        desk.take(session, turn.mask, "sculpt")
    return turn


def refuse_round(session: Session, place: int | None) -> None:
    """The round is thrown away."""
    gone = need_round(session, place)
    session.extras["rounds"] = [turn for turn in session.extras["rounds"] if turn is not gone]


def _picture(picture: Image, turn: Round) -> NDArray[np.uint8]:
    scale = shown_scale(picture)
    shown = overlay(picture, turn.mask) if turn.mask is not None else picture
    points = turn.detail.get("points") or []
    places = [(float(p["x"]), float(p["y"])) for p in points if isinstance(p, dict)]
    labels = [int(bool(p.get("label", 1))) for p in points if isinstance(p, dict)]
    marked = mark(shown, points=places, labels=labels)
    if scale == 1.0:
        return np.asarray(marked.pixels)
    import cv2

    size = (round(picture.width * scale), round(picture.height * scale))
    return np.asarray(cv2.resize(marked.pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

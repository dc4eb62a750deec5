"""The sculpt loop as the page streams it: one round at a time, each to be taken or refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.media.pictures import mark, overlay
from maskwright.studio.desk import Desk
from maskwright.studio.drawing import shown_scale
from maskwright.studio.lanes import working_for
from maskwright.studio.sessions import Session
from maskwright.values import Cost, Image, Mask, Round


@dataclass(frozen=True)
class Turn:
    """One round as it is shown."""

    picture: NDArray[np.uint8]
    text: str


def sculpt_rounds(desk: Desk, session: Session, target: str, *, strategy: str, rounds: int) -> Iterator[Turn]:
    """Runs the loop on the active mask; the newest mask waits in the session until it is taken or refused."""
    from maskwright.assemble.sculpting import sculpt_rounds as rounds_of

    picture, mask = session.need_picture(), session.need_mask()
    with working_for(session.id):
        stream = rounds_of(
            picture, mask=mask, target=target or session.board.thing.name, strategy=strategy, rounds=rounds,
            segmenter=desk.segmenter, cancel=session.cancel,
        )  # fmt: skip
    while True:
        with working_for(session.id):
            turn = next(stream, None)
        if turn is None:
            return
        session.extras["cost"] = session.extras.get("cost", Cost()) + turn.cost
        if turn.mask is not None:
            session.extras["round"] = turn.mask
        yield Turn(_picture(picture, turn), _text(turn))


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


def _text(turn: Round) -> str:
    area = Mask.of(turn.mask).area if turn.mask is not None else 0
    parts = [f"round {turn.index}", f"{area} px"]
    if turn.change is not None:
        parts.append(f"change {turn.change:.3f}")
    if turn.stop:
        parts.append(turn.stop)
    return ", ".join(parts)

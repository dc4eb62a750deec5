"""History: undo gives back exactly what was there, and a hundred steps on a large picture stay small in memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from maskwright.studio import boards
from maskwright.studio.boards import Board, History, Thing
from maskwright.studio.desk import Desk
from maskwright.values import Box, Image, Mask, PackedMask

WIDTH, HEIGHT = 800, 600


def _mask(n: int) -> Mask:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return Mask((x - 300) ** 2 + (y - 300) ** 2 < (20 + n) ** 2)


def _marked(n: int) -> Board:
    """A board with one thing that was clicked and one that was painted."""
    masks = [_mask(n), _mask(n + 50), _mask(n + 100)]
    clicked = Thing(
        "cup", ((1.0, 2.0),), (1,), Box(1, 2, 3, 4), None, masks[0], 0.9, tuple(zip(masks, (0.9, 0.5, 0.1)))
    )
    return Board((clicked, Thing("painted", start=masks[1], mask=masks[1])), n % 2, f"act {n}")


def test_undo_and_redo_give_back_each_board_as_it_was() -> None:
    history = History()
    made = [Board(), *(_marked(n) for n in range(5))]
    for board in made[1:]:
        history.push(board, limit=100)
    assert history.board is made[-1], "the shown one is not touched"
    for at in (4, 3, 2, 1, 0):
        history.step(-1)
        assert (history.at, history.board) == (at, made[at])
    history.step(-1)
    assert history.at == 0
    history.step(99)
    assert (history.at, history.board) == (5, made[5])


def test_a_new_step_drops_what_was_undone_and_the_oldest_beyond_the_limit() -> None:
    history = History()
    for n in range(6):
        history.push(_marked(n), limit=4)
    assert len(history) == 5
    history.step(-2)
    history.push(_marked(9), limit=4)
    assert (len(history), history.at, history.board.act) == (4, 3, "act 9")
    history.step(-99)
    assert history.board == _marked(1)
    history.restart(Board())
    assert (len(history), history.at, history.nbytes) == (1, 0, 0)


def test_a_hundred_steps_take_a_fiftieth_of_their_pixels() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        history = History()
        for n in range(100):
            history.push(_marked(n), limit=100)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    unpacked = 100 * 3 * WIDTH * HEIGHT
    assert kept < unpacked / 20, "the shown board's arrays included"
    assert 0 < history.nbytes < unpacked / 50


def test_a_mask_that_stays_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Mask] = []
    of = PackedMask.of
    monkeypatch.setattr(boards.PackedMask, "of", lambda mask: calls.append(mask) or of(mask))  # type: ignore[func-returns-value]
    history, first = History(), _marked(0)
    history.push(first, limit=100)
    assert len(calls) == 3, "the painted thing's mask is one of the clicked thing's"
    history.push(first.change("renamed", name="mug"), limit=100)
    history.step(-1)
    history.push(history.board.change("renamed", name="beaker"), limit=100)
    assert len(calls) == 3
    taken_away = history.board.change("cleared", start=None, mask=None)
    history.push(taken_away, limit=100)
    history.push(taken_away.change("click", mask=_mask(7)), limit=100)
    assert len(calls) == 4


def test_the_history_of_a_session_is_packed(desk: Desk, disc: tuple[Image, Mask]) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    shown = [desk.click(session, (40 + n, 45)) for n in range(5)]
    desk.undo(session)
    assert session.board == shown[3]
    desk.redo(session)
    assert session.board == shown[4]
    assert session.history.nbytes < 5 * 4 * disc[1].array.size / 8
    desk.open_picture(session, disc[0])
    assert (len(session.history), session.board) == (1, Board())

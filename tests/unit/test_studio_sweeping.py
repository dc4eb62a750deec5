"""The sweeper: when nobody uses a picture any more, nothing is kept of it, and the memory goes back."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from maskwright.errors import StorageError
from maskwright.studio.desk import Desk
from maskwright.studio.jobs import Job
from maskwright.studio.sweeping import Broom
from maskwright.values import Image, Mask


@pytest.fixture
def rests(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever memory is given back."""
    found: list[int] = []
    monkeypatch.setattr(desk, "rest", lambda: found.append(1))
    return found


@pytest.mark.parametrize("leaving", ["vanishes", "ends it"])
def test_nothing_is_kept_of_a_picture_whose_session_has_gone(
    desk: Desk, disc: tuple[Image, Mask], rests: list[int], leaving: str
) -> None:
    session, broom = desk.open(), Broom(desk)
    desk.open_picture(session, disc[0])
    desk.click(session, (50, 45))
    assert not broom.go_round()
    assert len(desk.models.embeddings) == 1
    desk.sessions.idle_s = -1.0
    if leaving == "ends it":
        desk.sessions.end(session.id)
    assert broom.go_round()
    assert (len(desk.sessions), len(desk.models.embeddings)) == (0, 0)
    assert broom.go_round(), "a step of theirs may have ended meanwhile"
    assert not broom.go_round()
    assert len(rests) == 2


def test_memory_is_given_back_until_the_last_step_of_those_who_have_gone_has_ended(
    desk: Desk, rests: list[int]
) -> None:
    session, broom, begun, go = desk.open(), Broom(desk), threading.Event(), threading.Event()

    def work(job: Job) -> dict[str, Any]:
        begun.set()
        go.wait(20)  # a step that does not look whether it is still wanted
        return {}

    desk.jobs.start("test", session.id, session.folder, work)
    assert begun.wait(20)
    desk.sessions.end(session.id)
    assert [broom.go_round() for _ in range(4)] == [True] * 4
    go.set()
    while desk.is_busy:
        time.sleep(0.001)
    assert [broom.go_round() for _ in range(3)] == [True, False, False]
    lane = desk.models.lane("test")
    assert lane.call(lambda _: [desk.is_busy], None) is True
    assert len(rests) == 5


def test_a_picture_in_use_stays_known(desk: Desk, disc: tuple[Image, Mask], rests: list[int]) -> None:
    staying, leaving, broom = desk.open(), desk.open(), Broom(desk)
    for session in (staying, leaving):
        desk.open_picture(session, disc[0])
    desk.sessions.end(leaving.id)
    assert broom.go_round()
    assert len(desk.models.embeddings) == 1
    assert desk.click(staying, (50, 45)).thing.mask


def test_a_full_disk_does_not_end_the_sweeping(
    desk: Desk, disc: tuple[Image, Mask], rests: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise StorageError("the disk is full.", "Make room.")

    broom = Broom(desk)
    desk.open_picture(desk.open(), disc[0])
    monkeypatch.setattr(desk.sessions, "sweep", fail)
    desk.sessions.idle_s = -1.0
    assert broom.go_round()
    assert len(desk.models.embeddings) == 0


def test_rest_is_safe_on_any_desk(desk: Desk) -> None:
    """The stand-in models keep nothing and know no pool."""
    desk.rest()
    assert desk.forget_unused() == 0

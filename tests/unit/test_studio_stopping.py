"""Stop stops, and whoever has gone leaves nothing: no thread that waits, no process, no folder, no clip in memory."""

from __future__ import annotations

import gc
import platform
import shutil
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskwright.errors import Cancelled, InputError
from maskwright.media.writing import write_clip
from maskwright.plumbing.cancel import Cancel
from maskwright.studio import jobs as jobs_module
from maskwright.studio.desk import Desk
from maskwright.studio.filming import click_frame, open_film
from maskwright.studio.jobs import STATE, Job, Jobs
from maskwright.studio.laned import Laned
from maskwright.studio.lanes import Lane, SingleLock, working_for
from maskwright.studio.quiet import give_back
from maskwright.studio.sculpting import need_round, refuse_round, sculpt_rounds, take_round
from maskwright.studio.sessions import newest
from maskwright.studio.shaping import make_edit, take_apart
from maskwright.values import Image, Mask


def _until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.005)
    return true()


class Asked:
    """A call on a thread of its own, for a session that may want to stop."""

    def __init__(self, work: Callable[[], Any], cancel: Cancel, name: str = "s") -> None:
        self.answer: Any = None
        self._work, self._cancel, self._name = work, cancel, name
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            with working_for(self._name, self._cancel):
                self.answer = self._work()
        except Cancelled as error:
            self.answer = error

    def ended(self, seconds: float = 5.0) -> Any:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "it still waits"
        return self.answer


def _held(go: threading.Event, log: list[str], name: str) -> Callable[[Sequence[Any]], list[str]]:
    def step(_: Sequence[Any]) -> list[str]:
        log.append(name)
        go.wait(10)
        return [name]

    return step


def test_stop_ends_waiting_for_a_step_that_runs_and_one_that_has_not_begun(lane: Lane) -> None:
    go, log, cancels = threading.Event(), list[str](), (Cancel(), Cancel(), Cancel())
    first = Asked(lambda: lane.call(_held(go, log, "first"), None), cancels[0], "a")
    assert _until(lambda: log == ["first"])
    second = Asked(lambda: lane.call(_held(go, log, "second"), None), cancels[1], "b")
    third = Asked(lambda: lane.call(_held(go, log, "third"), None), cancels[2], "c")
    assert _until(lambda: len(lane) == 2)
    cancels[0].set()
    cancels[1].set()
    assert isinstance(first.ended(), Cancelled)
    assert isinstance(second.ended(), Cancelled)
    go.set()
    assert third.ended() == "third"
    assert log == ["first", "third"], "what nobody wants any more is not begun"
    assert lane.call(lambda _: ["fine"], None) == "fine"


@pytest.mark.parametrize("works", [Lane("x"), SingleLock()], ids=["lane", "single lock"])
def test_a_stopped_session_begins_nothing_more(works: Any) -> None:
    cancel = Cancel()
    cancel.set()
    with working_for("s", cancel):
        with pytest.raises(Cancelled):
            works.call(lambda _: ["never"], None)
        with pytest.raises(Cancelled):
            list(works.stream(lambda: iter("abc")))
    assert works.call(lambda _: ["others do"], None) == "others do"
    works.close()


def test_an_error_of_the_time_out_kind_is_the_step_s_own(lane: Lane) -> None:
    def fail(_: Sequence[Any]) -> list[Any]:
        raise TimeoutError("of the model")

    with pytest.raises(TimeoutError, match="of the model"):
        lane.call(fail, None)


def test_a_waiting_lane_keeps_nothing_of_the_last_visitor_alive(lane: Lane) -> None:
    class Film:
        pass

    film = Film()
    seen = weakref.ref(film)
    lane.call(lambda payloads: [len(payloads)], film)
    for _ in lane.stream(lambda kept=film: iter([id(kept)])):  # type: ignore[misc]
        pass
    del film
    assert _until(lambda: (gc.collect(), seen() is None)[1])


class Slow:
    """A parser and an inpainter that take until they are let go."""

    name = "slow"

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def parse(self, *_: Any, **__: Any) -> Any:
        self.began.set()
        self.go.wait(10)
        raise AssertionError("its answer was thrown away")

    inpaint = edit = parse


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        ("parser", lambda d, s: take_apart(d, s)),
        ("inpainter", lambda d, s: make_edit(d, s, "remove it")),
    ],
)
def test_stop_ends_parts_and_edits_in_the_middle_of_a_step(
    desk: Desk, disc: tuple[Image, Mask], kind: str, act: Any
) -> None:
    session, slow = desk.open(), Slow()
    desk.open_picture(session, disc[0])
    desk.take(session, disc[1], "given")
    lane = desk.models.lane(kind)
    desk.models._models[kind] = Laned(slow, lane, kind, lambda: None)
    asked = Asked(lambda: act(desk, session), Cancel())
    assert slow.began.wait(10)
    began = time.monotonic()
    desk.stop(session)
    assert isinstance(asked.ended(), Cancelled)
    assert time.monotonic() - began < 2
    slow.go.set()
    assert desk.click(session, (50, 45)).thing.mask is not None, "after a stop the next act goes on"


def test_stop_ends_a_job_that_waits_for_a_model(desk: Desk) -> None:
    session, go = desk.open(), threading.Event()
    lane = desk.models.lane("tracker")
    job = desk.jobs.start("t", session.id, session.folder, lambda job: lane.call(_held(go, [], "x"), None))
    assert _until(lambda: job.state == "running")
    desk.stop(session)
    assert _until(lambda: job.ended is not None, 3)
    assert job.state == "stopped"
    go.set()


# -- sculpt's rounds


def test_rounds_are_looked_at_taken_and_refused_each(desk: Desk, disc: tuple[Image, Mask]) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    desk.take(session, Mask(np.roll(disc[1].array, 4, axis=1)), "given")
    mine = session.board.thing.mask
    with pytest.raises(InputError, match="no such round"):
        need_round(session, 0)
    turns = list(sculpt_rounds(desk, session, "disc", strategy="points", rounds=2))
    assert len(turns) >= 2
    assert turns[-1].stop
    assert session.board.thing.mask == mine, "nothing is taken by itself"
    refuse_round(session, 0)
    assert need_round(session, 0) is turns[1]
    assert session.board.thing.mask == mine
    assert take_round(desk, session, 0) is turns[1]
    assert session.board.thing.mask == turns[1].mask
    desk.undo(session)
    assert session.board.thing.mask == mine
    for place in (None, -1, 99):
        with pytest.raises(InputError, match="no such round"):
            take_round(desk, session, place)


def test_rounds_of_a_picture_that_was_replaced_are_not_put_on_the_new_one(desk: Desk, disc: tuple[Image, Mask]) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    desk.take(session, disc[1], "given")
    stream = sculpt_rounds(desk, session, "disc", strategy="points", rounds=2)
    next(stream)
    desk.open_picture(session, Image(np.zeros((50, 60, 3), np.uint8)))
    with pytest.raises(Cancelled):
        list(stream)
    assert "rounds" not in session.extras


# -- what is left behind


def test_a_session_that_ends_takes_its_clip_and_the_process_that_decodes_it_along(
    desk: Desk, tmp_path: Path, disc: tuple[Image, Mask]
) -> None:
    frames = [np.asarray(disc[0].pixels)] * 3
    clip = write_clip(tmp_path / "clip.mp4", frames, rate=12)
    session = desk.open()
    film = open_film(desk, session, clip)
    click_frame(desk, session, 0, (50, 45), inside=True)
    child = film.clip._source._child  # type: ignore[attr-defined]
    seen = weakref.ref(film)
    assert child.poll() is None
    del film
    desk.sessions.end(session.id)
    give_back()
    assert seen() is None
    assert child.returncode is not None


def test_a_session_that_vanishes_in_the_middle_of_a_job_leaves_no_folder_and_no_word_in_the_log(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(jobs_module._log, "warning", lambda event, **_: said.append(event))
    session, wrote = desk.open(), threading.Event()

    def work(job: Job) -> dict[str, Any]:
        while not job.cancel.is_set:
            time.sleep(0.001)
        (session.folder / "late").mkdir(parents=True, exist_ok=True)  # as a writer does that has not seen it yet
        wrote.set()
        job.cancel.check()
        return {}

    job = desk.jobs.start("test", session.id, session.folder, work)
    assert _until(lambda: job.state == "running")
    desk.sessions.end(session.id)
    assert wrote.wait(10)
    assert _until(lambda: job.ended is not None and not session.folder.exists())
    assert said == []


def test_a_job_is_not_noted_after_it_was_forgotten(tmp_path: Path) -> None:
    """100 sessions that go while their job is being written down."""
    jobs = Jobs(at_once=4)
    for index in range(100):
        folder = tmp_path / str(index)
        folder.mkdir()
        jobs.start("test", str(index), folder, lambda job: {})
        jobs.forget(str(index))
        shutil.rmtree(folder, ignore_errors=True)
    jobs.close()
    assert list(tmp_path.rglob("*")) == []


def test_an_act_of_a_session_that_has_just_ended_says_so(desk: Desk, disc: tuple[Image, Mask]) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    desk.sessions.end(session.id)
    with pytest.raises(InputError, match="has ended"):
        desk.undo(session)
    with pytest.raises(Cancelled):
        desk.click(session, (50, 45))
    assert not session.folder.exists()


def test_a_session_is_not_swept_in_the_middle_of_an_act(desk: Desk) -> None:
    session = desk.open()
    desk.sessions.idle_s = 0.0
    with desk.working(session, "mark"):
        session.touched -= 1
        desk.sessions.sweep()
        assert desk.sessions.find(session.id) is session
    session.touched -= 1
    desk.sessions.sweep()
    assert desk.sessions.find(session.id) is None


def test_a_folder_that_goes_while_it_is_looked_at_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert newest(tmp_path / "gone") == 0.0
    (tmp_path / STATE).write_text("{}")
    listed = list(tmp_path.iterdir())
    monkeypatch.setattr(Path, "iterdir", lambda self: iter([*listed, tmp_path / "just removed"]))
    assert newest(tmp_path) > 0


def test_sessions_come_and_go_on_many_threads_and_the_sweeper_hurts_none(desk: Desk) -> None:
    faults: list[BaseException] = []

    def visit() -> None:
        try:
            for _ in range(30):
                session = desk.open()
                (session.folder / "a").write_text("x")
                desk.sessions.end(session.id)
        except BaseException as error:  # noqa: BLE001 - looked at below
            faults.append(error)

    threads = [threading.Thread(target=visit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert faults == []
    assert desk.sessions.ended == 180
    assert [p for p in desk.root.iterdir() if p != desk.shelf] == []


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is free")
def test_free_memory_goes_back_to_the_system() -> None:
    """In a process of its own: 64 MiB in pieces, freed but for the last."""
    script = """
from maskwright.studio.quiet import give_back, steady_heap
def mib():
    return next(int(l.split()[1]) for l in open('/proc/self/smaps_rollup') if l.startswith('Private_Dirty')) // 1024
assert steady_heap()
kept = [b'x' * (64 * 1024) for _ in range(1024)]
kept[:-1] = []  # the last piece keeps the heap's end where it is
before = mib()
assert give_back()
assert mib() <= before - 40, (before, mib())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc moves its threshold")
def test_large_blocks_never_lie_among_small_ones() -> None:
    """In a process of its own: after a larger block was freed, pictures still go back to the system at once, although
    something small was made after each."""
    script = """
from maskwright.studio.quiet import steady_heap
def mib():
    return next(int(l.split()[1]) for l in open('/proc/self/smaps_rollup') if l.startswith('Private_Dirty')) // 1024
assert steady_heap()
pictures = [b'x' * 16 * 2**20]
pictures.clear()
before, small = mib(), []
for _ in range(16):
    pictures.append(b'x' * 4 * 2**20)
    small.append(b'x' * 70_000)
assert mib() >= before + 60, (before, mib())
pictures.clear()
assert mib() <= before + 8, (before, mib())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr

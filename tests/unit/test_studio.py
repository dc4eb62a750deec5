"""The studio without its page: lanes are fair, bounded and bit-equal; sessions are separate and survive a restart."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from maskwright.config.settings import Settings
from maskwright.errors import BadImage, BadMask, Busy, Cancelled, InputError
from maskwright.media.images import save_image
from maskwright.models.segmenters.fake import FakeSegmenter
from maskwright.studio import marking, shaping
from maskwright.studio.boards import Board
from maskwright.studio.desk import Desk
from maskwright.studio.drawing import VIEWS, draw, numbers, overview, scaled, shown_scale, strokes_of
from maskwright.studio.handing import KINDS, hand_out
from maskwright.studio.jobs import Job, Jobs
from maskwright.studio.laned import LanedModels
from maskwright.studio.lanes import Lane, SingleLock, working_for
from maskwright.studio.sessions import Sessions
from maskwright.values import Box, Image, Mask, Prompt


def _together(works: Sequence[Any]) -> list[Any]:
    """Results (or errors) of works begun on threads of their own, in order."""
    found: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        try:
            found[place] = works[place]()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            found[place] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return found


def _blocked(lane: Lane) -> tuple[threading.Event, threading.Thread]:
    """A lane that is busy until the event is set."""
    go, began = threading.Event(), threading.Event()

    def hold(_: Sequence[Any]) -> list[None]:
        began.set()
        go.wait(10)
        return [None]

    thread = threading.Thread(target=lambda: lane.call(hold, None))
    thread.start()
    began.wait(10)
    return go, thread


def _queue(lane: Lane, owner: str, log: list[str], waiting: int) -> threading.Thread:
    def ask() -> None:
        with working_for(owner):
            lane.call(lambda payloads: [log.append(owner)], None)

    thread = threading.Thread(target=ask)
    thread.start()
    while len(lane) < waiting:
        time.sleep(0.001)
    return thread


def test_owners_take_turns(lane: Lane) -> None:
    """One visitor with three jobs does not keep two others waiting for all three."""
    go, holder = _blocked(lane)
    log: list[str] = []
    threads = [_queue(lane, owner, log, i + 1) for i, owner in enumerate("aaabc")]
    go.set()
    for thread in (holder, *threads):
        thread.join(timeout=120)
    assert log == ["a", "b", "c", "a", "a"]


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(lane: Lane) -> None:
    go, holder = _blocked(lane)
    threads = [_queue(lane, "a", [], i + 1) for i in range(8)]
    began = time.monotonic()
    with pytest.raises(Busy, match="busy") as caught:
        lane.call(lambda payloads: payloads, 1)
    assert time.monotonic() - began < 1.0
    assert caught.value.retry_after_s > 0
    go.set()
    for thread in (holder, *threads):
        thread.join(timeout=120)


def test_jobs_that_can_be_merged_are_answered_in_one_step(lane: Lane) -> None:
    go, holder = _blocked(lane)
    sizes: list[int] = []

    def double(payloads: Sequence[int]) -> list[int]:
        sizes.append(len(payloads))
        return [2 * p for p in payloads]

    works = [lambda p=p: lane.call(double, p, "same") for p in range(5)]
    thread = threading.Thread(target=lambda: sizes.append(-1) or results.extend(_together(works)))
    results: list[Any] = []
    thread.start()
    while len(lane) < 5:
        time.sleep(0.001)
    go.set()
    thread.join(timeout=120)
    holder.join(timeout=120)
    assert results == [0, 2, 4, 6, 8]
    assert sizes == [-1, 5]


def test_one_bad_job_hurts_nobody_merged_with_it(lane: Lane) -> None:
    go, holder = _blocked(lane)

    def picky(payloads: Sequence[int]) -> list[int]:
        if 3 in payloads:
            raise InputError("three is bad")
        return list(payloads)

    results: list[Any] = []
    works = [lambda p=p: lane.call(picky, p, "same") for p in range(5)]
    thread = threading.Thread(target=lambda: results.extend(_together(works)))
    thread.start()
    while len(lane) < 5:
        time.sleep(0.001)
    go.set()
    thread.join(timeout=120)
    holder.join(timeout=120)
    assert [r if isinstance(r, int) else type(r).__name__ for r in results] == [0, 1, 2, "InputError", 4]


def test_a_stream_lets_others_in_between_its_steps(lane: Lane) -> None:
    log: list[Any] = []
    stream = lane.stream(lambda: iter(range(3)))
    for item in stream:
        log.append(item)
        lane.call(lambda payloads: [log.append("other")], None)
    assert log == [0, "other", 1, "other", 2, "other"]


def test_the_single_lock_gives_the_same_answers() -> None:
    lock = SingleLock()
    assert list(lock.stream(lambda: iter("abc"))) == ["a", "b", "c"]
    assert lock.call(lambda payloads: [payloads[0] + 1], 1) == 2


def test_eight_threads_get_what_a_lone_user_gets(disc: tuple[Image, Mask]) -> None:
    """8 threads x 200 requests on shared, merged, laned models: bit-equal to serial calls."""
    image, _ = disc
    plain = FakeSegmenter()
    embedding = plain.encode(image)
    prompts = [Prompt([(10 + 7 * i % 100, 8 + 5 * i % 70)]) for i in range(200)]
    expected = [plain.predict(embedding, [prompt])[0] for prompt in prompts]
    models = LanedModels(lambda kind: FakeSegmenter())
    shared = models.get("segmenter")

    def visit(name: str) -> list[Any]:
        with working_for(name):
            mine = shared.encode(Image(np.array(image.pixels)))
            return [shared.predict(mine, [prompt])[0] for prompt in prompts]

    for answers in _together([lambda n=n: visit(str(n)) for n in range(8)]):
        assert len(answers) == 200
        for found, wanted in zip(answers, expected, strict=True):
            np.testing.assert_array_equal(found.masks, wanted.masks)
            np.testing.assert_array_equal(found.scores, wanted.scores)
    print("\n8 threads x 200 requests: every answer bit-equal to serial")
    assert len(models.embeddings) == 1
    models.close()


# -- sessions


def test_sessions_are_separate(desk: Desk, disc: tuple[Image, Mask]) -> None:
    first, second = desk.open(), desk.open()
    desk.open_picture(first, disc[0])
    desk.click(first, (50, 45))
    assert first.id != second.id
    assert len(first.id) >= 24
    assert second.picture is None
    assert second.board.thing.mask is None
    with pytest.raises(InputError, match="no picture"):
        desk.click(second, (50, 45))


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", "a/../../b", "", ".", "x\0y"])
def test_no_path_leaves_the_sessions_folder(desk: Desk, name: str) -> None:
    with pytest.raises((InputError, ValueError)):
        desk.open().path(name)


@pytest.mark.parametrize("id_", ["", "../..", "x" * 24, "..%2f..", None])
def test_a_made_up_session_is_a_new_one(desk: Desk, id_: str | None) -> None:
    assert desk.open(id_).id != id_
    with pytest.raises(InputError, match="ended"):
        desk.need(id_ or "")


def test_a_session_survives_a_restart(tmp_path: Path, fake_settings: Settings, disc: tuple[Image, Mask]) -> None:
    before = Desk(fake_settings, root=tmp_path)
    session = before.open()
    before.open_picture(session, disc[0])
    board = before.click(session, (50, 45))
    before.close()
    after = Desk(fake_settings, root=tmp_path)
    again = after.open(session.id)
    assert again.id == session.id
    assert again.picture == disc[0]
    assert again.board.thing.mask == board.thing.mask
    assert again.board.thing.points == ((50.0, 45.0),)
    after.close()


def test_marks_of_the_picture_before_are_not_restored(
    tmp_path: Path, fake_settings: Settings, disc: tuple[Image, Mask]
) -> None:
    """The studio ended between the new picture and the board that belongs to it."""
    before = Desk(fake_settings, root=tmp_path)
    session = before.open()
    before.open_picture(session, disc[0])
    before.click(session, (50, 45))
    before.close()
    save_image(tmp_path / session.id / "picture.png", Image(np.zeros((9, 7, 3), np.uint8)))
    after = Desk(fake_settings, root=tmp_path)
    again = after.open(session.id)
    assert again.picture is not None and again.picture.size == (7, 9)
    assert again.board.things == Board().things
    after.close()


@pytest.mark.parametrize("text", ["{", "[]", '{"things": [], "active": 0}', '{"things": [{}], "active": "x"}'])
def test_a_damaged_session_is_replaced_by_a_new_one(
    tmp_path: Path, fake_settings: Settings, disc: tuple[Image, Mask], text: str
) -> None:
    before = Desk(fake_settings, root=tmp_path)
    session = before.open()
    before.open_picture(session, disc[0])
    before.close()
    (tmp_path / session.id / "session.json").write_text(text)
    after = Desk(fake_settings, root=tmp_path)
    assert after.open(session.id).id != session.id
    after.close()


def test_idle_sessions_go_with_their_files(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, idle_s=0.0)
    old = sessions.open()
    old.touched -= 1
    assert old.folder.exists()
    assert sessions.sweep() >= 1
    assert not old.folder.exists()
    assert sessions.find(old.id) is None


def test_a_full_studio_says_so(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, most=2)
    sessions.open(), sessions.open()
    with pytest.raises(Busy, match="full"):
        sessions.open()


# -- acts


def test_clicks_undo_redo_to_the_start(desk: Desk, disc: tuple[Image, Mask]) -> None:
    image, truth = disc
    session = desk.open()
    desk.open_picture(session, image)
    masks = [desk.click(session, (50, 45)).thing.mask, desk.click(session, (5, 5), inside=False).thing.mask]
    assert masks[0] is not None
    assert masks[0].iou(truth) > 0.6
    desk.undo(session)
    assert session.board.thing.mask == masks[0]
    for _ in range(5):
        desk.undo(session)
    assert session.board.thing.mask is None
    for _ in range(5):
        desk.redo(session)
    assert session.board.thing.mask == masks[1]
    desk.reset(session)
    assert session.board.thing.mask is None
    desk.undo(session)
    assert session.board.thing.mask == masks[1]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda d, s: d.click(s, (-1, 5)), "outside"),
        (lambda d, s: d.click(s, (5000, 5)), "outside"),
        (lambda d, s: d.click(s, (5, 5), inside=False), "take from"),
        (lambda d, s: d.choose(s, 7), "alternative"),
        (lambda d, s: d.wand(s, (500, 500)), "outside"),
        (lambda d, s: d.paint(s, Mask.empty(*s.picture.size), add=True), "painted"),
        (lambda d, s: d.take(s, Mask.empty(3, 3), "x"), "mask is 3x3"),
        (lambda d, s: d.import_mask(s, b"text"), "no picture|not|PNG"),
        (lambda d, s: d.open_picture(s, b"no picture"), "."),
        (lambda d, s: d.words(s, ""), "."),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(desk: Desk, disc: tuple[Image, Mask], act: Any, said: str) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    with pytest.raises((InputError, BadImage, BadMask), match=said):
        act(desk, session)
    assert session.board == Board()
    assert session.picture == disc[0]


def test_quick_clicks_wait_for_each_other_and_none_is_lost(desk: Desk, disc: tuple[Image, Mask]) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    spots = [(20.0 + n, 30.0) for n in range(6)]
    found = _together([lambda at=at: desk.click(session, at) for at in spots])
    assert not [f for f in found if isinstance(f, Exception)]
    assert sorted(session.board.thing.points) == spots


def test_an_act_about_the_picture_before_changes_nothing(
    desk: Desk, disc: tuple[Image, Mask], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    small = Image(np.ascontiguousarray(disc[0].pixels[:20, :30]))
    click = marking.click

    def slow(*given: Any, **more: Any) -> Board:
        board = click(*given, **more)
        desk.open_picture(session, small)
        return board

    monkeypatch.setattr(marking, "click", slow)
    with pytest.raises(InputError, match="another picture was opened meanwhile"):
        desk.click(session, (25, 30))
    assert (session.picture, session.board) == (small, Board())


def test_parts_and_edits_of_the_picture_before_are_thrown_away(
    desk: Desk, disc: tuple[Image, Mask], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = desk.open()
    other = Image(np.ascontiguousarray(disc[0].pixels[::-1]))

    def slow(*given: Any, **more: Any) -> Any:
        desk.open_picture(session, other)
        return SimpleNamespace(image=disc[0], plan=None, drift=SimpleNamespace(differing_outside=0))

    for name in ("parts", "edit"):
        monkeypatch.setattr(shaping, name, slow)
    for work in (lambda: shaping.take_apart(desk, session), lambda: shaping.make_edit(desk, session, "make it red")):
        desk.open_picture(session, disc[0])
        with pytest.raises(InputError, match="another picture was opened meanwhile"):
            work()
        assert session.picture == other


def test_words_for_several_put_each_on_the_list(desk: Desk, disc: tuple[Image, Mask]) -> None:
    session, (picture, mask) = desk.open(), disc
    desk.open_picture(session, picture)
    half = mask.array.copy()
    half[:, : picture.width // 2] = False
    masks, scores = (mask, Mask(half)), (0.9, 0.4)

    class Found:
        def find(self, image: Image, phrase: str, cancel: Any = None) -> Any:
            many = phrase.startswith("all")
            return SimpleNamespace(masks=masks[: 1 + many], scores=scores[: 1 + many], noun="disc")

    desk._finder = cast("Any", Found())
    desk.change(session, lambda b, p: marking.add_thing(b, "mine"))
    desk.words(session, "all discs")
    assert [(t.name, t.mask, t.score) for t in session.board.things] == [
        ("object 1", None, None), ("mine", mask, 0.9), ("disc", Mask(half), 0.4)
    ]  # fmt: skip
    assert session.board.active == 1
    desk.undo(session)
    assert [t.mask for t in session.board.things] == [None, None]
    desk.words(session, "the disc")
    assert [t.mask for t in session.board.things] == [None, mask]
    desk.change(session, lambda b, p: marking.select_thing(b, 0))
    desk.words(session, "all discs")
    desk.change(session, lambda b, p: marking.add_thing(b))
    desk.click(session, (50, 45))
    assert [t.name for t in session.board.things] == ["disc", "mine", "disc", "object 4"]
    coco = json.loads(hand_out(session, "coco").read_text())
    names = {c["id"]: c["name"] for c in coco["categories"]}
    assert [names[a["category_id"]] for a in coco["annotations"]] == ["disc", "mine", "disc", "object"]


def test_brush_wand_box_things_and_alternatives(desk: Desk, disc: tuple[Image, Mask]) -> None:
    image, truth = disc
    session = desk.open()
    desk.open_picture(session, image)
    desk.draw_box(session, Box(20, 15, 80, 75))
    assert desk.choose(session, 0).thing.mask == session.board.thing.others[0][0]
    desk.change(session, lambda b, p: marking.add_thing(b, "  ground \x07"))
    assert session.board.thing.name == "ground"
    desk.wand(session, (3, 3), tolerance=40)
    assert session.board.thing.mask is not None
    assert session.board.thing.mask.array[2, 2]
    desk.paint(session, truth, add=True)
    assert session.board.thing.mask.array[45, 50]
    desk.paint(session, truth, add=False)
    assert not session.board.thing.mask.array[45, 50]
    assert set(marking.masks_by_name(session.board)) == {"object 1", "ground"}
    desk.change(session, lambda b, p: marking.remove_thing(b))
    assert [t.name for t in session.board.things] == ["object 1"]
    with pytest.raises(InputError, match="name"):
        desk.change(session, lambda b, p: marking.rename_thing(b, " \n"))


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("trace", "parquet")])
def test_everything_can_be_taken_home(desk: Desk, disc: tuple[Image, Mask], kind: str) -> None:
    session = desk.open()
    desk.open_picture(session, disc[0])
    with pytest.raises(InputError):
        hand_out(session, kind)
    desk.take(session, disc[1], "given")
    path = hand_out(session, kind)
    assert path.is_relative_to(session.folder)
    assert path.stat().st_size > 0
    assert hand_out(session, kind) == path


@pytest.mark.parametrize("view", VIEWS)
def test_views_show_the_mask_without_changing_the_picture(desk: Desk, disc: tuple[Image, Mask], view: str) -> None:
    session = desk.open()
    assert draw(session) is None
    desk.open_picture(session, disc[0])
    desk.take(session, disc[1], "given")
    shown = draw(session, view)
    assert shown is not None
    plain = scaled(disc[0], shown_scale(disc[0])).pixels
    assert shown.shape == plain.shape
    assert np.array_equal(shown, plain) == (view == "plain")
    assert overview(disc[0], [disc[1]]).shape == shown.shape


@pytest.mark.parametrize(("side", "scale"), [(2560, 0.5), (1280, 1.0), (600, 1.0), (192, 3.0), (1, 400.0)])
def test_tiny_pictures_are_shown_large_and_large_ones_small(side: int, scale: float) -> None:
    assert shown_scale(Image(np.zeros((1, side, 3), np.uint8))) == scale


def test_regions_are_numbered_with_the_smallest_on_top() -> None:
    """What the page lights up under the pointer is what a click takes."""
    picture, masks = Image(np.zeros((300, 500, 3), np.uint8)), []
    for half in (5, 100, 40):
        array = np.zeros((300, 500), np.bool_)
        array[150 - half : 150 + half, 250 - half : 250 + half] = True
        masks.append(Mask(array))
    found = numbers(picture, masks)
    for x, y in ((250, 150), (280, 150), (330, 150), (10, 10)):
        taken = marking.smallest_at([m.array for m in masks], (x, y))
        assert found[y, x].tolist() == [0 if taken is None else taken + 1, 0, 0]


def test_large_pictures_are_shown_small_and_strokes_come_back_large() -> None:
    layer = np.zeros((64, 128, 4), np.uint8)
    layer[10:20, 30:50, 3] = 255
    mask = strokes_of([layer], (256, 128))
    assert mask.size == (256, 128)
    assert mask.box == Box(60, 20, 100, 40)


# -- jobs


def _wait(job: Job) -> Job:
    until = time.monotonic() + 10
    while not (job.is_over and job.ended is not None) and time.monotonic() < until:
        time.sleep(0.002)
    return job


def _endless(job: Job) -> dict[str, Any]:
    while True:
        job.tell(0.5, "working")
        job.cancel.wait(0.005)


def _fault(error: Exception) -> Any:
    def work(job: Job) -> dict[str, Any]:
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "state", "error"),
    [
        (lambda job: {"answer": 1}, "done", ""),
        (_fault(InputError("bad", "do this")), "failed", "bad\ndo this"),
        (_fault(Cancelled("stop")), "stopped", ""),
        (_fault(RuntimeError("/secret/path")), "failed", "something went wrong here; it was noted in the log."),
    ],
)
def test_jobs_end_in_a_state(tmp_path: Path, work: Any, state: str, error: str) -> None:
    jobs = Jobs(at_once=1)
    job = _wait(jobs.start("test", "s", tmp_path, work))
    jobs.close()
    assert (job.state, job.error) == (state, error)
    again = Jobs(at_once=1)
    [found] = again.recover("s", tmp_path)
    assert (found.state, found.result) == (state, job.result)
    again.close()


def test_a_job_is_stopped_and_an_interrupted_one_is_told(tmp_path: Path) -> None:
    jobs = Jobs(at_once=1, waiting=1)
    job = jobs.start("test", "s", tmp_path, _endless)
    with pytest.raises(Busy):
        jobs.start("test", "s", tmp_path, _endless)
    other = Jobs(at_once=1)
    [seen] = other.recover("s", tmp_path)
    assert seen.state == "interrupted"
    other.close()
    job.cancel.set()
    assert _wait(job).state == "stopped"
    jobs.close()


def test_work_going_on_when_the_studio_stops_is_interrupted_not_stopped(tmp_path: Path) -> None:
    jobs = Jobs(at_once=1)
    job = jobs.start("test", "s", tmp_path, _endless)
    while job.state != "running":
        time.sleep(0.001)
    jobs.close()
    assert job.state == "interrupted"


def test_a_job_s_link_opens_its_session_also_after_a_restart(
    tmp_path: Path, fake_settings: Settings, disc: tuple[Image, Mask]
) -> None:
    before = Desk(fake_settings, root=tmp_path)
    session = before.open()
    before.open_picture(session, disc[0])
    job = _wait(before.jobs.start("lift", session.id, session.folder, lambda job: {"files": []}))
    assert before.open_by_job(job.id) is session
    before.close()
    after = Desk(fake_settings, root=tmp_path)
    assert after.open_by_job(job.id).id == session.id
    for unknown in ("", "x" * 16, "../../etc/passwd", "*"):
        with pytest.raises(InputError, match="no such job"):
            after.open_by_job(unknown)
    after.close()


def test_a_session_whose_work_goes_on_is_not_swept(desk: Desk) -> None:
    session = desk.open()
    desk.sessions.idle_s = 0.0
    job = desk.jobs.start("test", session.id, session.folder, _endless)
    session.touched -= 1
    desk.sessions.sweep()
    assert desk.sessions.find(session.id) is session
    job.cancel.set()
    _wait(job)
    session.touched -= 1
    desk.sessions.sweep()
    assert not session.folder.exists()


def test_files_handed_out_are_removed_when_they_are_old(desk: Desk, tmp_path: Path) -> None:
    given = tmp_path / "a.txt"
    given.write_text("x")
    offered = desk.offer(given)
    assert offered.exists()
    desk.sessions.idle_s = -1.0
    desk.sessions.sweep()
    assert not offered.exists()

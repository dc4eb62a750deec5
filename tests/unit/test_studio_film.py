"""A clip on the desk: its masks rest packed, however many frames it has."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from maskwright.errors import BadVideo, InputError
from maskwright.media.writing import write_clip
from maskwright.studio import filming
from maskwright.studio.desk import Desk
from maskwright.studio.filming import click_frame, draw_frame, erase_film, open_film, track
from maskwright.studio.jobs import Job
from maskwright.values import Image, Mask, Prompt

FRAMES, WIDTH, HEIGHT = 32, 960, 540
UNPACKED = FRAMES * WIDTH * HEIGHT


def _disc(index: int) -> Mask:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return Mask((x - 200 - 10 * index) ** 2 + (y - 270) ** 2 < 90**2)


class Following:
    """A tracker that knows where the disc is; lost on the last frame."""

    def track(self, frames: Sequence[Any], prompts: Mapping[int, Any]) -> Iterator[tuple[int, dict[int, Mask]]]:
        for index in range(len(frames)):
            yield index, {1: _disc(index)} if index < len(frames) - 1 else {}


@pytest.fixture
def film(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, filming.Film]:
    """A session and its clip, with a click on frame 0 and a tracker."""
    frames = [
        np.where(_disc(i).array[:, :, None], (200, 40, 40), (50, 140, 60)).astype(np.uint8) for i in range(FRAMES)
    ]
    session = desk.open()
    found = open_film(desk, session, write_clip(tmp_path / "clip.mp4", frames, rate=12))
    click_frame(desk, session, 0, (200, 270), inside=True)
    monkeypatch.setattr(desk.models, "get", lambda kind: Following())
    return session, found


def _over(job: Job) -> Job:
    until = time.monotonic() + 60
    while job.ended is None and time.monotonic() < until:
        time.sleep(0.005)
    return job


def test_the_masks_of_a_tracked_clip_take_a_fiftieth_of_their_pixels(
    desk: Desk, film: tuple[Any, filming.Film]
) -> None:
    session, found = film
    tracemalloc.start()
    try:
        assert _over(track(desk, session)).state == "done"
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.masks) == FRAMES
    assert found.masks[7] == _disc(7)
    assert not found.masks[FRAMES - 1], "a frame without the object has an empty mask"
    assert found.masks.nbytes < UNPACKED / 50
    assert kept < UNPACKED / 8, "nothing else holds them unpacked"
    assert draw_frame(found, 7).shape[2] == 3


def test_erasing_unpacks_the_masks_one_by_one(
    desk: Desk, film: tuple[Any, filming.Film], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, found = film
    with pytest.raises(InputError, match="not tracked"):
        erase_film(desk, session)
    _over(track(desk, session))
    areas: list[int] = []

    def erase(clip: Path, masks: Sequence[Mask], **_: Any) -> Any:
        assert len(masks) == FRAMES
        found.masks[5] = Mask.empty(
            WIDTH, HEIGHT
        )  # as a click while it is erased: this erasing keeps what it began with
        tracemalloc.start()
        areas.extend(mask.area for mask in masks)
        areas.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        return SimpleNamespace(video=clip)

    monkeypatch.setattr(filming, "erase", erase)
    job = _over(erase_film(desk, session))
    assert (job.state, job.error) == ("done", "")
    *found_areas, peak = areas
    assert found_areas == [_disc(i).area for i in range(FRAMES - 1)] + [0]
    assert peak < 10 * WIDTH * HEIGHT, "a few masks at a time"


def test_clicks_mend_what_was_tracked_or_named_but_not_what_lies_elsewhere(
    desk: Desk, film: tuple[Any, filming.Film], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = film[0]
    _over(track(desk, session))
    asked: list[Prompt] = []

    class Segmenter:
        def encode(self, image: Image) -> Image:
            return image

        def predict(self, image: Image, prompts: Sequence[Prompt]) -> Any:
            asked.extend(prompts)
            return [SimpleNamespace(masks=[np.ones((image.height, image.width), np.bool_)])]

    monkeypatch.setattr(desk.models, "get", lambda kind: Segmenter())
    click_frame(desk, session, 1, (200, 200), inside=False)
    click_frame(desk, session, 1, (210, 270), inside=True)
    assert [len(p.points) for p in asked] == [1, 2]
    assert all(p.logits is not None and (p.logits > 0).sum() == (asked[0].logits > 0).sum() for p in asked)
    click_frame(desk, session, 2, (WIDTH - 5, 5), inside=True)  # far away: the tracker had lost it
    assert asked[-1].logits is None
    click_frame(desk, session, 2, (WIDTH - 9, 5), inside=True)
    assert asked[-1].logits is None and len(asked[-1].points) == 2
    with pytest.raises(InputError, match="something to take from"):
        click_frame(desk, session, FRAMES - 1, (5, 5), inside=False)


def test_another_clip_leaves_the_one_that_is_worked_on_and_a_bad_one_changes_nothing(
    desk: Desk, film: tuple[Any, filming.Film], tmp_path: Path
) -> None:
    session, first = film
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no clip")
    with pytest.raises(BadVideo):
        open_film(desk, session, bad)
    assert first.path.exists() and filming.need_film(session) is first
    go = threading.Event()
    job = desk.jobs.start("wait", session.id, session.folder, lambda job: {"done": go.wait(30)})
    second = open_film(desk, session, tmp_path / "clip.mp4")
    assert first.path.exists() and second.path.exists() and len(first.clip.frames[1]) == HEIGHT
    go.set()
    _over(job)
    third = open_film(desk, session, tmp_path / "clip.mp4")
    assert [path.exists() for path in (first.path, second.path, third.path)] == [False, False, True]
    session.extras.clear()
    assert filming.need_film(session).path == third.path


def test_a_click_outside_the_clip_says_so(desk: Desk, film: tuple[Any, filming.Film]) -> None:
    session, found = film
    for frame, at in ((0, (-1, 5)), (0, (WIDTH, 5)), (FRAMES, (5, 5))):
        with pytest.raises(InputError, match="outside the clip"):
            click_frame(desk, session, frame, at, inside=True)
    assert list(found.given) == [0]
    assert found.given[0].size == Image(np.array(found.clip.frames[0])).size

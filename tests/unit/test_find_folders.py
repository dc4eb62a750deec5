"""What `maskwright find` leaves behind, and sessions that are asked very often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import maskwright as mw
from maskwright.assemble.finding import Finder
from maskwright.cli.find import find
from maskwright.config.find import FindSettings
from maskwright.finding import session
from maskwright.finding.counting import Meter
from maskwright.media.images import open_image, save_image
from maskwright.values import Box, Image

FAKE = ["--segmenter", "fake", "--ranker", "fake", "--proposer", "fake"]


def picture(path: Path) -> Path:
    pixels = np.full((60, 80, 3), 128, np.uint8)
    pixels[10:30, 10:30], pixels[10:30, 50:70] = (200, 30, 30), (30, 30, 200)
    return save_image(path, Image(pixels))


def test_masks_of_an_earlier_phrase_do_not_stay(tmp_path: Path) -> None:
    out = tmp_path / "o"
    picture(tmp_path / "s.png")
    out.mkdir()
    for old in ("mask.png", "mask-01.png", "mask-12.png", "mask-mine.png"):
        (out / old).write_bytes(b"old")
    done = CliRunner().invoke(
        find, [str(tmp_path / "s.png"), "the zorb", "-o", str(out), "--set", "find.tau_none=1", *FAKE],
        catch_exceptions=False,
    )  # fmt: skip
    assert "no such thing" in done.output
    assert sorted(p.name for p in out.glob("mask*")) == ["mask-mine.png"]


def test_pictures_of_one_stem_have_folders_of_their_own(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        picture(tmp_path / "in" / name)
    CliRunner().invoke(
        find, [str(tmp_path / "in"), "the box", "-o", str(tmp_path / "o"), *FAKE], catch_exceptions=False
    )
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["a.jpg", "a.png", "b"]


def test_another_segmenter_is_prompted_on_a_grid(tmp_path: Path) -> None:
    """The proposer lite reads the network of the segmenter lite."""
    found = mw.find(picture(tmp_path / "s.png"), "the red box", segmenter="fake", ranker="fake")
    assert found.trace.engines["proposers"] == "grid"


def test_room_for_looks_is_made_without_losing_those_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_PARTS", 3)
    finder = Finder(FindSettings(proposers=("fake",)), engines={"segmenter": "fake", "ranker": "fake"})
    looked = session.FindSession(open_image(picture(tmp_path / "s.png")), finder.engines, finder.settings)
    first = looked.pool((Box(40, 0, 70, 30),), "the box", Meter())
    for x in range(12):
        places = (Box(x, 0, x + 30, 30), Box(x, 20, x + 30, 50))
        assert len(looked.pool(places, "the box", Meter()).keys) == 3
    assert first.keys[1] not in looked._looks
    assert len(looked.fit(first, "the box", Meter()).chances) == len(first)  # as another thread may still ask


def test_shared_masks_are_counted_once(tmp_path: Path) -> None:
    finder = Finder(FindSettings(proposers=("fake",)), engines={"segmenter": "fake", "ranker": "fake"})
    looked = session.FindSession(open_image(picture(tmp_path / "s.png")), finder.engines, finder.settings)
    looked._whole("the box", Meter())
    before = looked.nbytes
    pool = looked.pool((), "the box", Meter())
    assert pool.masks.nbytes > 0
    assert looked.nbytes == before

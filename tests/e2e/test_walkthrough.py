"""Whole ways through the product by its command line; each command eats the file that the one before wrote."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image as PilImages

from maskwright.cli.main import run
from maskwright.media.images import open_image, open_mask, save_image
from maskwright.media.samples import sample
from maskwright.media.videos import open_clip
from maskwright.media.writing import write_clip
from maskwright.values import Image, Mask

SIDE = 320
WOMAN = (40, 5, 290, 318)
"""About where the woman of the sample `astronaut` is, at 320 pixels."""


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command as typed, in the folder of the test; its JSON where it prints some."""
    monkeypatch.chdir(tmp_path)

    def said(*words: object) -> Any:
        with pytest.raises(SystemExit) as ended:
            run([str(w) for w in words])
        out, err = capsys.readouterr()
        assert ended.value.code in (0, None), (words, out, err)
        return json.loads(out) if "--json" in words else out

    return said


def test_from_a_phrase_to_a_mesh(say: Any) -> None:
    """find -> sculpt -> cut -> parts -> edit -> lift."""
    pixels = cv2.resize(sample("astronaut").pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    save_image(Path("photo.png"), Image(pixels))

    say("find", "photo.png", "the woman", "--mode", "one-shot", "-o", "found")
    found = open_mask(Path("found/mask.png"))
    x0, y0, x1, y1 = WOMAN
    inside = np.zeros((SIDE, SIDE), np.bool_)
    inside[y0:y1, x0:x1] = True
    assert (found.array & inside).sum() > 0.8 * found.area > 0.8 * 0.25 * SIDE**2
    assert found.array[200:280, 80:140].mean() > 0.9, "her suit is in"

    say("sculpt", "photo.png", "--mask", "found/mask.png", "--target", "woman", "--rounds", 1, "-o", "sculpted")
    mask = open_mask(Path("sculpted/final_mask.png"))
    assert mask.iou(found) > 0.7

    say("cut", "photo.png", "--mask", "sculpted/final_mask.png", "-o", "cut.png")
    alpha = open_image(Path("cut.png")).alpha
    assert alpha is not None and Mask(alpha > 127).iou(mask) > 0.9

    taken = say("parts", "cut.png", "-o", "parts", "--json")
    labels = np.asarray(PilImages.open("parts/parts.png"))
    assert labels.shape == (SIDE, SIDE) and (labels[alpha == 0] == 0).all()
    areas = {row["label"]: row["area"] for row in taken["labels"]}
    assert areas["face"] > 300 and areas["hair"] > 300
    assert list(Path("parts").glob("garment_*.png"))

    say("edit", "photo.png", "--mask", "sculpted/final_mask.png", "make it dark green", "-o", "edited.png")
    changed = (open_image(Path("edited.png")).pixels != pixels).any(axis=2)
    assert changed[~mask.array].sum() == 0
    assert changed[mask.array].mean() > 0.5

    told = say("lift", "cut.png", "-o", "thing.glb", "--faces", 3000, "--json")
    mesh = trimesh.load("thing.glb", force="mesh")
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight and told["watertight"] and 0 < len(mesh.faces) <= 3000
    assert json.loads(Path("found/trace.json").read_text())["task"] == "find"


def make_ball_clip(count: int = 7) -> tuple[list[Any], list[Any]]:
    """A red ball flies over the temple: frames, and the frames without the ball."""
    ground = cv2.resize(sample("temple").pixels, (200, 134), interpolation=cv2.INTER_AREA)[:128, :192]
    with_ball = []
    for n in range(count):
        frame = np.ascontiguousarray(ground)
        cv2.circle(frame, (34 + 12 * n, 60), 15, (230, 30, 30), -1, cv2.LINE_AA)
        with_ball.append(frame)
    return with_ball, [ground] * count


def test_from_a_phrase_to_a_clip_without_it(say: Any) -> None:
    """phrase -> tracked masks -> erased clip; the true background is known."""
    frames, truth = make_ball_clip()
    write_clip("ball.mp4", iter(frames), rate=Fraction(12))
    quick = ["--no-text", "--no-comparison", "--set", "find.mode=one-shot"]
    say("erase", "ball.mp4", "--phrase", "the red ball", *quick, "-o", "out")
    tracked = [open_mask(path) for path in sorted(Path("out/items/ball/masks").glob("*.png"))]
    assert len(tracked) == len(frames)
    with open_clip("ball.mp4") as before, open_clip("out/erased.mp4") as after:
        assert (len(after), after.size, after.rate) == (len(before), before.size, before.rate)
        pairs = list(zip(before.frames, after.frames, truth, frames, strict=True))
    for (shown, erased, wanted, drawn), mask in zip(pairs, tracked, strict=True):
        ball = (drawn != wanted).any(axis=2)
        assert mask.array[ball].mean() > 0.8
        was = np.abs(shown[ball].astype(float) - wanted[ball]).mean()
        now = np.abs(erased[ball].astype(float) - wanted[ball]).mean()
        assert now < 0.5 * was
    status = say("erase", "status", "out", "--json")
    assert "ball" in json.dumps(status)


def test_from_a_bench_to_a_comparison(say: Any) -> None:
    """bench modes -> run from the experiment it saved -> report -> compare, on the embedded sample set."""
    given = ["--dataset", "sample", "--split", 1, "-n", 2, "--resamples", 100, "--no-timings"]
    say("bench", "modes", *given, "--modes", "one-shot", "-o", "first")
    say("bench", "run", "first/experiment.toml", "-o", "again", "--no-timings")
    first = json.loads(Path("first/report.json").read_text())
    assert first == json.loads(Path("again/report.json").read_text())
    say("bench", "modes", *given, "--modes", "one-shot", "--engines", "fake", "-o", "second")
    Path("first/report.html").unlink()
    say("bench", "report", "first", "--no-pictures", "--no-timings")
    assert "<html" in Path("first/report.html").read_text(encoding="utf-8").lower()
    compared = say("bench", "compare", "first", "second", "--json")
    assert (compared["a"], compared["b"], compared["n"]) == ("first: one-shot", "second: one-shot", 2)
    assert compared["iou"]["low"] <= compared["iou"]["value"] <= compared["iou"]["high"]

"""Shadows and reflections before a judge: who is asked what, whose word counts, and what is erased."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from test_erase_reflections import mirrored
from test_erase_shadows import iou

from maskwright.asking import Asker
from maskwright.assemble.erasing import as_job, make_engines
from maskwright.cli.main import main
from maskwright.config.erase import EraseSettings
from maskwright.config.settings import resolve
from maskwright.erasing.candidates import Case, erased_kinds, find_candidates, write_judgement
from maskwright.erasing.loop import erase_steps
from maskwright.erasing.preparing import mended
from maskwright.errors import EngineRefused
from maskwright.media.images import open_image, save_mask
from maskwright.media.videos import open_clip, write_clip
from maskwright.models.vlms.replay import RecordingVlm
from maskwright.plumbing.files import read_json
from maskwright.ports import Question, Reply
from maskwright.values import Mask

COUNT = 4


class Says:
    """A model that gives one answer to everything, or fails, and remembers what it was asked."""

    name, coordinates, max_side, concurrency = "says", "none", 640, 1

    def __init__(self, text: str | None) -> None:
        self.text, self.asked = text, []

    def reply(self, question: Question) -> Reply:
        self.asked.append(question)
        if self.text is None:
            raise EngineRefused("the key is not accepted.", "Check it.")
        return Reply(self.text, tokens_in=40, tokens_out=12)


def verdicts(*rows: tuple[int, bool]) -> str:
    return json.dumps({"candidates": [{"number": n, "belongs": b} for n, b in rows]})


def both() -> tuple[list, list, list, list]:
    """(frames, masks, shadows, reflections): a thing on a polished floor that also throws a shadow to its right."""
    frames, masks, reflections = mirrored(COUNT, rough=4)
    shadows = []
    for i, mask in enumerate(masks):
        x, y = np.argwhere(mask)[:, ::-1].mean(axis=0)
        spot = np.zeros(mask.shape, np.float32)
        cv2.ellipse(spot, (round(x + 22), round(y + 4)), (24, 8), 0, 0, 360, 1, -1)
        dark = 1 - 0.45 * cv2.GaussianBlur(spot, (0, 0), 1.5)[..., None]
        frames[i] = np.where(mask[..., None], frames[i], frames[i] * dark).astype(np.uint8)
        shadows.append((spot > 0) & ~mask)
    return frames, masks, shadows, reflections


def judged(folder: Path, asker: Callable[[], Asker | None] | None, phrase: str = "") -> dict[str, Any]:
    frames, masks, _, _ = both()
    write_judgement(folder, Case(frames, masks, find_candidates(frames, masks), phrase), asker)
    return dict(read_json(folder / "judged.json"))


def test_both_are_found_and_kept_apart() -> None:
    frames, masks, shadows, reflections = both()
    shadow, reflection = find_candidates(frames, masks)
    for i in range(COUNT):
        assert iou(shadow.masks[i], shadows[i]) > 0.6
        assert iou(reflection.masks[i], reflections[i]) > 0.9
        assert not (shadow.masks[i] & reflection.masks[i]).any()


@pytest.mark.parametrize(
    ("answer", "erased", "abstained", "said"),
    [
        (verdicts((1, True), (2, False)), ["shadow"], None, []),
        (verdicts((1, False), (2, True)), ["reflection"], None, []),
        (verdicts((1, False), (2, False)), [], None, []),
        (verdicts((1, False)), ["reflection"], None, ["did not judge number 2"]),
        (verdicts((1, False), (2, False), (7, True)), [], None, []),
        (verdicts((1, False), (1, True), (2, True)), ["shadow", "reflection"], None, ["did not judge number 1"]),
        ("Both look lovely.", ["shadow", "reflection"], "unusable reply", ["says did not judge"]),
        ('{"candidates": "yes"}', ["shadow", "reflection"], "unusable reply", ["says did not judge"]),
        (None, ["shadow", "reflection"], "no engine answered", ["says did not judge"]),
    ],
    ids=["yes no", "no yes", "no no", "one left out", "one made up", "one twice", "prose", "wrong form", "down"],
)
def test_whose_word_counts(tmp_path: Path, answer: str | None, erased: list, abstained: Any, said: list) -> None:
    record = judged(tmp_path, lambda: Asker([Says(answer)]))
    assert erased_kinds(record) == erased
    assert record["abstained"] == abstained
    assert len(record["degraded"]) == len(said)
    for words, told in zip(said, record["degraded"], strict=True):
        assert words in told and "the rule's word stands" in told
    rule = {row["kind"] for row in record["candidates"] if row["by"] == "rule"}
    assert bool(rule) == bool(said)
    assert record["cost"]["calls"]["vlm"] >= 1


@pytest.mark.parametrize("asker", [None, lambda: None], ids=["no role", "no model"])
def test_without_a_model_the_rules_word_stands_and_that_is_said(tmp_path: Path, asker: Any) -> None:
    record = judged(tmp_path, asker)
    assert erased_kinds(record) == ["shadow", "reflection"]
    assert {row["by"] for row in record["candidates"]} == {"rule"}
    assert len(record["degraded"]) == 1 and "--vlm" in record["degraded"][0]


def test_one_picture_is_shown_with_what_is_asked_about_it(tmp_path: Path) -> None:
    model = Says(verdicts((1, True), (2, True)))
    record = judged(tmp_path, lambda: Asker([model]), "the painted egg")
    [question] = model.asked
    [shown] = question.images
    assert np.array_equal(shown.pixels, open_image(tmp_path / "candidates.png").pixels)
    assert max(shown.size) == model.max_side
    frame = cv2.resize(both()[0][record["key_frame"]], shown.size, interpolation=cv2.INTER_LINEAR)
    assert 0.005 < float((shown.pixels != frame).any(axis=2).mean()) < 0.05  # lines and numbers, no tint
    for words in ('"the painted egg"', "1: may be its shadow", "2: may be its reflection"):
        assert words in question.text
    assert record["question"] == question.text and record["answer"] == json.loads(model.text or "")


def test_nothing_to_judge_asks_nobody(tmp_path: Path) -> None:
    frames, masks, _ = mirrored(3, strength=0)
    model = Says(None)
    write_judgement(tmp_path, Case(frames, masks, find_candidates(frames, masks)), lambda: Asker([model]))
    record = read_json(tmp_path / "judged.json")
    assert record == {"key_frame": None, "candidates": [], "degraded": []}
    assert not model.asked and not (tmp_path / "candidates.png").exists()


def written(folder: Path) -> tuple[Path, Path]:
    frames, masks, _, _ = both()
    for i, mask in enumerate(masks):
        save_mask(folder / "masks" / f"{i:03d}.png", Mask(mask))
    return write_clip(folder / "egg.mkv", frames, rate=24, lossless=True), folder / "masks"


FAST = ["--coarse", "fake", "--filler", "fake", "--inpainter", "fake", "--no-comparison", "--lossless"]


def left_over(video: Path) -> list[bool]:
    """Whether the shadow, the reflection are still there, of a result without loss."""
    frames, masks, shadows, reflections = both()
    near = mended(masks, union=1, dilate=8)
    with open_clip(video, trusted=True) as clip:
        made = [np.array(clip.frames[i]) for i in range(COUNT)]
    return [
        all(np.array_equal(made[i][inner], frames[i][inner]) for i in range(COUNT) for inner in [part[i] & ~near[i]])
        for part in (shadows, [cv2.erode(r.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for r in reflections])
    ]


def test_only_what_the_judge_says_is_erased_and_a_replay_says_the_same(tmp_path: Path) -> None:
    clip, masks = written(tmp_path)
    settings = EraseSettings(
        coarse="fake", filler="fake", inpainter="fake", comparison=False, lossless=True, shadows="judge"
    )
    record = tmp_path / "answers.jsonl"
    model = Says(verdicts((1, False), (2, True)))
    engines = replace(
        make_engines(settings, resolve()), asker=lambda cancel: Asker([RecordingVlm(model, record)], cancel=cancel)
    )
    job = as_job(tmp_path / "first", {"name": "egg", "video": clip, "mask": masks})
    for _ in range(2):
        states = {news.step: news.state for news in erase_steps(job, engines, settings) if news.state != "began"}
    assert states["shadows"] == "kept"
    assert len(model.asked) == 1
    assert left_over(tmp_path / "first" / "output" / "erased.mkv") == [True, False]

    given = ["erase", str(clip), "--mask", str(masks), "-o", str(tmp_path / "out"), *FAST, "--shadows", "judge"]
    given += ["--set", "models.vlm.name=replay", "--set", f"models.vlm.record={record}"]
    done = CliRunner().invoke(main, given, catch_exceptions=False)
    assert done.exit_code == 0 and "warning" not in done.stderr
    assert left_over(tmp_path / "out" / "erased.mkv") == [True, False]
    report = read_json(tmp_path / "out" / "report.json")
    told = report["shadows"]
    assert [told[kind]["erased"] for kind in ("shadow", "reflection")] == [False, True]
    assert [row["by"] for row in told["judged"]["candidates"]] == ["replay", "replay"]
    assert (report["engines"]["vlm"], report["degraded"]) == ("replay", [])
    steps = CliRunner().invoke(main, ["erase", "status", str(tmp_path / "out")]).output
    assert "shadows done" in steps


def test_nonsense_is_told_on_stderr_and_in_the_record(tmp_path: Path) -> None:
    """The blind model answers in form; one whose record lacks the question does not answer at all."""
    clip, masks = written(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    given = ["erase", str(clip), "--mask", str(masks), "-o", str(tmp_path / "out"), *FAST, "--shadows", "judge"]
    flags = ["--set", "models.vlm.name=replay", "--set", f"models.vlm.record={tmp_path / 'empty.jsonl'}"]
    done = CliRunner().invoke(main, [*given, *flags], catch_exceptions=False)
    assert done.exit_code == 0
    assert "replay did not judge shadows and reflections (no engine answered)" in done.stderr
    result = read_json(tmp_path / "out" / "items" / "egg" / "result.json")
    assert len(result["degraded"]) == 1 and result["cost"]["calls"] == {"vlm": 1}
    assert left_over(tmp_path / "out" / "erased.mkv") == [False, False]
    again = CliRunner().invoke(main, [*given, "--vlm", "fake"], catch_exceptions=False)
    assert again.exit_code == 0 and "warning" not in again.stderr
    assert read_json(tmp_path / "out" / "report.json")["shadows"]["judged"]["engine"] == "fake"


def test_another_model_is_another_judge_and_captioner() -> None:
    chosen = resolve({"models": {"vlm": {"name": "replay", "record": "a.jsonl"}}})
    asked = [
        make_engines(EraseSettings(shadows="judge", captioner="vlm", vlm=vlm), chosen)
        for vlm in (None, "replay", "fake")
    ]
    for role in ("vlm", "captioner"):
        first, same, other = (engines.about(role) for engines in asked)
        assert first == same != other
        assert first["options"]["record"] == "a.jsonl"
    assert "vlm" not in make_engines(EraseSettings(), chosen).names

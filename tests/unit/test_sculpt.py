"""Sculpt: the loop with a judge that knows, errs, lies, falls silent or goes away; its files and its record."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

from maskwright import sculpt, sculpt_rounds
from maskwright.assemble.sculpting import prepare
from maskwright.cli.main import main
from maskwright.errors import (
    BadImage,
    BadMask,
    BadPrompt,
    BadSettings,
    Cancelled,
    InputError,
    MaskwrightError,
    ModelError,
    OutOfMemory,
)
from maskwright.media.images import save_image, save_mask
from maskwright.models.segmenters.fake import FakeSegmenter
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cancel import Cancel
from maskwright.ports import Question, Reply
from maskwright.sculpting.outputs import write_outputs
from maskwright.sculpting.result import gather
from maskwright.values import Candidates, Image, Mask, Prompt, Trace

STRATEGIES = ("points", "anchors")
Scene = tuple[Image, Mask]


def half(mask: Mask) -> Mask:
    """The left half of a mask, by its middle column."""
    array = mask.array.copy()
    array[:, int(np.median(np.nonzero(array)[1])) :] = False
    return Mask(array)


def run(scene: Scene, **options: Any) -> Any:
    image, truth = scene
    given = {"box": truth.box, "mask": half(truth), "target": "red disc", "segmenter": FakeSegmenter(), **options}
    return sculpt(image, **given)


def test_anchors_follow_a_long_thing_to_its_end() -> None:
    pixels = np.full((90, 420, 3), 60, np.uint8)
    pixels[36:52, 20:400] = (200, 30, 30)
    truth = Mask(pixels[..., 0] > 150)
    result = run((Image(pixels), truth), judge="oracle", truth=truth, strategy="anchors", rounds=5)
    assert result.mask.iou(truth) >= 0.9


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("error", "least"), [(0.0, 0.9), (0.2, 0.5)])
def test_a_half_covered_disc_is_completed(disc: Scene, strategy: str, error: float, least: float) -> None:
    result = run(disc, judge="oracle", truth=disc[1], strategy=strategy, oracle_error=error)
    assert result.mask.iou(disc[1]) >= least
    assert result.mask.iou(disc[1]) >= half(disc[1]).iou(disc[1]) - 1e-9


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rules_need_nothing_and_make_it_better(disc: Scene, strategy: str) -> None:
    result = run(disc, strategy=strategy)
    assert result.mask.iou(disc[1]) > half(disc[1]).iou(disc[1]) + 0.2
    assert "vlm" not in result.cost.calls


def test_the_record_explains_every_round(disc: Scene) -> None:
    rounds = list(sculpt_rounds(disc[0], box=disc[1].box, segmenter="fake", judge="oracle", truth=disc[1], target="x"))
    assert [r.detail["phase"] for r in rounds] == ["start", *["round"] * (len(rounds) - 2), "answer"]
    assert rounds[-1].stop
    first = rounds[1].detail
    assert {"diagnosis", "candidates", "controls", "thresholds", "points", "cues"} <= set(first)
    assert {c["sampler"] for c in first["candidates"]} == {"inside", "band", "outside"}
    assert len(first["controls"]) == 20
    assert len(first["candidates"]) <= 30
    assert 0.55 <= first["thresholds"]["t_pos"] <= 0.70
    assert all({"why", "belief", "label", "place"} <= set(p) for p in first["points"])
    assert {"own", "segmenter", "judge"} <= set(rounds[1].cost.seconds)
    issued = {c["id"] for r in rounds for c in r.detail.get("candidates", ())}
    assert {p["place"] for r in rounds for p in r.detail.get("points", ())} <= issued


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_seed_gives_the_same_run_and_a_trace_resumes_it(disc: Scene, strategy: str) -> None:
    options: dict[str, Any] = {
        "box": disc[1].box, "mask": half(disc[1]), "segmenter": "fake", "judge": "oracle", "truth": disc[1],
        "strategy": strategy, "oracle_error": 0.2, "rounds": 3, "stop_change": 0.0, "target": "disc",
    }  # fmt: skip
    whole = sculpt(disc[0], **options)
    assert sculpt(disc[0], **options).mask == whole.mask
    task = prepare(disc[0], **options)
    trace = task.trace
    for step in task.rounds():
        trace = trace.add(step)
        if step.index == 1:
            break
    stored = Trace.from_json(json.dumps(trace.to_json()))
    again = prepare(disc[0], resume=stored, **options)
    resumed = gather(again.rounds(), again.trace)
    assert resumed.mask == whole.mask
    assert [r.mask for r in resumed.trace.rounds] == [r.mask for r in whole.trace.rounds]
    with pytest.raises(InputError, match="another picture"):
        prepare(Image(disc[0].pixels[::-1]), **{**options, "resume": stored})
    oracle: dict[str, Any] = {"segmenter": "fake", "judge": "oracle", "truth": disc[1], "resume": stored}
    bare = prepare(disc[0], **oracle)  # box, target and settings are the trace's
    assert gather(bare.rounds(), bare.trace).mask == whole.mask
    assert bare.trace.settings == stored.settings
    assert prepare(disc[0], **oracle, rounds=7).trace.settings == {**stored.settings, "rounds": 7}
    with pytest.raises(InputError, match="another box"):
        prepare(disc[0], **oracle, box=(0, 0, 9, 9))
    with pytest.raises(InputError, match="made with the judge oracle"):
        prepare(disc[0], segmenter="fake", resume=stored)
    with pytest.raises(InputError, match="made with the segmenter fake"):
        prepare(disc[0], judge="oracle", truth=disc[1], resume=stored)


def test_a_finished_run_resumes_to_its_answer_and_works_nothing_again(disc: Scene) -> None:
    options: dict[str, Any] = {"box": disc[1].box, "mask": disc[1], "segmenter": "fake", "judge": "oracle",
                               "truth": disc[1], "rounds": 6}  # fmt: skip
    whole = sculpt(disc[0], **options)
    assert whole.rounds < 6
    task = prepare(disc[0], **options, resume=Trace.from_json(json.dumps(whole.trace.to_json())))
    assert [r.detail["phase"] for r in task.rounds()] == ["answer"]
    assert gather(task.rounds(), task.trace).mask == whole.mask
    spent = sculpt(disc[0], **options, budget=Budget(seconds=1e-9))
    assert spent.stop == "budget spent"
    task = prepare(disc[0], **options, resume=spent.trace)
    assert gather(task.rounds(), task.trace).stop == whole.stop


class Judge:
    """An oracle with one answer replaced."""

    def __init__(self, truth: Mask, **replaced: Callable[..., Any]) -> None:
        from maskwright.sculpting.judges.oracle import OracleJudge

        self._inner = OracleJudge(truth.array)
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Talker:
    """A vlm that gives the same text to everything, or calls a function."""

    name, coordinates, max_side, concurrency = "talker", "none", 720, 4

    def __init__(self, text: str | Callable[[Question], str]) -> None:
        self.text, self.asked = text, 0

    def reply(self, question: Question) -> Reply:
        self.asked += 1
        return Reply(self.text if isinstance(self.text, str) else self.text(question))


def all_of(answer: bool) -> Callable[[Question], str]:
    """Fills in every form with the same answer, surely."""

    def reply(question: Question) -> str:
        wanted = (question.schema or {})["properties"]
        if "cells" in wanted:
            ids = wanted["cells"]["items"]["properties"]["cell"]["enum"]
            return json.dumps({"cells": [{"cell": i, "is_target": answer, "conf": 1.0} for i in ids]})
        if "anchors" in wanted:
            ids = wanted["anchors"]["items"]["properties"]["number"]["enum"]
            return json.dumps({"anchors": [{"number": i, "reason": "x"} for i in ids]})
        if "is_target" in wanted:
            return json.dumps({"is_target": answer, "conf": 1.0})
        if "better" in wanted:
            return '{"better": "B"}'
        return json.dumps({"missing_parts": ["all"], "over_segments": ["all"], "boundary_quality": "soft",
                           "key_cues": []})  # fmt: skip

    return reply


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "text",
    ["The mask looks great!", '{"cells": [', '{"is_target": "perhaps"}', "", all_of(True), all_of(False),
     '{"cells": [{"cell": "99", "is_target": true, "conf": 7}]}'],
    ids=["prose", "half", "wrong keys", "nothing", "all yes", "all no", "cell 99"],
)  # fmt: skip
def test_a_useless_model_changes_nothing_and_the_trace_says_so(disc: Scene, strategy: str, text: Any) -> None:
    result = run(disc, judge=Talker(text), strategy=strategy, rounds=2)
    assert result.mask == half(disc[1])
    first = result.trace.rounds[1].detail
    said = json.dumps([first.get("untrusted"), first.get("kept"), first.get("asked"), first.get("diagnosis")])
    assert any(word in said for word in ("judge", "no place", "no anchor", "abstained"))


def test_first_anchor_on_silence_keeps_the_older_habit(disc: Scene) -> None:
    result = run(disc, judge=Talker("?"), strategy="anchors", on_silence="first-anchor", rounds=1)
    assert result.trace.rounds[1].detail["asked"] == {"abstained": "unusable reply", "edited": 1}


def test_a_model_that_dies_half_way_is_replaced_by_rules_and_that_is_recorded(disc: Scene) -> None:
    from maskwright.errors import EngineRefused

    def dies(question: Question) -> str:
        if "missing_parts" not in (question.schema or {})["properties"]:
            raise EngineRefused("the key was withdrawn.")
        return all_of(True)(question)

    result = run(disc, judge=Talker(dies), rounds=2)
    assert any("rules instead of vlm:talker" in step for step in result.degraded)
    assert any("key was withdrawn" in step for step in result.degraded)
    assert result.trace.result["degraded"] == list(result.degraded)
    assert result.mask.iou(disc[1]) >= half(disc[1]).iou(disc[1])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_budget_ends_the_run_with_the_best_mask(disc: Scene, strategy: str) -> None:
    vlm = Talker(all_of(True))
    result = run(disc, judge=vlm, strategy=strategy, max_calls=2, rounds=5)
    assert vlm.asked == 2
    assert result.stop == "budget spent"
    assert result.mask == half(disc[1])


def test_sheets_cost_three_calls_a_round_and_single_patches_over_a_hundred(disc: Scene) -> None:
    for one, least, most in ((False, 3, 3), (True, 90, 111)):
        vlm = Talker(all_of(True))
        rounds = sculpt_rounds(disc[0], box=disc[1].box, mask=disc[1], segmenter="fake", judge=vlm, target="x",
                               one_patch_per_call=one, scales=(0.2, 0.4, 0.6), min_patch_px=8)  # fmt: skip
        next(rounds)
        next(rounds)
        assert least <= vlm.asked <= most


class Broken(FakeSegmenter):
    """Answers the box, then fails in one way."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def predict(self, embedding: Any, prompts: Sequence[Prompt]) -> list[Candidates]:
        found = super().predict(embedding, prompts)
        if not len(prompts[0].points):
            return found
        if self.fault == "memory":
            raise OutOfMemory("the device is full.", "Use a smaller picture.")
        return [Candidates(np.zeros_like(c.masks), c.scores, c.logits) for c in found]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("fault", "said"), [("memory", "the device is full."), ("empty", "empty mask")])
def test_a_failing_segmenter_leaves_the_mask(disc: Scene, strategy: str, fault: str, said: str) -> None:
    result = run(disc, judge="oracle", truth=disc[1], segmenter=Broken(fault), strategy=strategy)
    assert result.mask == half(disc[1])
    assert said in json.dumps(result.trace.to_json())


def test_worse_masks_are_not_returned(disc: Scene) -> None:
    class Wild(FakeSegmenter):
        def predict(self, embedding: Any, prompts: Sequence[Prompt]) -> list[Candidates]:
            found = super().predict(embedding, prompts)
            return [Candidates(~c.masks, c.scores, c.logits) for c in found]

    result = run(disc, judge="oracle", truth=disc[1], segmenter=Wild())
    assert result.mask.iou(disc[1]) >= half(disc[1]).iou(disc[1])


def test_cancelling_comes_out_between_steps(disc: Scene) -> None:
    cancel = Cancel()
    rounds = sculpt_rounds(disc[0], box=disc[1].box, segmenter="fake", cancel=cancel, target="x")
    next(rounds)
    cancel.set()
    with pytest.raises(Cancelled):
        next(rounds)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"box": (500, 500, 600, 600), "mask": None}, BadPrompt),
        ({"box": (60, 60, 20, 20)}, BadPrompt),
        ({"box": (10, 10, 10, 30)}, BadPrompt),
        ({"box": (0, 0, float("nan"), 5)}, BadPrompt),
        ({"mask": np.ones((7, 9), bool)}, BadMask),
        ({"depth": np.ones((3, 3))}, BadImage),
        ({"depth": "no-such-depth.npy"}, BadImage),
        ({"strategy": "guessing"}, BadSettings),
        ({"rounds": 0}, BadSettings),
        ({"anchors": "many"}, BadSettings),
        ({"roundz": 3}, BadSettings),
        ({"judge": "oracle"}, BadSettings),
        ({"judge": "no-such-model"}, MaskwrightError),
        ({"judge": 7}, BadSettings),
        ({"target": "x" * 300}, InputError),
    ],
    ids=str,
)
def test_bad_input_is_named(disc: Scene, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        run(disc, **options)
    assert "\n" not in getattr(caught.value, "message", "")


def drawn(*parts: Any) -> np.ndarray[Any, Any]:
    """A 120x90 mask with these index expressions set."""
    out = np.zeros((90, 120), bool)
    for part in parts:
        out[part] = True
    return out


def ring() -> np.ndarray[Any, Any]:
    return cv2.circle(np.zeros((90, 120), np.uint8), (55, 45), 30, 1, 6) > 0


SHAPES = {
    "one pixel": drawn((40, 50)),
    "full": drawn(slice(None)),
    "two pieces": drawn(np.s_[10:30, 10:30], np.s_[50:80, 70:110]),
    "ring": ring(),
    "line": drawn(np.s_[45, 5:110]),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_odd_masks_go_through(disc: Scene, strategy: str, shape: str) -> None:
    start = SHAPES[shape]
    result = run(disc, mask=start, box=None, judge="oracle", truth=disc[1], strategy=strategy, rounds=2)
    assert result.mask.iou(disc[1]) >= Mask(start).iou(disc[1])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 5)])
def test_tiny_pictures_end_in_a_mask_or_a_clear_error(size: tuple[int, int]) -> None:
    image = Image(np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8))
    for strategy in STRATEGIES:
        result = sculpt(image, mask=np.ones(size, bool), segmenter="fake", strategy=strategy, rounds=2, target="x")
        assert result.mask.size == image.size


def test_an_empty_mask_counts_as_none(disc: Scene) -> None:
    result = run(disc, mask=np.zeros((90, 120), bool), judge="oracle", truth=disc[1])
    assert not result.trace.rounds[0].detail["given"]
    assert result.mask.iou(disc[1]) > 0.9


def test_depth_with_holes_gates_the_rules(disc: Scene) -> None:
    depth = np.where(disc[1].array, 0.9, 0.1)
    depth[:10] = np.nan
    result = run(disc, depth=depth)
    assert result.mask.iou(disc[1]) > 0.9
    assert run(disc, depth=np.full((90, 120), np.nan)).mask.iou(disc[1]) > 0.6


def test_a_ranker_is_fused(disc: Scene) -> None:
    result = run(disc, ranker="fake", judge="oracle", truth=disc[1])
    judged = result.trace.rounds[1].detail["candidates"]
    assert all(0 <= j["similarity"] <= 1 for j in judged)
    scored = [j for j in judged if not j["patches"][0]["is_target"]]
    assert all(abs(j["score"] - 0.3 * j["similarity"]) < 1e-3 for j in scored)


def test_files_are_whole_and_plain(disc: Scene, tmp_path: Path) -> None:
    result = run(disc, judge="oracle", truth=disc[1])
    files = write_outputs(tmp_path / "all", disc[0], result, keep_steps=True)
    with PIL.Image.open(files["mask"]) as picture:
        assert picture.mode == "1"
        assert np.array_equal(np.asarray(picture), result.mask.array)
    assert Mask.from_rle(json.loads(files["rle"].read_text())) == result.mask
    assert Trace.from_json(files["trace"].read_text()).result["stop"] == result.stop
    assert "target: red disc" in files["info"].read_text()
    steps = sorted(p.name for p in (tmp_path / "all" / "steps").iterdir())
    assert steps == [f"round-{n:02d}.png" for n in range(1, result.rounds + 1)]
    clean = write_outputs(tmp_path / "clean", disc[0], result, clean=True)
    assert sorted(p.name for p in (tmp_path / "clean").iterdir()) == sorted(p.name for p in clean.values())
    assert set(clean) == {"mask", "rle", "info"}


def test_the_command(disc: Scene, tmp_path: Path) -> None:
    photo = save_image(tmp_path / "photo.png", disc[0])
    start, truth = save_mask(tmp_path / "s.png", half(disc[1])), save_mask(tmp_path / "t.png", disc[1])
    told = CliRunner().invoke(main, ["sculpt", str(photo), "--mask", str(start), "--target", "red disc", "--judge",
                                     "oracle", "--truth", str(truth), "--segmenter", "fake", "--anchors", "auto",
                                     "--strategy", "anchors", "--cells", "2", "-o", str(tmp_path / "out"), "--json",
                                     "--box", "20,15,80,75"])  # fmt: skip
    assert told.exit_code == 0, told.output
    row = json.loads(told.stdout)
    assert Mask.from_rle(row["mask"]).iou(disc[1]) > 0.6
    assert Path(row["files"]["overlay"]).exists()
    assert "round 1:" in told.stderr


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", ""])
def test_the_command_refuses_a_bad_box(disc: Scene, tmp_path: Path, box: str) -> None:
    photo = save_image(tmp_path / "photo.png", disc[0])
    told = CliRunner().invoke(main, ["sculpt", str(photo), "--box", box, "--segmenter", "fake"])
    assert isinstance(told.exception, BadPrompt)


def test_an_interrupted_command_leaves_its_trace(disc: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = save_image(tmp_path / "photo.png", disc[0])

    def fails(self: Any, embedding: Any, prompts: Any) -> Any:
        if len(prompts[0].points):
            raise KeyboardInterrupt
        return predict(self, embedding, prompts)

    predict = FakeSegmenter.predict
    monkeypatch.setattr(FakeSegmenter, "predict", fails)
    told = CliRunner().invoke(main, ["sculpt", str(photo), "--box", "20,15,80,75", "--target", "red disc",
                                     "--segmenter", "fake", "-o", str(tmp_path / "out")])  # fmt: skip
    assert isinstance(told.exception, Cancelled)
    assert Trace.from_json((tmp_path / "out" / "trace.json").read_text()).rounds[0].mask is not None


def test_no_mask_to_keep_is_a_clear_error(disc: Scene) -> None:
    class Blind(FakeSegmenter):
        def predict(self, embedding: Any, prompts: Sequence[Prompt]) -> list[Candidates]:
            return [Candidates(np.zeros_like(c.masks), c.scores) for c in super().predict(embedding, prompts)]

    with pytest.raises((BadMask, ModelError), match="finds nothing"):
        run(disc, mask=None, segmenter=Blind())


def test_a_resumed_run_takes_no_other_mask(disc: Scene) -> None:
    whole = run(disc, segmenter="fake", mask=half(disc[1]), rounds=2)
    with pytest.raises(InputError, match="another mask"):
        prepare(disc[0], segmenter="fake", mask=disc[1], resume=whole.trace)
    damaged = replace(whole.trace, rounds=())
    with pytest.raises(InputError, match="no mask"):
        prepare(disc[0], segmenter="fake", resume=damaged)


def test_the_truth_has_the_size_of_the_picture(disc: Scene) -> None:
    with pytest.raises(BadMask):
        prepare(disc[0], box=(1, 1, 9, 9), judge="oracle", truth=np.ones((5, 5), np.bool_))

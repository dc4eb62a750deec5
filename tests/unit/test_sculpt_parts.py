"""Parts of sculpt: places, votes, clicks, stop rules, anchors, and what a model is asked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.asking import Asker
from maskwright.errors import BadSettings
from maskwright.ports import Question, Reply
from maskwright.sculpting.anchors import place_anchors, reach_of, split_square
from maskwright.sculpting.candidates import contour_places, control_places, sample_places
from maskwright.sculpting.choice import choose_clicks
from maskwright.sculpting.evidence import Evidence, Thresholds, error_rate, set_thresholds
from maskwright.sculpting.judges.chain import JudgeChain
from maskwright.sculpting.judges.oracle import OracleJudge
from maskwright.sculpting.judges.rules import RulesJudge
from maskwright.sculpting.judges.vlm import Looking, VlmJudge
from maskwright.sculpting.loop import _weighed
from maskwright.sculpting.places import Diagnosis, Judged, Place, directions
from maskwright.sculpting.scene import Scene, make_scene
from maskwright.sculpting.state import compress_cues
from maskwright.sculpting.stopping import boundary_f, why_stop
from maskwright.values import Abstain, Box, Image, Mask, Verdict

Disc = tuple[Image, Mask]
USUAL = Thresholds(0.55, 0.45, 0.0, 0.0)


def scene_of(disc: Disc, box: Box | None = None) -> Scene:
    assert disc[1].box is not None
    return make_scene(disc[0], box or disc[1].box, target="red disc", seed=1)


def judged(place: Place, score: float) -> Judged:
    return Judged(place, (Verdict(place.id, score > 0.5, max(score, 1 - score)),), None, score)


def test_places_lie_where_their_names_say(disc: Disc) -> None:
    scene, mask = scene_of(disc), disc[1].array
    places = sample_places(scene, mask)
    by = {s: [p for p in places if p.sampler == s] for s in ("inside", "band", "outside")}
    assert all(by.values())
    assert len(places) <= 30
    assert all(mask[int(p.y), int(p.x)] for p in by["inside"])
    assert not any(mask[int(p.y), int(p.x)] for p in by["outside"])
    sides = [bool(mask[int(p.y), int(p.x)]) for p in by["band"]]
    assert 0.2 < np.mean(sides) < 0.8
    assert sample_places(scene, mask) == places
    assert sample_places(scene, mask, turn=2) != places


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.floats(0, 1),
    st.sampled_from([(), ("left ear",), ("upper right", "bottom")]),
)
def test_any_mask_gives_places_inside_the_picture_and_apart(
    seed: int, size: tuple[int, int], share: float, parts: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(seed)
    image = Image(rng.integers(0, 255, (*size, 3)).astype(np.uint8))
    mask = rng.random(size) < share
    scene = make_scene(image, Box(0, 0, size[1], size[0]), seed=seed % 7)
    diagnosis = Diagnosis(missing_parts=parts, over_segments=parts)
    places = sample_places(scene, mask, diagnosis=diagnosis)
    for place in [*places, *control_places(scene, mask, 20)]:
        assert 0 <= place.x < size[1]
        assert 0 <= place.y < size[0]
    xy = np.array([p.xy for p in places]).reshape(-1, 2)
    gaps = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + np.eye(len(xy)) * 1e9
    if len(xy) > 1:
        assert gaps.min() >= 0.06 * math.hypot(*size) - 1.5
    for anchor in place_anchors(scene, mask, "auto", 0.6):
        assert math.hypot(*anchor.normal) == pytest.approx(1)
        for cell in split_square(anchor, mask, 4, 1):
            assert mask[int(cell.place.y), int(cell.place.x)] == cell.inside


def test_a_diagnosis_pulls_places_to_its_side(disc: Disc) -> None:
    scene = scene_of(disc)
    middle = float(np.mean(np.nonzero(disc[1].array)[1]))
    plain = sample_places(scene, disc[1].array, most=9)
    pulled = sample_places(scene, disc[1].array, most=9, diagnosis=Diagnosis(("left rim",), ("left shadow",)))
    assert sum(p.x < middle for p in pulled) > sum(p.x < middle for p in plain)


@pytest.mark.parametrize(
    ("words", "expected"),
    [("left ear", (-1, 0)), ("the Upper-Right corner", (0.7071, -0.7071)), ("tail", None),
     ("bottom, left", (-0.7071, 0.7071)), ("left and right", None)],
)  # fmt: skip
def test_direction_words(words: str, expected: tuple[float, float] | None) -> None:
    found = directions([words])
    assert found == [] if expected is None else found[0] == pytest.approx(expected, abs=1e-3)


def test_cues_are_compressed_and_the_users_go_first() -> None:
    cues = compress_cues("Long THIN legs, brown!", "the brown body with a green stripe " * 9)
    assert cues.split()[:4] == ["long", "thin", "legs", "brown"]
    assert len(cues.split()) <= 15


@pytest.mark.parametrize(
    ("scores", "t_pos"),
    [([0.0] * 20, 0.55), ([0.0] * 18 + [0.6] * 2, 0.55), ([0.0] * 12 + [0.8] * 8, 0.70), ([], 0.55)],
)  # fmt: skip
def test_thresholds_follow_the_controls(scores: list[float], t_pos: float) -> None:
    controls = [judged(Place(f"c{n}", n, 0, "control"), s) for n, s in enumerate(scores)]
    found = set_thresholds(controls, 0.55, 0.70, 0.45)
    assert found.t_pos == pytest.approx(t_pos)
    assert [found.label(s) for s in (0.9, 0.5, 0.2, None)] == [1, 0, -1, 0]


def test_the_error_rate_follows_the_controls() -> None:
    def rate(wrong: int) -> float:
        scores = [0.9] * wrong + [0.0] * (20 - wrong)
        controls = [judged(Place(f"c{n}", n, 0, "control"), s) for n, s in enumerate(scores)]
        return error_rate(controls, USUAL)

    assert rate(0) == 0.02
    assert 0.15 < rate(4) < 0.25
    assert rate(12) > 0.4


def test_a_lone_wrong_verdict_is_outvoted(disc: Disc) -> None:
    scene = scene_of(disc)
    around = [Place(f"p{n}", 50 + 6 * math.cos(n), 45 + 6 * math.sin(n), "inside") for n in range(6)]
    liar = Place("liar", 50, 45, "inside")
    all_judged = [*(judged(p, 0.9) for p in around), judged(liar, 0.1)]
    noisy = Evidence(scene, all_judged, USUAL, error=0.25)
    assert noisy.beliefs(disc[1].array)[-1] > 0
    assert "liar" not in [c.place for c in choose_clicks(scene, disc[1].array, noisy, most=8)]
    surely = Evidence(scene, [judged(liar, 0.1)], USUAL, error=0.02)
    assert [c.label for c in choose_clicks(scene, disc[1].array, surely, most=8)] == [0]


def test_changes_that_votes_speak_against_are_undone(disc: Disc) -> None:
    old = disc[1].array
    new = old.copy()
    new[5:15, 5:15] = True
    new[40:50, 45:55] = False
    votes = [judged(Place("a", 10, 10, "outside"), 0.1), judged(Place("b", 50, 45, "inside"), 0.9)]
    gated, undone = Evidence(scene_of(disc), votes, USUAL, 0.1).gate(old, new)
    assert (undone, np.array_equal(gated, old)) == (2, True)
    agreed = [judged(Place("a", 10, 10, "outside"), 0.9), judged(Place("b", 50, 45, "inside"), 0.1)]
    kept, undone = Evidence(scene_of(disc), agreed, USUAL, 0.1).gate(old, new)
    assert (undone, np.array_equal(kept, new)) == (0, True)


def boxes(*widths: int) -> list[np.ndarray[Any, Any]]:
    out = []
    for width in widths:
        mask = np.zeros((200, 400), bool)
        mask[50:150, 50 : 50 + width] = True
        out.append(mask)
    return out


@pytest.mark.parametrize(
    ("masks", "empty", "reason"),
    [
        (boxes(100), 0, None),
        (boxes(100, 120), 0, None),
        (boxes(100, 100), 0, "settled"),
        (boxes(100, 120), 2, "nothing wrong found twice"),
        (boxes(100, 120, 100), 0, "oscillates"),
        (boxes(100, 200, 202, 204), 0, "rim settled"),
        (boxes(100, 140, 180, 220), 1, None),
    ],
)
def test_when_to_stop(masks: list[Any], empty: int, reason: str | None) -> None:
    assert why_stop(masks, empty) == reason


def test_nothing_wrong_here_is_no_reason_to_stop_until_it_was_so_elsewhere_too() -> None:
    assert why_stop(boxes(100, 100), 1, elsewhere=True) is None
    assert why_stop(boxes(100, 100, 100), 2, elsewhere=True) == "nothing wrong found twice"


def test_boundary_f_is_one_for_equals_and_nothing_for_strangers() -> None:
    a, b = boxes(100)[0], np.roll(boxes(100)[0], 200, axis=1)
    assert boundary_f(a, a) == 1.0
    assert boundary_f(a, b) == 0.0
    assert boundary_f(a & False, a) == 0.0
    assert boundary_f(a & False, a & False) == 1.0


def test_anchors_surround_the_contour_and_holes(disc: Disc) -> None:
    ring = disc[1].array.copy()
    ring[35:55, 40:60] = False
    anchors = place_anchors(scene_of(disc), ring, 12, 0.6)
    assert [a.number for a in anchors] == list(range(1, len(anchors) + 1))
    inner = [a for a in anchors if math.hypot(a.x - 50, a.y - 45) < 18]
    assert inner
    for anchor in anchors:
        ahead = (round(anchor.y + 4 * anchor.normal[1]), round(anchor.x + 4 * anchor.normal[0]))
        assert not ring[ahead], "normals point out of the mask"
    assert len(split_square(anchors[0], ring, 2, 1)) == 2
    assert not reach_of(anchors[:1], ring.shape).all()


class Filler:
    """Fills in every form: the target is what is red in truth's place; some labels may be forgotten."""

    name, coordinates, max_side, concurrency = "filler", "none", 720, 2

    def __init__(self, forget: tuple[str, ...] = (), odds: Callable[[int], float] | None = None) -> None:
        self.forget, self.odds = forget, odds
        self.asked: list[Question] = []

    def reply(self, question: Question) -> Reply:
        self.asked.append(question)
        wanted = (question.schema or {})["properties"]
        if "cells" not in wanted:
            return Reply('{"is_target": true, "conf": 0.8}')
        ids = [i for i in wanted["cells"]["items"]["properties"]["cell"]["enum"] if i not in self.forget]
        cells = [{"cell": i, "is_target": True, "conf": 0.5} for i in ids]
        odds = tuple(self.odds(n) for n in range(len(ids))) if self.odds else ()
        return Reply(json.dumps({"cells": cells}), detail={"booleans": odds})


WIDE = (0.2, 0.4, 0.6)
PLACES = [Place(f"p{n}", 30 + 5 * n, 45, "inside") for n in range(5)]


def test_a_forgotten_label_is_asked_again_alone(disc: Disc) -> None:
    vlm = Filler(forget=("2b", "4a", "5c"))
    judge = VlmJudge(Asker([vlm]), Looking(scales=WIDE, min_patch_px=8, reasks=2))
    patches = judge.look(scene_of(disc), disc[1].array, PLACES, "")
    assert len(vlm.asked) == 1 + 2
    assert [v.confidence for v in patches[1] if isinstance(v, Verdict)] == [0.5, 0.8, 0.5]
    assert isinstance(patches[4][2], Abstain), "only two were asked again"


def test_token_probabilities_are_the_confidence(disc: Disc) -> None:
    judge = VlmJudge(Asker([Filler(odds=lambda n: 0.9 if n % 3 else 0.2)]), Looking(scales=WIDE, min_patch_px=8))
    [first, *_] = judge.look(scene_of(disc), disc[1].array, PLACES, "")
    assert [(v.is_target, round(v.confidence, 2)) for v in first if isinstance(v, Verdict)] == [
        (False, 0.8), (True, 0.9), (True, 0.9),
    ]  # fmt: skip
    assert Judged(PLACES[0], first).p == pytest.approx(0.6)


def test_what_was_judged_is_not_asked_twice(disc: Disc) -> None:
    vlm = Filler()
    judge = VlmJudge(Asker([vlm]))
    first = judge.look(scene_of(disc), disc[1].array, PLACES, "")
    again = judge.look(scene_of(disc), disc[1].array, PLACES[::-1], "other cues")
    assert len(vlm.asked) == 1
    assert [[v.confidence for v in p if isinstance(v, Verdict)] for p in again] == [
        [v.confidence for v in p if isinstance(v, Verdict)] for p in first[::-1]
    ]


def test_calls_are_few_and_sheets_small(disc: Disc) -> None:
    vlm = Filler()
    places = [Place(f"p{n}", 20 + n, 40, "inside") for n in range(50)]
    VlmJudge(Asker([vlm])).look(scene_of(disc), disc[1].array, places, "")
    assert len(vlm.asked) == 2
    for question in vlm.asked:
        assert len(question.images) == 3, "an overview and two sheets"
        assert all(max(image.size) <= 1024 for image in question.images)


@pytest.mark.parametrize(
    ("said", "expected"), [(("A", "B"), "earlier"), (("B", "A"), "later"), (("A", "A"), "tie"), (("same", "B"), "tie")]
)
def test_two_orders_must_agree(disc: Disc, said: tuple[str, str], expected: str) -> None:
    class Chooser(Filler):
        concurrency = 1

        def reply(self, question: Question) -> Reply:
            self.asked.append(question)
            return Reply(json.dumps({"better": said[len(self.asked) - 1]}))

    judge = VlmJudge(Asker([Chooser()]))
    assert judge.compare(scene_of(disc), disc[1].array, ~disc[1].array) == expected


@pytest.mark.parametrize(
    ("said", "odds", "error", "least_error", "kept"),
    [
        ("later", -9.0, 0.02, 0.0, "later"),
        ("earlier", 99.0, 0.02, 0.0, "earlier"),
        ("tie", 9.0, 0.02, 0.0, "later"),
        ("tie", 0.5, 0.02, 0.0, "earlier"),
        ("earlier", 99.0, 0.2, 0.0, "later"),
        ("earlier", 2.0, 0.2, 0.0, "earlier"),
        ("abstained", 0.0, 0.2, 0.0, "earlier"),
        ("tie", 99.0, 0.35, 0.35, "earlier"),
        ("later", -1.0, 0.35, 0.35, "later"),
    ],
)
def test_whose_word_counts_at_the_end(
    disc: Disc, said: str, odds: float, error: float, least_error: float, kept: str
) -> None:
    evidence = Evidence(scene_of(disc), [judged(PLACES[0], 0.9)], USUAL, error)
    assert _weighed(said, odds, evidence, least_error) == kept


def test_prompts_of_ones_own(disc: Disc, tmp_path: Any) -> None:
    (tmp_path / "cells.md").write_text("# Question\n\nIst es {target}? {labels} {nonsense}\n")
    judge = VlmJudge(Asker([Filler()]), prompts=tmp_path)
    with pytest.raises(BadSettings, match="nonsense"):
        judge.look(scene_of(disc), disc[1].array, PLACES, "")


def test_a_chain_falls_back_only_when_engines_are_down(disc: Disc) -> None:
    scene, mask = scene_of(disc), disc[1].array
    unusable = JudgeChain([VlmJudge(Asker([Filler()])), RulesJudge()])
    assert isinstance(unusable.diagnose(scene, mask, ""), Abstain), "an unusable reply is no outage"
    assert not any("instead of" in step for step in unusable.degraded)
    down = JudgeChain([VlmJudge(Asker([])), RulesJudge()])
    assert isinstance(down.diagnose(scene, mask, ""), Diagnosis)
    assert down.degraded == ("diagnose: rules instead of vlm:",)
    assert down.spent.calls == {"rules": 1}


def test_the_oracle_errs_at_its_rate_and_the_same_way_every_time(disc: Disc) -> None:
    scene, truth = scene_of(disc), disc[1].array
    rng = np.random.default_rng(0)
    places = [Place(f"p{n}", *rng.uniform((0, 0), (120, 90)), "inside") for n in range(2000)]
    for error in (0.0, 0.2):
        oracle = OracleJudge(truth, error)
        said = [p[0].is_target for p in oracle.look(scene, truth, places, "") if isinstance(p[0], Verdict)]
        true = [bool(truth[int(p.y), int(p.x)]) for p in places]
        assert np.mean(np.array(said) != true) == pytest.approx(error, abs=0.03)
        assert oracle.look(scene, truth, places[:9], "") == OracleJudge(truth, error).look(scene, truth, places[:9], "")


def test_what_a_trace_keeps_of_a_verdict_is_exact() -> None:
    place = Place("1.a2.3", 10 / 3, 20 / 7, "anchor", 0.5)
    judged = Judged(place, (Verdict(place.id, True, 2 / 3),), similarity=1 / 7, score=1 / 3)
    assert Judged.from_json(json.loads(json.dumps(judged.to_json()))) == judged


def test_a_mask_of_many_pieces_has_places_on_its_contours() -> None:
    small = np.zeros((90, 90), np.bool_)
    for y in range(0, 90, 12):
        for x in range(0, 90, 12):
            small[y : y + 6, x : x + 6] = True
    xy, normals = contour_places(small, 8)
    assert len(xy) == len(normals) == 8

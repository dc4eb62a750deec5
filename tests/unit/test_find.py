"""Find with engines that need no weights: a drawn scene, every way the loop can go."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import maskwright as mw
from maskwright.assemble.finding import Finder
from maskwright.config.find import FindSettings
from maskwright.errors import BadPhrase, BadSettings, BudgetSpent, Cancelled
from maskwright.finding import loop
from maskwright.finding.deciding import instances
from maskwright.finding.engines import Answer, Sculpt, View
from maskwright.finding.fitting import agreed
from maskwright.finding.proposing import without_specks
from maskwright.finding.session import Pool
from maskwright.finding.wording import checked_phrase, paraphrases
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cancel import Cancel
from maskwright.ports import Question, Reply
from maskwright.values import Abstain, Box, Cost, Image, Mask, MaskStack, Trace

FAKES: dict[str, Any] = {
    "segmenter": "fake",
    "ranker": "fake",
    "proposers": ("fake",),
    "tau_conf": 0.4,
    "tau_gap": 0.1,
    "tau_none": 0.2,
}


DISCS = {"red": (200, 35, 35), "blue": (45, 80, 200), "green": (50, 150, 60), "yellow": (225, 205, 40)}


def discs(*colours: str) -> tuple[Image, dict[str, Mask]]:
    """Discs side by side on a grey ground."""
    y, x = np.mgrid[:150, : 20 + 100 * len(colours)]
    pixels = np.full((*x.shape, 3), (190, 190, 185), dtype=np.uint8)
    masks = {}
    for i, name in enumerate(colours):
        inside = (x - 60 - 100 * i) ** 2 + (y - 75) ** 2 < 30**2
        pixels[inside] = DISCS[name]
        masks[name] = Mask(inside)
    return Image(pixels), masks


@pytest.fixture(scope="module")
def scene() -> tuple[Image, dict[str, Mask]]:
    """A red, a blue and a green disc."""
    return discs("red", "blue", "green")


class Script:
    """A judge that says what it was told to say, and remembers what it was shown."""

    def __init__(self, *said: Answer | Abstain) -> None:
        self.name, self.said, self.views = "script", list(said), list[View]()

    def choose(self, view: View) -> Answer | Abstain:
        self.views.append(view)
        return self.said.pop(0)

    confirm = choose


def asked(image: Image, phrase: str, judge: Script, **settings: Any) -> Any:
    """One find that always consults the judge."""
    wanted = {"mode": "loop+vlm", "tau_conf": 1.0, "tau_gap": 1.0, "proposers": ("fake",), **settings}
    finder = Finder(FindSettings(**wanted), engines={"segmenter": "fake", "ranker": "fake"}, judge=judge)
    return finder.find(image, phrase)


@pytest.mark.parametrize("colour", ["red", "blue", "green"])
@pytest.mark.parametrize("mode", ["one-shot", "loop"])
def test_the_named_thing_is_found(scene: tuple[Image, dict[str, Mask]], colour: str, mode: Any) -> None:
    image, masks = scene
    found = mw.find(image, f"the {colour} circle", mode=mode, **FAKES)
    assert found.mask is not None
    assert found.mask.iou(masks[colour]) > 0.9
    rounds = 1 if mode == "one-shot" else 2  # a sure loop still looks closer once
    assert (found.abstained, len(found.masks), len(found.trace.rounds)) == (False, 1, rounds)


def test_what_is_not_there_is_not_found(scene: tuple[Image, dict[str, Mask]]) -> None:
    found = mw.find(scene[0], "the yellow circle", mode="one-shot", **{**FAKES, "tau_none": 0.999, "tau_conf": 1.0})
    assert (found.mask, found.masks, found.abstained, found.reason) == (None, (), True, "nothing fits")


def test_all_things_of_a_list_are_found_and_none_twice(scene: tuple[Image, dict[str, Mask]]) -> None:
    image, masks = scene
    for mode in ("one-shot", "loop"):
        found = mw.find(image, "red ball, blue ball", mode=mode, **FAKES)
        assert [mask.iou(masks[name]) > 0.9 for mask, name in zip(found.masks, ("red", "blue"), strict=True)] == [
            True,
            True,
        ]
        assert found.noun == ""
    assert len(mw.find(image, "red ball and red ball", mode="one-shot", **FAKES).masks) == 1
    absent = {**FAKES, "tau_none": 0.999, "tau_conf": 1.0}
    assert mw.find(image, "yellow ball, pink ball", mode="one-shot", **absent).abstained
    assert mw.find(image, "the green circle", mode="one-shot", **FAKES).noun == "circle"


def test_a_judge_is_asked_about_the_first_of_a_list_and_the_others_are_found_beside_it() -> None:
    image, masks = discs("red", "blue", "green")
    judge = Script(Answer("pick", picks=(1,)))
    found = asked(image, "red ball, blue ball", judge, agreement=1, tau_none=0.2)
    assert [max(masks, key=lambda name: mask.iou(masks[name])) for mask in found.masks] == ["red", "blue"]
    judge = Script(Answer("none"), Answer("none"))
    found = asked(image, "red ball, blue ball", judge, tau_none=0.2)
    assert [max(masks, key=lambda name: mask.iou(masks[name])) for mask in found.masks] == ["blue"]


def test_a_place_beyond_the_last_is_refused_and_says_why(scene: tuple[Image, dict[str, Mask]]) -> None:
    usual = {**FAKES, "tau_none": 0.5}
    found = mw.find(scene[0], "the fourth circle from the left", mode="one-shot", **usual)
    assert (found.mask, found.abstained, found.reason) == (None, True, "there are not so many")
    assert mw.find(scene[0], "the third circle from the left", mode="one-shot", **usual).mask is not None


def test_as_many_as_are_said(scene: tuple[Image, dict[str, Mask]]) -> None:
    image, masks = scene
    for phrase, colours in (
        ("two circles", 2),
        ("three circles", 3),
        ("the first two circles from the right", ["blue", "green"]),
        ("the last two circles from the right", ["red", "blue"]),
    ):
        found = mw.find(image, phrase, mode="one-shot", **FAKES)
        wanted = colours if isinstance(colours, int) else len(colours)
        assert len(found.masks) == wanted, phrase
        if isinstance(colours, list):
            assert all(max(mask.iou(masks[name]) for mask in found.masks) > 0.9 for name in colours), phrase
    assert len(mw.find(image, "two circles", mode="one-shot", all=True, **FAKES).masks) == 3


def test_one_round_that_is_sure_ends_sure(scene: tuple[Image, dict[str, Mask]]) -> None:
    found = mw.find(scene[0], "the red circle", mode="loop", max_iter=1, **FAKES)
    assert found.reason == "sure"


def test_a_round_tells_its_own_exchange_and_what_it_ranked_by(scene: tuple[Image, dict[str, Mask]]) -> None:
    """The first round ranks by the phrase alone and rewrites it, the second by both and is told to pick."""
    pick = Answer("pick", (1,))
    found = asked(scene[0], "the circle", Script(Answer("rewrite", phrase="the red disc"), pick, pick, pick))
    first, second = (step.detail for step in found.trace.rounds)
    assert [p["phrase"] for p in first["phrases"]] == ["the circle"]
    assert [p["phrase"] for p in second["phrases"]] == ["the circle", "the red disc"]
    assert [e["action"] for e in first["exchange"]] == ["rewrite"]
    assert {e["action"] for e in second["exchange"]} == {"pick"}


def test_a_judge_that_is_not_asked_is_not_named(scene: tuple[Image, dict[str, Mask]]) -> None:
    found = mw.find(scene[0], "the red circle", mode="one-shot", judge=Script(), **FAKES)
    assert "judge" not in found.trace.engines


def test_position_and_order_are_read(scene: tuple[Image, dict[str, Mask]]) -> None:
    image, masks = scene
    for phrase, colour in (("the circle on the left", "red"), ("the second circle from the left", "blue")):
        found = mw.find(image, phrase, mode="one-shot", **FAKES)
        assert found.mask is not None and found.mask.iou(masks[colour]) > 0.9, phrase


def test_all_gives_every_instance(scene: tuple[Image, dict[str, Mask]]) -> None:
    found = mw.find(scene[0], "circle", all=True, mode="one-shot", **FAKES)
    assert len(found.masks) == 3
    assert found.mask is not None
    assert found.mask.area == sum(mask.area for mask in found.masks)


def test_many_phrases_encode_the_picture_once(scene: tuple[Image, dict[str, Mask]]) -> None:
    finder = Finder(FindSettings(mode="one-shot", proposers=("fake",)), engines={"segmenter": "fake", "ranker": "fake"})
    results = [finder.find(scene[0], f"the {c} circle") for c in ("red", "blue", "green")]
    assert [r.cost.calls.get("segmenter_encode", 0) for r in results] == [1, 0, 0]
    assert [r.cost.calls.get("ranker_encode", 0) for r in results] == [1, 0, 0]
    again = mw.find(scene[0], "the blue circle", mode="one-shot", **FAKES)
    assert again.mask == results[1].mask


def test_a_large_picture_is_searched_small_and_answered_at_full_size() -> None:
    y, x = np.mgrid[:900, :1600]
    inside = (x - 800) ** 2 + (y - 450) ** 2 < 200**2
    image = Image(np.where(inside[..., None], (200, 35, 35), (190, 190, 185)).astype(np.uint8))
    found = mw.find(image, "the red circle", mode="one-shot", work_side=320, **FAKES)
    assert found.mask is not None
    assert found.mask.size == (1600, 900)
    assert found.mask.iou(Mask(inside)) > 0.95
    [x0, y0, x1, y1] = found.trace.rounds[0].detail["candidates"][0]["box"]
    assert (abs(x0 - 600), abs(y0 - 250), abs(x1 - 1000), abs(y1 - 650)) < (12, 12, 12, 12)


def test_the_trace_is_json_and_reads_back(scene: tuple[Image, dict[str, Mask]]) -> None:
    found = mw.find(scene[0], "the yellow star", mode="loop", **{**FAKES, "tau_none": 0.999, "tau_conf": 1.0})
    text = json.dumps(found.trace.to_json(), allow_nan=False)
    read = Trace.from_json(text)
    assert len(read.rounds) == len(found.trace.rounds) > 1
    assert {"conf", "gap", "parsed", "candidates", "phrases"} <= set(read.rounds[0].detail)
    assert read.rounds[-1].stop == "nothing fits"


# -- with a judge


def test_a_pick_that_is_said_twice_wins(scene: tuple[Image, dict[str, Mask]]) -> None:
    judge = Script(Answer("pick", picks=(2,), confidence=0.8), Answer("pick", picks=(2,), confidence=0.9))
    found = asked(scene[0], "the red circle", judge)
    shown = judge.views[0]
    assert found.mask is not None and found.mask.iou(Mask(shown.masks[1])) > 0.6
    assert found.reason == "picked"
    assert found.score == pytest.approx(0.9)
    assert shown.phrase == "the red circle"
    first, second = found.trace.rounds[0].detail["exchange"]
    assert (first["action"], first["picks"], second["picks"]) == ("pick", [2], [2])
    assert first["shown"] == second["shown"][::-1] == [c["id"] for c in found.trace.rounds[0].detail["candidates"]]


def test_the_second_question_shows_the_same_in_another_order(scene: tuple[Image, dict[str, Mask]]) -> None:
    judge = Script(*[Answer("pick", picks=(2,))] * 3)
    asked(scene[0], "the red circle", judge)
    first, second = judge.views[:2]
    assert np.array_equal(first.masks, second.masks[::-1]) and np.array_equal(first.scores, second.scores[::-1])
    assert second.turn > first.turn


def test_a_pick_of_what_ranks_first_is_believed_at_once(scene: tuple[Image, dict[str, Mask]]) -> None:
    judge = Script(Answer("pick", picks=(1,)))
    found = asked(scene[0], "the red circle", judge)
    assert found.mask is not None and found.mask.iou(scene[1]["red"]) > 0.9
    assert len(judge.views) == 1


def test_picks_that_never_agree_leave_what_ranks_first() -> None:
    image, masks = discs("red", "blue", "green", "yellow")
    judge = Script(*(Answer("pick", picks=(n,)) for n in (2, 1, 3)))  # the second, the last, the third
    found = asked(image, "the red circle", judge)
    assert [len(view.masks) for view in judge.views] == [4, 4, 4]
    assert found.mask is not None and found.mask.iou(masks["red"]) > 0.9
    assert found.reason == "picked"


def test_one_vote_is_enough_when_told_so(scene: tuple[Image, dict[str, Mask]]) -> None:
    judge = Script(Answer("pick", picks=(2,)))
    found = asked(scene[0], "the red circle", judge, agreement=1, redraw=False)
    assert found.mask == found.candidates[1].mask


def test_the_outline_is_drawn_anew_unless_told_not_to(scene: tuple[Image, dict[str, Mask]]) -> None:
    drawn = [
        asked(scene[0], "the red circle", Script(Answer("pick", picks=(2,))), redraw=r, agreement=1)
        for r in (True, False)
    ]
    assert drawn[1].mask == drawn[1].candidates[1].mask
    assert drawn[0].mask is not None and drawn[1].mask is not None
    assert drawn[0].mask != drawn[1].mask
    assert drawn[0].mask.iou(drawn[1].mask) > 0.6


def test_none_twice_is_an_abstention_with_its_reason(scene: tuple[Image, dict[str, Mask]]) -> None:
    found = asked(scene[0], "the red circle", Script(Answer("none"), Answer("none")))
    assert (found.abstained, found.reason) == (True, "none such, confirmed twice")


def test_none_once_and_then_seen_looks_closer_there(scene: tuple[Image, dict[str, Mask]]) -> None:
    closer = Answer("finer", region=Box(0, 0, 160, 150))
    found = asked(scene[0], "the red circle", Script(Answer("none"), closer, Answer("pick", picks=(1,))))
    assert not found.abstained
    assert found.trace.rounds[1].detail["looks"] == ["whole", "0,0,160,150"]


def test_a_rewrite_is_ranked_with_the_original_keeping_its_share(scene: tuple[Image, dict[str, Mask]]) -> None:
    judge = Script(Answer("rewrite", phrase="blue circle"), Answer("pick", picks=(1,)))
    found = asked(scene[0], "the red circle", judge, original_share=0.25)
    shares = found.trace.rounds[1].detail["phrases"]
    assert shares == [{"phrase": "the red circle", "share": 0.25}, {"phrase": "blue circle", "share": 0.75}]
    assert found.mask is not None
    assert found.mask.iou(scene[1]["blue"]) > 0.9


def test_a_judge_that_abstains_leaves_the_ranking(scene: tuple[Image, dict[str, Mask]]) -> None:
    found = asked(scene[0], "the red circle", Script(Abstain("no engine answered")))
    assert found.mask is not None
    assert found.mask.iou(scene[1]["red"]) > 0.9
    assert found.reason == "judge abstained: no engine answered"


def test_an_answer_must_be_surer_where_a_model_can_be_asked() -> None:
    alone, asking = FindSettings(mode="loop").sure_from, FindSettings(mode="loop+vlm").sure_from
    assert alone < asking < 1
    assert FindSettings(mode="loop+vlm", tau_conf=0.3).sure_from == 0.3


def test_thresholds_of_one_call_count(scene: tuple[Image, dict[str, Mask]]) -> None:
    finder = Finder(
        FindSettings(proposers=("fake",), tau_conf=0.0, tau_gap=0.0), engines={"segmenter": "fake", "ranker": "fake"}
    )
    assert finder.find(scene[0], "the red circle").reason == "sure"
    judge = Script(Answer("pick", picks=(1,)))
    finder.find(scene[0], "the red circle", judge=judge, mode="loop+vlm", tau_conf=1.0, tau_gap=1.0)
    assert judge.views


def test_a_judge_that_never_decides_ends_at_max_iter(scene: tuple[Image, dict[str, Mask]]) -> None:
    judge = Script(*[Answer("rewrite", phrase="red disc")] * 9)
    found = asked(scene[0], "the red circle", judge, max_iter=4)
    assert len(found.trace.rounds) == 4
    assert found.reason == "max-iter"
    assert found.mask is not None


# -- what stops it


def test_cancel_and_budget_stop_between_rounds(scene: tuple[Image, dict[str, Mask]]) -> None:
    cancel = Cancel()
    rounds = mw.find_rounds(scene[0], "the yellow star", mode="loop", cancel=cancel, **FAKES)
    next(rounds)
    cancel.set()
    with pytest.raises(Cancelled):
        next(rounds)
    with pytest.raises(BudgetSpent):
        mw.find(scene[0], "the red circle", budget=Budget(calls=0), **FAKES)


class OneWord:
    """A vision-language model that always picks the first candidate; counts what it is asked."""

    name, coordinates, max_side, concurrency = "one word", "none", 512, 1

    def __init__(self) -> None:
        self.asked = 0

    def reply(self, question: Question) -> Reply:
        self.asked += 1
        return Reply('{"action": "pick", "picks": [1], "confidence": 1}')


def test_a_question_is_counted_once(scene: tuple[Image, dict[str, Mask]]) -> None:
    """The budget counts questions, not the segmenter's calls, and each of them once."""
    budget, vlm = Budget(calls=50), OneWord()
    mw.find(
        scene[0],
        "the red circle",
        mode="loop+vlm",
        vlm=vlm,
        budget=budget,
        **{**FAKES, "tau_gap": 1.0, "tau_conf": 1.0},
    )
    assert vlm.asked >= 1
    assert dict(budget.spent.calls) == {"vlm": vlm.asked}


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [("", "empty"), ("  \n\t", "empty"), ("...!?", "empty"), ("red " * 2500, "10000 characters"), (7, "not a phrase")],
)
def test_useless_phrases_are_refused(scene: tuple[Image, dict[str, Mask]], phrase: Any, reason: str) -> None:
    with pytest.raises(BadPhrase) as caught:
        mw.find(scene[0], phrase.strip("\0") if phrase == "" else phrase, **FAKES)
    assert reason.split()[-1] in caught.value.message


@pytest.mark.parametrize("phrase", ["红色的圆", "الدائرة الحمراء", "🔴 circle", "the \x00red\u202e circle"])
def test_any_language_gives_an_answer_or_an_abstention(scene: tuple[Image, dict[str, Mask]], phrase: str) -> None:
    found = mw.find(scene[0], phrase, mode="loop", **FAKES)
    assert found.abstained == (found.mask is None)
    assert "\x00" not in found.trace.rounds[0].detail["phrases"][0]["phrase"]


@pytest.mark.parametrize(
    "options",
    [{"tau_conf": 2}, {"mode": "magic"}, {"colour": "red"}, {"max_iter": 0}, {"mode": "loop+vlm"}],
)
def test_wrong_settings_are_named(scene: tuple[Image, dict[str, Mask]], options: dict[str, Any]) -> None:
    with pytest.raises(BadSettings) as caught:
        mw.find(scene[0], "the red circle", **{**FAKES, **options})
    assert next(iter(options)) in caught.value.message


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64)])
def test_tiny_and_plain_pictures_do_not_break_it(size: tuple[int, int]) -> None:
    image = Image(np.full((size[1], size[0], 3), 128, dtype=np.uint8))
    found = mw.find(image, "the red circle", mode="loop", **FAKES)
    assert found.mask is None or found.mask.size == size


# -- small parts


def test_specks_and_pinholes_go_and_real_parts_stay() -> None:
    mask = np.zeros((60, 60), dtype=bool)
    mask[10:50, 10:50] = True
    mask[20, 20] = False
    mask[2, 2] = True
    mask[55:59, 40:52] = True
    clean = without_specks(mask)
    assert clean[20, 20] and not clean[2, 2] and clean[56, 45]


def test_phrases_are_cleaned_and_paraphrased() -> None:
    assert checked_phrase("  the\tred\ncup ") == "the red cup"
    for nothing in ("of of of", "the", "的的"):
        with pytest.raises(BadPhrase, match="names nothing"):
            checked_phrase(nothing)
    assert paraphrases("the man with a bike") == ["the person with a bicycle"]
    assert paraphrases("the red cup on the left") == ["the red mug on the left"]
    assert paraphrases("the red square") == []
    assert paraphrases("the cell phone of the tennis player") == []
    assert paraphrases("the man's tv (left)") == ["the person's television (left)"]


def test_sculpt_is_handed_the_winner(scene: tuple[Image, dict[str, Mask]], monkeypatch: pytest.MonkeyPatch) -> None:
    image, masks = scene
    seen: list[tuple[str, float]] = []

    def finish(self: Finder) -> Sculpt:
        def sculpt(picture: Image, mask: Mask, target: str, cancel: Cancel | None) -> tuple[Mask, Cost]:
            seen.append((target, mask.iou(masks["red"])))
            return masks["red"], Cost(calls={"judge": 2})

        return sculpt

    monkeypatch.setattr(Finder, "_sculpt", finish)
    finder = Finder(FindSettings(sculpt=True, proposers=("fake",)), engines={"segmenter": "fake", "ranker": "fake"})
    found = finder.find(image, "the red circle")
    assert (found.mask, found.cost.calls["judge"]) == (masks["red"], 2)
    assert seen[0][0] == "the red circle" and seen[0][1] > 0.9


def test_a_closer_look_redraws_a_thing_and_moves_nothing() -> None:
    def columns(first: int, last: int) -> Any:
        mask = np.zeros((10, 100), dtype=np.bool_)
        mask[:, first:last] = True
        return mask

    thing, other = columns(0, 40), columns(60, 90)
    finer, part, stranger = columns(0, 36), columns(0, 12), columns(44, 58)

    def pool(*masks: Any) -> Pool:
        stacked = np.stack(masks)
        return Pool(("whole",), stacked, MaskStack.of(stacked), np.ones(len(masks), np.float32), ("",) * len(masks))

    before, after = pool(thing, other), pool(thing, other, finer, part, stranger)
    alike = after.overlaps[:, : len(before)] >= 0.7
    found = loop._redrawn(np.array([0.3, 0.1, 0.6, 0.9, 0.8], np.float32), np.array([0.7, 0.2], np.float32), alike)
    assert found.argmax() == 2
    np.testing.assert_allclose(found, [0.35, 0.2, 0.7, 0, 0], atol=1e-6)


def test_each_further_instance_is_judged_by_its_own_neighbours() -> None:
    def columns(first: int, last: int) -> NDArray[np.bool_]:
        mask = np.zeros((10, 100), dtype=np.bool_)
        mask[:, first:last] = True
        return mask

    masks = [columns(*at) for at in ((0, 20), (30, 50), (31, 49), (30, 46), (60, 80), (90, 98))]
    pool = Pool(
        ("whole",), np.stack(masks), MaskStack.of(np.stack(masks)), np.ones(len(masks), np.float32), ("",) * len(masks)
    )
    own = np.array([0.9, 0.3, 0.31, 0.3, 0.28, 0.12], np.float32)
    assert instances(own, pool, FindSettings()) == [0, 2, 4]
    assert agreed(own, pool.overlaps)[4] < 0.1  # beside the likeliest, which all would be measured by
    assert instances(own, pool, FindSettings(), count=2) == [0, 2]
    assert instances(own, pool, FindSettings(), count=4) == [0, 2, 4, 5]
    assert instances(own, pool, FindSettings(tau_all=0.5)) == [0]

"""The judge that is a vision-language model, and the oracle that stands in for one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from maskwright.asking import Asker, read_reply
from maskwright.bench.oracle import OracleJudge
from maskwright.finding.drawing import crop_around, numbered
from maskwright.finding.engines import Answer, View
from maskwright.finding.judging import REGIONS, VlmJudge, choose_schema, describe, region_box
from maskwright.ports import Question, Reply
from maskwright.values import Abstain, Image, Mask

SIZE = (80, 60)


class Says:
    """A model that gives one reply to everything and keeps the questions."""

    def __init__(self, reply: dict[str, Any] | str) -> None:
        self.name, self.coordinates, self.max_side, self.concurrency = "says", "none", 64, 1
        self.text = reply if isinstance(reply, str) else json.dumps(reply)
        self.questions: list[Question] = []

    def reply(self, question: Question) -> Reply:
        self.questions.append(question)
        return Reply(self.text, tokens_in=10, tokens_out=3, usd=0.001)


def view(many: bool = False) -> View:
    masks = np.zeros((3, SIZE[1], SIZE[0]), dtype=bool)
    masks[0, 5:25, 5:25], masks[1, 5:25, 50:75], masks[2, 35:55, 30:50] = True, True, True
    image = Image(np.full((SIZE[1], SIZE[0], 3), 120, dtype=np.uint8))
    return View(image, "the grey box", masks, np.array([0.5, 0.4, 0.1], dtype=np.float32), "sample-1", 0, many)


@pytest.mark.parametrize(
    ("said", "action", "picks"),
    [
        ({"action": "pick", "numbers": [2], "confidence": 0.7}, "pick", (2,)),
        ({"action": "pick", "numbers": [3, 1]}, "pick", (3,)),
        ({"action": "none"}, "none", ()),
        ({"action": "rewrite", "phrase": "grey square"}, "rewrite", ()),
        ({"action": "finer", "region": "top-right"}, "finer", ()),
        ('```json\n{"action": "pick", "numbers": [1, 9]}\n```', "pick", (1,)),
    ],
)
def test_replies_become_answers(said: Any, action: str, picks: tuple[int, ...]) -> None:
    answer = VlmJudge(Asker([Says(said)])).choose(view())
    assert isinstance(answer, Answer)
    assert (answer.action, answer.picks) == (action, picks)
    assert answer.cost.calls == {"vlm": 1} and answer.cost.tokens_in == 10
    assert (answer.region is not None) == (action == "finer")


@pytest.mark.parametrize(
    "said",
    ["I think it is number 2.", {"action": "delete"}, {"action": "pick"}, {"action": "pick", "numbers": [7]}, "{}", ""],
)
def test_hostile_replies_abstain(said: Any) -> None:
    answer = VlmJudge(Asker([Says(said)])).choose(view())
    assert isinstance(answer, Abstain)


def test_many_may_be_picked_when_many_are_asked_for() -> None:
    answer = VlmJudge(Asker([Says({"action": "pick", "numbers": [3, 1, 3]})])).choose(view(many=True))
    assert isinstance(answer, Answer) and answer.picks in {(3, 1), (1, 3), (1,), (3,)}


def test_it_sees_the_picture_and_every_candidate() -> None:
    model = Says({"action": "none"})
    VlmJudge(Asker([model])).choose(view())
    [question] = model.questions
    assert len(question.images) == 4
    assert max(question.images[0].size) <= model.max_side
    assert '"the grey box"' in question.text and "3 numbered" in question.text


def test_text_only_sends_no_pixels_but_places_and_scores() -> None:
    model = Says({"action": "pick", "numbers": [1]})
    VlmJudge(Asker([model]), sees=False).choose(view())
    [question] = model.questions
    assert question.images == ()
    assert "1: score 0.50, x 6-31, y 8-42" in question.text


def test_confirm_says_none_or_where() -> None:
    gone = VlmJudge(Asker([Says({"present": False})])).confirm(view())
    there = VlmJudge(Asker([Says({"present": True, "region": "left"})])).confirm(view())
    assert isinstance(gone, Answer) and gone.action == "none"
    assert isinstance(there, Answer) and there.action == "finer" and there.region == region_box("left", *SIZE)


def test_own_prompts_replace_ours(tmp_path: Any) -> None:
    (tmp_path / "choose.md").write_text("# Question\n\nWhich of {count} is {phrase}?\n", encoding="utf-8")
    model = Says({"action": "none"})
    VlmJudge(Asker([model]), prompts=tmp_path).choose(view())
    assert model.questions[0].text == "Which of 3 is the grey box?"


def test_regions_lie_inside_and_cover_the_picture() -> None:
    covered = np.zeros((60, 80), dtype=bool)
    for name in REGIONS:
        x0, y0, x1, y1 = region_box(name, 80, 60).pixels()
        assert 0 <= x0 < x1 <= 80 and 0 <= y0 < y1 <= 60
        covered[y0:y1, x0:x1] = True
    assert covered.all()


def test_candidates_are_drawn_apart() -> None:
    shown = view()
    assert numbered(shown.image, shown.masks).pixels.std() > numbered(shown.image, shown.masks[:0]).pixels.std() == 0
    assert max(crop_around(shown.image, shown.masks[0], side=100).size) == 100
    assert describe(shown).count("\n") == 2
    assert read_reply('{"action": "none"}', choose_schema(3)).value == {"action": "none"}


# -- the oracle


def oracle(truth: Mask | None, error: float = 0.0, seed: int = 0) -> OracleJudge:
    return OracleJudge(lambda name: truth if name == "sample-1" else None, error, seed)


def test_the_oracle_knows() -> None:
    shown = view()
    right = oracle(Mask(shown.masks[1])).choose(shown)
    assert isinstance(right, Answer) and (right.action, right.picks) == ("pick", (2,))
    absent = oracle(None).choose(shown)
    assert isinstance(absent, Answer) and absent.action == "none"
    elsewhere = np.zeros((60, 80), dtype=bool)
    elsewhere[40:58, 60:78] = True
    closer = oracle(Mask(elsewhere)).choose(shown)
    assert isinstance(closer, Answer) and closer.action == "finer"
    assert closer.region == region_box("bottom-right", *SIZE)


def test_the_oracle_errs_as_often_as_told_and_always_the_same() -> None:
    shown = view()
    truth = Mask(shown.masks[0])
    answers = [oracle(truth, 0.3, seed).choose(shown) for seed in range(400)]
    wrong = np.mean([not isinstance(a, Answer) or a.picks != (1,) for a in answers])
    assert 0.22 < wrong < 0.38
    assert answers == [oracle(truth, 0.3, seed).choose(shown) for seed in range(400)]
    assert all(
        not isinstance(a, Answer) or a.picks != (1,) for a in (oracle(truth, 1.0, s).choose(shown) for s in range(50))
    )

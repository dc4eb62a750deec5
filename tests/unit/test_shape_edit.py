"""edit: words into plans, plans into pixels, nothing outside the region, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest

import maskwright as mw
from maskwright.assemble.shaping import CHARACTER_PRESETS, edit_preset, plan_edit
from maskwright.errors import BadMask, BadPhrase, BadSettings, MissingModel
from maskwright.media.feather import feather_weights
from maskwright.media.samples import sample
from maskwright.models.editors.endpoint import EndpointEditor
from maskwright.models.editors.planner_grammar import plan_words
from maskwright.models.editors.planner_plan import read_plan
from maskwright.models.vlms.transport import HttpReply
from maskwright.shaping.registering import register
from maskwright.values import Image, Mask

PHRASES = [
    ("make the jacket dark green", "jacket", [("recolour", "object")]),
    ("turn the car bright red", "car", [("recolour", "object")]),
    ("recolour to #ff8800", "", [("recolour", "object")]),
    ("remove the dog", "dog", [("remove", "object")]),
    ("blur the background a lot", "", [("blur", "background")]),
    ("replace the background with white", "", [("replace", "background")]),
    ("make it slightly darker", "", [("brighten", "object")]),
    ("black and white", "", [("saturate", "object")]),
    ("add red polka dots to the shirt", "shirt", [("pattern", "object")]),
    ("outline it in yellow 6px", "px", [("outline", "object")]),
    ("flip the picture horizontally", "", [("flip", "picture")]),
    ("make it 20% smaller", "", [("scale", "object")]),
    ("make the jacket green and add white stripes", "jacket", [("recolour", "object"), ("pattern", "object")]),
    ("把夹克变成深绿色", "夹克", [("recolour", "object")]),
    ("模糊背景", "", [("blur", "background")]),
    ("去掉这只狗", "狗", [("remove", "object")]),
    ("让夹克红色，背景模糊", "", [("recolour", "object"), ("blur", "background")]),
    ("缩小到80%", "", [("scale", "object")]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "target", "operations"), PHRASES)
def test_words_become_typed_operations(words: str, target: str, operations: list[tuple[str, str]]) -> None:
    plan = plan_edit(words)
    assert [(o.op, o.where) for o in plan.operations] == operations
    assert plan.target == target or target == "px"
    assert read_plan(json.dumps(plan.to_json())) == plan


NONSENSE = [
    ("", "says nothing"), ("   ", "says nothing"), ("sing a song", "not an edit"), ("make it fly", "not an edit"),
    ("red " * 1500, "characters long"), ("make it red and make it blue", "contradict"),
    ("brighten it and darken it", "contradict"), ("remove it and make it red", "contradict"), ("scale to 900000%", "cannot"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "says"), NONSENSE)
def test_what_it_cannot_express_is_refused(words: str, says: str) -> None:
    with pytest.raises(BadPhrase, match=says):
        plan_edit(words)


@pytest.mark.parametrize(
    "plan", ["{}", "[]", "nonsense", '{"operations": []}', '{"operations": [{"op": "explode"}]}', "[" * 5000]
)
def test_damaged_plans_are_refused(plan: str) -> None:
    with pytest.raises(BadPhrase):
        read_plan(plan)


@pytest.mark.parametrize("words", [w for w, _, _ in PHRASES])
def test_outside_not_one_byte_changes(disc: tuple[Image, Mask], words: str) -> None:
    image, mask = disc
    found = mw.edit(image, words, mask)
    outside = ~found.region.array
    assert (found.image.pixels == image.pixels)[outside].all()
    assert found.drift.differing_outside == 0
    assert (found.image.pixels != image.pixels).any()
    again = mw.edit(image, "", mask, plan=found.plan.to_json() if found.plan else None)
    assert again.image == found.image


@pytest.mark.parametrize("colour", ["dark green", "white", "black", "yellow", "navy", "#ff00aa"])
def test_recolouring_keeps_the_shading(colour: str) -> None:
    image = sample("cat")
    mask = np.zeros((image.height, image.width), bool)
    mask[image.height // 4 : image.height // 2, image.width // 4 : image.width // 2] = True
    found = mw.edit(image, f"make it {colour}", mask)
    before, after = (cv2.cvtColor(p.pixels, cv2.COLOR_RGB2GRAY)[mask].astype(float) for p in (image, found.image))
    assert np.corrcoef(before, after)[0, 1] >= 0.98


def test_a_mask_is_looked_for_by_name(disc: tuple[Image, Mask]) -> None:
    image, mask = disc
    asked: list[str] = []

    def find(_: Image, phrase: str) -> Mask | None:
        asked.append(phrase)
        return mask if phrase == "ball" else None

    assert mw.edit(image, "make the ball blue", find=find).region == mask
    with pytest.raises(BadMask, match="unicorn"):
        mw.edit(image, "make the unicorn blue", find=find)
    assert asked == ["ball", "unicorn"]


REFUSED: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"words": "make it red", "mask": np.zeros((90, 120), bool)}, BadMask),
    ({"words": "make it red", "mask": np.ones((9, 12), bool)}, BadMask),
    ({"words": "blur the background"}, BadMask),
]


@pytest.mark.parametrize(("options", "error"), REFUSED)
def test_what_is_refused(disc: tuple[Image, Mask], options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        mw.edit(disc[0], **options)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (3, 3)])
@pytest.mark.parametrize("words", ["make it red", "remove it", "blur it", "flip it", "white stripes", "outline it"])
def test_tiny_pictures(size: tuple[int, int], words: str) -> None:
    image = Image(np.full((*size, 3), 90, np.uint8))
    assert mw.edit(image, words, np.ones(size, bool)).image.size == image.size


@pytest.mark.parametrize("name", CHARACTER_PRESETS)
def test_character_presets_need_a_generative_editor(disc: tuple[Image, Mask], name: str) -> None:
    with pytest.raises(MissingModel, match="generative"):
        edit_preset(disc[0], name)


def test_weights_are_zero_outside_and_one_deep_inside() -> None:
    region = np.zeros((40, 40), bool)
    region[10:30, 10:30] = True
    weights = feather_weights(region, 3)
    assert (weights[~region] == 0).all()
    assert weights[20, 20] == 1
    assert 0 < weights[10, 20] < 0.5


def test_a_shifted_answer_is_brought_back() -> None:
    image = sample("coffee")
    moved = Image(np.roll(image.pixels, (5, 7), axis=(0, 1)))
    region = np.zeros((image.height, image.width), bool)
    region[100:200, 150:260] = True
    final, drift = register(image, moved, region, feather_px=2)
    assert drift.shift_px == pytest.approx(7, abs=0.7)
    assert (final.pixels == image.pixels)[~region].all()
    assert np.abs(final.pixels.astype(int) - image.pixels)[region].mean() < 4


class Wire:
    """An endpoint that answers what it is told."""

    def __init__(self, value: Any, status: int = 200) -> None:
        self.value, self.status, self.sent = value, status, []  # type: ignore[var-annotated]

    def post(self, url: str, headers: Any, value: Any, timeout_s: float) -> HttpReply:
        self.sent.append((url, dict(headers), value))
        return HttpReply(self.status, {}, json.dumps(self.value).encode())


def _answer(image: Image, form: str) -> Any:
    import base64

    good, data = cv2.imencode(".png", image.pixels[:, :, ::-1])
    assert good
    text = base64.b64encode(data.tobytes()).decode()
    if form == "openai":
        return {"data": [{"b64_json": text}]}
    return {"output": {"choices": [{"message": {"content": [{"image": f"data:image/png;base64,{text}"}]}}]}}


@pytest.mark.parametrize("form", ["openai", "dashscope"])
def test_endpoints_are_registered_too(disc: tuple[Image, Mask], form: str) -> None:
    image, mask = disc
    wire = Wire(_answer(Image(255 - image.pixels), form))
    editor = EndpointEditor(base_url="https://images.example/v1", model="m", form=form, transport=wire)
    found = mw.edit(image, "make the ball green", mask, editor=editor)
    assert (found.image.pixels == image.pixels)[~mask.array].all()
    assert found.drift.outside_pixels > 0
    assert found.drift.differing_outside == 0
    assert found.plan is None
    assert b"make the ball green" in (wire.sent[0][2] if form == "openai" else json.dumps(wire.sent[0][2]).encode())
    with pytest.raises(BadSettings, match="plans"):
        mw.edit(image, "", mask, plan=plan_edit("make it red"), editor=editor)


@pytest.mark.parametrize(
    "value", [{}, {"data": []}, {"data": [{"b64_json": "@@@"}]}, {"data": [{"b64_json": "aGVsbG8="}]}, {"data": 3}]
)
def test_answers_without_a_picture_are_typed_errors(disc: tuple[Image, Mask], value: Any) -> None:
    editor = EndpointEditor(base_url="https://images.example/v1", model="m", transport=Wire(value))
    with pytest.raises(mw.MaskwrightError):
        editor.edit(disc[0], "make it green", disc[1])


@pytest.mark.parametrize(
    ("words", "op", "where", "target"),
    [
        ("remove the man behind the car", "remove", "object", "man behind the car"),
        ("remove the people in the background", "remove", "object", "people in the background"),
        ("去掉后面的人", "remove", "object", "后面的人"),
        ("去掉背景里的路人", "remove", "object", "背景里的路人"),
        ("remove the background", "replace", "background", ""),
        ("背景去掉", "replace", "background", ""),
        ("blur everything behind her", "blur", "background", ""),
        ("描红边", "outline", "object", ""),
        ("increase the contrast", "contrast", "object", ""),
        ("放大两倍", "scale", "object", ""),
        ("缩小一半", "scale", "object", ""),
        ("make the red car blue", "recolour", "object", "red car"),
        ("remove the white dog", "remove", "object", "white dog"),
        ("remove the small dog on the left", "remove", "object", "small dog on the left"),
        ("turn the blue shirt into a green one", "recolour", "object", "blue shirt"),
        ("make the car's colour red", "recolour", "object", "car"),
        ("把红色的车变成蓝色", "recolour", "object", "红色的车"),
        ("把车的颜色改成红色", "recolour", "object", "车"),
        ("turn everything but the dog black and white", "saturate", "background", "dog"),
        ("make the picture darker except the man", "brighten", "background", "man"),
        ("remove everything except the dog", "replace", "background", "dog"),
        ("除了狗以外都变成黑白", "saturate", "background", "狗"),
        ("could you make the sky more vivid", "saturate", "object", "sky"),
    ],
)
def test_phrases_as_people_say_them(words: str, op: str, where: str, target: str) -> None:
    plan = plan_words(words)
    assert [(o.op, o.where) for o in plan.operations] == [(op, where)]
    assert plan.target == target


@pytest.mark.parametrize(
    "words", ["less yellow", "make it less red", "swap red with blue", "invert the colours to green", "颜色少一点红", "红色和蓝色互换", "rotate it by 90 degrees"]
)  # fmt: skip
def test_a_colour_that_is_not_meant_is_not_painted(words: str) -> None:
    with pytest.raises(BadPhrase, match="It can: recolour"):
        plan_words(words)


@pytest.mark.parametrize("words", ["do not remove the hat", "don't make it red", "不要去掉帽子"])
def test_what_is_not_to_be_done_is_not_done(words: str) -> None:
    with pytest.raises(BadPhrase, match="what not to do"):
        plan_words(words)


@pytest.mark.parametrize("words", ["make the dog black and the cat white", "把衣服变成红色，把裤子变成蓝色"])
def test_one_mask_is_not_painted_for_two_things(words: str) -> None:
    with pytest.raises(BadPhrase, match="two things"):
        plan_words(words)


def test_a_pattern_lies_on_its_ground() -> None:
    plan = plan_words("make the shirt striped red and white")
    assert [o.op for o in plan.operations] == ["recolour", "pattern"]


@pytest.mark.parametrize("words", ["crop to the object", "make it transparent", "isolate the subject", "抠图"])
def test_a_cut_is_pointed_to(words: str) -> None:
    with pytest.raises(BadPhrase, match="maskwright cut"):
        plan_words(words)

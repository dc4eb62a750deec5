"""Phrases taken apart: a table of what was said and what is meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.finding.phrases import parse

CASES: list[tuple[str, dict[str, Any]]] = [
    ("the dog", {"noun": "dog"}),
    ("the puppies", {"noun": "dog", "many": True}),
    ("every traffic cone", {"noun": "traffic cone", "many": True}),
    ("two people", {"noun": "person", "many": True, "count": 2}),
    ("the red bus", {"noun": "bus", "colours": ["red"]}),
    ("the green and white bus in the middle", {"noun": "bus", "colours": ["green", "white"], "positions": ["middle"]}),
    ("the dark blue umbrella on the left", {"noun": "umbrella", "colours": ["dark blue"], "positions": ["left"]}),
    ("orange", {"noun": "orange"}),
    ("the orange car", {"noun": "car", "colours": ["orange"]}),
    ("the dog that is not black", {"noun": "dog", "not_colours": ["black"]}),
    ("the striped shirt", {"noun": "shirt", "looks": ["striped"]}),
    ("the horse on the far right", {"noun": "horse", "extremes": ["right"]}),
    ("the leftmost cup", {"noun": "cup", "extremes": ["left"]}),
    ("the top left book", {"noun": "book", "positions": ["top", "left"]}),
    ("the bus closest to the camera", {"noun": "bus", "positions": ["front"]}),
    ("the bus in front", {"noun": "bus", "positions": ["front"]}),
    ("the biggest plane", {"noun": "airplane", "sizes": ["largest"]}),
    ("second from the right", {"ordinal": {"rank": 2, "side": "right"}}),
    ("the second woman from the left", {"noun": "woman", "ordinal": {"rank": 2, "side": "left"}}),
    ("the last car on the right", {"noun": "car", "ordinal": {"rank": -1, "side": "right"}}),
    ("the car with its trunk open", {"noun": "car", "actions": ["open"]}),
    ("左边的公交车", {"noun": "bus", "positions": ["left"]}),
    ("黑色的狗", {"noun": "dog", "colours": ["black"]}),
    ("最左边的白色的马", {"noun": "horse", "colours": ["white"], "extremes": ["left"]}),
    ("左边第二个女人", {"noun": "woman", "ordinal": {"rank": 2, "side": "left"}}),
    ("从右边数第三个人", {"noun": "person", "ordinal": {"rank": 3, "side": "right"}}),
    ("最大的公交车", {"noun": "bus", "sizes": ["largest"]}),
    ("所有的狗", {"noun": "dog", "many": True}),
    ("不是红色的车", {"noun": "car", "not_colours": ["red"]}),
]


@pytest.mark.parametrize(("text", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_modifiers(text: str, wanted: dict[str, Any]) -> None:
    read = parse(text).to_json()
    for name in ("text", "language", "said", "in_lexicon"):
        read.pop(name, None)
    assert read == wanted


PARTS = [
    ("the man in the red cap", "man", [("hat", ("red",), False)]),
    ("man in red", "man", [("", ("red",), False)]),
    ("the guy wearing a blue shirt and black hat", "man", [("shirt", ("blue",), False), ("hat", ("black",), False)]),
    ("far right girl white shirt", "girl", [("shirt", ("white",), False)]),
    ("the woman not wearing a hat", "woman", [("hat", (), True)]),
    ("the man with a beard", "man", [("beard", (), False)]),
    ("穿红色衣服的男人", "man", [("top", ("red",), False)]),
    ("穿红色的男人", "man", [("", ("red",), False)]),
    ("没有戴帽子的人", "person", [("hat", (), True)]),
    ("戴着黑色帽子的男孩", "boy", [("hat", ("black",), False)]),
]


@pytest.mark.parametrize(("text", "noun", "wanted"), PARTS, ids=[p[0] for p in PARTS])
def test_what_is_worn(text: str, noun: str, wanted: list[tuple[str, tuple[str, ...], bool]]) -> None:
    read = parse(text)
    assert (read.noun, [(p.noun, p.colours, p.negated) for p in read.parts]) == (noun, wanted)
    assert read.colours == ()


RELATIONS = [
    ("the book on the bed", "book", "on", "bed", False),
    ("the man to the left of the red car", "man", "left_of", "car", False),
    ("the cup next to the laptop", "cup", "near", "laptop", False),
    ("the fire hydrant behind the dog", "fire hydrant", "behind", "dog", False),
    ("the motorcycle in front of the bus", "motorcycle", "front_of", "bus", False),
    ("the man holding a bottle", "man", "hold", "bottle", False),
    ("person without umbrella", "person", "hold", "umbrella", True),
    ("the man's hat", "hat", "held_by", "man", False),
    ("the car between the two buses", "car", "between", "bus", False),
    ("the man in the mirror", "man", "inside", "mirror", False),
    ("床上的书", "book", "on", "bed", False),
    ("红色汽车旁边的狗", "dog", "near", "car", False),
    ("靠着柱子打电话的男人", "man", "near", "pole", False),
    ("拿着雨伞的女人", "woman", "hold", "umbrella", False),
    ("窗户前面的椅子", "chair", "front_of", "window", False),
]


@pytest.mark.parametrize(("text", "noun", "kind", "other", "negated"), RELATIONS, ids=[r[0] for r in RELATIONS])
def test_relations(text: str, noun: str, kind: str, other: str, negated: bool) -> None:
    read = parse(text)
    assert read.noun == noun
    assert [(r.kind, r.object.noun, r.negated) for r in read.relations] == [(kind, other, negated)]


def test_colours_before_an_object_belong_to_it() -> None:
    read = parse("红色汽车旁边的狗")
    assert read.colours == ()
    assert read.relations[0].object.colours == ("red",)
    assert parse("the boy behind the woman in the blue dress").relations[0].object.parts[0].colours == ("blue",)


@pytest.mark.parametrize(
    ("text", "noun"), [("the qwertz", "qwertz"), ("the blue flumph", "flumph"), ("红色的咕噜", "咕噜")]
)
def test_an_unknown_noun_is_kept_and_marked(text: str, noun: str) -> None:
    read = parse(text)
    assert (read.noun, read.in_lexicon) == (noun, False)


def test_another_language_is_named() -> None:
    assert parse("السيارة الحمراء").language == "other"
    assert "English and Chinese" in parse("собака слева").unsupported[0]


def test_queries_name_head_parts_and_partners_once() -> None:
    read = parse("the man in the red cap next to the man on a horse")
    assert read.queries[0] == "man"
    assert set(read.queries) >= {"man", "hat"}
    assert len(set(read.queries)) == len(read.queries)
    assert parse("second from the left").queries == ("object",)


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    json.dumps(parse(text).to_json())


WORDS = [
    "the", "red", "man", "in", "on", "left", "of", "second", "not", "holding", "car", "behind",
    "and", "wearing", "hat", "'s", "with", "without", "every", "green",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_any_order_of_words_is_read(words: list[str]) -> None:
    read = parse(" ".join(words))
    assert json.loads(json.dumps(read.to_json())) == read.to_json()


@given(st.text(alphabet="红色的左边第二个男人狗车不没有穿戴帽子在上下旁边最大和", max_size=16))
def test_any_order_of_characters_is_read(text: str) -> None:
    json.dumps(parse(text).to_json())

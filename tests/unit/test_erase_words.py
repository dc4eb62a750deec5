"""Caption files, the rules of captions, and which words go where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskwright.erasing.captioning import VlmCaptioner, fault, tidy
from maskwright.erasing.guiding import guide
from maskwright.erasing.prompt_file import PromptFile, read_prompt, write_prompt
from maskwright.errors import BadReply, BadSettings
from maskwright.ports import Question, Reply
from maskwright.values import Image, Mask

CAPTION = PromptFile(("a stone wall",), ("people",), 2.5)


@pytest.mark.parametrize(
    ("anchor", "text", "wanted"),
    [
        (True, False, ("a stone wall", "", "", None)),
        (True, True, ("a stone wall", "a stone wall", "people", 2.5)),
        (False, False, ("", "", "", None)),
        (False, True, ("", "a stone wall", "people", 2.5)),
    ],
)
def test_four_modes(anchor: bool, text: bool, wanted: tuple) -> None:
    found = guide(CAPTION, anchor=anchor, text=text)
    assert (found.anchor_words, found.words, found.avoid, found.scale) == wanted


def test_the_command_line_goes_before_the_file_and_then_comes_empty() -> None:
    assert guide(CAPTION, anchor=True, text=True, prompt="sand", n_prompt="", scale=3.0).words == "sand"
    assert guide(CAPTION, anchor=True, text=True, scale=3.0).scale == 3.0
    empty = guide(None, anchor=True, text=True)
    assert (empty.words, empty.avoid, empty.scale) == ("", "", 2.0)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0001, 0.0, -2.0])
def test_a_scale_without_effect_is_refused(scale: float) -> None:
    with pytest.raises(BadSettings, match="has no effect"):
        guide(None, anchor=True, text=True, scale=scale)


@pytest.mark.parametrize(
    "text", ["no", "1e3", "null", "2024-01-01", 'a "quoted" word: yes', "- dash", "été 街道", "#not a comment", "a\\b"]
)
def test_strings_stay_strings(tmp_path: Path, text: str) -> None:
    value = PromptFile((text, "b"), (text,), 1.5, "auto_masked", "m", "t", (1, 2), "/x/y.mp4")
    write_prompt(tmp_path / "c.yaml", value)
    assert read_prompt(tmp_path / "c.yaml") == value


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("prompt: [no, yes]", ("no", "yes")),
        ("prompt:\n- no\n- 'it''s'\n", ("no", "it's")),
        ("prompt:\n  - a wall, grey: old  # mine\n", ("a wall, grey: old",)),
        ("prompt: one line\n", ("one line",)),
        ('prompt: ["a, b", c]', ("a, b", "c")),
        ("# only a comment\n", ()),
        ("\ufeffprompt: [x]\n", ("x",)),
    ],
)
def test_what_people_write(tmp_path: Path, text: str, prompt: tuple) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    found = read_prompt(path)
    assert (found.prompt, found.prompt_source) == (prompt, "manual")


@pytest.mark.parametrize(
    "text",
    [
        "prompt: &a [x]", "prompt: *a", "prompt: [*a]", "prompt: !!python/object:os.system x", "prompt: {a: b}",
        "prompt: [a", 'prompt: "open', "prompt: [a]\nprompt: [b]", "other: 1", "text_guidance_scale: two",
        "text_guidance_scale: [2]", "- a", "prompt_source: robot", "just words", "prompt: |\n  a\n", "prompt: [[a]]",
        "text_guidance_scale: nan", "prompt_frame_idx: [x]",
    ],
)  # fmt: skip
def test_what_is_not_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"c\.yaml"):
        read_prompt(path)


@pytest.mark.parametrize("data", [b"a" * 70_000, b"\xff\xfe\x00", b"prompt: \x80"])
def test_large_and_strange_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(data)
    with pytest.raises(BadSettings, match=r"c\.yaml"):
        read_prompt(path)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("A wide sunny street with pale stone houses and dry asphalt.", False),
        ("A street with people walking.", True),
        ("A lawn with a grey area in the middle.", True),
        ("A lawn. It is sunny.", True),
        ("word " * 31, True),
        ("", True),
        ("一条街道在阳光下", True),
        ("A grey stone wall under a white sky.", False),
    ],
)
def test_rules_of_a_caption(text: str, broken: bool) -> None:
    assert (fault(text) is not None) == broken


@pytest.mark.parametrize("text", ['"A wall."', "```\nA wall.\n```", "Answer: A wall.", "  A\n wall.  "])
def test_wrapped_answers(text: str) -> None:
    assert tidy(text) == "A wall."


class _Said:
    name, coordinates, max_side, concurrency = "said", "none", 512, 1

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), []

    def reply(self, question: Question) -> Reply:
        self.asked.append(question)
        return Reply(self.answers.pop(0))


PICTURE, HOLE = Image(np.zeros((8, 8, 3), np.uint8)), Mask(np.eye(8, dtype=np.bool_))


def test_a_broken_answer_is_asked_again_once() -> None:
    vlm = _Said("A man on a lawn.", "A lawn.")
    assert VlmCaptioner(vlm).caption([PICTURE], [HOLE]) == "A lawn."
    assert "mentions 'man'" in vlm.asked[1].text
    with pytest.raises(BadReply):
        VlmCaptioner(_Said("A man.", "A woman.")).caption([PICTURE], [HOLE])


def test_several_frames_are_merged_by_a_second_question_and_the_mask_is_grey() -> None:
    vlm = _Said("A lawn.", "A wall.", "A lawn by a wall.")
    assert VlmCaptioner(vlm).caption([PICTURE, PICTURE], [HOLE, HOLE]) == "A lawn by a wall."
    assert "- A lawn.\n- A wall." in vlm.asked[2].text
    assert (vlm.asked[0].images[0].pixels[HOLE.array] == 128).all()

"""Every word on the page stands in the table of both languages; nothing is written beside it."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import maskwright
from maskwright.media.samples import sample_names
from maskwright.studio.handing import KINDS
from maskwright.studio.texts import GRADIO, TEXTS, language_of, say

PAGE = sorted((Path(maskwright.__file__).parent / "studio" / "page").glob("*.py"))
SEEN = {"label", "alt_text", "placeholder", "info", "value", "choices", "title"}
"""Keywords of components whose text a visitor reads."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ASIDE = {"maskwright", "inside", "tint", "points", "mask", ""}
"""The product's name, and values that stand behind a translated choice."""


def _plain(node: ast.AST) -> Iterator[str]:
    """Every text constant of an expression that is not handed to T, say or named, nor behind a choice's label."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.List | ast.ListComp):
        for part in node.elts if isinstance(node, ast.List) else [node.elt]:
            yield from _plain(part.elts[0] if isinstance(part, ast.Tuple) else part)


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in PAGE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("gr."):
                yield path.name, node


def test_no_component_has_words_of_its_own() -> None:
    calls, found = list(_calls()), list[tuple[str, str]]()
    assert len(calls) > 100
    for name, call in calls:
        parts = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg in SEEN)]
        found += [(f"{name}:{call.lineno}", text) for part in parts for text in _plain(part) if text not in ASIDE]
    assert found == []


def _keys() -> Iterator[tuple[str, str]]:
    """(where, key) of every constant key given to T or say."""
    for path in PAGE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("T", "say"):
                place = 0 if ast.unparse(node.func) == "T" else 1
                if len(node.args) > place and isinstance(node.args[place], ast.Constant):
                    yield f"{path.name}:{node.lineno}", node.args[place].value  # type: ignore[attr-defined]


def test_every_key_of_the_page_is_in_the_table() -> None:
    keys = list(_keys())
    assert len(keys) > 100
    assert [(where, key) for where, key in keys if key not in TEXTS] == []


@pytest.mark.parametrize("key", [f"sample_{name}" for name in sample_names()] + [f"form_{kind}" for kind in KINDS])
def test_pictures_and_formats_have_names_in_both_languages(key: str) -> None:
    english, chinese = TEXTS[key]
    assert not CHINESE.search(english)
    assert CHINESE.search(chinese)


def test_every_text_stands_in_both_languages_with_the_same_places() -> None:
    for key, (english, chinese) in TEXTS.items():
        places = [{f for _, f, _, _ in string.Formatter().parse(t) if f} for t in (english, chinese)]
        assert places[0] == places[1], key
        assert english, key
        assert CHINESE.search(chinese) or not re.search("[A-Za-z]{2}", re.sub(r"\{\w+\}", "", chinese)), key
        assert not CHINESE.search(english), key
    for english, chinese in GRADIO.items():
        assert english.count("{}") == chinese.count("{}"), english
        assert CHINESE.search(chinese), english


def test_the_language_is_the_browser_s_first() -> None:
    assert language_of("zh-CN,zh;q=0.9") == "zh"
    assert language_of("en-US,zh;q=0.9") == "en"
    assert language_of(None) == "en"
    assert say("zh", "undo") == "撤销"

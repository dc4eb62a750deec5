"""What a Chinese visitor reads and what a screen reader says to them: all of it is Chinese, also what Gradio says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.studio, pytest.mark.filterwarnings("ignore::Warning")]

CHINESE = re.compile(r"[\u4e00-\u9fff]")
NAMES = re.compile(
    r"maskwright|lite|rules|Apache-2\.0|MIT|Esc|Tab.*|\?job=\S+|object_1|(object_1)?\.\w{3}|[\d.]+\s[KM]?B"
)
"""What has one name in every language: the product, models, licences, keys, links, files and their sizes."""
GATHER = r"""() => {
  const found = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), home = walk.currentNode.parentElement;
    if (text && !home.closest("script, style, .cm-content")) found.add(text);
  }
  for (const element of document.querySelectorAll("*"))
    for (const name of ["alt", "aria-label", "title", "placeholder", "aria-description"])
      if (element.getAttribute(name)?.trim()) found.add(element.getAttribute(name).trim());
  return [...found];
}"""


@pytest.fixture
def visitor(chromium: Any, studio: tuple[str, Any]) -> Iterator[Any]:
    """The page as a browser in Chinese shows it."""
    context = chromium.new_context(locale="zh-CN", viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.goto(studio[0])
    page.wait_for_selector("#mw-status span")
    yield page
    context.close()


def _foreign(page: Any) -> list[str]:
    """What is on the page in Latin letters alone."""
    page.wait_for_timeout(500)
    found = [t for t in page.evaluate(GATHER) if re.search("[A-Za-z]{2}", t)]
    return sorted(t for t in found if not CHINESE.search(t) and not NAMES.fullmatch(t))


def _marked(page: Any) -> None:
    """A sample with its middle clicked."""
    page.get_by_label("咖啡", exact=True).check()
    page.wait_for_function("() => document.querySelector('#mw-picture img')?.naturalWidth > 0")
    page.locator("#mw-picture").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#mw-status').innerText.includes('质量')")
    page.wait_for_selector("#mw-others img")


def test_segment_has_no_english_in_it(visitor: Any) -> None:
    visitor.locator("#mw-everything").click()
    assert "请注意" in visitor.wait_for_selector(".toast-body").inner_text()
    assert _foreign(visitor) == []
    _marked(visitor)
    assert visitor.locator("#mw-picture img").get_attribute("alt") == "带标记的图片"
    assert visitor.locator("html").get_attribute("lang") == "zh-CN"
    for name in ("画笔与橡皮", "精修", "粘贴或拍照"):
        visitor.locator("button.label-wrap", has_text=name).click()
    visitor.locator("#mw-brush-load").click()
    visitor.locator("#mw-brush canvas").first.wait_for()
    assert _foreign(visitor) == []


@pytest.mark.parametrize(("tab", "run", "shown"), [
    ("部件", "#mw-run-parts", "#mw-parts img"),
    ("编辑", "#mw-run-edit", "#mw-edits img"),
    ("三维", "#mw-run-lift", "#mw-lift-report table"),
    ("视频", "", "#mw-track"),
])  # fmt: skip
def test_the_other_tabs_have_no_english_in_them(visitor: Any, tab: str, run: str, shown: str) -> None:
    _marked(visitor)
    visitor.get_by_role("tab", name=tab, exact=True).click()
    assert _foreign(visitor) == []
    if tab == "编辑":
        visitor.locator("#mw-edit-words").get_by_role("textbox").fill("改成深绿色")
    if run:
        visitor.locator(run).click()
    visitor.wait_for_selector(shown)
    assert _foreign(visitor) == []

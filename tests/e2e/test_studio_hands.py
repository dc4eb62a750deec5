"""Brush, eraser, imported masks, camera, Sculpt's rounds, Stop and the keyboard alone, in a real browser."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from maskwright.media.samples import sample

pytestmark = [pytest.mark.studio, pytest.mark.filterwarnings("ignore::Warning")]

SIZE = sample("coffee").size
NOTE = ".toast-body"


def _wait(page: Any, script: str, arg: Any = None) -> None:
    page.wait_for_function(script, arg=arg, polling=50, timeout=400_000)


def _status(page: Any, part: str) -> str:
    _wait(page, "part => document.querySelector('#mw-status')?.innerText.includes(part)", part)
    return str(page.locator("#mw-status").inner_text())


def _opened(page: Any) -> None:
    page.get_by_label("coffee", exact=True).check()
    _status(page, "600x400")
    _wait(page, "() => document.querySelector('#mw-picture img')?.naturalWidth > 0")


def _disc(x: float, y: float, radius: float) -> np.ndarray[Any, Any]:
    columns, rows = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 < radius**2)


def _import(page: Any, folder: Path, mask: np.ndarray[Any, Any], name: str = "掩膜 mask.png") -> None:
    path = folder / name
    Pillow.fromarray(mask.astype(np.uint8) * 255).save(path)
    page.get_by_role("button", name="Brush and eraser").click()
    with page.expect_file_chooser() as choosing:
        page.locator("#mw-import").click()
    choosing.value.set_files(str(path))


def _mask_home(page: Any, folder: Path) -> np.ndarray[Any, Any]:
    """The mask as it is downloaded."""
    with page.expect_download() as waiting:
        page.locator("#mw-download").click()
    path = folder / "taken.png"
    waiting.value.save_as(path)
    values = np.asarray(Pillow.open(path))
    assert set(np.unique(values)) <= {0, 255}
    return values > 0


def test_an_imported_mask_comes_home_bit_by_bit_and_one_of_another_size_is_refused(page: Any, tmp_path: Path) -> None:
    _opened(page)
    mask = _disc(300, 200, 60) | _disc(80, 90, 25)
    _import(page, tmp_path, mask)
    _status(page, f"{mask.sum()} px")
    assert np.array_equal(_mask_home(page, tmp_path), mask)
    with page.expect_file_chooser() as choosing:
        page.locator("#mw-import").click()
    small = tmp_path / "small.png"
    Pillow.fromarray(np.full((40, 60), 255, np.uint8)).save(small)
    choosing.value.set_files(str(small))
    note = page.wait_for_selector(NOTE).inner_text()
    assert "the mask is 60x40, the picture 600x400" in note
    assert np.array_equal(_mask_home(page, tmp_path), mask), "what was there stays"


def _brush_seen(page: Any) -> np.ndarray[Any, Any]:
    """The brush's canvas as a visitor sees it."""
    shot = Pillow.open(BytesIO(page.locator("#mw-brush canvas").first.screenshot()))
    return np.asarray(shot.convert("RGB"), np.int16)


def _brush_changes(page: Any, before: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Waits until the canvas looks otherwise than before and stands still."""
    last = before
    for _ in range(300):
        now = _brush_seen(page)
        if np.abs(now - before).max() > 60 and np.array_equal(now, last):
            return now
        last = now
        page.wait_for_timeout(100)
    raise AssertionError("the brush's canvas stays as it was")


def _stroke(page: Any, across: tuple[float, float]) -> None:
    """Paints a level line through the middle of the brush's canvas, between two shares of its width."""
    page.locator("#mw-brush canvas").first.scroll_into_view_if_needed()
    box = page.locator("#mw-brush canvas").first.bounding_box()
    before = _brush_seen(page)
    middle = box["y"] + box["height"] / 2
    xs = np.linspace(box["x"] + across[0] * box["width"], box["x"] + across[1] * box["width"], 5)
    page.mouse.move(xs[0], middle)
    page.mouse.down()
    for x in xs:
        page.mouse.move(x, middle)
    page.mouse.up()
    _brush_changes(page, before)


def _press_until_changed(page: Any, button: str, size: int) -> None:
    """Presses until the mask is no longer of that size: the editor hands its layer over a moment after the stroke,
    and a press before that is answered with a note."""
    over = f"n => !document.querySelector('#mw-status').innerText.includes(`: ${{n}} px`) || document.querySelector('{NOTE}')"
    for _ in range(20):
        page.locator(button).click()
        _wait(page, over, size)
        if not page.locator(NOTE).count():
            return
        page.locator(".toast-close").first.click()
        page.wait_for_selector(NOTE, state="detached")
    raise AssertionError(f"{button} has no effect")


def _load_brush(page: Any) -> None:
    _wait(page, "() => document.querySelector('#mw-brush canvas')?.getBoundingClientRect().width > 100")
    page.wait_for_selector("#mw-brush button[aria-label=Brush]")
    empty = _brush_seen(page)
    page.locator("#mw-brush-load").click()
    _brush_changes(page, empty)


def test_the_brush_adds_and_the_eraser_takes_away(page: Any, tmp_path: Path) -> None:
    """One stroke over an imported disc: added, then taken away."""
    _opened(page)
    disc = _disc(300, 200, 40)
    _import(page, tmp_path, disc)
    _status(page, f"{disc.sum()} px")
    _load_brush(page)
    _stroke(page, (0.35, 0.65))
    _press_until_changed(page, "#mw-brush-add", int(disc.sum()))
    more = _mask_home(page, tmp_path)
    assert (more | ~disc).all(), "the brush takes nothing away"
    rows, columns = np.nonzero(more & ~disc)
    assert 100 < len(rows) < more.size / 3
    assert abs(rows.mean() - SIZE[1] / 2) < 8, "the line is where it was painted"
    assert abs(columns.mean() - SIZE[0] / 2) < 12
    assert columns.max() - columns.min() > 4 * (rows.max() - rows.min()), "it is a level line"

    _press_until_changed(page, "#mw-brush-erase", int(more.sum()))
    less = _mask_home(page, tmp_path)
    assert not (less & ~disc).any(), "the eraser adds nothing"
    assert not less[SIZE[1] // 2, SIZE[0] // 2]
    assert less[165, 300]
    assert less[235, 300]
    gone = np.nonzero(disc & ~less)[0]
    assert abs(gone.min() - rows.min()) <= 3, "what is gone is as high as what was painted"
    assert abs(gone.max() - rows.max()) <= 3
    page.locator("#mw-undo").click()
    _status(page, f"{more.sum()} px")
    assert np.array_equal(_mask_home(page, tmp_path), more)


def test_a_photo_of_the_camera_is_opened(page: Any, studio: tuple[str, Any]) -> None:
    """Chromium's pretended camera: a green ground with a clock."""
    page.context.grant_permissions(["camera"])
    page.get_by_role("button", name="Paste or camera").click()
    page.locator("#mw-camera button[aria-label='Capture from camera']").click()
    page.locator("#mw-camera .access-wrap, #mw-camera button:has-text('Webcam')").first.click()
    _wait(page, "() => document.querySelector('#mw-camera video')?.videoWidth > 0")
    page.locator("#mw-camera button[aria-label='capture photo']").click()
    _status(page, "Click the thing")
    _wait(page, "() => document.querySelector('#mw-picture img')?.naturalWidth > 0")
    picture = max((s for s in studio[1].sessions if s.picture is not None), key=lambda s: s.touched).picture
    assert min(picture.size) >= 120
    red, green, blue = picture.pixels.reshape(-1, 3).mean(axis=0)
    assert green > red + 30
    assert green > blue + 30


NOTE_TURNS = """() => {
    window.turnsSeen = [];
    new MutationObserver(() => {
        const turns = document.querySelectorAll('#mw-turns input').length;
        if (turns && window.turnsSeen.at(-1) !== turns) window.turnsSeen.push(turns);
    }).observe(document.body, {childList: true, subtree: true});
}"""
"""The page itself notes how many rounds it shows: a slow test would look too late."""


def _turns(page: Any) -> int:
    return int(page.locator("#mw-turns input").count())


def _sculpt(page: Any, rounds: int) -> None:
    page.locator("#mw-sculpt-box").get_by_role("button", name="Sculpt").first.click()
    number = page.locator("#mw-rounds input[type=number]")
    for _ in range(50):
        number.fill(str(rounds))
        number.press("Enter")
        page.wait_for_timeout(200)
        if number.input_value() == str(rounds):  # a box that has just opened may set it back once
            break
    page.locator("#mw-target textarea, #mw-target input").first.fill("cup")
    page.locator("#mw-sculpt").click()


def test_sculpt_streams_its_rounds_and_each_is_taken_or_refused(
    page: Any, studio: tuple[str, Any], tmp_path: Path
) -> None:
    _opened(page)
    rough = _disc(215, 150, 95)
    _import(page, tmp_path, rough)
    _status(page, f"{rough.sum()} px")
    page.evaluate(NOTE_TURNS)
    _sculpt(page, 2)
    page.wait_for_selector("#mw-turns input", timeout=300_000)
    _wait(page, "() => /round 3/.test(document.querySelector('#mw-round').innerText)")
    _wait(page, "() => window.turnsSeen.at(-1) === 4")
    seen = page.evaluate("() => window.turnsSeen")
    assert seen[0] < seen[-1] == 4, "the first round was there before the last"
    session = max(studio[1].sessions, key=lambda s: s.touched)
    masks = [turn.mask.array for turn in session.extras["rounds"]]
    assert np.array_equal(_mask_home(page, tmp_path), rough), "nothing is taken by itself"
    page.locator("#mw-turns input").first.check()
    _wait(page, "() => /^round 0/.test(document.querySelector('#mw-round').innerText)")
    assert page.locator("#mw-sculpt-box img").count() >= 2
    page.locator("#mw-refuse-round").click()
    _wait(page, "() => document.querySelectorAll('#mw-turns input').length === 3")
    _status(page, "Kept as it was")
    assert np.array_equal(_mask_home(page, tmp_path), rough)
    page.locator("#mw-take-round").click()
    _status(page, "taken")
    assert np.array_equal(_mask_home(page, tmp_path), masks[-1])


def test_stop_ends_sculpt_between_rounds(page: Any, studio: tuple[str, Any], tmp_path: Path) -> None:
    _opened(page)
    rough = _disc(215, 150, 95)
    _import(page, tmp_path, rough)
    _status(page, f"{rough.sum()} px")
    _sculpt(page, 6)
    page.wait_for_selector("#mw-turns input", timeout=300_000)
    page.locator("#mw-sculpt-stop").click()
    _status(page, "Stopped")
    assert page.wait_for_selector(NOTE).inner_text().count("Stopped")
    session = max(studio[1].sessions, key=lambda s: s.touched)
    count = len(session.extras["rounds"])
    assert count < 7
    assert not session.extras["rounds"][-1].stop, "the loop did not come to its own end"
    assert np.array_equal(_mask_home(page, tmp_path), rough)
    assert _turns(page) == count == len(session.extras["rounds"])


def test_stop_ends_parts_and_edits(page: Any, studio: tuple[str, Any]) -> None:
    """The models are kept busy by somebody else meanwhile, so that there is something to stop."""
    import threading

    _opened(page)
    for tab, run, stop, kind, said in (
        (1, "#mw-run-parts", "#mw-parts-stop", "parser", "#mw-parts-subject"),
        (2, "#mw-run-edit", "#mw-edit-stop", "inpainter", "#mw-drift"),
    ):
        go = threading.Event()
        lane = studio[1].models.lane(kind)
        studio[1].models.get(kind)
        other = threading.Thread(target=lambda lane=lane, go=go: lane.call(lambda _: [go.wait(60)], None))
        other.start()
        page.get_by_role("tab").nth(tab).click()
        if tab == 2:
            page.locator("#mw-edit-words textarea, #mw-edit-words input").first.fill("remove it")
        page.locator(run).click()
        for _ in range(200):
            if len(lane):
                break
            page.wait_for_timeout(50)
        assert len(lane) == 1, "it waits for the model"
        page.locator(stop).click()
        _wait(page, "said => document.querySelector(said).innerText.includes('Stopped')", said)
        go.set()
        other.join(timeout=30)
        page.wait_for_selector(NOTE)
    assert page.locator("#mw-legend .mw-name").count() == 0
    assert page.locator("#mw-edits img").count() == 0


def test_the_keyboard_alone_opens_marks_undoes_and_takes_home(
    page: Any, studio: tuple[str, Any], tmp_path: Path
) -> None:
    """From the first Tab to the file, no mouse: sample, cross on the picture, modes, undo, redo, download."""

    def tab_to(script: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate(f"() => {{ const e = document.activeElement; return {script}; }}"):
                return
        raise AssertionError(f"no Tab leads to {script}")

    tab_to("e.closest('#mw-samples') !== null")
    page.keyboard.press("Space")
    width, height = sample(page.evaluate("() => document.querySelector('#mw-samples input:checked').value")).size
    _status(page, f"{width}x{height}")
    _wait(page, "n => document.querySelector('#mw-picture img')?.naturalWidth === n", width)
    tab_to("e.id === 'mw-picture'")
    page.keyboard.press("Shift+ArrowDown")
    page.wait_for_selector(".mw-cross")
    page.keyboard.press("Enter")
    first = _status(page, "quality")
    mask = _mask_size(first)
    page.keyboard.press("z")
    _status(page, "Click the thing, or name it")
    page.keyboard.press("y")
    assert _mask_size(_status(page, "quality")) == mask
    page.keyboard.press("s")
    _wait(page, "() => document.querySelector('#mw-mode input[value=outside]').checked")
    tab_to("e.id === 'mw-download'", 120)
    with page.expect_download() as waiting:
        page.keyboard.press("Enter")
    path = tmp_path / "taken.png"
    waiting.value.save_as(path)
    taken = np.asarray(Pillow.open(path)) > 0
    assert taken.sum() == mask
    [(x, y)] = max(studio[1].sessions, key=lambda s: s.touched).board.thing.points
    assert taken[int(y), int(x)]
    assert abs(x - width / 2) < 3, "the cross stands in the middle first"
    assert y > height * 0.55, "and was moved down"


def _mask_size(status: str) -> int:
    return int(status.split(":")[1].split("px")[0])


def test_notes_are_in_chinese_for_a_chinese_visitor(chromium: Any, studio: tuple[str, Any], tmp_path: Path) -> None:
    context = chromium.new_context(locale="zh-CN", viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.goto(studio[0])
    page.wait_for_selector("#mw-status span")
    page.locator("#mw-everything").click()
    note = page.wait_for_selector(NOTE).inner_text()
    assert "还没有图片" in note
    assert "请上传" in note
    fake = tmp_path / "fake.png"
    fake.write_bytes(b"this is text")
    page.set_input_files("input[type=file]", str(fake))
    _wait(
        page,
        "() => [...document.querySelectorAll('.toast-body')].some(e => e.innerText.includes('fake.png 不是可读取的图片'))",
    )
    page.get_by_label("咖啡", exact=True).check()
    _status(page, "点击目标")
    page.locator("#mw-picture").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert "对象 1" in _status(page, "质量")
    notes = page.locator(NOTE).all_inner_texts()
    assert not any(str(studio[1].root) in note for note in notes), "no places on the server's disk"
    context.close()

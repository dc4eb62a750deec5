"""The page in a real browser, with the embedded models and no mocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maskwright.media.images import open_image, open_mask
from maskwright.media.samples import sample

pytestmark = [pytest.mark.studio, pytest.mark.filterwarnings("ignore::Warning")]


def _status(page: Any, part: str) -> str:
    page.wait_for_function(
        "part => document.querySelector('#mw-status')?.innerText.includes(part)", arg=part, polling=100
    )
    return str(page.locator("#mw-status").inner_text())


def _open(page: Any, name: str = "coffee") -> None:
    image = sample(name)
    page.get_by_label(name, exact=True).check()
    _status(page, f"{image.width}x{image.height}")
    page.wait_for_function("() => document.querySelector('#mw-picture img')?.naturalWidth > 0")


def _click(page: Any, x: float, y: float) -> None:
    """A click at a place of the picture, in its own pixels: it is shown whole inside the element."""
    box = page.locator("#mw-picture img").first.bounding_box()
    width, height = page.evaluate(
        "() => { const i = document.querySelector('#mw-picture img'); return [i.naturalWidth, i.naturalHeight] }"
    )
    scale = min(box["width"] / width, box["height"] / height, 1)
    left, top = (box["width"] - scale * width) / 2, (box["height"] - scale * height) / 2
    page.mouse.click(box["x"] + left + x * scale, box["y"] + top + y * scale)


def _download(page: Any, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.locator("#mw-download").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_click_becomes_a_mask_to_take_home(page: Any, tmp_path: Path) -> None:
    _open(page)
    _click(page, 310, 250)
    _status(page, "quality")
    mask = open_mask(_download(page, tmp_path))
    assert mask.size == sample("coffee").size
    assert mask.array[250, 310]
    assert 500 < mask.area < 200_000
    page.locator("#mw-undo").click()
    _status(page, "Click the thing")
    page.keyboard.press("y")
    _status(page, f"{mask.area} px")


def test_an_upload_with_any_name_and_a_negative_click(page: Any, picture_file: Path) -> None:
    page.set_input_files("#mw-upload input[type=file], input#mw-upload, button#mw-upload + input, input[type=file]",
                         str(picture_file))  # fmt: skip
    _status(page, "600x400")
    _click(page, 300, 110)
    first = _status(page, "quality")
    page.get_by_label("take away").check()
    _click(page, 30, 30)
    page.wait_for_function("old => document.querySelector('#mw-status').innerText !== old || true", arg=first)
    _status(page, "quality")


def test_words_find_something_or_say_that_there_is_nothing(page: Any) -> None:
    _open(page, "cat")
    page.locator("#mw-words textarea, #mw-words input").fill("the cat")
    page.locator("#mw-find").click()
    _status(page, "quality")
    page.locator("#mw-words textarea, #mw-words input").fill("the red car on the left 🙂")
    page.locator("#mw-find").click()
    _status(page, "There is no")


@pytest.mark.parametrize("content", [b"this is text", b"\x89PNG\r\n\x1a\n" + b"x" * 40])
def test_a_text_file_named_png_gets_a_friendly_note(page: Any, tmp_path: Path, content: bytes) -> None:
    fake = tmp_path / "fake.png"
    fake.write_bytes(content)
    page.set_input_files("input[type=file]", str(fake))
    toast = page.wait_for_selector(".toast-body, [data-testid=toast-body]")
    text = toast.inner_text()
    assert "fake.png" in text or "picture" in text
    assert "Traceback" not in text


def test_a_reload_brings_everything_back(page: Any) -> None:
    _open(page)
    _click(page, 310, 250)
    before = _status(page, "quality")
    page.reload()
    assert _status(page, "quality") == before


def test_two_visitors_do_not_see_each_other(page: Any, chromium: Any, studio: tuple[str, Any]) -> None:
    _open(page)
    other = chromium.new_context().new_page()
    other.goto(studio[0])
    other.wait_for_selector("#mw-status span")
    assert "Open a picture" in other.locator("#mw-status").inner_text()
    assert other.locator("#mw-picture img").count() == 0
    other.context.close()


def test_the_page_speaks_chinese(chromium: Any, studio: tuple[str, Any]) -> None:
    context = chromium.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(studio[0])
    page.wait_for_selector("#mw-status span")
    assert page.get_by_text("撤销").count() >= 1
    assert "打开" in page.locator("#mw-status").inner_text()
    context.close()


def test_it_fits_a_phone(chromium: Any, studio: tuple[str, Any]) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(studio[0])
    page.wait_for_selector("#mw-status span")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    context.close()


def test_the_json_interface_gives_the_same_mask_as_the_page(page: Any, studio: tuple[str, Any], tmp_path: Path) -> None:
    import httpx

    _open(page)
    _click(page, 310, 250)
    _status(page, "quality")
    shown = open_mask(_download(page, tmp_path))
    [(x, y)] = next(s.board.thing.points for s in studio[1].sessions if s.board.thing.mask == shown)
    with httpx.Client(base_url=studio[0] + "/api/v1", timeout=600) as client:
        sid = client.post("/sessions").json()["session"]
        data = (Path(__file__).parents[2] / "src/maskwright/samples/coffee.jpg").read_bytes()
        sent = client.put(f"/sessions/{sid}/picture", files={"file": ("x.jpg", data)}).json()
        assert (sent["width"], sent["height"]) == (600, 400)
        assert client.post(f"/sessions/{sid}/click", json={"x": -3, "y": 5}).status_code == 400
        assert client.post(f"/sessions/{sid}/click", json={"x": 310, "y": 250, "z": 1}).status_code == 422
        board = client.post(f"/sessions/{sid}/click", json={"x": x, "y": y}).json()
        mask = client.get(f"/sessions/{sid}/export/mask")
        (tmp_path / "api.png").write_bytes(mask.content)
        found = open_mask(tmp_path / "api.png")
        assert found.to_rle() == board["things"][0]["mask"]
        assert found == shown
        assert client.get(f"/sessions/{'x' * 24}").status_code == 400
        assert client.delete(f"/sessions/{sid}").json() == {"ended": True}
        assert client.get(f"/sessions/{sid}").status_code == 400


# fmt: off
TRAVERSALS = [
    "..", "../", "..%2f", "%2e%2e/", "..%5c", "....//", "..;/", "/etc/passwd",
    "%2fetc%2fpasswd", "..%252f..%252fetc%252fpasswd",
    "file:///etc/passwd", "\\..\\..\\etc\\passwd", "%00", "mask%00.png", "../../etc/passwd",
    "..%c0%af..%c0%afetc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "../session.json", "./../session.json", "downloads/../../session.json",
]
ROUTES = ["/api/v1/sessions/{sid}/export/{p}", "/api/v1/sessions/{p}", "/gradio_api/file={root}/{p}",
          "/gradio_api/file={p}", "/file={p}", "/static/{p}", "/assets/{p}"]
# fmt: on


@pytest.mark.parametrize("route", ROUTES)
def test_no_path_leaks_a_file(studio: tuple[str, Any], route: str) -> None:
    """20 payloads, plain and behind a session's name, at every route."""
    import httpx

    address, desk = studio
    session = desk.open()
    secret = Path("/etc/passwd").read_text(encoding="utf-8").splitlines()[0]
    with httpx.Client(base_url=address, timeout=30) as client:
        for payload in (*TRAVERSALS, *(f"{session.id}/{p}" for p in TRAVERSALS)):
            target = route.format(sid=session.id, p=payload, root=desk.root)
            try:
                answer = client.get(target)
            except (httpx.InvalidURL, httpx.RemoteProtocolError):
                continue
            assert secret not in answer.text, target
            assert '"things": [' not in answer.text, target


def test_uploaded_pictures_are_opened_whole(picture_file: Path) -> None:
    assert open_image(picture_file) == sample("coffee")

"""Walks through Parts, Edit, 3D and Video in a real browser; what is downloaded is looked at, pixel by pixel."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from maskwright.media.samples import sample

pytestmark = [pytest.mark.studio, pytest.mark.filterwarnings("ignore::Warning")]

CLIP_FRAMES, CLIP_SIZE, DISC = 12, (192, 112), 18


def _disc_at(index: int) -> tuple[int, int]:
    return 50 + 6 * index, 56


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red disc that crosses a soft ground."""
    av = pytest.importorskip("av")
    cv2 = pytest.importorskip("cv2")
    path, (width, height) = tmp_path_factory.mktemp("clip") / "disc 圆.mp4", CLIP_SIZE
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    ground = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6), None, 60, 200, cv2.NORM_MINMAX)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=12, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(CLIP_FRAMES):
            frame = ground.copy()
            cv2.circle(frame, _disc_at(index), DISC, (230, 40, 40), -1)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        film.mux(stream.encode(None))
    return path


def _frames(path: Path) -> list[np.ndarray[Any, Any]]:
    import av

    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def _wait(page: Any, script: str, arg: Any = None) -> None:
    page.wait_for_function(script, arg=arg, polling=100, timeout=400_000)


def _status(page: Any, part: str) -> None:
    _wait(page, "part => document.querySelector('#mw-status')?.innerText.includes(part)", part)


def _tab(page: Any, place: int) -> None:
    page.get_by_role("tab").nth(place).click()


def _click(page: Any, element: str, x: float, y: float) -> None:
    """A click at a place of a shown picture, in its own pixels."""
    image = page.locator(f"#{element} img").first
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    width, height = image.evaluate("i => [i.naturalWidth, i.naturalHeight]")
    scale = min(box["width"] / width, box["height"] / height, 1)
    left, top = (box["width"] - scale * width) / 2, (box["height"] - scale * height) / 2
    page.mouse.click(box["x"] + left + x * scale, box["y"] + top + y * scale)


def _download(page: Any, press: Any, folder: Path) -> Path:
    with page.expect_download(timeout=400_000) as waiting:
        press.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def _marked(page: Any, studio: tuple[str, Any], name: str, at: tuple[float, float]) -> Any:
    """Opens a sample, clicks a place, and gives the visitor's session."""
    image = sample(name)
    page.get_by_label(name, exact=True).check()
    _status(page, f"{image.width}x{image.height}")
    _wait(page, "() => document.querySelector('#mw-picture img')?.naturalWidth > 0")
    _click(page, "mw-picture", *at)
    _status(page, "quality")
    return max((s for s in studio[1].sessions if s.picture == image), key=lambda s: s.touched)


def _field(page: Any, element: str) -> Any:
    return page.locator(f"#{element} textarea, #{element} input[type=text], #{element} input:not([type])").first


def _pick(page: Any, element: str, value: str) -> None:
    """Chooses a value of a dropdown, as a visitor who types it."""
    field = page.locator(f"#{element} input").first
    field.click()
    field.fill(value)
    field.press("Enter")


def test_parts_are_hidden_merged_renamed_and_taken_home(page: Any, studio: tuple[str, Any], tmp_path: Path) -> None:
    session = _marked(page, studio, "coffee", (310, 250))
    _tab(page, 1)
    _wait(page, "() => document.querySelector('#mw-parts-subject').innerText.includes('object 1')")
    page.locator("#mw-run-parts").click()
    _wait(page, "() => document.querySelectorAll('#mw-legend .mw-name').length > 1")
    taken = session.extras["parts"]
    labels = taken.labels()
    assert page.locator("#mw-legend .mw-name").all_inner_texts() == labels
    assert page.locator("#mw-garments img").count() >= 1
    rows, columns = np.nonzero(taken.dissection.mask_of(labels[0]).array)
    middle = len(rows) // 2
    _click(page, "mw-parts", columns[middle] + 0.5, rows[middle] + 0.5)
    _wait(page, "() => document.querySelectorAll('#mw-legend .mw-off').length === 1")
    assert page.locator("#mw-legend .mw-off").inner_text() == labels[0]

    joined = taken.dissection.mask_of(labels[0]).array | taken.dissection.mask_of(labels[1]).array
    _pick(page, "mw-part", labels[1])
    _pick(page, "mw-merge-into", labels[0])
    page.locator("#mw-merge").click()
    _wait(page, "n => document.querySelectorAll('#mw-legend .mw-name').length === n", len(labels) - 1)
    _pick(page, "mw-part", labels[0])
    _field(page, "mw-part-name").fill("cup 杯子")
    page.locator("#mw-rename-part").click()
    _wait(page, "() => document.querySelector('#mw-legend').innerText.includes('cup 杯子')")

    _pick(page, "mw-part", "cup 杯子")
    part = np.asarray(Pillow.open(_download(page, page.locator("#mw-part-file"), tmp_path)))
    assert np.array_equal(part[:, :, 3] > 0, joined)
    assert np.array_equal(part[joined][:, :3], sample("coffee").pixels[joined])
    with zipfile.ZipFile(_download(page, page.locator("#mw-part-zip"), tmp_path)) as pack:
        names = pack.namelist()
        assert {"parts.png", "parts.json", "pose.json"} <= set(names)
        assert any("cup" in name for name in names)
        label_map = np.asarray(Pillow.open(pack.open("parts.png")))
    index = session.extras["parts"].dissection.parts.labels.index("cup 杯子")
    assert np.array_equal(label_map == index, joined)


def test_an_edit_is_planned_made_and_changes_nothing_outside(
    page: Any, studio: tuple[str, Any], tmp_path: Path
) -> None:
    session = _marked(page, studio, "coffee", (310, 250))
    mask = session.board.thing.mask.array
    _tab(page, 2)
    _field(page, "mw-edit-words").fill("make it green")
    page.locator("#mw-plan").click()
    _wait(page, "() => document.querySelector('#mw-plan-text').innerText.includes('recolour')")
    page.locator("#mw-run-edit").click()
    _wait(page, "() => document.querySelector('#mw-drift').innerText.includes('0 pixels')")
    edited = np.asarray(Pillow.open(_download(page, page.locator("#mw-edit-download"), tmp_path)).convert("RGB"))
    before = sample("coffee").pixels
    assert np.array_equal(edited[~mask], before[~mask])
    inside = edited[mask].astype(float).mean(axis=0) - before[mask].astype(float).mean(axis=0)
    assert inside[1] > inside[0] + 20, "greener inside"
    assert page.locator("#mw-edits img").count() == 1
    opened = session.picture
    page.locator("#mw-use-edit").click()
    for _ in range(600):
        if session.picture is not opened:
            break
        page.wait_for_timeout(100)
    _tab(page, 0)
    _wait(page, "() => document.querySelector('#mw-picture img')?.naturalWidth > 0")
    assert np.array_equal(session.picture.pixels, edited)


def test_a_lift_finishes_and_its_link_brings_the_result_back(
    page: Any, chromium: Any, studio: tuple[str, Any], tmp_path: Path
) -> None:
    trimesh = pytest.importorskip("trimesh")
    _marked(page, studio, "coffee", (310, 250))
    _tab(page, 3)
    page.locator("#mw-run-lift").click()
    link = page.locator("#mw-lift-state a").first.get_attribute("href")
    page.close()

    other = chromium.new_context(locale="en-US", accept_downloads=True).new_page()
    other.goto(f"{studio[0]}/{link}")
    other.wait_for_selector("#mw-lift-state [data-state=done]", timeout=400_000)
    other.wait_for_selector("#mw-lift-report td")
    assert "yes" in other.locator("#mw-lift-report").inner_text()
    path = _download(other, other.locator("#mw-lift-files a").filter(has_text="KB").first, tmp_path)
    assert path.suffix == ".glb"
    mesh = trimesh.load(path, force="mesh")
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight
    assert len(mesh.faces) > 100
    other.context.close()


def test_a_clip_is_marked_tracked_and_erased(
    page: Any, studio: tuple[str, Any], clip_file: Path, tmp_path: Path
) -> None:
    _tab(page, 4)
    page.set_input_files('input[type=file][accept*="video"]', str(clip_file))
    _wait(page, "() => document.querySelector('#mw-frame-picture img')?.naturalWidth === 576")
    _click(page, "mw-frame-picture", *(3 * v for v in _disc_at(0)))
    _wait(page, "() => document.querySelector('#mw-video-state').innerText.includes('px')")
    page.locator("#mw-track").click()
    page.wait_for_selector("#mw-video-state [data-state=done]", timeout=400_000)
    page.locator("#mw-erase").click()
    page.wait_for_selector("#mw-clip-files a", timeout=400_000)
    path = _download(page, page.locator("#mw-clip-files a").first, tmp_path)
    before, after = _frames(clip_file), _frames(path)
    assert len(after) == len(before) == CLIP_FRAMES
    for index in (0, CLIP_FRAMES // 2, CLIP_FRAMES - 1):
        x, y = _disc_at(index)
        assert before[index][y, x, 0] > 200
        middle = after[index][y - 5 : y + 5, x - 5 : x + 5].reshape(-1, 3).astype(int).mean(axis=0)
        assert middle[0] - middle[1] < 60, f"frame {index} still shows the disc"


def test_words_in_arabic_with_emoji_are_answered(page: Any) -> None:
    page.get_by_label("cat", exact=True).check()
    _status(page, "Click the thing")
    _field(page, "mw-words").fill("القط الأسود 🐈‍⬛")
    page.locator("#mw-find").click()
    _wait(page, """() => /quality|There is no/.test(document.querySelector('#mw-status').innerText)
          || document.querySelector('.toast-body') !== null""")  # fmt: skip
    assert "Traceback" not in page.content()


def test_everything_lights_up_under_the_pointer_and_is_taken_by_a_click(page: Any, studio: tuple[str, Any]) -> None:
    page.get_by_label("coffee", exact=True).check()
    _status(page, "600x400")
    page.locator("#mw-everything").click()
    _status(page, "regions")
    _wait(page, "() => document.querySelector('#mw-regions img')?.naturalWidth === 600")
    box = page.locator("#mw-picture img").first.bounding_box()
    page.mouse.move(2, 2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 20)
    page.wait_for_selector("#mw-over")
    lit = page.evaluate("""() => { const c = document.querySelector('#mw-over');
        return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 == 3 && v).length }""")  # fmt: skip
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 20)
    _status(page, "object 1")
    area = int(page.locator("#mw-status").inner_text().split(":")[1].split("px")[0])
    assert area / 2 < lit <= area


def test_a_picture_is_clicked_without_a_mouse(page: Any) -> None:
    page.get_by_label("coffee", exact=True).check()
    _status(page, "600x400")
    _wait(page, "() => document.querySelector('#mw-picture img')?.naturalWidth > 0")
    page.locator("#mw-picture").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    _status(page, "quality")


OF_SIZE = """([width, height]) => {
    const shown = document.querySelector('#mw-picture img');
    return shown?.naturalWidth === width && shown.naturalHeight === height;
}"""


def test_two_visitors_work_at_the_same_time(page: Any, chromium: Any, studio: tuple[str, Any]) -> None:
    other = chromium.new_context(locale="en-US", viewport={"width": 1440, "height": 1000}).new_page()
    other.goto(studio[0])
    other.wait_for_selector("#mw-status span")
    for visitor, name in ((page, "coffee"), (other, "cat")):
        visitor.get_by_label(name, exact=True).check()
    for visitor, name in ((page, "coffee"), (other, "cat")):
        _status(visitor, f"{sample(name).width}x{sample(name).height}")
        _wait(visitor, "() => document.querySelector('#mw-picture img')?.naturalWidth > 0")
    _click(page, "mw-picture", 310, 250)
    _click(other, "mw-picture", sample("cat").width / 2, sample("cat").height / 2)
    for visitor, name in ((page, "coffee"), (other, "cat")):
        _status(visitor, "quality")
        _wait(visitor, OF_SIZE, list(sample(name).size))
    other.context.close()


def test_a_reload_in_the_middle_of_a_job_loses_nothing(page: Any, studio: tuple[str, Any]) -> None:
    session = _marked(page, studio, "coffee", (310, 250))
    _tab(page, 3)
    page.locator("#mw-run-lift").click()
    link = page.locator("#mw-lift-state a").first.get_attribute("href")
    page.reload()
    page.wait_for_selector("#mw-status span")
    _status(page, "object 1")
    page.goto(f"{studio[0]}/{link}")
    page.wait_for_selector("#mw-lift-state [data-state=done]", timeout=400_000)
    assert [job.state for job in studio[1].jobs.of(session.id)] == ["done"]


def test_a_restart_in_the_middle_of_a_job_is_told(
    chromium: Any, clip_file: Path, tmp_path: Path, restarted: Callable[[], tuple[str, Any]]
) -> None:
    """The studio is a real process here, and is killed."""
    import httpx
    from studio_process import studio_process

    with studio_process(tmp_path / "kept") as (address, process):
        with httpx.Client(base_url=address + "/api/v1", timeout=600) as client:
            sid = client.post("/sessions").json()["session"]
            sent = client.put(f"/sessions/{sid}/clip", files={"file": (clip_file.name, clip_file.read_bytes())})
            assert sent.json()["frames"] == CLIP_FRAMES
            x, y = _disc_at(0)
            outside = client.post(f"/sessions/{sid}/clip/click", json={"frame": 0, "x": -1, "y": 5})
            assert (outside.status_code, "outside" in outside.json()["message"]) == (400, True)
            client.post(f"/sessions/{sid}/clip/click", json={"frame": 0, "x": x, "y": y}).raise_for_status()
            job = client.post(f"/sessions/{sid}/jobs/track").json()
        process.kill()
        process.wait()
    state = json.loads((tmp_path / "kept" / sid / f"job-{job['id']}" / "job.json").read_text(encoding="utf-8"))
    assert state["state"] == "waiting"
    address, _ = restarted()
    page = chromium.new_context(locale="en-US").new_page()
    page.goto(f"{address}/?job={job['id']}")
    page.wait_for_selector("#mw-video-state [data-state=interrupted]", timeout=300_000)
    assert "start it again" in page.locator("#mw-video-state").inner_text()
    _wait(page, "() => document.querySelector('#mw-frame-picture img')?.naturalWidth === 576")
    page.context.close()

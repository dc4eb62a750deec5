"""Takes the pictures of docs/studio.md: `python docs/make_screenshots.py`. Needs the studio extra and playwright.

Starts a studio with the embedded models, walks its tabs and writes docs/pictures/studio_*.jpg: bundled pictures only.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from maskwright.media.samples import sample

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
from studio_server import Server  # noqa: E402 - a folder of scripts, not a package

OUT, MOST_BYTES, WAIT_MS = HERE / "pictures", 150_000, 180_000
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def shoot(page: Any, name: str) -> None:
    """The whole page as a JPEG of at most 150 kB."""
    page.wait_for_timeout(1500)
    image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    for quality in range(88, 20, -8):
        image.save(OUT / f"studio_{name}.jpg", quality=quality, optimize=True)
        if (OUT / f"studio_{name}.jpg").stat().st_size <= MOST_BYTES:
            return


def wait(page: Any, script: str) -> None:
    page.wait_for_function(script, polling=200, timeout=WAIT_MS)


def wait_drawn(page: Any, element: str) -> None:
    """Until the middle of a 3D viewer is not of one colour any more."""
    for _ in range(WAIT_MS // 1000):
        page.wait_for_timeout(1000)
        seen = np.asarray(Image.open(io.BytesIO(page.locator(f"#{element}").screenshot())).convert("L"))
        height, width = seen.shape
        if seen[height // 3 : -height // 3, width // 3 : -width // 3].std() > 10:
            return
    raise SystemExit(f"{element} stays empty")


def click(page: Any, element: str, x: float, y: float) -> None:
    """A click at a share of the shown picture's width and height."""
    image = page.locator(f"#{element} img").first
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    width, height = image.evaluate("i => [i.naturalWidth, i.naturalHeight]")
    scale = min(box["width"] / width, box["height"] / height, 1)
    left, top = box["x"] + (box["width"] - scale * width) / 2, box["y"] + (box["height"] - scale * height) / 2
    page.mouse.click(left + x * scale * width, top + y * scale * height)


def pan(path: Path) -> Path:
    """A short clip: the bundled coffee picture, slowly panned."""
    pixels = sample("coffee").pixels
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 480, 320, "yuv420p"
        for index in range(10):
            piece = pixels[20 : 20 + 347, 6 * index : 6 * index + 520]
            frame = cv2.resize(piece, (480, 320), interpolation=cv2.INTER_AREA)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        film.mux(stream.encode(None))
    return path


def segment(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#mw-status span")
    page.get_by_label("coffee", exact=True).check()
    wait(page, "() => document.querySelector('#mw-picture img')?.naturalWidth > 0")
    click(page, "mw-picture", 0.52, 0.62)
    wait(page, "() => document.querySelector('#mw-status').innerText.includes('quality')")
    first = page.locator("#mw-status").inner_text()
    click(page, "mw-picture", 0.75, 0.5)
    page.wait_for_function("old => document.querySelector('#mw-status').innerText !== old", arg=first, polling=200)


def tabs(page: Any, folder: Path) -> None:
    """Parts, Edit, 3D and Video, with what was marked in Segment."""
    names = page.get_by_role("tab")
    names.nth(1).click()
    page.locator("#mw-run-parts").click()
    wait(page, "() => document.querySelector('#mw-legend .mw-name')")
    shoot(page, "parts")
    names.nth(2).click()
    page.locator("#mw-edit-words textarea, #mw-edit-words input").first.fill("make it green")
    page.locator("#mw-run-edit").click()
    wait(page, "() => document.querySelector('#mw-drift').innerText.includes('pixels')")
    shoot(page, "edit")
    names.nth(3).click()
    page.locator("#mw-run-lift").click()
    page.wait_for_selector("#mw-lift-report td", timeout=WAIT_MS)
    wait_drawn(page, "mw-model")
    shoot(page, "lift")
    names.nth(4).click()
    page.set_input_files('input[type=file][accept*="video"]', str(pan(folder / "coffee.mp4")))
    wait(page, "() => document.querySelector('#mw-frame-picture img')?.naturalWidth > 0")
    click(page, "mw-frame-picture", 0.6, 0.62)
    wait(page, "() => document.querySelector('#mw-video-state').innerText.includes('px')")
    first = page.locator("#mw-video-state").inner_text()
    click(page, "mw-frame-picture", 0.85, 0.5)
    page.wait_for_function("old => document.querySelector('#mw-video-state').innerText !== old", arg=first, polling=200)
    page.locator("#mw-track").click()
    page.wait_for_selector("#mw-video-state [data-state=done]", timeout=WAIT_MS)
    page.locator("#mw-erase").click()
    page.wait_for_selector("#mw-clip-files a", timeout=WAIT_MS)
    shoot(page, "video")


def main() -> None:
    with tempfile.TemporaryDirectory() as made, Server(Path(made) / "studio") as server, sync_playwright() as player:
        browser = player.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US").new_page()
        page.set_default_timeout(WAIT_MS)
        segment(page, server.address)
        shoot(page, "segment")
        tabs(page, Path(made))
        phone = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US").new_page()
        phone.set_default_timeout(WAIT_MS)
        segment(phone, server.address)
        shoot(phone, "segment_390")
        browser.close()


if __name__ == "__main__":
    main()

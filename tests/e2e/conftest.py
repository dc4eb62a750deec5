"""A running studio and a real browser; both skip with a reason where they cannot be had."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from maskwright.config.settings import resolve

BROWSER_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
                 "--use-fake-ui-for-media-stream")  # fmt: skip


@contextmanager
def running(root: Path) -> Iterator[tuple[str, Any]]:
    """(address, desk) of a studio in this process with the embedded models, on a free port."""
    import uvicorn

    from maskwright.studio.desk import Desk
    from maskwright.studio.server import make_app

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    desk = Desk(resolve({"studio": {"port": port}}, environment={}), root=root)
    server = uvicorn.Server(uvicorn.Config(make_app(desk), host="127.0.0.1", port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}", desk
    server.should_exit = True
    thread.join(timeout=120)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """The studio that most tests visit."""
    pytest.importorskip("gradio", reason="the studio extra is not installed")
    with running(tmp_path_factory.mktemp("studio")) as found:
        yield found


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Callable[[], tuple[str, Any]]]:
    """Starts a studio on what another left in tmp_path/kept."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(running(tmp_path / "kept"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium of the system."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(BROWSER_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, studio: tuple[str, Any]) -> Iterator[Any]:
    """A fresh visitor on the page."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True, locale="en-US")
    tab = context.new_page()
    tab.set_default_timeout(180_000)
    tab.goto(studio[0])
    tab.wait_for_selector("#mw-status span")
    yield tab
    context.close()


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    """A bundled picture as a file to upload."""
    from maskwright.media.samples import sample_path

    return Path(shutil.copy(sample_path("coffee"), tmp_path / "咖啡 photo.jpg"))

"""The page and the JSON interface on one port."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI

from maskwright import __version__
from maskwright.config.settings import Settings
from maskwright.studio.api import api_routes
from maskwright.studio.desk import Desk
from maskwright.studio.page.frame import CSS, I18N, SCRIPT
from maskwright.studio.page.whole import build_page
from maskwright.studio.quiet import steady_heap
from maskwright.studio.sweeping import sweep

KEEP_ALIVE_S = 60
"""Longer than a slow visitor thinks between two answers: a request must not meet a connection that is being closed."""


def make_app(desk: Desk, *, auth: tuple[str, str] | None = None) -> FastAPI:
    """The whole application: `/` the page, `/api` the JSON interface with its description at `/api/docs`."""
    stop = threading.Event()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeper = threading.Thread(target=sweep, args=(desk, stop), daemon=True, name="sweeper")
        sweeper.start()
        yield
        stop.set()
        desk.close()

    app = FastAPI(title="maskwright", version=__version__, docs_url="/api/docs", openapi_url="/api/openapi.json",
                  redoc_url=None, lifespan=lifespan)  # fmt: skip
    app.include_router(api_routes(desk, auth))
    idle_s = int(desk.rules.idle_minutes * 60)
    desk.shelf.mkdir(parents=True, exist_ok=True)
    os.environ["GRADIO_TEMP_DIR"] = str(desk.shelf)
    page = build_page(desk, keep_s=idle_s)
    return gr.mount_gradio_app(
        app, page, path="/", auth=auth, i18n=I18N, css=CSS, js=SCRIPT, theme=_theme(),
        max_file_size=desk.rules.max_upload_mib * 2**20, show_error=False,
        footer_links=[], ssr_mode=False,
    )  # fmt: skip


def _theme() -> Any:
    """Fonts of the system: nothing is fetched from elsewhere."""
    return gr.themes.Soft(
        primary_hue="emerald", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )


def serve(
    settings: Settings, *, auth: tuple[str, str] | None = None, root: Path | None = None, single_lock: bool = False
) -> None:
    """Serves until stopped."""
    steady_heap()
    desk = Desk(settings, root=root, single_lock=single_lock)
    config = uvicorn.Config(
        make_app(desk, auth=auth), host=desk.rules.host, port=desk.rules.port, log_level="warning", access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )  # fmt: skip
    uvicorn.Server(config).run()

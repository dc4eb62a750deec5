"""The whole page: a head, five tabs, what is in use."""

from __future__ import annotations

from typing import Any

import gradio as gr

from maskwright.assemble.shelf import rows
from maskwright.studio.desk import Desk
from maskwright.studio.page.edit import EditTab
from maskwright.studio.page.frame import Frame, T
from maskwright.studio.page.lift import LiftTab
from maskwright.studio.page.parts import PartsTab
from maskwright.studio.page.segment import SegmentTab
from maskwright.studio.page.video import VideoTab
from maskwright.studio.texts import language_of, say


def build_page(desk: Desk, *, keep_s: int) -> gr.Blocks:
    """The page over a desk; files that it makes are removed after `keep_s` seconds."""
    frame = Frame(desk)
    with gr.Blocks(title="maskwright", analytics_enabled=False, delete_cache=(300, max(300, keep_s))) as page:
        sid = gr.BrowserState("", storage_key="maskwright-session", secret="maskwright")
        head = gr.HTML(_head("en"), elem_classes="mw-head")
        with gr.Tabs(elem_id="mw-tabs"):
            with gr.Tab(T("segment"), id="segment"):
                segment = SegmentTab(frame, sid)
            with gr.Tab(T("parts"), id="parts"):
                PartsTab(frame, sid)
            with gr.Tab(T("edit"), id="edit"):
                edit = EditTab(frame, sid)
            with gr.Tab(T("lift"), id="lift"):
                LiftTab(frame, sid)
            with gr.Tab(T("video"), id="video"):
                VideoTab(frame, sid)
        with gr.Accordion(T("about"), open=False):
            gr.HTML(_about(desk))
        edit.use.click(frame.act(edit.go_on, 1), [sid], [segment.picture])
        page.load(_opener(desk, segment), [sid], [sid, head, *segment.shown])
    return page


def _opener(desk: Desk, segment: SegmentTab) -> Any:
    """Comes back to the browser's own session, or begins one."""

    def load(request: gr.Request, sid: str) -> tuple[Any, ...]:
        language = language_of(request.headers.get("accept-language"))
        session = desk.open(sid)
        return session.id, _head(language), *segment.show(session, language)

    load.__annotations__ = {"request": gr.Request, "sid": str}
    return load


def _head(language: str) -> str:
    return f"<h1>{say(language, 'title')}</h1><p>{say(language, 'subtitle')}</p>"


def _about(desk: Desk) -> str:
    """Which models the settings name, and their licences."""
    used = {(kind, choice["name"]) for kind, choice in desk.settings.models.items()}
    lines = [f"<tr><td>{row.kind}</td><td>{row.name}</td><td>{row.licence}</td><td>{row.note}</td></tr>"
             for row, _ in rows() if (row.kind, row.name) in used]  # fmt: skip
    return f"<table>{''.join(lines)}</table>"

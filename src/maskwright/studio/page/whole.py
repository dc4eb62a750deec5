"""The whole page: a head, five tabs, what is in use."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from maskwright.assemble.shelf import rows
from maskwright.errors import InputError
from maskwright.studio.desk import Desk
from maskwright.studio.faults import told
from maskwright.studio.page.edit import EditTab
from maskwright.studio.page.frame import Frame, T
from maskwright.studio.page.lift import LiftTab
from maskwright.studio.page.parts import PartsTab
from maskwright.studio.page.segment import SegmentTab
from maskwright.studio.page.video import VideoTab
from maskwright.studio.sessions import Session
from maskwright.studio.texts import language_of, named, say

_KEYS = (("Z", "undo"), ("Y", "redo"), ("A", "inside"), ("S", "outside"), ("B", "box"), ("W", "wand"), ("T", "take"),
         ("Esc", "stop"), ("Tab, ← ↑ → ↓", "arrows"))  # fmt: skip

AT_ONCE = 32
"""Visitors whose acts of one kind go on at the same time: the models' lanes do the queueing, not the page."""


def build_page(desk: Desk, *, keep_s: int) -> gr.Blocks:
    """The page over a desk; files that it makes are removed after `keep_s` seconds."""
    frame = Frame(desk)
    with gr.Blocks(title="maskwright", analytics_enabled=False, delete_cache=(300, max(300, keep_s))) as page:
        sid = gr.BrowserState("", storage_key="maskwright-session", secret="maskwright")
        head = gr.HTML(_head("en"), elem_classes="mw-head")
        with gr.Tabs(elem_id="mw-tabs") as tabs:
            with gr.Tab(T("segment"), id="segment"):
                segment = SegmentTab(frame, sid)
            with gr.Tab(T("parts"), id="parts") as parts_tab:
                PartsTab(frame, sid).listen_to(parts_tab)
            with gr.Tab(T("edit"), id="edit") as edit_tab:
                edit = EditTab(frame, sid)
                edit.listen_to(edit_tab)
            with gr.Tab(T("lift"), id="lift") as lift_tab:
                lift = LiftTab(frame, sid)
                lift.listen_to(lift_tab)
            with gr.Tab(T("video"), id="video"):
                video = VideoTab(frame, sid)
        foot = gr.HTML(_foot(desk, "en"), elem_classes="mw-foot mw-table")
        edit.use.click(frame.act(edit.go_on, 2), [sid], [segment.picture, edit.slider])
        opened = page.load(_opener(desk, segment), [sid], [sid, head, foot, *segment.shown])
        clip = [video.picture, video.index, video.before]
        opened.then(_returner(desk, video), [sid], [tabs, lift.timer, video.timer, *clip], show_progress="hidden")
    page.queue(default_concurrency_limit=AT_ONCE)
    return page


def _opener(desk: Desk, segment: SegmentTab) -> Any:
    """Comes back to the browser's own session, or to that of the job in the link, or begins one."""

    def load(request: gr.Request, sid: str) -> tuple[Any, ...]:
        language = language_of(request.headers.get("accept-language"))
        session = _by_link(desk, request) or desk.open(sid)
        return session.id, _head(language), _foot(desk, language), *segment.show(session, language)

    load.__annotations__ = {"request": gr.Request, "sid": str}
    return load


def _by_link(desk: Desk, request: gr.Request) -> Session | None:
    """The session of `?job=ID`, None when there is no such link or it leads nowhere any more."""
    job_id = request.query_params.get("job")
    if not job_id:
        return None
    try:
        return desk.open_by_job(job_id)
    except InputError as error:
        language = language_of(request.headers.get("accept-language"))
        gr.Warning(html.escape(told(error, language)), duration=8, title=say(language, "note"))
        return None


def _returner(desk: Desk, video: VideoTab) -> Any:
    """Opens the tab of the job in the link and lets it show how far the job is; brings the clip back."""

    def come_back(request: gr.Request, sid: str) -> tuple[Any, ...]:
        session, job_id = desk.open(sid), request.query_params.get("job", "")
        language = language_of(request.headers.get("accept-language"))
        try:
            clip = video.come_back(session, language)
        except InputError:
            clip = (gr.skip(), gr.skip(), gr.skip())
        job = desk.jobs.find(job_id) if desk.jobs.knows(job_id) else None
        if job is None or job.session != session.id:
            return gr.skip(), gr.skip(), gr.skip(), *clip
        is_lift = job.kind == "lift"
        session.extras["lift_job" if is_lift else "clip_job"] = job.id
        tabs = gr.Tabs(selected="lift" if is_lift else "video")
        return tabs, gr.Timer(active=is_lift), gr.Timer(active=not is_lift), *clip

    come_back.__annotations__ = {"request": gr.Request, "sid": str}
    return come_back


def _head(language: str) -> str:
    return f"<h1>{say(language, 'title')}</h1><p>{say(language, 'subtitle')}</p>"


def _foot(desk: Desk, language: str) -> str:
    """Keys, the models in use with their licences, the interface for scripts, light or dark."""
    keys = "".join(f"<tr><td><kbd>{key}</kbd></td><td>{say(language, f'key_{act}')}</td></tr>" for key, act in _KEYS)
    used = {(kind, choice["name"]) for kind, choice in desk.settings.models.items()}
    models = "".join(f"<tr><td>{named(row.kind, language)}</td><td>{row.name}</td><td>{row.licence}</td></tr>"
                     for row, _ in rows() if (row.kind, row.name) in used)  # fmt: skip
    heads = "".join(f"<th>{say(language, key)}</th>" for key in ("model_kind", "model_name", "model_licence"))
    return (
        f"<details><summary>{say(language, 'keys')}</summary><table>{keys}</table></details>"
        f"<details id='mw-about'><summary>{say(language, 'about')}</summary>"
        f"<table><tr>{heads}</tr>{models}</table></details>"
        f"<p><a href='/api/docs'>{say(language, 'interface')}</a> &middot; "
        f"<button type='button' class='mw-theme'>{say(language, 'theme')}</button></p>"
    )

"""What every tab uses: who is asking, in which language, and how faults are shown."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from maskwright.errors import Cancelled, MaskwrightError
from maskwright.plumbing.log import get_log
from maskwright.studio.desk import Desk
from maskwright.studio.faults import told, told_line, told_text
from maskwright.studio.jobs import Job
from maskwright.studio.sessions import Session
from maskwright.studio.texts import GRADIO, TEXTS, language_of, named, say

_log = get_log("studio.page")

I18N = gr.I18n(
    en={f"mw_{key}": english for key, (english, _) in TEXTS.items()},
    zh={f"mw_{key}": chinese for key, (_, chinese) in TEXTS.items()},
    **{"zh-CN": {f"mw_{key}": chinese for key, (_, chinese) in TEXTS.items()}},
)
"""Labels are translated in the browser by its own language; the prefix keeps ours apart from Gradio's words."""


def T(key: str) -> Any:  # noqa: N802 - short, because it stands before every label
    """A label of the page."""
    return I18N(f"mw_{key}")


CSS = (Path(__file__).parent / "studio.css").read_text(encoding="utf-8")
_SCRIPTS = [
    (Path(__file__).parent / name).read_text(encoding="utf-8")
    for name in ("keys.js", "hover.js", "pointer.js", "words.js")
]
_WORDS = json.dumps([[english, chinese] for english, chinese in GRADIO.items()], ensure_ascii=False)
SCRIPT = "() => {" + "".join(f"\n({script.strip()})({_WORDS});" for script in _SCRIPTS) + "\n}"
"""Runs once on the page: keyboard, preview of regions, pictures without a mouse, Gradio's own words in Chinese."""


HAND_OVER = """(file) => {
    const link = Object.assign(document.createElement("a"), {href: file.url, download: file.orig_name ?? ""});
    document.body.append(link);
    link.click();
    link.remove();
}"""
"""Takes the file from the answer itself: the page's own link may not have been told of it yet."""


class Download:
    """A button that makes a file and then hands it over: Gradio's own only gives what was made before the click."""

    def __init__(self, elem_id: str, label: str = "download") -> None:
        self.button = gr.Button(T(label), elem_id=elem_id, size="sm", min_width=60)
        self.file = gr.DownloadButton("", elem_id=f"{elem_id}-file", elem_classes="mw-hidden")

    def on_click(self, make: Callable[..., Any], inputs: list[Any]) -> None:
        """`make` gives the path of a file on the shelf."""
        self.button.click(make, inputs, [self.file]).success(fn=None, inputs=[self.file], js=HAND_OVER)


class Frame:
    """The desk as the page's events use it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def act(self, work: Callable[..., Any], fallback: int) -> Callable[..., Any]:
        """An event: `work(session, language, *values)`; a fault becomes a note on the page and `fallback` outputs that
        stay as they are. The first input is always the session's name."""

        def event(request: gr.Request, sid: str, *values: Any) -> Any:
            language = language_of(request.headers.get("accept-language"))
            try:
                return work(self.desk.need(sid), language, *values)
            except Cancelled:
                gr.Info(say(language, "status_stopped"), duration=4, title=say(language, "note"))
            except MaskwrightError as error:
                gr.Warning(self.words_for(error, language), duration=8, title=say(language, "note"))
            except Exception as error:  # noqa: BLE001 - never a stack trace in the page; the log has it
                _log.warning("page fault", act=work.__name__, error=repr(error))
                gr.Warning(say(language, "oops"), duration=8, title=say(language, "note"))
            return tuple(gr.skip() for _ in range(fallback)) if fallback > 1 else gr.skip()

        event.__annotations__ = {"request": gr.Request, "sid": str}
        event.__name__ = work.__name__
        return event

    def words_for(self, error: MaskwrightError, language: str) -> str:
        """What the note says: no tags, and no places on the server's disk."""
        return html.escape(re.sub(re.escape(str(self.desk.root)) + r"/(?:[^/\n]+/)*", "", told(error, language)))

    def halt(self, session: Session, language: str) -> str:
        """A Stop button: whatever works for this visitor ends."""
        self.desk.stop(session)
        return f"<span>{say(language, 'status_stopped')}</span>"


def with_place(inner: Callable[..., Any]) -> Callable[..., Any]:
    """An event of `Frame.act` whose first value is the place (or index) that was clicked."""

    def event(request: gr.Request, place: gr.SelectData, sid: str, *values: Any) -> Any:
        outside = isinstance(place.index, list) and None in place.index
        return inner(request, sid, [-1, -1] if place.index is None or outside else place.index, *values)

    event.__annotations__ = {"request": gr.Request, "place": gr.SelectData, "sid": str}
    return event


def job_text(job: Job, language: str) -> str:
    """How far a job is, or how it ended, with its link."""
    kind, state = say(language, f"kind_{job.kind}"), say(language, job.state)
    if job.ended is not None:
        line = say(language, "job_over", kind=kind, state=state, s=f"{job.ended - job.began:.1f}")
    else:
        left = say(language, "left", s=round(job.left_s)) if job.left_s is not None else ""
        line = say(language, "job", kind=kind, state=state, percent=round(job.share * 100), left=left)
    note = told_text(job.error, job.fault, language) or ("" if job.state == "done" else told_line(job.note, language))
    note = html.escape(note).replace("\n", "<br>")
    bar = f'<progress max="100" value="{round(job.share * 100)}" aria-label="{kind}"></progress>'
    link = f'<a href="?job={job.id}">?job={job.id}</a>'
    small = f"<p class='mw-small'>{say(language, 'link')} {link}</p>"
    return f'<div class="mw-job" data-state="{job.state}"><p>{line}</p>{bar}<p>{note}</p>{small}</div>'


def subject_text(session: Session, language: str, *, whole_allowed: bool) -> str:
    """What a tab works on: the active object, else the whole picture, else what to do first."""
    thing = session.board.thing
    if session.picture is not None and thing.mask is not None and thing.mask:
        line = say(language, "copied_from", name=named(thing.name, language), area=thing.mask.area)
    else:
        line = say(language, "whole_picture" if whole_allowed and session.picture is not None else "select_first")
    return f"<span>{html.escape(line)}</span>"


def spent_text(session: Session, language: str) -> str:
    """What the last step took."""
    spent = session.extras.get("cost_last_s")
    return "" if spent is None else say(language, "status_spent", s=f"{spent:.2f}")


def cost_text(session: Session, language: str) -> str:
    """What the steps of this session have cost so far."""
    spent = session.extras.get("cost")
    if spent is None:
        return ""
    words = {kind: say(language, f"call_{kind}") if f"call_{kind}" in TEXTS else named(kind, language)
             for kind in spent.calls}  # fmt: skip
    counts = [f"{words[kind]} {count}" for kind, count in sorted(spent.calls.items()) if count]
    calls = say(language, "comma").join(counts)
    seconds = f"{sum(spent.seconds.values()):.2f}"
    return say(language, "cost_line", calls=calls or 0, s=seconds, usd=f"{spent.usd:.4f}")

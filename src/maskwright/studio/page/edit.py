"""The Edit tab: words, the plan before it is run, the result beside the original, what changed outside."""

from __future__ import annotations

import html
import json
from typing import Any

import gradio as gr
import numpy as np

from maskwright.errors import InputError
from maskwright.studio.drawing import draw
from maskwright.studio.page.frame import Download, Frame, T, spent_text, subject_text, with_place
from maskwright.studio.sessions import Session
from maskwright.studio.shaping import make_edit, plan_edit
from maskwright.studio.texts import say
from maskwright.values import Image

MOST_EDITS = 12


class EditTab:
    """Works on the picture and the active object of the Segment tab."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.slider = gr.ImageSlider(
                    label=T("result"), type="numpy", format="webp", height=480, elem_id="mw-edit", interactive=False,
                    buttons=["fullscreen"],
                )  # fmt: skip
                self.drift = gr.HTML("", elem_id="mw-drift", elem_classes="mw-status")
                self.history = gr.Gallery(
                    label=T("history"), columns=6, height=150, interactive=False, object_fit="contain", format="webp",
                    allow_preview=False, elem_id="mw-edits", elem_classes="mw-strip mw-six", buttons=[],
                )  # fmt: skip
            with gr.Column(scale=2, min_width=320):
                self.subject = gr.HTML("", elem_classes="mw-status", elem_id="mw-edit-subject")
                self.words = gr.Textbox(label=T("edit_words"), placeholder=T("edit_hint"), elem_id="mw-edit-words")
                with gr.Row(elem_classes="mw-row"):
                    self.plan = gr.Button(T("show_plan"), elem_id="mw-plan", min_width=60)
                    self.run = gr.Button(T("run_edit"), variant="primary", elem_id="mw-run-edit", min_width=60)
                    self.stop = gr.Button(T("stop"), variant="stop", elem_id="mw-edit-stop", min_width=60)
                self.plan_text = gr.Code(
                    label=T("plan"), language="json", elem_id="mw-plan-text", interactive=False, max_lines=24
                )
                with gr.Row(elem_classes="mw-row"):
                    self.use = gr.Button(T("use_result"), size="sm", elem_id="mw-use-edit", min_width=60)
                    self.download = Download("mw-edit-download")
        self._listen()

    def _listen(self) -> None:
        act = self.frame.act
        self.plan.click(act(self.preview, 1), [self.sid, self.words], [self.plan_text])
        shown = [self.slider, self.drift, self.plan_text, self.history]
        for listen in (self.run.click, self.words.submit):
            listen(act(self.apply, 4), [self.sid, self.words], shown, show_progress_on=self.slider)
        self.stop.click(act(self.frame.halt, 1), [self.sid], [self.drift], show_progress="hidden")
        self.history.select(with_place(act(self.choose, 2)), [self.sid], [self.slider, self.drift])
        self.download.on_click(act(self.take_home, 1), [self.sid])

    def listen_to(self, tab: gr.Tab) -> None:
        """Coming to the tab shows what it would work on, or the last result."""
        shown = [self.slider, self.history, self.subject]
        tab.select(self.frame.act(self.arrive, 3), [self.sid], shown, show_progress="hidden")

    def arrive(self, session: Session, language: str) -> tuple[Any, ...]:
        subject = subject_text(session, language, whole_allowed=True)
        picture, edited = session.picture, session.extras.get("edited")
        if picture is None:
            return None, [], subject
        if isinstance(edited, Image):
            return (np.asarray(picture.pixels), np.asarray(edited.pixels)), self.strip(session), subject
        return (np.asarray(picture.pixels), draw(session, "dim")), self.strip(session), subject

    def strip(self, session: Session) -> list[Any]:
        """Every result so far with the words that made it."""
        return [(np.asarray(image.pixels), words) for image, words, _ in session.extras.get("edits", [])]

    def preview(self, session: Session, language: str, words: str) -> str:
        return json.dumps(plan_edit(self.desk, session, words), ensure_ascii=False, indent=1)

    def apply(self, session: Session, language: str, words: str) -> tuple[Any, ...]:
        done = make_edit(self.desk, session, words)
        session.extras["edited"] = done.image
        step = (done.image, words[:60], done.outside_px)
        session.extras["edits"] = [*session.extras.get("edits", []), step][-MOST_EDITS:]
        plan = json.dumps(done.plan, ensure_ascii=False, indent=1)
        pair = (np.asarray(session.need_picture().pixels), np.asarray(done.image.pixels))
        spent = f"<span class='mw-small'>{spent_text(session, language)}</span>"
        return pair, _drift(language, done.outside_px) + spent, plan, self.strip(session)

    def choose(self, session: Session, language: str, index: int) -> tuple[Any, ...]:
        """An earlier result becomes the one to download or to go on with."""
        edits = session.extras.get("edits", [])
        if not 0 <= int(index) < len(edits):
            raise InputError("there is no result yet.", "Make one first.")
        image, words, outside_px = edits[int(index)]
        session.extras["edited"] = image
        pair = (np.asarray(session.need_picture().pixels), np.asarray(image.pixels))
        return pair, f"<span>{html.escape(words)}: </span>{_drift(language, outside_px)}"

    def go_on(self, session: Session, language: str) -> tuple[Any, ...]:
        """The result becomes the picture of every tab; the marks stay."""
        if "edited" in session.extras:
            self.desk.replace_picture(session, session.extras.pop("edited"))
        pixels = None if session.picture is None else np.asarray(session.picture.pixels)
        return draw(session), (pixels, pixels)

    def take_home(self, session: Session, language: str) -> str:
        return str(self.desk.offer(self.desk.save_extra(session, "edited", "edited.png")))


def _drift(language: str, outside_px: int) -> str:
    return f"<span>{say(language, 'drift', n=outside_px)}</span>"

"""The Edit tab: words, the plan before it is run, the result beside the original, what changed outside."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
import numpy as np

from maskwright.studio.drawing import draw
from maskwright.studio.page.frame import Download, Frame, T
from maskwright.studio.sessions import Session
from maskwright.studio.shaping import make_edit, plan_edit
from maskwright.studio.texts import say


class EditTab:
    """Works on the picture and the active object of the Segment tab."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.slider = gr.ImageSlider(
                    label=T("result"), type="numpy", format="webp", height=480, elem_id="mw-edit"
                )
                self.drift = gr.HTML("", elem_id="mw-drift")
                self.history = gr.Gallery(label=T("history"), columns=6, height=140, interactive=False)
            with gr.Column(scale=2, min_width=320):
                self.words = gr.Textbox(label=T("edit_words"), placeholder=T("edit_hint"), elem_id="mw-edit-words")
                with gr.Row(elem_classes="mw-row"):
                    self.plan = gr.Button(T("show_plan"), size="sm", elem_id="mw-plan", min_width=60)
                    self.run = gr.Button(
                        T("run_edit"), variant="primary", size="sm", elem_id="mw-run-edit", min_width=60
                    )
                self.plan_text = gr.Code(label=T("plan"), language="json", elem_id="mw-plan-text")
                self.use = gr.Button(T("use_result"), size="sm", elem_id="mw-use-edit")
                self.download = Download("mw-edit-download")
        self._listen()

    def _listen(self) -> None:
        self.plan.click(self.frame.act(self.preview, 1), [self.sid, self.words], [self.plan_text])
        shown = [self.slider, self.drift, self.plan_text, self.history]
        for listen in (self.run.click, self.words.submit):
            listen(self.frame.act(self.apply, 4), [self.sid, self.words], shown)
        self.download.on_click(self.frame.act(self.take_home, 1), [self.sid])

    def preview(self, session: Session, language: str, words: str) -> str:
        return json.dumps(plan_edit(self.desk, session, words), ensure_ascii=False, indent=1)

    def apply(self, session: Session, language: str, words: str) -> tuple[Any, ...]:
        done = make_edit(self.desk, session, words)
        session.extras["edited"] = done.image
        session.extras["edits"] = [*session.extras.get("edits", []), (done.image, words[:60])][-12:]
        picture = session.need_picture()
        text = f"<p>{say(language, 'drift', n=done.outside_px)}</p>"
        history = [(np.asarray(image.pixels), words_) for image, words_ in session.extras["edits"]]
        plan = json.dumps(done.plan, ensure_ascii=False, indent=1)
        return (np.asarray(picture.pixels), np.asarray(done.image.pixels)), text, plan, history

    def go_on(self, session: Session, language: str) -> Any:
        """The result becomes the picture of every tab; the marks stay."""
        if "edited" in session.extras:
            self.desk.replace_picture(session, session.extras.pop("edited"))
        return draw(session)

    def take_home(self, session: Session, language: str) -> str:
        return str(self.desk.offer(self.desk.save_extra(session, "edited", "edited.png")))

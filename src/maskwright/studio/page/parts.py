"""The Parts tab: a part map with a legend, click to hide, merge and rename; garments to take home; the pose."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr
import numpy as np

from maskwright.errors import InputError
from maskwright.studio.page.frame import Frame, T
from maskwright.studio.sessions import Session
from maskwright.studio.shaping import Taken, take_apart
from maskwright.values import Image

_SHOWN = 5


class PartsTab:
    """Works on the picture and the active object of the Segment tab."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.map = gr.Image(label=T("parts_map"), type="numpy", format="webp", interactive=False, height=480,
                                    elem_id="mw-parts", elem_classes="mw-picture",
                                    alt_text="The picture in its parts")  # fmt: skip
                self.legend = gr.HTML("", elem_id="mw-legend")
            with gr.Column(scale=2, min_width=320):
                self.run = gr.Button(T("run_parts"), variant="primary", elem_id="mw-run-parts")
                self.part = gr.Dropdown([], label=T("part"), interactive=True)
                with gr.Row(elem_classes="mw-row"):
                    self.target = gr.Dropdown([], label=T("merge"), interactive=True)
                    self.merge = gr.Button(T("merge"), size="sm", min_width=60)
                with gr.Row(elem_classes="mw-row"):
                    self.name = gr.Textbox(label=T("name"), max_lines=1)
                    self.rename = gr.Button(T("rename"), size="sm", min_width=60)
                self.garments = gr.Gallery(label=T("garments"), columns=3, height=220, format="png", interactive=False)
                self.files = gr.Files(label=T("download"), elem_id="mw-part-files")
        self._listen()

    def _listen(self) -> None:
        shown = [self.map, self.legend, self.part, self.target, self.garments]
        self.run.click(self.frame.act(self.take_apart, _SHOWN + 1), [self.sid], [*shown, self.files])
        self.merge.click(self.frame.act(self.merged, _SHOWN), [self.sid, self.part, self.target], shown)
        self.rename.click(self.frame.act(self.renamed, _SHOWN), [self.sid, self.part, self.name], shown)
        inner = self.frame.act(self.toggle, _SHOWN)

        def event(request: gr.Request, place: gr.SelectData, sid: str) -> Any:
            return inner(request, sid, place.index)

        event.__annotations__ = {"request": gr.Request, "place": gr.SelectData, "sid": str}
        self.map.select(event, [self.sid], shown)

    def show(self, session: Session) -> tuple[Any, ...]:
        """The map, the legend, both choices and the garment cards."""
        taken = self.need(session)
        choices = gr.Dropdown(choices=taken.labels())
        cards = [(_rgba(image), name) for name, image in taken.dissection.garments.items()]
        return taken.draw(), _legend(taken), choices, choices, cards

    def need(self, session: Session) -> Taken:
        """What was taken apart; raises InputError when nothing was."""
        taken = session.extras.get("parts")
        if not isinstance(taken, Taken):
            raise InputError("nothing was taken apart yet.", "Press the button first.")
        return taken

    def take_apart(self, session: Session, language: str) -> tuple[Any, ...]:
        session.extras["parts"], paths = take_apart(self.desk, session)
        return (*self.show(session), [str(self.desk.offer(path)) for path in paths])

    def toggle(self, session: Session, language: str, place: Any) -> tuple[Any, ...]:
        taken = self.need(session)
        label = taken.dissection.label_at(float(place[0]), float(place[1]))
        session.extras["parts"] = taken.toggled(label)
        return self.show(session)

    def merged(self, session: Session, language: str, label: Any, target: Any) -> tuple[Any, ...]:
        if label and target:
            session.extras["parts"] = self.need(session).merged(str(target), str(label))
        return self.show(session)

    def renamed(self, session: Session, language: str, label: Any, name: str) -> tuple[Any, ...]:
        if label:
            session.extras["parts"] = self.need(session).renamed(str(label), name)
        return self.show(session)


def _legend(taken: Taken) -> str:
    rows = []
    for label in taken.labels():
        red, green, blue = taken.colour(label)
        hidden = " <i>(-)</i>" if label in taken.hidden else ""
        swatch = f'<span class="mw-swatch" style="background:rgb({red},{green},{blue})"></span>'
        rows.append(f"{swatch}{html.escape(label)}{hidden}")
    return "<p>" + "&emsp;".join(rows) + "</p>"


def _rgba(image: Image) -> Any:
    """A garment as RGBA pixels."""
    alpha = np.full((image.height, image.width), 255, np.uint8) if image.alpha is None else image.alpha
    return np.dstack([image.pixels, alpha])

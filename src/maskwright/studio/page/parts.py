"""The Parts tab: a part map with a legend, click to hide, merge and rename; garments to take home; the pose."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from maskwright.errors import InputError
from maskwright.studio.drawing import draw
from maskwright.studio.page.frame import Download, Frame, T, spent_text, subject_text, with_place
from maskwright.studio.sessions import Session
from maskwright.studio.shaping import Taken, save_part, take_apart, zip_parts
from maskwright.studio.texts import named

_SHOWN = 6


class PartsTab:
    """Works on the picture and the active object of the Segment tab."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.map = gr.Image(label=T("parts_map"), type="numpy", format="webp", interactive=False, height=480,
                                    elem_id="mw-parts", elem_classes="mw-picture", buttons=["fullscreen"],
                                    alt_text=T("alt_parts"))  # fmt: skip
                self.legend = gr.HTML("", elem_id="mw-legend", elem_classes="mw-legend")
            with gr.Column(scale=2, min_width=320):
                self.subject = gr.HTML("", elem_classes="mw-status", elem_id="mw-parts-subject")
                with gr.Row(elem_classes="mw-row"):
                    self.run = gr.Button(T("run_parts"), variant="primary", elem_id="mw-run-parts", min_width=60)
                    self.stop = gr.Button(T("stop"), variant="stop", elem_id="mw-parts-stop", min_width=60)
                self.complete = gr.Checkbox(False, label=T("complete"), elem_id="mw-complete")
                self.garments = gr.Gallery(
                    label=T("garments"), columns=4, height=300, format="png", interactive=False, object_fit="contain",
                    elem_id="mw-garments", buttons=["download", "fullscreen"],
                )  # fmt: skip
                self.part = gr.Dropdown([], label=T("part"), interactive=True, elem_id="mw-part")
                self._build_changes()
        self._listen()

    def _build_changes(self) -> None:
        with gr.Row(elem_classes="mw-row"):
            self.target = gr.Dropdown([], label=T("merge_into"), interactive=True, elem_id="mw-merge-into")
            self.merge = gr.Button(T("merge"), size="sm", min_width=60, elem_id="mw-merge")
        with gr.Row(elem_classes="mw-row"):
            self.name = gr.Textbox(label=T("new_name"), max_lines=1, elem_id="mw-part-name")
            self.rename = gr.Button(T("rename"), size="sm", min_width=60, elem_id="mw-rename-part")
        with gr.Row(elem_classes="mw-row"):
            self.take_part = Download("mw-part-file", "take_part")
            self.take_all = Download("mw-part-zip", "take_parts")

    def _listen(self) -> None:
        act = self.frame.act
        shown = [self.map, self.legend, self.part, self.target, self.garments, self.subject]
        self.run.click(act(self.take_apart, _SHOWN), [self.sid, self.complete], shown, show_progress_on=self.map)
        self.stop.click(act(self.frame.halt, 1), [self.sid], [self.subject], show_progress="hidden")
        self.merge.click(act(self.merged, _SHOWN), [self.sid, self.part, self.target], shown, show_progress_on=self.map)
        for listen in (self.rename.click, self.name.submit):
            listen(act(self.renamed, _SHOWN), [self.sid, self.part, self.name], shown, show_progress_on=self.map)
        self.map.select(with_place(act(self.toggle, 2)), [self.sid], shown[:2], show_progress_on=self.map)
        self.take_part.on_click(act(self.one_home, 1), [self.sid, self.part])
        self.take_all.on_click(act(self.all_home, 1), [self.sid])

    def listen_to(self, tab: gr.Tab) -> None:
        """Coming to the tab shows what it would work on, or what was taken apart before."""
        shown = [self.map, self.legend, self.part, self.target, self.garments, self.subject]
        tab.select(self.frame.act(self.arrive, _SHOWN), [self.sid], shown, show_progress="hidden")

    def arrive(self, session: Session, language: str) -> tuple[Any, ...]:
        if isinstance(session.extras.get("parts"), Taken):
            return self.show(session, language)
        none = gr.Dropdown(choices=[], value=None)
        return draw(session, "dim"), "", none, none, [], subject_text(session, language, whole_allowed=True)

    def show(self, session: Session, language: str) -> tuple[Any, ...]:
        """The map, the legend, both choices, the garment cards and what this is of."""
        taken = self.need(session)
        labels = taken.labels()
        named_labels = [(named(label, language), label) for label in labels]
        choices = gr.Dropdown(choices=named_labels, value=labels[0] if labels else None)
        target = gr.Dropdown(choices=named_labels, value=labels[1] if len(labels) > 1 else None)
        subject = subject_text(session, language, whole_allowed=True)
        cards = [(pixels, named(name, language)) for pixels, name in taken.cards()]
        return taken.draw(), _legend(taken, language), choices, target, cards, subject

    def need(self, session: Session) -> Taken:
        """What was taken apart; raises InputError when nothing was."""
        taken = session.extras.get("parts")
        if not isinstance(taken, Taken):
            raise InputError("nothing was taken apart yet.", "Press the button first.")
        return taken

    def take_apart(self, session: Session, language: str, complete: bool) -> tuple[Any, ...]:
        session.extras["parts"] = take_apart(self.desk, session, complete=bool(complete))
        *shown, subject = self.show(session, language)
        return (*shown, f"{subject}<span class='mw-small'>{spent_text(session, language)}</span>")

    def toggle(self, session: Session, language: str, place: Any) -> tuple[Any, ...]:
        session.extras["parts"] = taken = self.need(session).toggled_at(float(place[0]) + 0.5, float(place[1]) + 0.5)
        return taken.draw(), _legend(taken, language)

    def merged(self, session: Session, language: str, label: Any, target: Any) -> tuple[Any, ...]:
        if label and target:
            session.extras["parts"] = self.need(session).merged(str(target), str(label))
        return self.show(session, language)

    def renamed(self, session: Session, language: str, label: Any, name: str) -> tuple[Any, ...]:
        if label:
            session.extras["parts"] = self.need(session).renamed(str(label), name)
        return self.show(session, language)

    def one_home(self, session: Session, language: str, label: Any) -> str:
        return str(self.desk.offer(save_part(session, self.need(session), str(label))))

    def all_home(self, session: Session, language: str) -> str:
        return str(self.desk.offer(zip_parts(session, self.need(session))))


def _legend(taken: Taken, language: str) -> str:
    """Names with their colours; hidden ones struck through."""
    rows = []
    for label in taken.labels():
        red, green, blue = taken.colour(label)
        swatch = f'<span class="mw-swatch" style="background:rgb({red},{green},{blue})"></span>'
        state = "mw-name mw-off" if label in taken.hidden else "mw-name"
        rows.append(f'<span class="{state}">{swatch}{html.escape(named(label, language))}</span>')
    return f"<p>{''.join(rows)}</p>"

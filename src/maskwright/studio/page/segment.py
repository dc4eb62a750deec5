"""The Segment tab: click, box, brush, words, overview, wand; alternatives, objects, history, sculpt, export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from maskwright.media.samples import sample_names
from maskwright.studio.drawing import VIEWS
from maskwright.studio.handing import KINDS
from maskwright.studio.page.frame import Download, Frame, T, with_place
from maskwright.studio.page.segment_acts import SHOWN, SegmentActs
from maskwright.studio.texts import say

MODES = ("inside", "outside", "box", "wand", "take")


class SegmentTab(SegmentActs):
    """Builds the tab inside the current Blocks; `picture` is what other tabs listen to."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self._build_picture()
            with gr.Column(scale=2, min_width=320):
                self._build_tools()
        self._listen()

    # -- what stands on the tab

    def _build_picture(self) -> None:
        with gr.Row(elem_classes="mw-row mw-open"):
            self.file = gr.UploadButton(T("upload"), file_types=["image"], type="filepath", elem_id="mw-upload",
                                        variant="primary", scale=1, min_width=140)  # fmt: skip
            self.samples = gr.Radio(
                [(T(f"sample_{name}"), name) for name in sample_names()],
                label=T("samples"), elem_id="mw-samples", scale=3, min_width=280,
            )  # fmt: skip
        self.picture = gr.Image(
            label=T("picture"), type="numpy", format="webp", interactive=False, elem_classes="mw-picture",
            elem_id="mw-picture", alt_text=T("alt_picture"), height=520, buttons=["fullscreen"],
        )  # fmt: skip
        self.status = gr.HTML(say("en", "status_ready"), elem_classes="mw-status", elem_id="mw-status")
        with gr.Row(elem_classes="mw-row"):
            self.undo = gr.Button(T("undo"), elem_id="mw-undo", size="sm", min_width=60)
            self.redo = gr.Button(T("redo"), elem_id="mw-redo", size="sm", min_width=60)
            self.clear = gr.Button(T("clear"), elem_id="mw-clear", size="sm", min_width=60)
            self.stop = gr.Button(T("stop"), elem_id="mw-stop", size="sm", min_width=60, variant="stop")
        self.alternatives = gr.Gallery(
            label=T("alternatives"), columns=4, height=200, allow_preview=False, interactive=False, elem_id="mw-others",
            object_fit="contain", format="webp", buttons=[], elem_classes="mw-strip",
        )  # fmt: skip
        self.regions = gr.HTML("", elem_id="mw-regions", elem_classes="mw-hidden")

    def _build_tools(self) -> None:
        with gr.Accordion(T("camera"), open=False):
            self.camera = gr.Image(
                label=T("camera"), sources=["clipboard", "webcam"], type="numpy", height=220, elem_id="mw-camera"
            )
        self.mode = gr.Radio([(T(f"mode_{m}"), m) for m in MODES], value="inside", label=T("mode"), elem_id="mw-mode")
        self.view = gr.Radio([(T(f"view_{v}"), v) for v in VIEWS], value="tint", label=T("view"), elem_id="mw-view")
        with gr.Row(elem_classes="mw-row"):
            self.words = gr.Textbox(label=T("words"), placeholder=T("words_hint"), elem_id="mw-words", scale=3)
            self.find = gr.Button(T("find"), variant="primary", elem_id="mw-find", min_width=80)
        self.all = gr.Button(T("everything"), elem_id="mw-everything", size="sm")
        with gr.Row(elem_classes="mw-row"):
            self.things = gr.Dropdown([], label=T("things"), interactive=True, elem_id="mw-things")
            self.name = gr.Textbox(label=T("name"), elem_id="mw-name", max_lines=1)
        with gr.Row(elem_classes="mw-row"):
            self.new = gr.Button(T("new_thing"), size="sm", elem_id="mw-new", min_width=60)
            self.remove = gr.Button(T("remove_thing"), size="sm", elem_id="mw-remove", min_width=60)
        self._build_brush()
        self._build_sculpt()
        self._build_export()

    def _build_brush(self) -> None:
        with gr.Accordion(T("brush"), open=False):
            self.brush_load = gr.Button(T("brush_load"), size="sm", elem_id="mw-brush-load")
            self.editor = gr.ImageEditor(
                label=T("brush"), type="numpy", height=360, sources=(), transforms=(), layers=False, elem_id="mw-brush",
                brush=gr.Brush(colors=["#2ac878"], color_mode="fixed"),
            )  # fmt: skip
            with gr.Row(elem_classes="mw-row"):
                self.brush_add = gr.Button(T("brush_add"), size="sm", elem_id="mw-brush-add", min_width=60)
                self.brush_erase = gr.Button(T("brush_erase"), size="sm", elem_id="mw-brush-erase", min_width=60)
            self.mask_file = gr.UploadButton(
                T("import_mask"), file_types=["image"], type="filepath", size="sm", elem_id="mw-import"
            )

    def _build_sculpt(self) -> None:
        with gr.Accordion(T("sculpt"), open=False, elem_id="mw-sculpt-box"):
            with gr.Row(elem_classes="mw-row"):
                self.target = gr.Textbox(label=T("sculpt_target"), elem_id="mw-target")
                self.strategy = gr.Radio(
                    [(T(f"strategy_{s}"), s) for s in ("points", "anchors")], value="points", label=T("strategy")
                )
            self.rounds = gr.Slider(1, 6, value=3, step=1, label=T("rounds"), elem_id="mw-rounds")
            with gr.Row(elem_classes="mw-row"):
                self.sculpt = gr.Button(T("sculpt"), variant="primary", elem_id="mw-sculpt", min_width=60)
                self.sculpt_stop = gr.Button(T("stop"), variant="stop", elem_id="mw-sculpt-stop", min_width=60)
            self.slider = gr.ImageSlider(label=T("before_after"), type="numpy", height=300, format="webp")
            self.turns = gr.Radio([], label=T("round"), elem_id="mw-turns", visible=False)
            self.round_text = gr.HTML("", elem_classes="mw-small", elem_id="mw-round")
            with gr.Row(elem_classes="mw-row"):
                self.take_round = gr.Button(T("take_round"), size="sm", elem_id="mw-take-round")
                self.refuse_round = gr.Button(T("refuse_round"), size="sm", elem_id="mw-refuse-round")

    def _build_export(self) -> None:
        with gr.Row(elem_classes="mw-row"):
            self.format = gr.Dropdown([(T(f"form_{k}"), k) for k in KINDS], value="mask", label=T("format"))
            self.download = Download("mw-download")
        self.cost = gr.HTML("", elem_classes="mw-small", elem_id="mw-cost")

    # -- what happens

    @property
    def shown(self) -> list[Any]:
        return [self.picture, self.status, self.alternatives, self.things, self.name, self.cost]

    def _listen(self) -> None:
        opens = ((self.file.upload, self.file), (self.samples.input, self.samples), (self.camera.input, self.camera))
        for listen, source in opens:
            self._shows(listen, self.open, [source], [self.regions])
        self._shows(self.picture.select, self.click, [self.mode, self.view])
        self._shows(self.words.submit, self.search, [self.words, self.view])
        self._shows(self.find.click, self.search, [self.words, self.view])
        self._shows(self.all.click, self.everything, [], [self.regions, self.mode])
        self._shows(self.view.input, self.refresh, [self.view])
        for button, act in ((self.undo, self.desk.undo), (self.redo, self.desk.redo), (self.clear, self.desk.reset)):
            self._shows(button.click, self._then(act), [self.view])
        self.stop.click(self.frame.act(self.frame.halt, 1), [self.sid], [self.status], show_progress="hidden")
        self._shows(self.alternatives.select, self.alternative, [self.view])
        self._shows(self.things.input, self.select, [self.things, self.view])
        self._shows(self.name.submit, self.rename, [self.name, self.view])
        self._shows(self.new.click, self.add, [self.view])
        self._shows(self.remove.click, self.drop, [self.view])
        self._listen_brush()
        self._listen_sculpt()

    def _listen_brush(self) -> None:
        self.brush_load.click(self.frame.act(self.load_brush, 1), [self.sid], [self.editor])
        for button, add in ((self.brush_add, True), (self.brush_erase, False)):
            self._shows(button.click, self._painter(add), [self.editor, self.view])
        self._shows(self.mask_file.upload, self.import_mask, [self.mask_file, self.view])

    def _listen_sculpt(self) -> None:
        asked = [self.sid, self.target, self.strategy, self.rounds]
        act, rounds = self.frame.act, [self.slider, self.round_text, self.turns]
        self.sculpt.click(self._streaming(self.run_sculpt, len(rounds)), asked, rounds)
        self.sculpt_stop.click(act(self.frame.halt, 1), [self.sid], [self.status], show_progress="hidden")
        self.turns.input(act(self.look, 2), [self.sid, self.turns], rounds[:2], show_progress="hidden")
        self._shows(self.take_round.click, self.take, [self.turns, self.view])
        self._shows(self.refuse_round.click, self.refuse, [self.turns, self.view], rounds)
        self.download.on_click(self.frame.act(self.export, 1), [self.sid, self.format])

    def _shows(self, listen: Any, work: Any, values: list[Any], more: Sequence[Any] = ()) -> None:
        """An act that refreshes the tab, and `more`; places come along with clicks on pictures."""
        event = self.frame.act(work, SHOWN + len(more))
        if work in (self.click, self.alternative):
            event = with_place(event)
        listen(event, [self.sid, *values], [*self.shown, *more], show_progress_on=self.picture)

    def _streaming(self, work: Any, outputs: int) -> Any:
        """An event that yields; faults in the middle are shown like any other."""
        step = self.frame.act(lambda session, language, stream: next(stream, None), outputs)
        begin = self.frame.act(lambda session, language, *values: work(session, language, *values), outputs)

        def event(request: gr.Request, sid: str, *values: Any) -> Iterator[Any]:
            stream = begin(request, sid, *values)
            if not hasattr(stream, "__next__"):
                yield stream
                return
            while (item := step(request, sid, stream)) is not None:
                yield item
            yield tuple(gr.skip() for _ in range(outputs))  # the end repeats the last item: not over later acts

        event.__annotations__ = {"request": gr.Request, "sid": str}
        return event

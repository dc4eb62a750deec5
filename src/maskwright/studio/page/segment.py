"""The Segment tab: click, box, brush, words, overview, wand; alternatives, objects, history, sculpt, export."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from maskwright.media.exports import FORMS
from maskwright.media.samples import sample, sample_names
from maskwright.studio import marking
from maskwright.studio.drawing import VIEWS, draw, overview, shown_scale, strokes_of, thumbnail
from maskwright.studio.handing import hand_out
from maskwright.studio.page.frame import Download, Frame, T, cost_text
from maskwright.studio.sculpting import sculpt_rounds
from maskwright.studio.sessions import Session
from maskwright.studio.texts import say
from maskwright.values import Box, Image

MODES = ("inside", "outside", "box", "wand", "take")
_SHOWN = 5
"""How many outputs every act refreshes: picture, status, alternatives, objects, name."""


class SegmentTab:
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
        self.picture = gr.Image(
            label=T("picture"), type="numpy", format="webp", interactive=False, elem_classes="mw-picture",
            elem_id="mw-picture", alt_text="The picture with what is marked", height=520, buttons=["fullscreen"],
        )  # fmt: skip
        self.status = gr.HTML(say("en", "status_ready"), elem_classes="mw-status", elem_id="mw-status")
        with gr.Row(elem_classes="mw-row"):
            self.undo = gr.Button(T("undo"), elem_id="mw-undo", size="sm", min_width=60)
            self.redo = gr.Button(T("redo"), elem_id="mw-redo", size="sm", min_width=60)
            self.clear = gr.Button(T("clear"), elem_id="mw-clear", size="sm", min_width=60)
            self.stop = gr.Button(T("stop"), elem_id="mw-stop", size="sm", min_width=60, variant="stop")
        self.alternatives = gr.Gallery(
            label=T("alternatives"), columns=4, height=150, allow_preview=False, interactive=False, elem_id="mw-others"
        )

    def _build_tools(self) -> None:
        self.file = gr.UploadButton(
            T("upload"), file_types=["image"], type="filepath", elem_id="mw-upload", variant="primary"
        )
        with gr.Accordion(T("camera"), open=False):
            self.camera = gr.Image(label=T("camera"), sources=["clipboard", "webcam"], type="numpy", height=220)
        self.samples = gr.Radio(sample_names(), label=T("samples"), elem_id="mw-samples")
        self.mode = gr.Radio([(T(f"mode_{m}"), m) for m in MODES], value="inside", label=T("mode"), elem_id="mw-mode")
        self.view = gr.Radio(list(VIEWS), value="tint", label=T("view"), elem_id="mw-view")
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
            self.brush_load = gr.Button(T("brush_load"), size="sm")
            self.editor = gr.ImageEditor(
                label=T("brush"), type="numpy", height=360, sources=(), transforms=(), layers=False, elem_id="mw-brush",
                brush=gr.Brush(colors=["#2ac878"], color_mode="fixed"),
            )  # fmt: skip
            with gr.Row(elem_classes="mw-row"):
                self.brush_add = gr.Button(T("brush_add"), size="sm")
                self.brush_erase = gr.Button(T("brush_erase"), size="sm")
            self.mask_file = gr.UploadButton(T("import_mask"), file_types=["image"], type="filepath", size="sm")

    def _build_sculpt(self) -> None:
        with gr.Accordion(T("sculpt"), open=False, elem_id="mw-sculpt-box"):
            with gr.Row(elem_classes="mw-row"):
                self.target = gr.Textbox(label=T("sculpt_target"), elem_id="mw-target")
                self.strategy = gr.Radio(["points", "anchors"], value="points", label=T("mode"))
            self.rounds = gr.Slider(1, 6, value=3, step=1, label=T("rounds"))
            self.sculpt = gr.Button(T("sculpt"), variant="primary", elem_id="mw-sculpt")
            self.slider = gr.ImageSlider(label=T("before_after"), type="numpy", height=300, format="webp")
            self.round_text = gr.HTML("", elem_classes="mw-small", elem_id="mw-round")
            with gr.Row(elem_classes="mw-row"):
                self.take_round = gr.Button(T("take_round"), size="sm", elem_id="mw-take-round")
                self.refuse_round = gr.Button(T("refuse_round"), size="sm")

    def _build_export(self) -> None:
        with gr.Row(elem_classes="mw-row"):
            self.format = gr.Dropdown(["mask", "cutout", *FORMS, "trace"], value="mask", label=T("format"))
            self.download = Download("mw-download")
        self.cost = gr.HTML("", elem_classes="mw-small", elem_id="mw-cost")
        gr.HTML(say("en", "keys"), elem_classes="mw-small")

    # -- what happens

    @property
    def shown(self) -> list[Any]:
        return [self.picture, self.status, self.alternatives, self.things, self.name]

    def _listen(self) -> None:
        opens = ((self.file.upload, self.file), (self.samples.input, self.samples), (self.camera.input, self.camera))
        for listen, source in opens:
            listen(self._on(self.open), [self.sid, source], self.shown)
        self.picture.select(self._on(self.click), [self.sid, self.mode, self.view], self.shown)
        self.words.submit(self._on(self.search), [self.sid, self.words, self.view], self.shown)
        self.find.click(self._on(self.search), [self.sid, self.words, self.view], self.shown)
        self.all.click(self._on(self.everything), [self.sid], [*self.shown, self.mode])
        self.view.input(self._on(self.refresh), [self.sid, self.view], self.shown)
        for button, act in ((self.undo, self.desk.undo), (self.redo, self.desk.redo), (self.clear, self.desk.reset)):
            button.click(self._on(self._then(act)), [self.sid, self.view], self.shown)
        self.stop.click(self._on(self.halt), [self.sid], [self.status])
        self.alternatives.select(self._on(self.alternative), [self.sid, self.view], self.shown)
        self.things.input(self._on(self.select), [self.sid, self.things, self.view], self.shown)
        self.name.submit(self._on(self.rename), [self.sid, self.name, self.view], self.shown)
        self.new.click(self._on(self.add), [self.sid, self.view], self.shown)
        self.remove.click(self._on(self.drop), [self.sid, self.view], self.shown)
        self._listen_brush()
        self._listen_sculpt()

    def _listen_brush(self) -> None:
        self.brush_load.click(self._on(self.load_brush), [self.sid], [self.editor])
        for button, add in ((self.brush_add, True), (self.brush_erase, False)):
            paint = self._on(self._painter(add))
            button.click(paint, [self.sid, self.editor, self.view], self.shown)
        self.mask_file.upload(self._on(self.import_mask), [self.sid, self.mask_file, self.view], self.shown)

    def _listen_sculpt(self) -> None:
        asked = [self.sid, self.target, self.strategy, self.rounds]
        self.sculpt.click(self._streaming(self.run_sculpt), asked, [self.slider, self.round_text])
        self.take_round.click(self._on(self.take), [self.sid, self.view], self.shown)
        self.refuse_round.click(self._on(self.refuse), [self.sid, self.view], self.shown)
        self.download.on_click(self._on(self.export), [self.sid, self.format])

    def _on(self, work: Any) -> Any:
        outputs = {"halt": 1, "export": 1, "load_brush": 1, "everything": _SHOWN + 1}.get(work.__name__, _SHOWN)
        if work.__name__ in ("click", "alternative"):
            return self._with_place(work)
        return self.frame.act(work, outputs)

    def _with_place(self, work: Any) -> Any:
        """Select events bring the place (or index) that was chosen."""
        inner = self.frame.act(work, _SHOWN)

        def event(request: gr.Request, place: gr.SelectData, sid: str, *values: Any) -> Any:
            return inner(request, sid, place.index, *values)

        event.__annotations__ = {"request": gr.Request, "place": gr.SelectData, "sid": str}
        return event

    def _streaming(self, work: Any) -> Any:
        """An event that yields; faults in the middle are shown like any other."""
        step = self.frame.act(lambda session, language, stream: next(stream, None), 2)

        def event(request: gr.Request, sid: str, *values: Any) -> Iterator[Any]:
            stream = self.frame.act(lambda session, language, *v: work(session, language, *v), 2)(request, sid, *values)
            if not hasattr(stream, "__next__"):
                yield stream
                return
            while (item := step(request, sid, stream)) is not None:
                yield item

        event.__annotations__ = {"request": gr.Request, "sid": str}
        return event

    def show(self, session: Session, language: str, view: str = "tint", note: str | None = None) -> tuple[Any, ...]:
        """The five things every act refreshes."""
        board, picture = session.board, session.picture
        thing = board.thing
        if note is None:
            note = say(language, "status_ready")
            if picture is not None:
                note = say(language, "status_opened", w=picture.width, h=picture.height)
            if thing.mask is not None:
                score = "-" if thing.score is None else f"{thing.score:.2f}"
                note = say(language, "status_marked", name=thing.name, area=thing.mask.area, score=score)
        others = [(thumbnail(picture, m), f"{s:.2f}") for m, s in thing.others] if picture is not None else []
        names = [(t.name, i) for i, t in enumerate(board.things)]
        things = gr.Dropdown(choices=names, value=board.active)
        text = note if note.startswith("<") else f"<span>{_escaped(note)}</span>"
        return draw(session, view), text, others, things, thing.name

    def refresh(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        return self.show(session, language, view)

    def open(self, session: Session, language: str, source: Any) -> tuple[Any, ...]:
        if source is None:
            return tuple(gr.skip() for _ in range(_SHOWN))
        if isinstance(source, str) and source in sample_names():
            source = sample(source)
        elif not isinstance(source, str):
            source = _from_camera(source)
        self.desk.open_picture(session, source)
        return self.show(session, language)

    def click(self, session: Session, language: str, place: Any, mode: str, view: str) -> tuple[Any, ...]:
        scale = shown_scale(session.need_picture())
        at = ((place[0] + 0.5) / scale, (place[1] + 0.5) / scale)
        if mode == "box":
            corner = session.extras.pop("corner", None)
            if corner is None:
                session.extras["corner"] = at
                return self.show(session, language, view, say(language, "status_box"))
            (x0, x1), (y0, y1) = sorted((corner[0], at[0])), sorted((corner[1], at[1]))
            self.desk.draw_box(session, Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))
        elif mode == "wand":
            self.desk.wand(session, at)
        elif mode == "take":
            self._take_region(session, at)
        else:
            self.desk.click(session, at, inside=mode == "inside")
        return self.show(session, language, view)

    def _take_region(self, session: Session, at: tuple[float, float]) -> None:
        regions = self.desk.everything(session)
        found = marking.smallest_at(regions.unpack(), at)
        if found is not None:
            self.desk.take(session, regions[found], "region")

    def search(self, session: Session, language: str, phrase: str, view: str) -> tuple[Any, ...]:
        found = self.desk.words(session, phrase)
        session.extras["cost"] = found.cost + session.extras.get("cost", type(found.cost)())
        session.extras["trace"] = found.trace
        if found.mask is not None:
            return self.show(session, language, view)
        note = say(language, "status_none", phrase=phrase[:60], reason=found.reason)
        return self.show(session, language, view, note)

    def everything(self, session: Session, language: str) -> tuple[Any, ...]:
        regions = self.desk.everything(session)
        shown = self.show(session, language, "plain", say(language, "status_everything", n=len(regions)))
        return (overview(session.need_picture(), list(regions)), *shown[1:], "take")

    def alternative(self, session: Session, language: str, index: int, view: str) -> tuple[Any, ...]:
        self.desk.choose(session, int(index))
        return self.show(session, language, view)

    def select(self, session: Session, language: str, index: Any, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.select_thing(b, int(index)))
        return self.show(session, language, view)

    def rename(self, session: Session, language: str, name: str, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.rename_thing(b, name))
        return self.show(session, language, view)

    def add(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.add_thing(b))
        return self.show(session, language, view)

    def drop(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        self.desk.change(session, lambda b, p: marking.remove_thing(b))
        return self.show(session, language, view)

    def halt(self, session: Session, language: str) -> str:
        self.desk.stop(session)
        return say(language, "status_stopped")

    def _then(self, act: Any) -> Any:
        def work(session: Session, language: str, view: str) -> tuple[Any, ...]:
            act(session)
            return self.show(session, language, view)

        return work

    def load_brush(self, session: Session, language: str) -> Any:
        return {"background": draw(session, "outline"), "layers": [], "composite": None}

    def _painter(self, add: bool) -> Any:
        def work(session: Session, language: str, value: Any, view: str) -> tuple[Any, ...]:
            strokes = strokes_of((value or {}).get("layers") or [], session.need_picture().size)
            self.desk.paint(session, strokes, add=add)
            return self.show(session, language, view)

        return work

    def import_mask(self, session: Session, language: str, path: str, view: str) -> tuple[Any, ...]:
        self.desk.import_mask(session, path)
        return self.show(session, language, view)

    def run_sculpt(self, session: Session, language: str, target: str, strategy: str, rounds: int) -> Iterator[Any]:
        before = draw(session, "outline")
        for turn in sculpt_rounds(self.desk, session, target, strategy=strategy, rounds=int(rounds)):
            yield (before, turn.picture), f"<p>{_escaped(turn.text)}</p><p>{cost_text(session, language)}</p>"

    def take(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        mask = session.extras.pop("round", None)
        if mask is not None:
            self.desk.take(session, mask, "sculpt")
        return self.show(session, language, view)

    def refuse(self, session: Session, language: str, view: str) -> tuple[Any, ...]:
        session.extras.pop("round", None)
        return self.show(session, language, view, say(language, "status_kept"))

    def export(self, session: Session, language: str, form: str) -> str:
        return str(self.desk.offer(hand_out(session, form)))


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def _from_camera(pixels: Any) -> Any:
    return Image.of(pixels)

"""The Video tab: open a clip, mark on a frame, track, mend frames, erase, compare, take home."""

from __future__ import annotations

from typing import Any

import gradio as gr

from maskwright.studio.filming import (
    click_frame,
    draw_frame,
    erase_film,
    find_on_frame,
    need_film,
    open_film,
    place_on_frame,
    track,
)
from maskwright.studio.page.frame import Frame, T, job_text, with_place
from maskwright.studio.sessions import Session
from maskwright.studio.texts import say


class VideoTab:
    """A clip of its own, beside the picture of the other tabs."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.picture = gr.Image(label=T("fix"), type="numpy", format="webp", interactive=False, height=420,
                                        elem_id="mw-frame-picture", elem_classes="mw-picture", buttons=["fullscreen"],
                                        alt_text=T("alt_frame"))  # fmt: skip
                self.index = gr.Slider(0, 1, value=0, step=1, label=T("frame"), elem_id="mw-frame")
                self.state = gr.HTML("", elem_id="mw-video-state", elem_classes="mw-status")
            with gr.Column(scale=2, min_width=320):
                self.file = gr.UploadButton(T("load_clip"), file_types=["video"], type="filepath", elem_id="mw-clip",
                                            variant="primary")  # fmt: skip
                self.mode = gr.Radio(
                    [(T("mode_inside"), True), (T("mode_outside"), False)],
                    value=True,
                    label=T("mode"),
                    elem_id="mw-clip-mode",
                )
                with gr.Row(elem_classes="mw-row"):
                    self.words = gr.Textbox(
                        label=T("words"), placeholder=T("words_hint"), elem_id="mw-clip-words", scale=3
                    )
                    self.find = gr.Button(T("find"), size="sm", min_width=60, elem_id="mw-clip-find")
                with gr.Row(elem_classes="mw-row"):
                    self.track = gr.Button(T("track"), variant="primary", elem_id="mw-track", min_width=60)
                    self.erase = gr.Button(T("erase"), variant="primary", elem_id="mw-erase", min_width=60)
                    self.stop = gr.Button(T("stop"), variant="stop", min_width=60, elem_id="mw-clip-stop")
                with gr.Row(elem_classes="mw-row"):
                    self.before = gr.Video(label=T("clip"), interactive=False, height=220, min_width=150)
                    self.after = gr.Video(label=T("result"), interactive=False, height=220, min_width=150,
                                          elem_id="mw-erased")  # fmt: skip
                self.files = gr.Files(label=T("download"), elem_id="mw-clip-files", interactive=False, visible=False)
        self.timer = gr.Timer(1.0, active=False)
        self._listen()

    def _listen(self) -> None:
        act = self.frame.act
        self.file.upload(act(self.open, 4), [self.sid, self.file], [self.picture, self.index, self.state, self.before])
        self.index.input(act(self.show, 1), [self.sid, self.index], [self.picture], show_progress="hidden")
        self.picture.select(
            with_place(act(self.click, 2)), [self.sid, self.index, self.mode], [self.picture, self.state]
        )
        for listen in (self.find.click, self.words.submit):
            listen(act(self.search, 2), [self.sid, self.index, self.words], [self.picture, self.state])
        self.track.click(act(self.start_track, 2), [self.sid], [self.state, self.timer])
        self.erase.click(act(self.start_erase, 2), [self.sid], [self.state, self.timer])
        self.stop.click(act(self.frame.halt, 1), [self.sid], [self.state], show_progress="hidden")
        shown = [self.state, self.timer, self.picture, self.after, self.files]
        self.timer.tick(act(self.watch, 5), [self.sid, self.index], shown, show_progress="hidden")

    def open(self, session: Session, language: str, path: str) -> tuple[Any, ...]:
        film = open_film(self.desk, session, path)
        last = len(film.clip) - 1
        width, height = film.clip.size
        note = say(language, "status_opened", w=width, h=height)
        slider = gr.Slider(0, max(1, last), value=0, step=1, interactive=True)
        return draw_frame(film, 0), slider, note, str(self.desk.offer(film.path))

    def show(self, session: Session, language: str, index: float) -> Any:
        return draw_frame(need_film(session), int(index))

    def click(self, session: Session, language: str, place: Any, index: float, inside: bool) -> tuple[Any, ...]:
        at = place_on_frame(need_film(session), place)
        mask = click_frame(self.desk, session, int(index), at, inside=bool(inside))
        note = say(language, "status_marked", name=f"{say(language, 'frame')} {int(index)}", area=mask.area, score="-")
        return draw_frame(need_film(session), int(index)), note

    def search(self, session: Session, language: str, index: float, phrase: str) -> tuple[Any, ...]:
        mask = find_on_frame(self.desk, session, int(index), phrase)
        note = say(language, "status_none", phrase=phrase[:60], reason="-")
        if mask is not None:
            note = say(language, "status_marked", name=phrase[:40], area=mask.area, score="-")
        return draw_frame(need_film(session), int(index)), note

    def start_track(self, session: Session, language: str) -> tuple[Any, ...]:
        job = track(self.desk, session)
        session.extras["clip_job"] = job.id
        return job_text(job, language), gr.Timer(active=True)

    def start_erase(self, session: Session, language: str) -> tuple[Any, ...]:
        job = erase_film(self.desk, session)
        session.extras["clip_job"] = job.id
        return job_text(job, language), gr.Timer(active=True)

    def watch(self, session: Session, language: str, index: float) -> tuple[Any, ...]:
        job = self.desk.jobs.find(session.extras.get("clip_job", ""))
        film = need_film(session)
        text, timer, picture = job_text(job, language), gr.Timer(active=not job.is_over), draw_frame(film, int(index))
        if job.state == "done" and job.kind == "erase":
            path = str(self.desk.offer(job.files[0]))
            return text, timer, picture, path, gr.Files([path], visible=True, interactive=False)
        return text, timer, picture, gr.skip(), gr.skip()

    def come_back(self, session: Session, language: str) -> tuple[Any, ...]:
        """The clip as it was left."""
        film = need_film(session)
        slider = gr.Slider(0, max(1, len(film.clip) - 1), value=0, step=1, interactive=True)
        return draw_frame(film, 0), slider, str(self.desk.offer(film.path))

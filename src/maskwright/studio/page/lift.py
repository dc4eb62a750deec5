"""The 3D tab: lift the object, turn it, read its report, take it home."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import gradio as gr
import numpy as np

from maskwright.studio.drawing import thumbnail
from maskwright.studio.jobs import Job
from maskwright.studio.page.frame import Frame, T, job_text, subject_text
from maskwright.studio.sessions import Session
from maskwright.studio.shaping import make_lift
from maskwright.studio.texts import say

_SUBJECT_SIDE = 400


class LiftTab:
    """Works on the picture and the active object of the Segment tab, as a job."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.model = gr.Model3D(
                    label=T("lift"), height=480, elem_id="mw-model", clear_color=(0.9, 0.9, 0.92, 1), interactive=False
                )
            with gr.Column(scale=2, min_width=320):
                self.subject = gr.HTML("", elem_classes="mw-status", elem_id="mw-lift-subject")
                self.thumb = gr.Image(
                    label=T("segment"), type="numpy", format="webp", height=180, interactive=False, buttons=[],
                    alt_text=T("alt_lifted"), elem_id="mw-lift-thumb",
                )  # fmt: skip
                self.faces = gr.Slider(500, 50_000, value=8000, step=500, label=T("faces"), elem_id="mw-faces")
                with gr.Row(elem_classes="mw-row"):
                    self.run = gr.Button(T("run_lift"), variant="primary", elem_id="mw-run-lift", min_width=60)
                    self.stop = gr.Button(T("stop"), variant="stop", min_width=60, elem_id="mw-lift-stop")
                self.state = gr.HTML("", elem_id="mw-lift-state")
                self.report = gr.HTML("", elem_id="mw-lift-report", elem_classes="mw-table")
                self.files = gr.Files(label=T("download"), elem_id="mw-lift-files", interactive=False, visible=False)
        self.timer = gr.Timer(1.0, active=False)
        self.run.click(frame.act(self.start, 2), [sid, self.faces], [self.state, self.timer])
        self.stop.click(frame.act(frame.halt, 1), [sid], [self.state], show_progress="hidden")
        shown = [self.state, self.timer, self.model, self.report, self.files]
        self.timer.tick(frame.act(self.watch, 5), [sid], shown, show_progress="hidden")

    def listen_to(self, tab: gr.Tab) -> None:
        """Coming to the tab shows what would be lifted."""
        tab.select(self.frame.act(self.arrive, 2), [self.sid], [self.subject, self.thumb], show_progress="hidden")

    def arrive(self, session: Session, language: str) -> tuple[Any, ...]:
        picture, mask = session.picture, session.board.thing.mask
        seen = None if picture is None or mask is None else np.asarray(thumbnail(picture, mask, _SUBJECT_SIDE))
        return subject_text(session, language, whole_allowed=False), seen

    def start(self, session: Session, language: str, faces: float) -> tuple[Any, ...]:
        job = make_lift(self.desk, session, int(faces))
        session.extras["lift_job"] = job.id
        return job_text(job, language), gr.Timer(active=True)

    def watch(self, session: Session, language: str) -> tuple[Any, ...]:
        job = self.desk.jobs.find(session.extras.get("lift_job", ""))
        if not job.is_over:
            return job_text(job, language), gr.Timer(active=True), gr.skip(), gr.skip(), gr.skip()
        return job_text(job, language), gr.Timer(active=False), *self.shown(job, language)

    def shown(self, job: Job, language: str) -> tuple[Any, ...]:
        """Viewer, report and files of a finished job; nothing new for one that failed."""
        if job.state != "done":
            return gr.skip(), gr.skip(), gr.skip()
        files = [str(self.desk.offer(path)) for path in job.files]
        return files[0], _report(job.result["report"], language), gr.Files(files, visible=True, interactive=False)


def _report(report: Mapping[str, Any], language: str) -> str:
    """What matters of a mesh's report, in words."""
    low, high = report["box_m"]
    size = " x ".join(f"{b - a:.2f}" for a, b in zip(low, high, strict=True))
    rows = {
        "report_watertight": say(language, "yes" if report["watertight"] else "no"),
        "report_faces": report["faces"],
        "report_vertices": report["vertices"],
        "report_pieces": report["pieces"],
        "report_size": f"{size} m",
        "report_volume": f"{report['volume_m3']:.3f} m³",
        "model_name": report["lifter"],
    }
    lines = [f"<tr><th>{say(language, key)}</th><td>{html.escape(str(v))}</td></tr>" for key, v in rows.items()]
    return f"<table>{''.join(lines)}</table>"

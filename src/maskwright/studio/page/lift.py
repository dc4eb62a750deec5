"""The 3D tab: lift the object, turn it, read its report, take it home."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from maskwright.studio.jobs import Job
from maskwright.studio.page.frame import Frame, T, job_text
from maskwright.studio.sessions import Session
from maskwright.studio.shaping import make_lift


class LiftTab:
    """Works on the picture and the active object of the Segment tab, as a job."""

    def __init__(self, frame: Frame, sid: gr.BrowserState) -> None:
        self.frame, self.desk, self.sid = frame, frame.desk, sid
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=320):
                self.model = gr.Model3D(
                    label=T("lift"), height=480, elem_id="mw-model", clear_color=(0.9, 0.9, 0.92, 1)
                )
            with gr.Column(scale=2, min_width=320):
                self.faces = gr.Slider(500, 50_000, value=8000, step=500, label=T("faces"), elem_id="mw-faces")
                self.run = gr.Button(T("run_lift"), variant="primary", elem_id="mw-run-lift")
                self.state = gr.HTML("", elem_id="mw-lift-state")
                self.report = gr.HTML("", elem_id="mw-lift-report")
                self.files = gr.Files(label=T("download"), elem_id="mw-lift-files")
        self.timer = gr.Timer(1.0, active=False)
        self.run.click(frame.act(self.start, 2), [sid, self.faces], [self.state, self.timer])
        shown = [self.state, self.timer, self.model, self.report, self.files]
        self.timer.tick(frame.act(self.watch, 5), [sid], shown, show_progress="hidden")

    def start(self, session: Session, language: str, faces: float) -> tuple[Any, ...]:
        job = make_lift(self.desk, session, int(faces))
        session.extras["lift_job"] = job.id
        return job_text(job, language), gr.Timer(active=True)

    def watch(self, session: Session, language: str) -> tuple[Any, ...]:
        job = self.desk.jobs.find(session.extras.get("lift_job", ""))
        if not job.is_over:
            return job_text(job, language), gr.Timer(active=True), gr.skip(), gr.skip(), gr.skip()
        return job_text(job, language), gr.Timer(active=False), *self.shown(job)

    def shown(self, job: Job) -> tuple[Any, ...]:
        """Viewer, report and files of a finished job; nothing new for one that failed."""
        if job.state != "done":
            return gr.skip(), gr.skip(), gr.skip()
        files = [str(self.desk.offer(Path(path))) for path in job.result["files"]]
        rows = "".join(f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>"
                       for k, v in job.result["report"].items())  # fmt: skip
        return files[0], f"<table>{rows}</table>", files

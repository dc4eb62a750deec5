"""Captions from a model in another environment: the worker `caption`, one process for all questions of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskwright.erasing.captioning import MOST_TOKENS, AskingCaptioner
from maskwright.errors import BadSettings, WorkerError
from maskwright.media.images import save_image
from maskwright.plumbing.worker_places import open_worker
from maskwright.plumbing.worker_process import run_worker, worker_folder
from maskwright.ports import Question


class WorkerCaptioner(AskingCaptioner):
    """`weights`: the model's folder; `environment`: an interpreter, a venv or a conda environment (none: the one that
    `maskwright workers setup caption` made). The model's memory is free again when the questions are answered."""

    def __init__(self, *, weights: str | None = None, environment: str | None = None, device: str = "auto") -> None:
        if not weights:
            raise BadSettings("the caption worker has no model.", "Set models.captioner.weights to its folder.")
        self.worker = open_worker("caption", environment)
        self.request = {"model": str(Path(weights).expanduser()), "device": device, "max_tokens": MOST_TOKENS}
        super().__init__(f"worker:{Path(weights).name}", self._answered)

    def _answered(self, asked: Sequence[Question]) -> list[str]:
        """Raises WorkerError, MissingPackage, OutOfMemory."""
        with worker_folder() as folder:
            questions = [self._written(folder, number, each) for number, each in enumerate(asked)]
            result = run_worker(self.worker, {**self.request, "questions": questions}, folder)
        answers = result.get("answers")
        if not isinstance(answers, list) or len(answers) != len(asked):
            raise WorkerError(f"{self.name} did not answer every question.", "Report it.")
        return [str(answer) for answer in answers]

    def _written(self, folder: Path, number: int, question: Question) -> dict[str, Any]:
        files = [folder / f"{number:02d}-{i:02d}.png" for i in range(len(question.images))]
        for file, image in zip(files, question.images, strict=True):
            save_image(file, image)
        return {"text": question.text, "images": [str(file) for file in files]}

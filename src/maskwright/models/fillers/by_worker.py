"""Fillers that run as workers on the user's own checkout: DiffuEraser and ProPainter as their authors wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.asking.body_rule import check_words
from maskwright.errors import BadMask, MissingModel, WorkerError
from maskwright.media.videos import open_clip, write_clip
from maskwright.plumbing.log import get_log
from maskwright.plumbing.worker_places import open_worker
from maskwright.plumbing.worker_process import Worker, run_worker, worker_folder
from maskwright.ports import FillOptions

_log = get_log("workers")
Frame = NDArray[np.uint8]
_RATE = Fraction(24)


class WorkerFiller:
    """Writes clip and masks for a worker, runs it, and reads back what it made; pixels outside the masks stay.

    `checkout`: the folder of its code; `environment`: an interpreter, a venv or a conda environment (none: the one
    that `maskwright workers setup` made); `more`: further values of its request.
    """

    def __init__(
        self, kind: str, *, checkout: str | None = None, environment: str | None = None, weights: str | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        if checkout is None:
            raise MissingModel(f"{kind} runs on your own checkout of it.", "Set models.filler.checkout to its folder.")
        self.name = f"{kind}-worker"
        self.kind = kind
        self.worker: Worker = open_worker(kind, environment)
        checkout = str(Path(checkout).expanduser().resolve())
        self.request = {"checkout": checkout, "accepted": True, **more, **({"weights": weights} if weights else {})}

    def fill(
        self, frames: Sequence[Frame], masks: Sequence[NDArray[np.bool_]], options: FillOptions
    ) -> Iterator[Frame]:
        """Every frame in order; raises BadMask, WorkerError, OutOfMemory."""
        check_words(options.words)
        if len(frames) != len(masks):
            raise BadMask(f"{len(frames)} frames, but {len(masks)} masks.", "Give one mask a frame.")
        lost = [name for name in ("anchor", "avoid") if getattr(options, name, None)]
        if lost:
            _log.warning("not told to the worker", worker=self.name, what=lost)
        with worker_folder() as folder:
            request = {**self.request, **_files(folder, frames, masks, options), "out": str(folder / "out")}
            (folder / "out").mkdir()
            result = run_worker(self.worker, request, folder, outputs=("video",))
            yield from self._read(Path(result["video"]), frames, masks)

    def _read(self, video: Path, frames: Sequence[Frame], masks: Sequence[NDArray[np.bool_]]) -> Iterator[Frame]:
        from maskwright.models.fillers.lite_motion import fitted

        with open_clip(video) as made:
            if len(made) < len(frames):
                raise WorkerError(
                    f"{self.name} made {len(made)} frames of {len(frames)}.",
                    "Give it shorter clips, or a longer limit.",
                )
            for index in range(len(frames)):
                out = frames[index].copy()
                painted = fitted(made.frames[index], out.shape[1::-1])
                out[masks[index]] = painted[masks[index]]
                yield out


def _files(
    folder: Path, frames: Sequence[Frame], masks: Sequence[NDArray[np.bool_]], options: FillOptions
) -> Mapping[str, Any]:
    """The clips that the worker reads, and the words that steer it."""
    count = len(frames)
    write_clip(folder / "video.mp4", (frames[i] for i in range(count)), rate=_RATE, crf=4)
    shown = (np.repeat(masks[i][:, :, None], 3, axis=2).astype(np.uint8) * 255 for i in range(count))
    write_clip(folder / "mask.mp4", shown, rate=_RATE, crf=4)
    prior = options.prior if options.prior is not None else frames
    write_clip(folder / "prior.mp4", (prior[i] for i in range(count)), rate=_RATE, crf=4)
    names = {name: str(folder / f"{name}.mp4") for name in ("video", "mask", "prior")}
    length = -(-count // int(_RATE)) + 1
    return {**names, "words": options.words, "guidance": options.guidance or 0, "length_s": length}


def diffueraser_worker(**settings: Any) -> WorkerFiller:
    return WorkerFiller("diffueraser", **settings)


def propainter_worker(**settings: Any) -> WorkerFiller:
    return WorkerFiller("propainter", **settings)

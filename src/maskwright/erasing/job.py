"""What is to be erased, what does the work, and what the loop tells on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.asking import Asker
from maskwright.plumbing.cancel import Cancel
from maskwright.ports import Captioner, Inpainter, VideoFiller, VideoSegmenter
from maskwright.values import Image, Mask

PHASES = ("masks", "shadows", "coarse", "caption", "anchor", "refine", "output")
"""The steps of one clip, in order; shadows is their judge's, where one is asked for. Phase 1 is coarse, phase 2
caption, phase 3 anchor and refine."""

Find = Callable[[Image, str], tuple[Mask | None, float]]
"""A phrase in a picture -> its mask (None: no such thing) and how sure that is."""


@dataclass(frozen=True)
class Job:
    """One clip: `video` (a file or a folder of frames), what to remove (`mask`: folder, video or picture; or a
    `phrase`), `folder` for every step. `prompt_file`: the caption file people may edit. `damaged`: keep what can be
    decoded of a damaged file."""

    name: str
    video: Path
    folder: Path
    mask: Path | None = None
    phrase: str | None = None
    prompt_file: Path | None = None
    rate: str | None = None
    mask_value: int | None = None
    damaged: bool = False
    length: int | None = None
    """Only the first so many frames."""

    @property
    def captions(self) -> Path:
        return self.prompt_file or self.folder / "prompt.yaml"


@dataclass(frozen=True)
class Engines:
    """Ready models, or functions that make them when they are first needed."""

    filler: Callable[[str], VideoFiller]
    inpainter: Callable[[], Inpainter]
    captioner: Callable[[], Captioner]
    find: Find | None = None
    tracker: Callable[[], VideoSegmenter] | None = None
    asker: Callable[[Cancel], Asker | None] | None = None
    """Who judges shadows and reflections; none: nobody."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Role (coarse, filler, inpainter, captioner, tracker, find, vlm) -> name."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Role -> what its model was made with; a change makes its steps stale."""
    finding: Mapping[str, Any] = field(default_factory=dict)
    """All else that a mask found by a phrase depends on."""

    def about(self, role: str) -> dict[str, Any]:
        """What of a role shapes a step's result."""
        return {role: self.names.get(role, ""), "options": dict(self.options.get(role, {}))}


@dataclass(frozen=True)
class Progress:
    """One piece of news: `step` of PHASES, `state` began | frame | done | kept (nothing to do) | skipped,
    `done` of `total` frames, and what a reader may want to know."""

    clip: str
    step: str
    state: str
    done: int = 0
    total: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


Frame = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Frames = Sequence[Frame]
Steps = Iterator[Progress]

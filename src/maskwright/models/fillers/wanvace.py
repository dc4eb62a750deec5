"""Wan VACE as a filler, through diffusers: a clip with grey holes in, the whole clip out, some frames at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import ftfy  # noqa: F401  the pipeline calls it without asking whether it is there
import numpy as np
import torch
from diffusers import WanVACEPipeline
from numpy.typing import NDArray
from PIL import Image as Pil

from maskwright.asking.body_rule import check_words
from maskwright.errors import BadMask, BadSettings
from maskwright.models.pipelines import load_pipeline
from maskwright.models.torching import Host, Place, choose_place
from maskwright.models.weights import locate
from maskwright.ports import FillOptions, Frame

GREY = 128
MULTIPLE = 16
SHARED = 5
"""Frames of a stretch that the next one gets as already painted."""
Bools = NDArray[np.bool_]


class WanVace:
    """Fills a clip in stretches of `stretch` frames (4n + 1), each starting from the end of the one before.

    Sizes are worked on at `max_side` pixels at most. `progress` is called at each step and may raise Cancelled.
    """

    name = "wan-vace"

    def __init__(
        self,
        weights: str | Path = "wan-vace-1.3b",
        *,
        device: str = "auto",
        dtype: str = "auto",
        steps: int = 30,
        stretch: int = 81,
        max_side: int = 832,
        guidance: float = 5.0,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        if stretch % 4 != 1 or stretch <= SHARED:
            raise BadSettings(f"stretch={stretch} is not possible.", "Give 4n + 1 frames, at least 9; such as 81.")
        self.steps, self.stretch, self.max_side, self.guidance = steps, stretch, max_side, guidance
        self.progress = progress or (lambda what, done, total: None)
        place = choose_place(device, dtype, half="bfloat16")
        self.host = Host(self.name, load_pipeline(WanVACEPipeline, locate(weights), self.name, place), place)

    def fill(self, frames: Sequence[Frame], masks: Sequence[Bools], options: FillOptions) -> Iterator[Frame]:
        """Every frame in order; outside the masks nothing changes. Raises BadMask, ModelError, OutOfMemory."""
        check_words(options.words)
        if len(frames) != len(masks):
            raise BadMask(f"{len(frames)} frames, but {len(masks)} masks.", "Give one mask a frame.")
        return self._filled(frames, masks, options)

    def _filled(self, frames: Sequence[Frame], masks: Sequence[Bools], options: FillOptions) -> Iterator[Frame]:
        done: list[Frame] = []
        start = 0
        while start < len(frames):
            stop = min(start - len(done) + self.stretch, len(frames))
            before = start - len(done)
            known = {before + i: frame for i, frame in enumerate(done)}
            if options.anchor is not None and options.anchor[0] not in known:
                known[options.anchor[0]] = options.anchor[1]
            made = self._stretch(frames, masks, range(before, stop), known, options)[start - before :]
            filled = [
                np.where(masks[i][:, :, None], picture, frames[i]) for i, picture in zip(range(start, stop), made)
            ]
            yield from filled
            done = filled[-SHARED:] if stop < len(frames) else []
            start = stop

    def _stretch(
        self,
        frames: Sequence[Frame],
        masks: Sequence[Bools],
        span: range,
        known: dict[int, Frame],
        options: FillOptions,
    ) -> list[Frame]:
        """The pictures of `span`; a clip too short for the model ends with its last frame repeated."""
        height, width = frames[span.start].shape[:2]
        scale = min(1.0, self.max_side / max(width, height))
        size = tuple(max(MULTIPLE, round(s * scale / MULTIPLE) * MULTIPLE) for s in (width, height))
        length = -(-(len(span) - 1) // 4) * 4 + 1
        indices = [min(i, span.stop - 1) for i in range(span.start, span.start + length)]
        shown, holes = [], []
        for i in indices:
            hole = masks[i] & (i not in known)
            picture = np.where(hole[:, :, None], np.uint8(GREY), known.get(i, frames[i]))
            shown.append(Pil.fromarray(picture).resize(size, Pil.Resampling.BICUBIC))
            holes.append(Pil.fromarray(hole.astype(np.uint8) * 255).resize(size, Pil.Resampling.NEAREST))
        made = self.host.call(lambda pipeline, place: self._paint(pipeline, place, shown, holes, options))
        return [cv2.resize(p, (width, height), interpolation=cv2.INTER_CUBIC) for p in made[: len(span)]]

    def _paint(
        self, pipeline: Any, place: Place, shown: list[Any], holes: list[Any], options: FillOptions
    ) -> list[NDArray[np.uint8]]:
        def told(pipe: Any, step: int, t: Any, given: dict[str, Any]) -> dict[str, Any]:
            self.progress("painting", step + 1, self.steps)
            return given

        out = pipeline(
            prompt=options.words,
            negative_prompt=options.avoid,
            video=shown,
            mask=holes,
            width=shown[0].width,
            height=shown[0].height,
            num_frames=len(shown),
            num_inference_steps=self.steps,
            guidance_scale=options.guidance or (self.guidance if options.words else 1.0),
            generator=torch.Generator().manual_seed(options.seed),
            callback_on_step_end=told,
            output_type="np",
        ).frames[0]
        return [np.asarray((frame * 255).round(), dtype=np.uint8) for frame in np.asarray(out)]

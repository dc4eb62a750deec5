"""SAM 2, EdgeTAM and SAM 3 on clips: objects marked on some frames, followed with a memory of what they looked like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import EdgeTamVideoModel, Sam2VideoModel, Sam3TrackerVideoModel
from transformers.models.edgetam_video.modeling_edgetam_video import EdgeTamVideoInferenceSession
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession
from transformers.models.sam3_tracker_video.modeling_sam3_tracker_video import Sam3TrackerVideoInferenceSession

from maskwright.errors import BadPrompt
from maskwright.models.segmenters.frames import HALVES, IMAGENET, Square
from maskwright.models.torching import Host, choose_place, load_pretrained
from maskwright.models.weights import locate
from maskwright.ports import Frame
from maskwright.values import Mask, MaskStack, Prompt

KEPT_FRAMES = 32
"""Frames whose memory is kept: more than any of the networks looks back to."""
Marks = Mapping[int, Mapping[int, Prompt | Mask]]


class MemoryTracker:
    """Follows objects with a memory; frames are read one by one and forgotten.

    Frames before the first mark are followed backwards from it; an object first marked later is empty until then.
    """

    kind: Any = None
    session: Any = None
    colours = IMAGENET

    def __init__(self, weights: str | Path, *, device: str = "auto", dtype: str = "auto", name: str = "") -> None:
        self.name = name or str(weights)
        place = choose_place(device, dtype, half="bfloat16")
        model = load_pretrained(self.kind, locate(weights), self.name, place)
        self.host = Host(self.name, model, place)
        self.side = int(model.config.prompt_encoder_config.image_size)

    def track(self, frames: Sequence[Frame], prompts: Marks) -> Iterator[tuple[int, dict[int, Mask]]]:
        """(frame index, {object: mask}) for every frame in order; raises BadPrompt, ModelError, OutOfMemory."""
        marked = sorted(index for index, marks in prompts.items() if marks)
        if not marked:
            raise BadPrompt("nothing is marked on any frame.", "Mark an object with points, a box or a mask.")
        if marked[0] < 0 or marked[-1] >= len(frames):
            raise BadPrompt(f"frame {marked[-1]} is not in the clip of {len(frames)}.", "Mark a frame of the clip.")
        return self._track(frames, prompts, marked[0])

    def _track(self, frames: Sequence[Frame], prompts: Marks, first: int) -> Iterator[tuple[int, dict[int, Mask]]]:
        ids = sorted({obj for marks in prompts.values() for obj in marks})
        start = {first: prompts[first]}
        before: list[MaskStack] = []
        if first:
            backwards = self._follow(frames, start, range(first, -1, -1), ids)
            before = [MaskStack.of([masks[obj] for obj in ids]) for _, masks in backwards][1:]
        for index, stack in enumerate(reversed(before)):
            yield index, dict(zip(ids, stack))
        yield from self._follow(frames, prompts, range(first, len(frames)), ids)

    def _follow(
        self, frames: Sequence[Frame], prompts: Marks, order: range, ids: Sequence[int]
    ) -> Iterator[tuple[int, dict[int, Mask]]]:
        height, width = frames[order[0]].shape[:2]
        square = Square((width, height), self.side, False, self.colours)
        place = self.host.place
        session = self.session(
            video_height=height, video_width=width, inference_device=place.device, dtype=place.dtype,
            inference_state_device=place.device, video_storage_device=place.device,
        )  # fmt: skip
        for index in order:
            for obj, mark in prompts.get(index, {}).items():
                self._mark(session, index, obj, mark, square)
            shown = square.read(np.ascontiguousarray(frames[index]))[0]
            work = partial(_step, session, index, shown, order.step < 0)
            low = self.host.call(work, may_move=False)  # the memory stays on its device
            inside = (square.logits(low)[:, 0] > 0).cpu().numpy()
            masks = {session.obj_idx_to_id(i): Mask(mask) for i, mask in enumerate(inside)}
            _forget(session, index, order.step)
            yield index, {obj: masks.get(obj) or Mask.empty(width, height) for obj in ids}

    def _mark(self, session: Any, index: int, obj: int, mark: Prompt | Mask, square: Square) -> None:
        place = session.obj_id_to_idx(obj)
        if isinstance(mark, Mask):
            mark.check_size(square.size)
            session.add_mask_inputs(place, index, _mask_input(mark, self.side))
        elif mark.is_empty or (not len(mark.points) and mark.box is None):
            raise BadPrompt(f"{self.name}: object {obj} is marked by nothing.", "Give points, a box or a mask.")
        else:
            xy, labels = _clicks(mark, square)
            session.add_point_inputs(place, index, {"point_coords": xy, "point_labels": labels})
        session.obj_with_new_inputs = [*session.obj_with_new_inputs, obj]


def _step(session: Any, index: int, shown: Tensor, reverse: bool, *answering: Any) -> Tensor:
    """Low-resolution logits (objects, 1, h, w) of one frame; `answering`: the model and its place."""
    model, place = answering
    out = model(session, frame_idx=index, frame=place.put(shown), reverse=reverse)
    return out.pred_masks.float().reshape(-1, 1, *out.pred_masks.shape[-2:])


def _clicks(prompt: Prompt, square: Square) -> tuple[Tensor, Tensor]:
    """(1, 1, N, 2) points and (1, 1, N) labels; a box comes first, as corners labelled 2 and 3."""
    xy, labels = np.asarray(prompt.points).reshape(-1, 2), np.asarray(prompt.labels)
    if prompt.box is not None:
        xy = np.vstack([np.array(tuple(prompt.box)).reshape(2, 2), xy])
        labels = np.concatenate([[2, 3], labels])
    points = torch.from_numpy(square.points(xy))[None, None]
    return points, torch.from_numpy(labels.astype(np.int32))[None, None]


def _mask_input(mask: Mask, side: int) -> Tensor:
    whole = torch.from_numpy(mask.array.astype(np.float32))[None, None]
    small = F.interpolate(whole, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return (small >= 0.5).float()


def _forget(session: Any, index: int, step: int) -> None:
    """Drops the frame and what was remembered of frames too old to be looked at."""
    session.processed_frames.pop(index, None)
    old = index - step * KEPT_FRAMES
    for outputs in session.output_dict_per_obj.values():
        outputs["non_cond_frame_outputs"].pop(old, None)
    for tracked in session.frames_tracked_per_obj.values():
        tracked.pop(old, None)


class Sam2Tracker(MemoryTracker):
    """SAM 2 and 2.1."""

    kind, session = Sam2VideoModel, Sam2VideoInferenceSession


class EdgeTamTracker(MemoryTracker):
    """EdgeTAM: SAM 2 for small devices."""

    kind, session = EdgeTamVideoModel, EdgeTamVideoInferenceSession

    def track(self, frames: Sequence[Frame], prompts: Marks) -> Iterator[tuple[int, dict[int, Mask]]]:
        """As for the others; marks are clicks and boxes, or masks on one frame (transformers cannot mix them)."""
        kinds = {
            (isinstance(m, Mask), index * isinstance(m, Mask)) for index, ms in prompts.items() for m in ms.values()
        }
        if len(kinds) > 1:
            raise BadPrompt(f"{self.name} cannot follow masks and clicks at once.", "Mark all objects in one way.")
        return super().track(frames, prompts)


class Sam3Tracker(MemoryTracker):
    """SAM 3's tracker by clicks and masks."""

    kind, session, colours = Sam3TrackerVideoModel, Sam3TrackerVideoInferenceSession, HALVES

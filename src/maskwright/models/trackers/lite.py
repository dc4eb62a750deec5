"""The embedded tracker: masks move along dense motion and are cut anew by the segmenter on key frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.ports import Segmenter
from maskwright.values import Image, Mask, Prompt

Frame = NDArray[np.uint8]
Soft = NDArray[np.float32]

KEY_EVERY = 5
"""Frames between two looks of the segmenter."""
AGREES = 0.6
"""A fresh cut is taken when it overlaps the moved mask at least this much (IoU)."""
WORKING_PX = 512


class LiteTracker:
    """Follows objects forward and backward from the frames they are marked in; a mask or a prompt marks."""

    def __init__(self, segmenter: Segmenter, *, key_every: int = KEY_EVERY, name: str = "lite") -> None:
        self.name = name
        self.segmenter, self.key_every = segmenter, key_every

    def track(
        self, frames: Sequence[Frame], prompts: Mapping[int, Mapping[int, Prompt | Mask]]
    ) -> Iterator[tuple[int, dict[int, Mask]]]:
        """Every frame in order with its masks by object; raises BadPrompt when nothing is marked, or off the clip."""
        marks = self._marks(frames, prompts)
        first = min(marks)
        before = self._walk(frames, marks, range(first, -1, -1))
        earlier = {index: masks for index, masks in before if index < first}
        for index in range(first):
            yield index, earlier.pop(index)
        yield from self._walk(frames, marks, range(first, len(frames)))

    def _marks(
        self, frames: Sequence[Frame], prompts: Mapping[int, Mapping[int, Prompt | Mask]]
    ) -> dict[int, dict[int, Mask]]:
        out: dict[int, dict[int, Mask]] = {}
        for index, marked in prompts.items():
            if not 0 <= index < len(frames):
                raise BadPrompt(f"there is no frame {index} to mark.", f"The clip has {len(frames)} frames.")
            for name, mark in marked.items():
                mask = mark if isinstance(mark, Mask) else self._cut(Image(frames[index]), mark)
                mask.check_size((frames[index].shape[1], frames[index].shape[0]))
                out.setdefault(index, {})[name] = mask
        if not out:
            raise BadPrompt("nothing is marked in the clip.", "Give a mask, points or a box on one frame.")
        return out

    def _cut(self, image: Image, prompt: Prompt) -> Mask:
        [candidates] = self.segmenter.predict(self.segmenter.encode(image), [prompt])
        return Mask(candidates.masks[0])

    def _walk(
        self, frames: Sequence[Frame], marks: Mapping[int, Mapping[int, Mask]], order: range
    ) -> Iterator[tuple[int, dict[int, Mask]]]:
        held: dict[int, Soft] = {}
        last: Frame | None = None
        for step, index in enumerate(order):
            frame = frames[index]
            if last is not None and held:
                held = _moved(held, last, frame)
            held |= {name: mask.array.astype(np.float32) for name, mask in marks.get(index, {}).items()}
            if step and step % self.key_every == 0 and index not in marks:
                held = {name: self._cut_anew(frame, soft) for name, soft in held.items()}
            last = frame
            yield index, {name: Mask(soft > 0.5) for name, soft in held.items()}

    def _cut_anew(self, frame: Frame, soft: Soft) -> Soft:
        """What the segmenter sees there, when that is about the same thing."""
        moved = Mask(soft > 0.5)
        if moved.area < 16 or moved.box is None:
            return soft
        image = Image(frame)
        points = _inside_points(moved.array)
        prompt = Prompt(points=points, labels=[1] * len(points), box=moved.box)
        [found] = self.segmenter.predict(self.segmenter.encode(image), [prompt])
        best = max((Mask(m) for m in found.masks), key=moved.iou)
        return best.array.astype(np.float32) if moved.iou(best) >= AGREES else soft


def _inside_points(mask: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """The place deepest inside."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return [(float(x) + 0.5, float(y) + 0.5)]


def _moved(held: Mapping[int, Soft], last: Frame, frame: Frame) -> dict[int, Soft]:
    """The masks where the motion from the new frame back to the last one finds them."""
    height, width = frame.shape[:2]
    scale = min(1.0, WORKING_PX / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    greys = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for f in (frame, last)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(greys[0], greys[1], None)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) / np.float32(scale)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return {name: cv2.remap(soft, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR) for name, soft in held.items()}

"""The embedded tracker: masks move along dense motion and are cut anew by the segmenter on key frames; an object that
leaps, or was lost, is looked for in the whole frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.models.trackers.lite_search import CLEARLY, STRANGE, Look, Step, far_step, look_of, near_step
from maskwright.ports import Segmenter
from maskwright.values import Image, Mask, PackedMask, Prompt

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
        earlier = {
            index: {name: PackedMask.of(mask) for name, mask in masks.items()}
            for index, masks in before
            if index < first
        }
        for index in range(first):
            yield index, {name: packed.unpack() for name, packed in earlier.pop(index).items()}
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
        held: dict[int, Held] = {}
        last: Frame | None = None
        for step, index in enumerate(order):
            frame = frames[index]
            if last is not None:
                held = {name: self._followed(one, last, frame) for name, one in held.items()}
            held |= {name: marked(frame, mask) for name, mask in marks.get(index, {}).items()}
            if step and step % self.key_every == 0 and index not in marks:
                held = {name: replace(one, soft=self._cut_anew(frame, one.soft)) for name, one in held.items()}
            last = frame
            yield index, {name: Mask(one.soft > 0.5) for name, one in held.items()}

    def _followed(self, held: Held, last: Frame, frame: Frame) -> Held:
        """The object in the next frame. One that leapt, or was lost and is seen again, is cut anew at once."""
        found, leapt = follow(held, last, frame)
        return replace(found, soft=self._cut_anew(frame, found.soft)) if leapt else found

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


@dataclass(frozen=True)
class Held:
    """An object on its way: its mask (empty while it is lost), its last step in pixels, and how it looked when it was
    surely seen."""

    soft: Soft
    speed: Step = (0, 0)
    look: Look | None = None


def marked(frame: Frame, mask: Mask) -> Held:
    """An object as somebody marked it."""
    soft = mask.array.astype(np.float32)
    return Held(soft, look=look_of(frame, soft))


def follow(held: Held, last: Frame, frame: Frame) -> tuple[Held, bool]:
    """The object shifted to where its picture fits best and bent along the dense motion that is left; and whether it
    was found elsewhere than near where it was."""
    now = look_of(last, held.soft)
    if now is None:
        return _elsewhere(held, frame, CLEARLY * STRANGE) or held, True
    step, gap = min((near_step(now, frame, toward) for toward in {(0, 0), held.speed}), key=lambda s: s[1])
    if gap > STRANGE and (found := _elsewhere(held, frame, min(CLEARLY * gap, STRANGE))) is not None:
        return found, True
    soft = _shifted(held.soft, last, frame, now, step)
    if gap > STRANGE:
        return replace(held, soft=soft), False
    return Held(soft, step, look_of(frame, soft) or held.look), False


def _elsewhere(held: Held, frame: Frame, most: float) -> Held | None:
    """The object where in the whole frame it looks most like itself; None where it looks unlike itself by `most`."""
    if held.look is None:
        return None
    (x, y), gap = far_step(held.look, frame)
    if gap >= most:
        return None
    left, top = held.look.corner
    soft = np.zeros_like(held.soft)
    rows, columns = np.nonzero(held.look.own)
    rows, columns = rows + top + y, columns + left + x
    there = (rows >= 0) & (rows < soft.shape[0]) & (columns >= 0) & (columns < soft.shape[1])
    soft[rows[there], columns[there]] = 1
    return replace(held, soft=soft, speed=(x, y))


def _shifted(soft: Soft, last: Frame, frame: Frame, look: Look, step: Step) -> Soft:
    """The mask moved by a step, then along what motion is left there."""
    (x0, y0), (x1, y1) = look.corner, (look.corner[0] + look.size[0], look.corner[1] + look.size[1])
    pad = 16 + max(x1 - x0, y1 - y0) // 2
    height, width = soft.shape
    left, top = max(0, x0 + step[0] - pad), max(0, y0 + step[1] - pad)
    right, bottom = min(width, x1 + step[0] + pad), min(height, y1 + step[1] + pad)
    moved = np.zeros_like(soft)
    if right - left < 8 or bottom - top < 8:
        return moved
    move = np.array([[1, 0, -step[0]], [0, 1, -step[1]]], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    before = cv2.warpAffine(last, move, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(soft, move, (width, height), flags=how)
    part = np.s_[top:bottom, left:right]
    moved[part] = _bent(mask[part], before[part], frame[part])
    return moved


def _bent(mask: Soft, before: Frame, now: Frame) -> Soft:
    """The mask of `before` along the motion to `now` that is seen inside it: the ground moves otherwise."""
    height, width = mask.shape
    scale = min(1.0, WORKING_PX / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    greys = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for f in (before, now)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(greys[0], greys[1], None)
    inside = cv2.resize((mask > 0.5).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    deep = cv2.erode(inside, np.ones((5, 5), np.uint8))
    weight = (deep if deep.any() else inside).astype(np.float32)
    spread = max(2.0, 0.15 * float(np.sqrt(inside.sum())))
    total = cv2.GaussianBlur(weight, (0, 0), spread) + 1e-6
    smooth = cv2.GaussianBlur(flow * weight[..., None], (0, 0), spread) / total[..., None]
    smooth[total < 1e-3] = 0
    stretch = np.array([width / size[0], height / size[1]], np.float32)
    smooth = cv2.resize(smooth.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) * stretch
    y, x = np.mgrid[:height, :width].astype(np.float32)
    maps = (x - smooth[..., 0], y - smooth[..., 1])
    bent = np.asarray(cv2.remap(mask, *maps, cv2.INTER_LINEAR), np.float32)
    plain_gap = _gap(before, now, mask)
    return bent if _gap(cv2.remap(before, *maps, cv2.INTER_LINEAR), now, bent) < 0.9 * plain_gap - 1 else mask


def _gap(before: Frame, now: Frame, mask: Soft) -> float:
    """Mean difference of the two pictures inside the mask, grey levels."""
    inside = mask > 0.5
    return float(np.abs(before[inside].astype(np.float32) - now[inside]).mean()) if inside.any() else np.inf

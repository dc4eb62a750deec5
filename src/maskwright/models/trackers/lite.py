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
MATCHED_PX = 64
"""The longer side at which an object's picture is looked for."""


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
    """Every mask where its object went between the two frames."""
    return {name: _follow(soft, last, frame) for name, soft in held.items()}


def _follow(soft: Soft, last: Frame, frame: Frame) -> Soft:
    """The mask shifted to where the object's picture fits best, then bent along the dense motion that is left."""
    box = Mask(soft > 0.5).box
    if box is None:
        return soft
    x0, y0, x1, y1 = box.pixels()
    shift = _shift(soft, last, frame, (x0, y0, x1, y1))
    pad = 16 + max(x1 - x0, y1 - y0) // 2
    height, width = soft.shape
    left, top = max(0, x0 + shift[0] - pad), max(0, y0 + shift[1] - pad)
    right, bottom = min(width, x1 + shift[0] + pad), min(height, y1 + shift[1] + pad)
    moved = np.zeros_like(soft)
    if right - left < 8 or bottom - top < 8:
        return moved
    move = np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    before = cv2.warpAffine(last, move, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(soft, move, (width, height), flags=how)
    part = np.s_[top:bottom, left:right]
    moved[part] = _bent(mask[part], before[part], frame[part])
    return moved


def _shift(soft: Soft, last: Frame, frame: Frame, box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Whole pixels (x, y) that the object moved: where its picture differs least, near places first."""
    x0, y0, x1, y1 = box
    reach = max(12, max(x1 - x0, y1 - y0) // 2)
    scale = min(1.0, MATCHED_PX / max(x1 - x0, y1 - y0))
    padded = cv2.copyMakeBorder(frame, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    where = padded[y0 : y1 + 2 * reach, x0 : x1 + 2 * reach]
    pictures = [last[y0:y1, x0:x1], where, np.repeat((soft[y0:y1, x0:x1] > 0.5)[..., None], 3, axis=2)]
    size = [(max(3, round(p.shape[1] * scale)), max(3, round(p.shape[0] * scale))) for p in pictures]
    small = [
        cv2.resize(p.astype(np.float32), s, interpolation=cv2.INTER_AREA) for p, s in zip(pictures, size, strict=True)
    ]
    differs = cv2.matchTemplate(small[1], small[0], cv2.TM_SQDIFF, mask=small[2])
    y, x = np.mgrid[: differs.shape[0], : differs.shape[1]] - reach * scale
    near = 1 + 0.1 * np.hypot(x, y) / max(1.0, reach * scale)
    noise = 20.0 * float((small[2] ** 2).sum())
    best_y, best_x = np.unravel_index(int(((differs + noise) * near).argmin()), differs.shape)
    return round(float(best_x) / scale - reach), round(float(best_y) / scale - reach)


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

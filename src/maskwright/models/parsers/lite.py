"""The embedded parser: a small network for people in photographs; colour and contour regions for everything drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask, BadSettings
from maskwright.models.parsers.lite_edges import follow_edges
from maskwright.models.parsers.lite_pose import geometric_pose
from maskwright.models.parsers.lite_regions import colour_regions, looks_drawn, only_inside
from maskwright.models.weights import locate, onnx_session
from maskwright.ports import PART_LABELS, Parts
from maskwright.values import Box, Image, Mask

Floats = NDArray[np.float32]
MODES = ("auto", "photo", "drawing")
_WORK_SIDE = 1024
_GRAIN = 32
_MARGIN = 0.12
_FACE_SEEN, _TRUST = 0.6, 0.66


class LiteParser:
    """`mode`: "photo" (the network), "drawing" (regions to merge and name), or "auto"; `high` is the height in px at
    which the network sees a figure."""

    name = "lite"

    def __init__(self, *, mode: str = "auto", high: int = 320, mirror: bool = True) -> None:
        if mode not in MODES or not 64 <= high <= 1024:
            raise BadSettings(
                f"mode {mode!r} or high {high} is not usable.", f"Modes: {', '.join(MODES)}; high 64-1024."
            )
        self.mode, self.high, self.mirror = mode, high, mirror

    @cached_property
    def _session(self) -> Any:
        return onnx_session(locate("parser-lite"))

    def parse(self, image: Image, mask: Mask | None = None) -> Parts:
        """Parts in the fixed vocabulary, or ("background", "region 1", ...) for drawings; raises BadMask."""
        if mask is not None:
            mask.check_size(image.size)
            if not mask:
                raise BadMask("the mask is empty: there is nothing to take apart.", "Give a mask of the figure.")
        elif image.alpha is not None and (image.alpha < 128).any() and (image.alpha >= 128).any():
            mask = Mask(image.alpha >= 128)
        small, small_mask = _reduced(image, mask)
        parts = _enlarged(self._parse(small, small_mask), image.size)
        if mask is None or small is image or parts.labels == PART_LABELS:
            return parts
        return replace(parts, label_map=only_inside(parts.label_map, mask.array))

    def _parse(self, image: Image, mask: Mask | None) -> Parts:
        if self.mode == "drawing" or (self.mode == "auto" and looks_drawn(image, mask)):
            return colour_regions(image, mask)
        shares = self._shares(image, mask)
        if self.mode == "auto" and _estranged(shares, mask):
            return colour_regions(image, mask)
        labels = shares.argmax(axis=0).astype(np.uint8)
        if mask is not None:
            inner = shares.copy()
            inner[0] = 0
            labels = np.where(mask.array, inner.argmax(axis=0), 0).astype(np.uint8)
        sure = np.take_along_axis(shares, labels[None].astype(np.int64), axis=0)[0]
        return Parts(labels, PART_LABELS, sure.astype(np.float32), geometric_pose(labels))

    def _shares(self, image: Image, mask: Mask | None) -> Floats:
        """(12, H, W): the share of each label at each pixel; a second look where the figure is small in the picture."""
        whole = Box(0, 0, image.width, image.height)
        if mask is not None and mask.box is not None:
            return self._look(_on_grey(image, mask), _around(mask.box, whole))
        first = self._look(image, whole)
        figure = _largest(first[0] < 0.5)
        if figure.box is None or figure.area < 0.004 * figure.array.size:
            return first
        place = _around(figure.box, whole)
        if place.area > 0.7 * whole.area:
            return first
        second = self._look(image, place)
        x0, y0, x1, y1 = place.pixels()
        second[:, y0:y1, x0:x1] = 0.3 * first[:, y0:y1, x0:x1] + 0.7 * second[:, y0:y1, x0:x1]
        return second

    def _look(self, image: Image, place: Box) -> Floats:
        """The labels' shares inside a window (background outside), edges brought to the picture's."""
        x0, y0, x1, y1 = place.pixels()
        window = image.pixels[y0:y1, x0:x1]
        shown = _shown(window, self.high)
        shares = self._run(shown)
        if self.mirror:
            shares = (shares + self._run(shown[:, ::-1])[:, :, ::-1]) * np.float32(0.5)
        large = [cv2.resize(s, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR) for s in shares]
        fine = follow_edges(window, np.stack(large).astype(np.float32, copy=False))
        out = np.zeros((len(fine), image.height, image.width), np.float32)
        out[0] = 1
        out[:, y0:y1, x0:x1] = fine
        return out

    def _run(self, shown: NDArray[np.uint8]) -> Floats:
        batch = np.ascontiguousarray(shown.transpose(2, 0, 1)[None], dtype=np.float32)
        logits: Floats = self._session.run(None, {"picture": batch})[0][0]
        shares = np.exp(logits - logits.max(axis=0, keepdims=True))
        return np.asarray(shares / shares.sum(axis=0, keepdims=True), np.float32)


def _reduced(image: Image, mask: Mask | None) -> tuple[Image, Mask | None]:
    scale = _WORK_SIDE / max(image.size)
    if scale >= 1:
        return image, mask
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    if mask is None:
        return Image(pixels), None
    smaller = cv2.resize(mask.array.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return Image(pixels), Mask(smaller > min(0.5, float(smaller.max()) / 2))


def _enlarged(parts: Parts, size: tuple[int, int]) -> Parts:
    height, width = parts.label_map.shape
    if (width, height) == size:
        return parts
    labels = cv2.resize(parts.label_map, size, interpolation=cv2.INTER_NEAREST)
    sure = None if parts.confidence is None else cv2.resize(parts.confidence, size, interpolation=cv2.INTER_LINEAR)
    gain = (size[0] / width, size[1] / height)
    pose = {k: (x * gain[0], y * gain[1], c) for k, (x, y, c) in parts.keypoints.items()}
    return Parts(labels, parts.labels, sure, pose)


def _around(box: Box, whole: Box) -> Box:
    """The box with room around it, inside the picture, whole pixels."""
    room = _MARGIN * max(box.width, box.height)
    grown = Box(box.x0 - room, box.y0 - room, box.x1 + room, box.y1 + room).clip(int(whole.x1), int(whole.y1))
    return Box(*(float(v) for v in grown.pixels()))


def _shown(window: NDArray[np.uint8], high: int) -> NDArray[np.uint8]:
    """The window at the network's size: `high` for its height (or as wide, when it lies down), steps of 32."""
    scale = high / max(window.shape[0], window.shape[1] / 1.4)
    size = tuple(max(_GRAIN, round(side * scale / _GRAIN) * _GRAIN) for side in window.shape[1::-1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown: NDArray[np.uint8] = cv2.resize(window, size, interpolation=way)
    return shown


def _on_grey(image: Image, mask: Mask) -> Image:
    """What lies outside the mask dimmed towards grey: the network looks at the figure, not past it."""
    near = cv2.dilate(mask.array.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return Image(np.where(near[:, :, None], image.pixels, 128).astype(np.uint8))


def _largest(array: NDArray[np.bool_]) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(array.astype(np.uint8))
    if count < 2:
        return Mask(array)
    return Mask(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))


def _estranged(shares: Floats, mask: Mask | None) -> bool:
    """Whether the network sees no person where one is said to be (or anywhere): no face, and no trust in its labels."""
    inside = shares[0] < 0.5 if mask is None else mask.array
    if float(inside.mean()) < 0.004:
        return mask is None
    labelled = shares[1:, inside]
    trust = float((labelled.max(axis=0) / np.maximum(labelled.sum(axis=0), 1e-6)).mean())
    return float(labelled[0].max()) < _FACE_SEEN and trust < _TRUST

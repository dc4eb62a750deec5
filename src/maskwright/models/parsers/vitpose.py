"""ViTPose through transformers: a figure's 17 joints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import VitPoseForPoseEstimation

from maskwright.models.segmenters.frames import IMAGENET
from maskwright.models.torching import Host, Place, choose_place, load_pretrained
from maskwright.models.weights import locate
from maskwright.ports import Parts
from maskwright.values import Box, Image, Mask

JOINTS = (
    "nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow",
    "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle",
    "right ankle",
)  # fmt: skip
AROUND = 0.25


class VitPose:
    """Joints of the figure in a mask (or of the whole picture); its label map is empty."""

    def __init__(self, weights: str | Path, *, device: str = "auto", dtype: str = "auto", name: str = "") -> None:
        self.name = name or str(weights)
        place = choose_place(device, dtype, half="float16")
        model = load_pretrained(VitPoseForPoseEstimation, locate(weights), self.name, place)
        self.host = Host(self.name, model, place)
        height, width = model.config.backbone_config.image_size
        self.shown = (int(width), int(height))
        self.experts = int(getattr(model.config.backbone_config, "num_experts", 1))

    def parse(self, image: Image, mask: Mask | None = None) -> Parts:
        """keypoints {joint: (x, y, confidence)}; raises BadMask, ModelError, OutOfMemory."""
        if mask is not None:
            mask.check_size(image.size)
        box = (mask.box if mask is not None else None) or Box(0, 0, image.width, image.height)
        there = _frame(box, self.shown)
        shown = cv2.warpAffine(image.pixels, there, self.shown, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        shown = ((shown - np.array(IMAGENET[0])) / np.array(IMAGENET[1])).astype(np.float32)
        maps = self.host.call(lambda model, place: self._look(model, place, shown))
        back = cv2.invertAffineTransform(there)
        found = {}
        for joint, one in zip(JOINTS, maps):
            x, y, sure = _peak(one)
            scale = (self.shown[0] / one.shape[1], self.shown[1] / one.shape[0])
            place = back @ np.array([(x + 0.5) * scale[0] - 0.5, (y + 0.5) * scale[1] - 0.5, 1.0])
            found[joint] = (float(place[0]), float(place[1]), sure)
        return Parts(np.zeros(image.pixels.shape[:2], np.uint8), keypoints=found)

    def _look(self, model: Any, place: Place, shown: NDArray[np.float32]) -> NDArray[np.float32]:
        pixels = place.put(torch.from_numpy(shown.transpose(2, 0, 1)[None]))
        chosen = {"dataset_index": torch.zeros(1, dtype=torch.int64, device=pixels.device)} if self.experts > 1 else {}
        return np.asarray(model(pixel_values=pixels, **chosen).heatmaps[0].float().cpu().numpy())


def _frame(box: Box, shown: tuple[int, int]) -> NDArray[np.float64]:
    """(2, 3) from picture to network: the box with some room, at the network's aspect, in the middle."""
    (x, y), wide = box.centre, 1 + AROUND
    scale = min(shown[0] / (box.width * wide), shown[1] / (box.height * wide))
    return np.array([[scale, 0, shown[0] / 2 - scale * x], [0, scale, shown[1] / 2 - scale * y]])


def _peak(one: NDArray[np.float32]) -> tuple[float, float, float]:
    """(x, y, height 0..1) of the highest place of a map, finer than its cells by a parabola through the neighbours."""
    y, x = (int(v) for v in np.unravel_index(int(one.argmax()), one.shape))

    def shift(low: float, mid: float, high: float) -> float:
        bend = low - 2 * mid + high
        return 0.0 if bend >= 0 else float(np.clip(0.5 * (low - high) / bend, -0.5, 0.5))

    fine_x = shift(*one[y, x - 1 : x + 2]) if 0 < x < one.shape[1] - 1 else 0.0
    fine_y = shift(*one[y - 1 : y + 2, x]) if 0 < y < one.shape[0] - 1 else 0.0
    return x + fine_x, y + fine_y, float(np.clip(one[y, x], 0, 1))

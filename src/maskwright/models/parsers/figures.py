"""Human parsing through transformers: SegFormer (clothes) and Sapiens 2 (parts of the body)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from transformers import Sapiens2ForSemanticSegmentation, SegformerForSemanticSegmentation

from maskwright.models.parsers.labels import part_table
from maskwright.models.segmenters.frames import IMAGENET
from maskwright.models.torching import Host, Place, choose_place, load_pretrained
from maskwright.models.weights import locate
from maskwright.ports import Parts
from maskwright.values import Image, Mask

AROUND = 0.1
"""How much wider than the figure's box the crop is."""


class FigureParser:
    """Labelled parts of a figure; `size` (width, height) is what the model looks at."""

    kind: Any = None
    size: tuple[int, int] | None = None

    def __init__(
        self,
        weights: str | Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        size: tuple[int, int] | None = None,
        name: str = "",
    ) -> None:
        self.name = name or str(weights)
        place = choose_place(device, dtype, half="float16")
        model = load_pretrained(self.kind, locate(weights), self.name, place)
        self.host = Host(self.name, model, place)
        self.shown = size or self.size or _configured(model.config)
        names = {int(i): str(label) for i, label in model.config.id2label.items()}
        self.parts = torch.from_numpy(part_table(names)).long()

    def parse(self, image: Image, mask: Mask | None = None) -> Parts:
        """Parts inside the mask (all of the picture without one); raises BadMask, ModelError, OutOfMemory."""
        if mask is not None:
            mask.check_size(image.size)
        x0, y0, x1, y1 = crop_corners(image, mask)
        chances = self.host.call(lambda model, place: self._look(model, place, image.pixels[y0:y1, x0:x1]))
        labels = np.zeros(image.pixels.shape[:2], np.uint8)
        sure = np.zeros(image.pixels.shape[:2], np.float32)
        labels[y0:y1, x0:x1] = chances.argmax(axis=0)
        sure[y0:y1, x0:x1] = chances.max(axis=0)
        if mask is not None:
            labels[~mask.array] = 0
            sure[~mask.array] = 1
        return Parts(labels, confidence=sure)

    def _look(self, model: Any, place: Place, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(parts, h, w) chances at the size of the pixels."""
        small = cv2.resize(pixels, self.shown, interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        shown = ((small - np.array(IMAGENET[0])) / np.array(IMAGENET[1])).astype(np.float32)
        logits = model(pixel_values=place.put(torch.from_numpy(shown.transpose(2, 0, 1)[None]))).logits.float()
        large = F.interpolate(logits, pixels.shape[:2], mode="bilinear", align_corners=False)[0].softmax(dim=0)
        count = int(self.parts.max()) + 1
        merged = torch.zeros((count, *large.shape[1:]), device=large.device)
        merged.index_add_(0, self.parts.to(large.device), large)
        return np.asarray(merged.cpu().numpy())


def crop_corners(image: Image, mask: Mask | None) -> tuple[int, int, int, int]:
    """Whole-pixel corners of the figure with a little around it, inside the picture."""
    box = None if mask is None else mask.box
    if box is None:
        return (0, 0, image.width, image.height)
    return box.grow(AROUND).clip(image.width, image.height).pixels()


def _configured(config: Any) -> tuple[int, int]:
    size = getattr(config, "image_size", 512)
    height, width = (size, size) if isinstance(size, int) else (size[0], size[1])
    return (int(width), int(height))


class SegformerParser(FigureParser):
    """SegFormer trained on clothes."""

    kind = SegformerForSemanticSegmentation
    size = (512, 512)


class SapiensParser(FigureParser):
    """Sapiens 2, body-part segmentation."""

    kind = Sapiens2ForSemanticSegmentation

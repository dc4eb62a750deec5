"""Depth Anything (1 and 2) through transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DepthAnythingForDepthEstimation

from maskwright.models.segmenters.frames import IMAGENET
from maskwright.models.torching import Host, Place, choose_place, load_pretrained
from maskwright.models.weights import locate
from maskwright.values import Image

SHORT_SIDE = 518


class DepthAnything:
    """Relative nearness of every pixel from one picture; `short_side` pixels is the size it looks at."""

    def __init__(
        self,
        weights: str | Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        short_side: int = SHORT_SIDE,
        name: str = "",
    ) -> None:
        self.name, self.short_side = name or str(weights), short_side
        place = choose_place(device, dtype, half="float16")
        self.host = Host(
            self.name, load_pretrained(DepthAnythingForDepthEstimation, locate(weights), self.name, place), place
        )

    def depth(self, image: Image) -> NDArray[np.float32]:
        """(H, W) 1 = nearest, 0 = farthest; raises ModelError, OutOfMemory."""

        def look(model: Any, place: Place) -> NDArray[np.float32]:
            size = self._size(image.size, int(model.config.patch_size))
            small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
            shown = ((small - np.array(IMAGENET[0])) / np.array(IMAGENET[1])).astype(np.float32)
            found = model(pixel_values=place.put(torch.from_numpy(shown.transpose(2, 0, 1)[None]))).predicted_depth
            return np.asarray(found[0].float().cpu().numpy())

        near = cv2.resize(self.host.call(look), image.size, interpolation=cv2.INTER_LINEAR)
        low, high = float(near.min()), float(near.max())
        return np.asarray((near - low) / max(high - low, 1e-9), dtype=np.float32)

    def _size(self, size: tuple[int, int], patch: int) -> tuple[int, int]:
        """(width, height) in whole patches, the shorter side near `short_side`."""
        scale = self.short_side / min(size)
        width, height = (max(1, round(side * scale / patch)) * patch for side in size)
        return (width, height)

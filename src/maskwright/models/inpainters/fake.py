"""An inpainter that invents nothing: the hole becomes one colour, the mean of what surrounds it."""

from __future__ import annotations

import cv2
import numpy as np

from maskwright.values import Image, Mask


class FakeInpainter:
    """The mean colour of the ring around the mask; deterministic."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name

    def inpaint(self, image: Image, mask: Mask, *, words: str = "", seed: int = 0) -> Image:
        """The picture with the masked pixels in one colour; raises BadMask when the sizes differ."""
        mask.check_size(image.size)
        if not mask.area:
            return image
        ring = (cv2.dilate(mask.array.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & ~mask.array
        colour = image.pixels[ring].mean(axis=0) if ring.any() else np.full(3, 128.0)
        out = image.pixels.copy()
        out[mask.array] = np.rint(colour).astype(np.uint8)
        return Image(out, image.alpha, image.source)

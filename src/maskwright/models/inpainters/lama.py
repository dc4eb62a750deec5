"""LaMa by ONNX Runtime: one file, no torch."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import MissingWeights, ModelError
from maskwright.models.weights import locate, onnx_session
from maskwright.values import Box, Image, Mask

SIDE = 512
FILE = "lama.onnx"


class LamaInpainter:
    """Large holes filled from structure and texture; takes no words and is the same for every seed.

    `weights`: a folder with one ONNX file (inputs image (1, 3, h, w) 0..1 and mask (1, 1, h, w) 0/1), or the file.
    """

    def __init__(self, weights: str | Path, *, threads: int = 1, name: str = "") -> None:
        self.name = name or str(weights)
        place = locate(weights)
        found = sorted(place.glob("*.onnx")) if place.is_dir() else [place]
        file = found[0] if found else place / FILE
        if not file.is_file():
            raise MissingWeights(f"there is no {file}.", "Put the exported model there, or give its path.")
        self._session = onnx_session(file, threads=threads)

    def inpaint(self, image: Image, mask: Mask, *, words: str = "", seed: int = 0) -> Image:
        """The picture with the masked pixels invented; raises BadMask, ModelError."""
        mask.check_size(image.size)
        if mask.box is None:
            return image
        x0, y0, x1, y1 = _square(mask.box, image)
        part, hole = image.pixels[y0:y1, x0:x1], mask.array[y0:y1, x0:x1]
        painted = cv2.resize(self._paint(part, hole), part.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        pixels = np.array(image.pixels)
        pixels[y0:y1, x0:x1][hole] = painted[hole]
        return Image(pixels, image.alpha, image.source)

    def _paint(self, part: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
        small = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        inside = cv2.resize(hole.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) > 0
        names = [entry.name for entry in self._session.get_inputs()]
        asked = {names[0]: small.transpose(2, 0, 1)[None], names[1]: inside.astype(np.float32)[None, None]}
        try:
            out = np.asarray(self._session.run(None, asked)[0])[0]
        except Exception as error:
            raise ModelError(f"{self.name} failed: {str(error)[:200]}", "Give LaMa exported at 512x512.") from error
        scale = 255.0 if float(out.max()) <= 2 else 1.0  # some exports give 0..1, some 0..255
        return np.asarray(np.clip(out.transpose(1, 2, 0) * scale, 0, 255).round(), dtype=np.uint8)


def _square(box: Box, image: Image) -> tuple[int, int, int, int]:
    """The hole with as much around it as it is large, at least 512 pixels where the picture has them."""
    half = max(box.width, box.height, SIDE / 2)
    x, y = box.centre
    return Box(x - half, y - half, x + half, y + half).clip(image.width, image.height).pixels()

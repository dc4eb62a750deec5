"""ViTMatte through transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from transformers import VitMatteForImageMatting

from maskwright.errors import BadMask
from maskwright.models.torching import Host, Place, choose_place, load_pretrained
from maskwright.models.weights import locate
from maskwright.values import Image

MULTIPLE = 32


class VitMatte:
    """Alpha mattes from trimaps; what the trimap says for certain is kept as it is."""

    def __init__(self, weights: str | Path, *, device: str = "auto", dtype: str = "auto", name: str = "") -> None:
        self.name = name or str(weights)
        place = choose_place(device, dtype, half="float16")
        self.host = Host(self.name, load_pretrained(VitMatteForImageMatting, locate(weights), self.name, place), place)

    def matte(self, image: Image, trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W) alpha 0..1; raises BadMask, ModelError, OutOfMemory."""
        if trimap.shape != image.pixels.shape[:2]:
            raise BadMask(f"the trimap is {trimap.shape}, the picture {image.size}.", "Give one of the picture's size.")
        colours = torch.from_numpy(np.array(image.pixels)).permute(2, 0, 1).float() / 255
        known = torch.from_numpy(trimap.astype(np.float32) / 255)[None]
        layers = torch.cat([(colours - 0.5) / 0.5, known])[None]
        padding = (0, -image.width % MULTIPLE, 0, -image.height % MULTIPLE)

        def look(model: Any, place: Place) -> NDArray[np.float32]:
            out = model(pixel_values=place.put(F.pad(layers, padding))).alphas
            return np.asarray(out[0, 0, : image.height, : image.width].float().cpu().numpy())

        alpha = np.clip(self.host.call(look), 0, 1)
        return np.where(trimap == 255, 1, np.where(trimap == 0, 0, alpha)).astype(np.float32)

"""Inpainting pipelines of diffusers (Stable Diffusion 1.5, 2, XL and others with a mask input)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoPipelineForInpainting
from numpy.typing import NDArray
from PIL import Image as Pil

from maskwright.asking.body_rule import check_words
from maskwright.models.pipelines import load_pipeline
from maskwright.models.torching import Host, choose_place
from maskwright.models.weights import locate
from maskwright.values import Box, Image, Mask

AROUND = 1.0
MULTIPLE = 8


class DiffusersInpainter:
    """Paints the hole and its surroundings at `side` pixels, then puts back what was not in the hole.

    `avoid`: what must not appear; `guidance`: how strictly the words are followed (no words: not at all).
    """

    def __init__(
        self,
        weights: str | Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        steps: int = 30,
        side: int = 512,
        guidance: float = 7.5,
        avoid: str = "",
        name: str = "",
    ) -> None:
        self.name = name or str(weights)
        self.steps, self.side, self.guidance, self.avoid = steps, side // MULTIPLE * MULTIPLE, guidance, avoid
        place = choose_place(device, dtype, half="float16")
        pipeline = load_pipeline(
            AutoPipelineForInpainting, locate(weights), self.name, place,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
        self.host = Host(self.name, pipeline, place)

    def inpaint(self, image: Image, mask: Mask, *, words: str = "", seed: int = 0) -> Image:
        """The picture with the masked pixels invented; raises BadMask, ModelError, OutOfMemory."""
        check_words(words)
        mask.check_size(image.size)
        if mask.box is None:
            return image
        x0, y0, x1, y1 = _room(mask.box, image, self.side)
        part, hole = image.pixels[y0:y1, x0:x1], mask.array[y0:y1, x0:x1]
        painted = self.host.call(lambda pipeline, place: self._paint(pipeline, part, hole, words, seed))
        pixels = np.array(image.pixels)
        pixels[y0:y1, x0:x1][hole] = cv2.resize(painted, part.shape[1::-1], interpolation=cv2.INTER_CUBIC)[hole]
        return Image(pixels, image.alpha, image.source)

    def _paint(
        self, pipeline: Any, part: NDArray[np.uint8], hole: NDArray[np.bool_], words: str, seed: int
    ) -> NDArray[np.uint8]:
        scale = self.side / max(part.shape[:2])
        width, height = (max(MULTIPLE, round(s * scale / MULTIPLE) * MULTIPLE) for s in part.shape[1::-1])
        out = pipeline(
            prompt=words,
            negative_prompt=self.avoid or None,
            image=Pil.fromarray(part).resize((width, height)),
            mask_image=Pil.fromarray(hole.astype(np.uint8) * 255).resize((width, height), Pil.Resampling.NEAREST),
            height=height,
            width=width,
            strength=1.0,
            num_inference_steps=self.steps,
            guidance_scale=self.guidance if words else 1.0,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        ).images[0]
        return np.asarray((out * 255).round(), dtype=np.uint8)


def _room(box: Box, image: Image, side: int) -> tuple[int, int, int, int]:
    """The hole with as much around it as it is large, and at least `side` pixels where the picture has them."""
    wide = max(box.width, box.height) * (1 + AROUND)
    half = max(wide, side) / 2
    x, y = box.centre
    return Box(x - half, y - half, x + half, y + half).clip(image.width, image.height).pixels()

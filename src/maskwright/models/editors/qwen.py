"""Qwen-Image-Edit through diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import QwenImageEditPipeline
from numpy.typing import NDArray
from PIL import Image as Pil

from maskwright.asking.body_rule import check_words
from maskwright.errors import BadPhrase
from maskwright.models.pipelines import load_pipeline
from maskwright.models.torching import Host, Place, choose_place
from maskwright.models.weights import locate
from maskwright.values import Image, Mask


class QwenEditor:
    """Changes a picture by words; outside a mask nothing changes."""

    def __init__(
        self,
        weights: str | Path = "qwen-image-edit",
        *,
        device: str = "auto",
        dtype: str = "auto",
        steps: int = 40,
        guidance: float = 4.0,
        name: str = "qwen",
    ) -> None:
        self.name, self.steps, self.guidance = name, steps, guidance
        place = choose_place(device, dtype, half="bfloat16")
        self.host = Host(name, load_pipeline(QwenImageEditPipeline, locate(weights), name, place), place)

    def edit(self, image: Image, words: str, mask: Mask | None = None, *, seed: int = 0) -> Image:
        """The changed picture at the size of the given one; raises BadPhrase, BadMask, ModelError, OutOfMemory."""
        check_words(words)
        if not words.strip():
            raise BadPhrase("there are no words for the edit.", "Say what to change, such as: make the coat red.")
        if mask is not None:
            mask.check_size(image.size)
        made = self.host.call(lambda pipeline, place: self._paint(pipeline, place, image, words, seed))
        if mask is not None:
            made = np.where(mask.array[:, :, None], made, image.pixels)
        return Image(made, image.alpha, image.source)

    def _paint(self, pipeline: Any, place: Place, image: Image, words: str, seed: int) -> NDArray[np.uint8]:
        out = pipeline(
            image=Pil.fromarray(image.pixels),
            prompt=words,
            negative_prompt=" ",
            true_cfg_scale=self.guidance,
            num_inference_steps=self.steps,
            generator=torch.Generator().manual_seed(seed),
        ).images[0]
        return np.asarray(out.convert("RGB").resize(image.size, Pil.Resampling.LANCZOS), dtype=np.uint8)

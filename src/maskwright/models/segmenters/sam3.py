"""SAM 3 by words: every instance of a concept, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision  # noqa: F401 - transformers' SAM 3 calls it without asking whether it is there
from torch import Tensor
from transformers import AutoTokenizer, Sam3Model
from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput

from maskwright.errors import BadPrompt
from maskwright.models.segmenters.frames import HALVES, Square
from maskwright.models.segmenters.prompting import best_first
from maskwright.models.torching import Host, Place, choose_place, load_part, load_pretrained
from maskwright.models.weights import locate
from maskwright.values import Candidates, Embedding, Image, Prompt

WORDS = 32
"""Tokens that the text encoder reads; longer phrases are cut there."""


class Sam3:
    """Concept phrases to all their instances: a Prompt's text, and a box as an example of what is meant.

    `threshold`: the least score of an instance. Points are for the segmenter sam3-clicks.
    """

    def __init__(
        self,
        weights: str | Path = "sam3",
        *,
        device: str = "auto",
        dtype: str = "auto",
        threshold: float = 0.5,
        name: str = "sam3",
    ) -> None:
        self.name, self.threshold = name, threshold
        place = choose_place(device, dtype, half="bfloat16")
        folder = locate(weights)
        model = load_pretrained(Sam3Model, folder, name, Place(place.device, torch.float32))
        model.vision_encoder.to(place.dtype)
        self.host = Host(name, model, place)
        self.tokenizer = load_part(AutoTokenizer, folder, name)
        self.side = int(getattr(model.config.vision_config, "image_size", 0) or 1008)

    def encode(self, image: Image) -> Embedding:
        """What the network sees in the picture; raises ModelError, OutOfMemory."""
        shown = Square(image.size, self.side, False, HALVES).read(image.pixels)

        def look(model: Any, place: Place) -> dict[str, Tensor]:
            seen = model.get_vision_features(place.put(shown))
            levels = {f"level{i}": level.float() for i, level in enumerate(seen.fpn_hidden_states)}
            return levels | {f"place{i}": p.float() for i, p in enumerate(seen.fpn_position_encoding)}

        return Embedding(f"segmenter:{self.name}", image.sha256, image.size, self.host.call(look))

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        """One Candidates a prompt: all instances of its words, best first (none is possible)."""
        for prompt in prompts:
            if prompt.text is None and prompt.box is None:
                raise BadPrompt(f"{self.name} needs words or a box.", "Give text, or use the segmenter sam3-clicks.")
        return [self._instances(embedding, prompt) for prompt in prompts]

    def _instances(self, embedding: Embedding, prompt: Prompt) -> Candidates:
        words = self.tokenizer(
            prompt.text or "visual", padding="max_length", truncation=True, max_length=WORDS, return_tensors="pt"
        )

        def answer(model: Any, place: Place) -> tuple[Any, Any, Any]:
            levels = [embedding.data[f"level{i}"].to(place.device) for i in range(len(embedding.data) // 2)]
            places = [embedding.data[f"place{i}"].to(place.device) for i in range(len(levels))]
            seen = Sam3VisionEncoderOutput(fpn_hidden_states=tuple(levels), fpn_position_encoding=tuple(places))
            asked = {name: words[name].to(place.device) for name in ("input_ids", "attention_mask")}
            out = model(vision_embeds=seen, **asked, **_example(prompt, embedding.size, place))
            scores = (out.pred_logits.sigmoid() * out.presence_logits.sigmoid())[0]
            keep = scores > self.threshold
            low = out.pred_masks[:, keep].float()
            masks = Square(embedding.size, self.side, False).logits(low)[0] > 0
            return masks.cpu().numpy(), scores[keep].float().cpu().numpy(), low[0].cpu().numpy()

        masks, scores, low = self.host.call(answer)
        return best_first(masks, scores, low)


def _example(prompt: Prompt, size: tuple[int, int], place: Place) -> dict[str, Tensor]:
    """The box as centre and extent in shares of the picture, marked as an example of what is meant."""
    if prompt.box is None:
        return {}
    box = prompt.box
    centre = np.array([*box.centre, box.width, box.height], dtype=np.float32)
    share = torch.from_numpy(centre / np.array([*size, *size], dtype=np.float32)).reshape(1, 1, 4)
    return {
        "input_boxes": share.to(place.device),
        "input_boxes_labels": torch.ones((1, 1), dtype=torch.int64, device=place.device),
    }

"""OWLv2: phrase -> boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from transformers import AutoTokenizer, Owlv2ForObjectDetection

from maskwright.models.proposers.boxes import PhraseProposer, corners
from maskwright.models.rankers.towers import CLIP_COLOURS
from maskwright.models.torching import Place
from maskwright.values import Image


class Owl(PhraseProposer):
    """OWLv2, base and large; the picture is laid into a grey square."""

    kind = Owlv2ForObjectDetection
    tokenizer_kind = AutoTokenizer

    def detect(self, model: Any, place: Place, image: Image, phrase: str) -> tuple[NDArray[Any], NDArray[Any]]:
        length = model.config.text_config.max_position_embeddings
        asked = self.tokenizer(
            phrase, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        ).to(place.device)
        side = max(image.size)
        square = torch.full((1, 3, side, side), 0.5)
        square[:, :, : image.height, : image.width] = (
            torch.from_numpy(np.array(image.pixels)).permute(2, 0, 1).float() / 255
        )
        small = model.config.vision_config.image_size
        shown = F.interpolate(square, (small, small), mode="bilinear", align_corners=False, antialias=True)
        mean, spread = (torch.tensor(c).view(1, 3, 1, 1) for c in CLIP_COLOURS)
        out = model(
            input_ids=asked["input_ids"],
            attention_mask=asked["attention_mask"],
            pixel_values=place.put((shown - mean) / spread),
        )
        scores = out.logits[0].float().sigmoid().amax(dim=-1).cpu().numpy()
        return corners(out.pred_boxes[0].float().cpu().numpy(), (side, side)), scores

"""Grounding DINO: phrase -> boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from transformers import AutoTokenizer, GroundingDinoForObjectDetection

from maskwright.models.proposers.boxes import PhraseProposer, corners
from maskwright.models.segmenters.frames import IMAGENET
from maskwright.models.torching import Place
from maskwright.values import Image

SHORT_SIDE, LONG_SIDE = 800, 1333


class GroundingDino(PhraseProposer):
    """Grounding DINO, tiny and base."""

    kind = GroundingDinoForObjectDetection
    tokenizer_kind = AutoTokenizer

    def detect(self, model: Any, place: Place, image: Image, phrase: str) -> tuple[NDArray[Any], NDArray[Any]]:
        words = phrase.lower().rstrip(". ") + "."
        asked = self.tokenizer(words, truncation=True, max_length=model.config.max_text_len, return_tensors="pt")
        scale = min(SHORT_SIDE / min(image.size), LONG_SIDE / max(image.size))
        size = (max(1, round(image.height * scale)), max(1, round(image.width * scale)))
        whole = torch.from_numpy(np.array(image.pixels)).permute(2, 0, 1)[None].float() / 255
        shown = F.interpolate(whole, size, mode="bilinear", align_corners=False, antialias=True)
        mean, spread = (torch.tensor(c).view(1, 3, 1, 1) for c in IMAGENET)
        out = model(pixel_values=place.put((shown - mean) / spread), **asked.to(place.device))
        scores = out.logits[0].float().sigmoid().amax(dim=-1).cpu().numpy()
        return corners(out.pred_boxes[0].float().cpu().numpy(), image.size), scores

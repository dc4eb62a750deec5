"""Florence-2: phrase -> boxes, written out by the model as tokens of places."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, Florence2ForConditionalGeneration

from maskwright.models.proposers.boxes import PhraseProposer
from maskwright.models.segmenters.frames import IMAGENET
from maskwright.models.torching import Place
from maskwright.values import Image

SIDE = 768
QUESTION = "Locate {} in the image."
BINS = 1000
_PLACES = re.compile(r"<loc_(\d+)><loc_(\d+)><loc_(\d+)><loc_(\d+)>")


class Florence(PhraseProposer):
    """Florence-2, base and large. It gives no scores: boxes keep the order in which they were named."""

    kind = Florence2ForConditionalGeneration
    tokenizer_kind = AutoTokenizer
    side = SIDE

    def detect(self, model: Any, place: Place, image: Image, phrase: str) -> tuple[NDArray[Any], NDArray[Any]]:
        shown = cv2.resize(image.pixels, (self.side, self.side), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        shown = (shown / 255 - np.array(IMAGENET[0])) / np.array(IMAGENET[1])
        pixels = place.put(torch.from_numpy(shown.transpose(2, 0, 1)[None].astype(np.float32)))
        words = self.tokenizer(QUESTION.format(phrase), truncation=True, max_length=512, return_tensors="pt").input_ids
        room = model.get_image_features(pixels).pooler_output.shape[1]
        seats = torch.full((1, room), model.config.image_token_id, dtype=words.dtype)
        made = model.generate(
            input_ids=torch.cat([seats, words], dim=1).to(place.device), pixel_values=pixels, max_new_tokens=256,
            do_sample=False, num_beams=1,
        )  # fmt: skip
        return read_places(self.tokenizer.decode(made[0], skip_special_tokens=False), image.size)


def read_places(text: str, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Boxes (N, 4) xyxy and falling scores from the model's text; what is no box of four places is left out."""
    found = np.array([[int(v) for v in match] for match in _PLACES.findall(text)], dtype=np.float64).reshape(-1, 4)
    found = found[(found < BINS).all(axis=1)]
    boxes = (found + 0.5) / BINS * np.array([*size, *size])
    return boxes, np.linspace(1, 0.5, len(boxes)) if len(boxes) else np.zeros(0)

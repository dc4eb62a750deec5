"""SAM 2 and 2.1, EdgeTAM, and SAM 3's clicks through transformers."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import EdgeTamModel, Sam2Model, Sam3TrackerModel

from maskwright.models.segmenters.frames import HALVES, Square
from maskwright.models.segmenters.prompting import PromptedSegmenter
from maskwright.models.segmenters.sam import flat


class Sam2(PromptedSegmenter):
    """SAM 2 and 2.1 on pictures; the picture is stretched to the square."""

    kind = Sam2Model

    def look(self, model: Any, pixels: Tensor) -> dict[str, Tensor]:
        levels = model.get_image_embeddings(pixels)
        return {f"level{i}": level.float() for i, level in enumerate(levels)}

    def decode(
        self, model: Any, seen: dict[str, Tensor], asked: dict[str, Tensor], many: bool
    ) -> tuple[Tensor, Tensor]:
        levels = [seen[f"level{i}"] for i in range(len(seen))]
        if "input_masks" in asked:
            levels = [level.expand(len(asked["input_masks"]), *level.shape[1:]) for level in levels]
        else:
            asked = {name: value.transpose(0, 1) for name, value in asked.items()}
        out = model(image_embeddings=levels, multimask_output=many, **asked)
        return flat(out.pred_masks), flat(out.iou_scores)


class EdgeTam(Sam2):
    """EdgeTAM: SAM 2 for small devices."""

    kind = EdgeTamModel


class Sam3Clicks(Sam2):
    """SAM 3's answer to points and boxes (its tracker on one picture)."""

    kind = Sam3TrackerModel

    def square(self, size: tuple[int, int]) -> Square:
        return Square(size, self.side, self.keep_aspect, HALVES)

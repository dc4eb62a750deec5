"""SAM and SAM-HQ through transformers."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import SamHQModel, SamModel

from maskwright.models.segmenters.prompting import PromptedSegmenter


class Sam(PromptedSegmenter):
    """Segment Anything (2023): ViT-B, ViT-L, ViT-H."""

    kind = SamModel
    keep_aspect = True

    def look(self, model: Any, pixels: Tensor) -> dict[str, Tensor]:
        return {"features": model.get_image_embeddings(pixels).float()}

    def decode(
        self, model: Any, seen: dict[str, Tensor], asked: dict[str, Tensor], many: bool
    ) -> tuple[Tensor, Tensor]:
        shown, asked = spread(seen["features"], asked)
        out = model(image_embeddings=shown, multimask_output=many, **asked)
        return flat(out.pred_masks), flat(out.iou_scores)


class SamHq(PromptedSegmenter):
    """SAM-HQ: SAM with a sharper last token."""

    kind = SamHQModel
    keep_aspect = True

    def look(self, model: Any, pixels: Tensor) -> dict[str, Tensor]:
        features, between = model.get_image_embeddings(pixels)
        return {"features": features.float()} | {f"between{i}": b.float() for i, b in enumerate(between)}

    def decode(
        self, model: Any, seen: dict[str, Tensor], asked: dict[str, Tensor], many: bool
    ) -> tuple[Tensor, Tensor]:
        shown, asked = spread(seen["features"], asked)
        between = [value.expand(len(shown), *value.shape[1:]) for name, value in seen.items() if name != "features"]
        out = model(image_embeddings=shown, intermediate_embeddings=between, multimask_output=many, **asked)
        return flat(out.pred_masks), flat(out.iou_scores)


def spread(features: Tensor, asked: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The picture once for all prompts where none brings a mask of its own (they then share one pass), else once a
    prompt."""
    if "input_masks" in asked:
        n = len(asked["input_masks"])
        return features.expand(n, *features.shape[1:]), asked
    return features, {name: value.transpose(0, 1) for name, value in asked.items()}


def flat(value: Tensor) -> Tensor:
    """(B, K, ...) from (1, B, K, ...) or (B, 1, K, ...)."""
    return value.flatten(0, 1)

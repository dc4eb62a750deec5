"""SAM and SAM-HQ through transformers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import SamHQModel, SamModel

from maskwright.models.segmenters import sam_decoder
from maskwright.models.segmenters.prompting import PromptedSegmenter

DECODER_EPS = 1e-5
"""Of the decoder's layer norms in the authors' code; transformers' configurations say 1e-6, which moves logits of
ViT-B by some 6e-4."""


class Sam(PromptedSegmenter):
    """Segment Anything (2023): ViT-B, ViT-L, ViT-H."""

    kind = SamModel
    keep_aspect = True

    def mend(self, model: Any) -> None:
        set_decoder_eps(model)

    def look(self, model: Any, pixels: Tensor) -> dict[str, Tensor]:
        return {"features": model.get_image_embeddings(pixels).float()}

    def decode(
        self, model: Any, seen: dict[str, Tensor], asked: dict[str, Tensor], many: bool
    ) -> tuple[Tensor, Tensor]:
        parts = [sam_decoder.read(model, seen["features"], some, many) for some in self._shares(model, asked)]
        low = [sam_decoder.draw(model, part, many) for part in parts]
        return torch.cat(low), torch.cat([part.quality for part in parts])

    def decode_good(
        self, model: Any, seen: dict[str, Tensor], asked: dict[str, Tensor], many: bool, least: float
    ) -> tuple[Tensor, Tensor]:
        """Qualities come first, so that prompts without one good mask are not drawn."""
        low, quality = [], []
        for some in self._shares(model, asked):
            part = sam_decoder.read(model, seen["features"], some, many)
            part = part.take((part.quality > least).any(1).nonzero()[:, 0])
            good = part.quality > least
            low.append(sam_decoder.draw(model, part, many)[good])
            quality.append(part.quality[good])
        return torch.cat(low), torch.cat(quality)

    @staticmethod
    def _shares(model: Any, asked: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
        count = len(next(iter(asked.values())))
        size = sam_decoder.AT_ONCE if model.device.type == "cpu" else count
        for start in range(0, count, size):
            yield {name: value[start : start + size] for name, value in asked.items()}


class SamHq(PromptedSegmenter):
    """SAM-HQ: SAM with a sharper last token."""

    kind = SamHQModel
    keep_aspect = True

    def mend(self, model: Any) -> None:
        set_decoder_eps(model)

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


def set_decoder_eps(model: Any) -> None:
    """The authors' layer norms in the decoder's transformer."""
    for part in model.mask_decoder.transformer.modules():
        if isinstance(part, torch.nn.LayerNorm):
            part.eps = DECODER_EPS


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

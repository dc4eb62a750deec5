"""The picture tower and the word tower of one model, whichever library it comes from."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, CLIPModel, MetaClip2Model, SiglipModel

from maskwright.errors import MissingWeights, WeightsError
from maskwright.models.torching import Place, load_part, load_pretrained, mapped, weights_error

CLIP_COLOURS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_KINDS = {"clip": CLIPModel, "metaclip_2": MetaClip2Model, "siglip": SiglipModel}
MULTILINGUAL = {"metaclip_2": "over 300 languages", "siglip": "SigLIP 2: over 100 languages"}
"""Which kinds of model read other languages than English."""


class Towers(nn.Module):  # type: ignore[misc]
    """`see` and `read` give features, `pool` the fast path; `scale`, `shift` turn likeness into the model's logits,
    `chances`: whether their sigmoid is a chance. `side` pixels, `grid` patches a side."""

    side: int
    grid: int
    scale: float
    shift: float = 0.0
    chances: bool = False
    mean: tuple[float, ...] = CLIP_COLOURS[0]
    spread: tuple[float, ...] = CLIP_COLOURS[1]

    def see(self, pixels: Tensor) -> Tensor:
        """(N, D) from (N, 3, side, side)."""
        raise NotImplementedError

    def read(self, texts: Sequence[str], device: str) -> Tensor:
        """(N, D)."""
        raise NotImplementedError

    def pool(self, pixels: Tensor, shares: Tensor) -> Tensor:
        """(K, D) from one picture (1, 3, side, side) and shares of its patches (K, grid * grid)."""
        raise NotImplementedError


class HubTowers(Towers):
    """CLIP, MetaCLIP 2 and SigLIP (1 and 2, fixed size) of transformers."""

    def __init__(self, model: Any, tokenizer: Any, colours: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        vision, text = model.config.vision_config, model.config.text_config
        self.side, self.grid = int(vision.image_size), int(vision.image_size) // int(vision.patch_size)
        self.length = int(text.max_position_embeddings)
        self.is_siglip = model.config.model_type == "siglip"
        self.scale = math.exp(float(model.logit_scale))
        self.shift = float(model.logit_bias) if self.is_siglip else 0.0
        self.chances = self.is_siglip
        self.mean, self.spread = colours

    def see(self, pixels: Tensor) -> Tensor:
        return _features(self.model.get_image_features(pixel_values=pixels))

    def read(self, texts: Sequence[str], device: str) -> Tensor:
        texts = [text.lower() for text in texts] if self.is_siglip else list(texts)
        asked = self.tokenizer(
            texts, padding="max_length", truncation=True, max_length=self.length, return_tensors="pt"
        ).to(device)
        # SigLIP was trained without a mask over the padding.
        mask = {} if self.is_siglip else {"attention_mask": asked["attention_mask"]}
        return _features(self.model.get_text_features(input_ids=asked["input_ids"], **mask))

    def pool(self, pixels: Tensor, shares: Tensor) -> Tensor:
        vision = self.model.vision_model
        tokens = vision(pixel_values=pixels).last_hidden_state
        if self.is_siglip:
            return self._attend(vision.head, tokens, shares)
        patches = self.model.visual_projection(vision.post_layernorm(tokens[:, 1:]))[0]
        weights = shares / shares.sum(dim=1, keepdim=True)
        pooled: Tensor = weights.to(patches) @ patches
        return pooled

    def _attend(self, head: Any, tokens: Tensor, shares: Tensor) -> Tensor:
        """SigLIP's own pooling, which then sees only the patches of the region."""
        tokens = tokens.expand(len(shares), -1, -1)
        outside = shares < torch.clamp(shares.max(dim=1, keepdim=True).values, max=0.5)
        probe = head.probe.repeat(len(shares), 1, 1)
        x = head.attention(probe, tokens, tokens, key_padding_mask=outside, need_weights=False)[0]
        return (x + head.mlp(head.layernorm(x)))[:, 0]


class OpenTowers(Towers):
    """OpenCLIP from a folder of open_clip_config.json and its weights."""

    def __init__(self, model: Any, tokenizer: Any, colours: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        visual = model.visual
        size = visual.image_size
        self.side = int(size[0] if isinstance(size, (tuple, list)) else size)
        self.grid = int(visual.grid_size[0]) if hasattr(visual, "grid_size") else 0
        self.scale = math.exp(float(model.logit_scale))
        bias = getattr(model, "logit_bias", None)
        self.shift, self.chances = (0.0, False) if bias is None else (float(bias), True)
        self.mean, self.spread = colours

    def see(self, pixels: Tensor) -> Tensor:
        return self.model.encode_image(pixels)

    def read(self, texts: Sequence[str], device: str) -> Tensor:
        return self.model.encode_text(self.tokenizer(list(texts)).to(device))

    def pool(self, pixels: Tensor, shares: Tensor) -> Tensor:
        visual = self.model.visual
        tokens = visual.forward_intermediates(
            pixels, indices=1, intermediates_only=True, normalize_intermediates=True, output_fmt="NLC"
        )["image_intermediates"][0][0]
        weights = shares / shares.sum(dim=1, keepdim=True)
        pooled = weights.to(tokens) @ tokens
        return pooled if visual.proj is None else pooled @ visual.proj


def load_towers(folder: Path, name: str, place: Place) -> Towers:
    """The model in a folder, by what lies in it; raises MissingWeights, WeightsError, MissingPackage."""
    if (folder / "open_clip_config.json").is_file():
        return _load_open(folder, name, place)
    config = _read(folder / "config.json", name)
    kind = _KINDS.get(str(config.get("model_type")))
    if kind is None:
        raise WeightsError(
            f"{folder}: {config.get('model_type')!r} is no ranker this can run.",
            f"Known: {', '.join(_KINDS)}, OpenCLIP.",
        )
    model = load_pretrained(kind, folder, name, place)
    fallback = HALVES if config["model_type"] == "siglip" else CLIP_COLOURS
    return HubTowers(model, load_part(AutoTokenizer, folder, name), _colours(folder, fallback))


def _load_open(folder: Path, name: str, place: Place) -> Towers:
    import open_clip

    source = f"local-dir:{folder}"
    try:
        model = open_clip.create_model(source, require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(source)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise weights_error(name, folder, error) from error
    card = _read(folder / "open_clip_config.json", name).get("preprocess_cfg", {})
    colours = (tuple(card.get("mean", CLIP_COLOURS[0])), tuple(card.get("std", CLIP_COLOURS[1])))
    with mapped(name):
        return OpenTowers(model.to(place.device, place.dtype).eval().requires_grad_(False), tokenizer, colours)


def _read(path: Path, name: str) -> dict[str, Any]:
    if not path.is_file():
        raise MissingWeights(f"{name}: there is no {path}.", f"Type: maskwright models pull {name}")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise weights_error(name, path.parent, error) from error


def _colours(
    folder: Path, fallback: tuple[tuple[float, ...], tuple[float, ...]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return fallback
    card = _read(path, folder.name)
    return (tuple(card.get("image_mean", fallback[0])), tuple(card.get("image_std", fallback[1])))


def _features(out: Any) -> Tensor:
    """Older releases of transformers give the features themselves."""
    return out if isinstance(out, Tensor) else out.pooler_output

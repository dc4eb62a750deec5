"""SAM's mask decoder with less than half of its multiplications; the numbers are those of its authors' code.

A prompt has some seven tokens, the picture 4096 places of 256 numbers. The usual way projects every place to keys,
values and queries of every attention. Here the few tokens are projected instead, through the same matrices: with
K = P W, a query's likeness to all places, q Kᵀ = (q Wᵀ) Pᵀ, needs no K; a weighted mean of values, s (P W), is (s P) W.
Places stay rows of channels from beginning to end, qualities are known before masks are drawn, and only the masks that
are wanted are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

AT_ONCE = 4
"""Prompts that share one pass on a CPU: their places (4 MiB each) stay near the processor."""


@dataclass(frozen=True, eq=False)
class Read:
    """After the transformer: tokens of the masks (B, M, C), qualities (B, M), places (B, h * w, C)."""

    tokens: Tensor
    quality: Tensor
    places: Tensor
    shape: tuple[int, int]

    def take(self, index: Tensor) -> Read:
        return Read(self.tokens[index], self.quality[index], self.places[index], self.shape)


def read(model: Any, features: Tensor, asked: dict[str, Tensor], many: bool) -> Read:
    """What the decoder makes of prompts, before any mask: `features` (1, C, h, w), `asked` as `as_tensors` gives it."""
    decoder = model.mask_decoder
    words, dense = _embedded(model, asked)
    places = (features + dense).flatten(2).transpose(1, 2)
    spots = model.get_image_wide_positional_embeddings().flatten(2).transpose(1, 2)
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    start = torch.cat([own.expand(len(words), *own.shape), words], dim=1)
    tokens, places = _two_ways(decoder.transformer, start, places, spots)
    wanted = slice(1, None) if many else slice(0, 1)
    quality = decoder.iou_prediction_head(tokens[:, 0])[:, wanted]
    return Read(tokens[:, 1 : len(own)][:, wanted], quality, places, tuple(features.shape[-2:]))


def draw(model: Any, seen: Read, many: bool) -> Tensor:
    """Low-resolution logits (B, M, 4 h, 4 w)."""
    decoder, (h, w) = model.mask_decoder, seen.shape
    first, second = decoder.upscale_conv1, decoder.upscale_conv2
    norm = decoder.upscale_layer_norm
    fine = _enlarged(first, seen.places)
    fine = F.gelu(F.layer_norm(fine, norm.normalized_shape, norm.weight, norm.bias, norm.eps))
    fine = F.gelu(_enlarged(second, fine))
    networks = decoder.output_hypernetworks_mlps[int(many) :]
    pens = torch.stack([network(seen.tokens[:, i]) for i, network in zip(range(seen.tokens.shape[1]), networks)], 1)
    ink = fine.flatten(1, -2) @ pens.transpose(1, 2)
    inked = ink.view(len(pens), h, w, 2, 2, 2, 2, pens.shape[1])  # row, column, then halves: down, across, twice
    return inked.permute(0, 7, 1, 3, 5, 2, 4, 6).reshape(len(pens), pens.shape[1], 4 * h, 4 * w)


def _embedded(model: Any, asked: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Tokens of the prompts (B, N, C), and what is added to the picture (1 or B, C, h, w)."""
    masks = asked.get("input_masks")
    some = {name: value.transpose(0, 1) for name, value in asked.items() if name != "input_masks"}
    words, dense = model.prompt_encoder(
        some.get("input_points"), some.get("input_labels"), some.get("input_boxes"), masks
    )
    if words is None:
        return dense.new_zeros(len(dense), 0, dense.shape[1]), dense
    return words[0], dense if masks is not None else dense[:1]


def _two_ways(transformer: Any, start: Tensor, places: Tensor, spots: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens and places after all layers; `places` (1 or B, n, C) are shared by all prompts until they first change."""
    tokens = start
    for layer in transformer.layers:
        asking = tokens if layer.skip_first_layer_pe else tokens + start
        heard = layer.self_attn(query=asking[:, None], key=asking[:, None], value=tokens[:, None])[0][:, 0]
        tokens = layer.layer_norm1(heard if layer.skip_first_layer_pe else tokens + heard)
        placed = places + spots
        tokens = layer.layer_norm2(tokens + _looked(layer.cross_attn_token_to_image, tokens + start, placed, places))
        tokens = layer.layer_norm3(tokens + layer.mlp(tokens))
        told = _told(layer.cross_attn_image_to_token, placed, tokens + start, tokens)
        places = layer.layer_norm4(told.add_(places))
    last = _looked(transformer.final_attn_token_to_image, tokens + start, places + spots, places)
    return transformer.layer_norm_final_attn(tokens + last), places


def _looked(attention: Any, asking: Tensor, placed: Tensor, places: Tensor) -> Tensor:
    """Tokens (B, T, C) look at the places: (B, T, C). The keys' bias shifts all places alike, which softmax ignores."""
    heads, (b, t, c) = attention.num_attention_heads, asking.shape
    query = attention.q_proj(asking).view(b, t, heads, -1)
    key, value = (part.weight.view(heads, -1, c) for part in (attention.k_proj, attention.v_proj))
    rows = torch.einsum("bthd,hdc->bhtc", query * attention.scaling, key).reshape(b, heads * t, c)
    shared = len(placed) == 1
    rows = rows.view(1, -1, c) if shared else rows
    seen = (rows @ placed.transpose(1, 2)).softmax(-1) @ places
    found = torch.einsum("bhtc,hdc->bthd", seen.view(b, heads, t, c), value)
    return attention.out_proj(found.reshape(b, t, -1) + attention.v_proj.bias)


def _told(attention: Any, placed: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Places look at the tokens: (B, n, C)."""
    heads, (b, t, c) = attention.num_attention_heads, keys.shape
    key = attention.k_proj(keys).view(b, t, heads, -1) * attention.scaling
    value = attention.v_proj(values).view(b, t, heads, -1)
    asks = attention.q_proj.weight.view(heads, -1, c)
    tells = attention.out_proj.weight.view(c, heads, -1)
    columns = torch.einsum("bthd,hdc->bthc", key, asks).reshape(b, t * heads, c)
    shift = torch.einsum("bthd,hd->bth", key, attention.q_proj.bias.view(heads, -1)).reshape(b, 1, t * heads)
    scores = torch.baddbmm(shift, placed.expand(b, -1, -1), columns.transpose(1, 2))
    shares = scores.view(b, -1, t, heads).softmax(2).flatten(2)
    rows = torch.einsum("bthd,chd->bthc", value, tells).reshape(b, t * heads, c)
    return torch.baddbmm(attention.out_proj.bias.view(1, 1, c), shares, rows)


def _enlarged(convolution: Any, places: Tensor) -> Tensor:
    """A transposed convolution of two pixels a side: (..., C) to (..., 4, D), the four of each place together."""
    weight = convolution.weight.permute(0, 2, 3, 1)
    wide = F.linear(places, weight.reshape(len(weight), -1).T, convolution.bias.repeat(4))
    return wide.unflatten(-1, (4, -1))

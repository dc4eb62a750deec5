"""Low-rank additions folded into a network's weights: diffusers' and kohya's key styles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from maskwright.errors import MissingWeights, WeightsError

_ROLES = (
    (re.compile(r"\.(lora_A|lora\.down|lora_down)\.weight$"), "down"),
    (re.compile(r"\.(lora_B|lora\.up|lora_up)\.weight$"), "up"),
    (re.compile(r"_lora\.down\.weight$"), "down"),
    (re.compile(r"_lora\.up\.weight$"), "up"),
    (re.compile(r"\.alpha$"), "alpha"),
)
_OWNERS = (("lora_unet_", "unet"), ("unet.", "unet"), ("lora_te_", "text"), ("text_encoder.", "text"))


def read_lora(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; raises MissingWeights and WeightsError."""
    if not path.is_file():
        raise MissingWeights(f"there is no {path}.", "Type: maskwright models pull diffueraser")
    try:
        return dict(load_file(path))
    except (SafetensorError, ValueError, OSError) as error:
        raise WeightsError(f"{path} cannot be read: {error}", "Pull it again.") from error


def fold_lora(tensors: Mapping[str, Tensor], networks: Mapping[str, Any], scale: float = 1.0) -> int:
    """Adds every pair to the weight it belongs to and returns how many; `networks` has "unet" and "text".

    Raises WeightsError for a key that belongs nowhere, half a pair, or a shape that does not fit.
    """
    pairs: dict[tuple[str, str], dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        owner, layer, role = _split(key)
        pairs.setdefault((owner, layer), {})[role] = tensor
    weights = {owner: _weights(network) for owner, network in networks.items()}
    for (owner, layer), pair in pairs.items():
        weight = weights.get(owner, {}).get(layer)
        if weight is None or not {"down", "up"} <= set(pair):
            raise WeightsError(f"the LoRA's {owner} {layer} fits no layer.", "Give the LoRA made for SD 1.5.")
        with torch.no_grad():
            weight += _product(pair, weight.shape, layer).to(weight) * scale
    return len(pairs)


def _split(key: str) -> tuple[str, str, str]:
    """(owner, layer with _ for ., role) of one key."""
    for pattern, role in _ROLES:
        stem, found = pattern.subn("", key)
        if found:
            for prefix, owner in _OWNERS:
                if stem.startswith(prefix):
                    stem = stem.removeprefix(prefix).replace(".processor", "").replace(".", "_")
                    return owner, stem.removeprefix("text_model_"), role
    raise WeightsError(f"{key} is no LoRA key.", "Give a LoRA in diffusers' or kohya's style.")


def _weights(network: Any) -> dict[str, Tensor]:
    """Every layer's weight by its name with _ for .; attention outputs also without their _0."""
    found = {}
    for name, layer in network.named_modules():
        weight = getattr(layer, "weight", None)
        if isinstance(weight, Tensor):
            flat = name.removeprefix("text_model.").replace(".", "_")
            found[flat] = weight
            found[re.sub(r"to_out_0$", "to_out", flat)] = weight
    return found


def _product(pair: Mapping[str, Tensor], shape: torch.Size, layer: str) -> Tensor:
    down, up = pair["down"].float(), pair["up"].float()
    rank = down.shape[0]
    share = float(pair["alpha"]) / rank if "alpha" in pair else 1.0
    try:
        return (up.reshape(-1, rank) @ down.reshape(rank, -1)).reshape(shape) * share
    except RuntimeError as error:
        raise WeightsError(f"the LoRA's {layer} does not fit {tuple(shape)}.", "Give one made for SD 1.5.") from error

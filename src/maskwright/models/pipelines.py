"""Pipelines of diffusers from folders: every network whole, or a refusal that names what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import transformers

from maskwright.errors import WeightsError
from maskwright.models.torching import Place, load_part, load_pretrained, mapped, weights_error


def load_pipeline(kind: Any, folder: Path, name: str, place: Place, **instead: Any) -> Any:
    """A pipeline of class `kind` on its device, ready to paint; `instead`: parts that are given and not loaded, where
    the folder names them.

    Raises MissingWeights, OutOfMemory, and WeightsError when tensors are missing or of another architecture.
    """
    index = _index(folder, name)
    parts = {part: value for part, value in instead.items() if part in index}
    # diffusers lets transformers fill what is missing with noise, so these networks are loaded by ourselves
    for part, network in _readers(index):
        if part not in parts:
            parts[part] = load_pretrained(network, folder / part, name, place)
    pipeline = load_part(kind, folder, name, dtype=place.dtype, use_safetensors=True, **parts)
    _check_whole(pipeline, folder, name)
    pipeline.set_progress_bar_config(disable=True)
    with mapped(name):
        return pipeline.to(place.device)


def _index(folder: Path, name: str) -> Mapping[str, Any]:
    """What the folder says it holds: part -> [library, class], and settings. Empty where there is no such file."""
    file = folder / "model_index.json"
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise weights_error(name, folder, error) from error
    return found if isinstance(found, dict) else {}


def _readers(index: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(part, class) of each network that transformers reads."""
    for part, value in index.items():
        if isinstance(value, list) and len(value) == 2 and value[0] == "transformers":
            network = getattr(transformers, str(value[1]), None)
            if isinstance(network, type) and issubclass(network, transformers.PreTrainedModel):
                yield part, network


def _check_whole(pipeline: Any, folder: Path, name: str) -> None:
    """Raises WeightsError where a network was built, but its tensors were not in the folder."""
    for part, network in pipeline.components.items():
        if not isinstance(network, torch.nn.Module):
            continue
        tensors = chain(network.named_parameters(), network.named_buffers())
        missing = sorted(key for key, tensor in tensors if tensor.is_meta)
        if missing:
            raise WeightsError(
                f"{name}: {folder / part} is not whole: {len(missing)} tensors are missing ({', '.join(missing[:3])}).",
                "Pull it again, or check the folder.",
            )

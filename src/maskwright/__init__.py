"""maskwright: words and clicks into masks that were checked.

    import maskwright as mw
    image = mw.open_image("photo.jpg")
    result = mw.find(image, "the red bus on the left")

Importing this loads no model, no torch and no onnxruntime; names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Image": "maskwright.values",
    "Mask": "maskwright.values",
    "Box": "maskwright.values",
    "Prompt": "maskwright.values",
    "Trace": "maskwright.values",
    "Round": "maskwright.values",
    "MaskwrightError": "maskwright.errors",
    "open_image": "maskwright.media.images",
    "open_clip": "maskwright.media.videos",
    "load": "maskwright.assemble.loading",
    "find": "maskwright.assemble.finding",
    "find_rounds": "maskwright.assemble.finding",
    "sculpt": "maskwright.assemble.sculpting",
    "sculpt_rounds": "maskwright.assemble.sculpting",
    "cut": "maskwright.assemble.shaping",
    "parts": "maskwright.assemble.shaping",
    "edit": "maskwright.assemble.shaping",
    "lift": "maskwright.assemble.shaping",
    "erase": "maskwright.assemble.erasing",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'maskwright' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

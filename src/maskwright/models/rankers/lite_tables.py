"""Reads a safetensors file with numpy alone: the package of that name is an extra, the format is thirty lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import WeightsError
from maskwright.models.inspection import inspect_file

TYPES = {"F16": np.float16, "F32": np.float32, "U8": np.uint8, "U16": np.uint16, "U32": np.uint32}


def read_tables(path: Path) -> dict[str, NDArray[Any]]:
    """name -> array; raises WeightsError when the file is not whole."""
    inspect_file(path)
    raw = path.read_bytes()
    try:
        start = 8 + int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:start])
        return {name: _array(raw, start, entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is damaged.", "Install the package again.") from error


def _array(raw: bytes, start: int, entry: dict[str, Any]) -> NDArray[Any]:
    first, last = entry["data_offsets"]
    flat = np.frombuffer(raw[start + first : start + last], dtype=TYPES[entry["dtype"]])
    return flat.reshape(entry["shape"])

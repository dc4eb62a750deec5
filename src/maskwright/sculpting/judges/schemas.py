"""The forms that answers must have: ids we issued, enums, numbers in range, short texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskwright.sculpting.places import QUALITIES

_PART = {"type": "string", "maxLength": 60}
_CONF = {"type": "number", "minimum": 0, "maximum": 1}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": most}


DIAGNOSIS = _object(
    missing_parts=_list(_PART, 8),
    over_segments=_list(_PART, 8),
    boundary_quality={"type": "string", "enum": list(QUALITIES)},
    key_cues=_list(_PART, 8),
)

PATCH = _object(is_target={"type": "boolean"}, conf=_CONF)

BETTER = _object(better={"type": "string", "enum": ["A", "B", "same"]})


def cells_schema(ids: Sequence[str]) -> dict[str, Any]:
    """One verdict for each of the ids."""
    item = _object(cell={"type": "string", "enum": list(ids)}, is_target={"type": "boolean"}, conf=_CONF)
    return _object(cells={**_list(item, len(ids)), "x-unique": "cell"})


def anchors_schema(numbers: Sequence[int], most: int) -> dict[str, Any]:
    """At most `most` of the numbers, each with a reason."""
    item = _object(number={"type": "integer", "enum": list(numbers)}, reason=_PART)
    return _object(anchors={**_list(item, most), "x-unique": "number"})

"""The card of a model, of weights or of a preset, as values and as text."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from maskwright.config.settings import preset_names, read_preset
from maskwright.errors import MissingModel
from maskwright.models.catalogue import Row, table
from maskwright.models.weights import cards, describe


def card_values(name: str) -> dict[str, Any]:
    """Everything known under a name: models of that name, weights, a preset, the training card; raises MissingModel."""
    rows = [row for row in table().values() if row.name == name]
    values: dict[str, Any] = {"name": name, "models": [_row_values(row) for row in rows]}
    if name in cards():
        values["weights"] = describe(cards()[name])
    if name in preset_names():
        values["preset"] = read_preset(name)
    card = resources.files("maskwright.weights").joinpath(f"{name}.md")
    if card.is_file():
        values["card"] = card.read_text(encoding="utf-8")
    if len(values) == 2 and not rows:
        raise MissingModel(f"nothing is named {name!r}.", "See `maskwright models list`.")
    return values


def _row_values(row: Row) -> dict[str, Any]:
    values = {"kind": row.kind, "name": row.name, "what": row.note, "licence": row.licence, "extra": row.extra,
              "settings": dict(row.settings), "class": row.target}  # fmt: skip
    if row.weights in cards():
        values["weights"] = describe(cards()[row.weights])
    return values


def card_text(values: dict[str, Any]) -> str:
    """The same for people."""
    parts = []
    for row in values["models"]:
        lines = [f"{row['kind']} {row['name']}: {row['what']}", f"  licence {row['licence']}"]
        if row["extra"]:
            lines.append(f"  needs   pip install 'maskwright[{row['extra']}]'")
        if row.get("weights"):
            lines.append("  weights " + _weights_line(row["weights"]))
        parts.append("\n".join(lines))
    if "weights" in values:
        parts.append("weights " + _weights_line(values["weights"]))
    if "preset" in values:
        parts.append("preset " + json.dumps(values["preset"], ensure_ascii=False, indent=1))
    if "card" in values:
        parts.append(values["card"])
    return "\n\n".join(parts)


def _weights_line(weights: dict[str, Any]) -> str:
    size = "size not known" if weights["size"] is None else f"{weights['size'] / 2**20:.1f} MiB"
    place = weights["repo"] or weights["source"]
    line = f"{weights['name']} from {place} ({weights['revision']}), {size}, {weights['licence']}"
    return f"{line}; {weights['gated']}" if weights["gated"] else line

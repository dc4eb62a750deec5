"""A vision-language model without a model: answers of the right form, drawn from a hash of the question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from maskwright.ports import Question, Reply

WORDS = ("plain", "striped", "rounded", "dark", "bright", "smooth", "rough", "small")


class FakeVlm:
    """Deterministic and blind: it fits every schema and knows nothing. For trying out runs and in tests."""

    coordinates = "none"

    def __init__(self, seed: int = 0, max_side: int = 1024, concurrency: int = 4, name: str = "fake") -> None:
        self.name, self.seed = name, seed
        self.max_side, self.concurrency = max_side, concurrency

    def reply(self, question: Question) -> Reply:
        """JSON that fits the schema; without a schema one of the choices or a few words."""
        draw = _Draw(self.seed, question)
        if question.schema is not None:
            text = json.dumps(_fill(question.schema, draw), ensure_ascii=False)
        else:
            text = draw.one_of(question.choices or WORDS)
        odds = {c: 1.0 / len(question.choices) for c in question.choices} if question.choices else None
        return Reply(text, odds, tokens_in=len(question.text) // 4, tokens_out=len(text) // 4)


class _Draw:
    """A stream of numbers that depends on the question alone."""

    def __init__(self, seed: int, question: Question) -> None:
        parts = [str(seed), question.system, question.text, *(image.sha256 for image in question.images)]
        self._state = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()

    def number(self) -> float:
        """0..1."""
        self._state = hashlib.sha256(self._state).digest()
        return int.from_bytes(self._state[:6], "big") / 2.0**48

    def one_of(self, options: Any) -> Any:
        return options[int(self.number() * len(options))]


def _fill(schema: Mapping[str, Any], draw: _Draw) -> Any:
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: _fill(inner, draw) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return _fill_list(schema, draw)
    if "enum" in schema:
        return draw.one_of(schema["enum"])
    if kind == "boolean":
        return draw.number() < 0.5
    if kind == "string":
        return draw.one_of(WORDS)
    low, high = float(schema.get("minimum", 0)), float(schema.get("maximum", 1))
    value = low + (high - low) * draw.number()
    return round(value) if kind == "integer" else round(value, 3)


def _fill_list(schema: Mapping[str, Any], draw: _Draw) -> list[Any]:
    """One item an id where ids are asked about, else up to two."""
    items, key = schema["items"], schema.get("x-unique")
    ids = items.get("properties", {}).get(key, {}).get("enum") if key else None
    if ids:
        most = int(schema.get("maxItems", len(ids)))
        return [{**_fill(items, draw), key: one} for one in ids[:most]]
    return [_fill(items, draw) for _ in range(int(draw.number() * 3))]

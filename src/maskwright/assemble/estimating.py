"""What a batch will ask at most, before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskwright.assemble.batching import asks
from maskwright.runs.task import TaskSpec

_TOKENS_A_QUESTION = 1500
"""Pictures and words of one question and its answer, about."""


def estimate(spec: TaskSpec, items: int) -> dict[str, Any]:
    """At most so many questions, tokens and dollars, about; nothing is asked to find out."""
    if not asks(spec):
        return {"most_calls": 0, "most_tokens": 0, "most_usd": 0.0}
    if spec.kind == "find":
        calls = 2 * int(spec.settings["find"]["max_iter"])
    else:
        calls = _sculpt_calls(spec.settings["sculpt"])
    tokens = calls * items * _TOKENS_A_QUESTION
    return {"most_calls": calls * items, "most_tokens": tokens, "most_usd": _dollars(spec, tokens)}


def _sculpt_calls(s: Mapping[str, Any]) -> int:
    """Questions about one mask: each round's, the controls once, the comparison in both orders."""
    a_round, controls = int(s["max_candidates"]), int(s["controls"])
    if s["one_patch_per_call"]:
        return int(s["rounds"]) * (1 + a_round * len(s["scales"])) + controls + 2
    sheets = -(-(a_round + controls) // (int(s["sheet_cells"]) * int(s["sheets_per_call"])))
    return int(s["rounds"]) * (1 + sheets + int(s["reasks"])) + 2


def _dollars(spec: TaskSpec, tokens: int) -> float | None:
    """At the price of the settings or of our table; None where it is not known."""
    from maskwright.models.vlms.prices import price_of

    choice = spec.settings["models"].get("vlm") or spec.settings["models"].get("judge") or {}
    price = price_of(str(choice.get("model", choice.get("name"))), choice.get("price_in"), choice.get("price_out"))
    return None if price is None else round(price.of(tokens, tokens // 20), 4)

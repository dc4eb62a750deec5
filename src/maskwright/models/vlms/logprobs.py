"""Probabilities of answers from the tokens' log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

YES, NO = ("true", "yes"), ("false", "no")


def booleans(tokens: Sequence[Any]) -> tuple[float, ...]:
    """P(yes) / (P(yes) + P(no)) for every true/false/yes/no token of an answer, in order.

    `tokens`: the `content` list of an OpenAI-style logprobs object. Tokens without alternatives are left out of the
    count only together: a broken list gives nothing.
    """
    found: list[float] = []
    for token in tokens:
        if _word(token) in YES + NO:
            odds = _share(token)
            if odds is None:
                return ()
            found.append(odds)
    return tuple(found)


def choices(tokens: Sequence[Any], wanted: Sequence[str]) -> dict[str, float] | None:
    """The probability of each wanted word as the first one of the answer, summing to 1; None when none is known."""
    for token in tokens:
        if not _word(token):
            continue
        mass = dict.fromkeys(wanted, 0.0)
        for word, p in _alternatives(token):
            for choice in wanted:
                if word and choice.casefold().startswith(word):
                    mass[choice] += p
                    break
        total = sum(mass.values())
        return {word: p / total for word, p in mass.items()} if total > 0 else None
    return None


def _share(token: Any) -> float | None:
    yes = no = 0.0
    for word, p in _alternatives(token):
        yes += p if word in YES else 0.0
        no += p if word in NO else 0.0
    return yes / (yes + no) if yes + no > 0 else None


def _alternatives(token: Any) -> list[tuple[str, float]]:
    listed = token.get("top_logprobs") if isinstance(token, Mapping) else None
    entries = listed if isinstance(listed, list) and listed else [token]
    out = []
    for entry in entries:
        value = entry.get("logprob") if isinstance(entry, Mapping) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value <= 0.01:
            out.append((_word(entry), math.exp(min(0.0, value))))
    return out


def _word(token: Any) -> str:
    text = token.get("token") if isinstance(token, Mapping) else None
    return text.strip().strip('":,{}[]').casefold() if isinstance(text, str) else ""

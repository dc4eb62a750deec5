"""From a model's raw text to a value of the schema asked for, or BadReply: nothing that was not asked for gets in.

Written by hand because no JSON-schema library drops single bad items of a list, refuses duplicate keys and second
objects, and forgives wrappings (fences, prose, thinking, one-element lists) all at once.
"""

from __future__ import annotations

import html
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskwright.errors import BadReply

MAX_CHARS = 65_536
MAX_TEXT = 120
"""Longest free text taken from a model, in characters."""

_THINKING = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_THOUGHT = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
"""Ends what a model thought where its template holds the opening tag."""
_WORDS_OF_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Parsed:
    """A value that fits the schema, and how many list items were left out because they did not."""

    value: Any
    dropped: int = 0


def read_reply(text: str, schema: Mapping[str, Any]) -> Parsed:
    """The one JSON object of `text`, checked; raises BadReply saying what was wrong with it.

    Schema: a subset of JSON schema (type, properties, required, items, enum, minimum, maximum, maxItems, maxLength)
    plus `x-unique`: the key whose value may occur once in a list of objects.
    """
    if len(text) > MAX_CHARS:
        raise BadReply(f"the reply has {len(text)} characters.", f"At most {MAX_CHARS} are read.")
    checker = _Checker()
    return Parsed(checker.check(_unwrap(_only_object(text), schema), schema, "the answer"), checker.dropped)


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """One line of at most `limit` characters without control characters, surrogates or direction marks."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: limit * 8])
    return " ".join(kept.split())[:limit].rstrip()


def _only_object(text: str) -> Any:
    text = _THINKING.sub(" ", text.lstrip("\ufeff"))
    text = _THOUGHT.split(text)[-1].strip()
    if not text:
        raise BadReply("the reply is empty.", "Ask again.")
    if '"' not in text and "&quot;" in text:
        text = html.unescape(text)
    whole = _decode(text)
    if isinstance(whole, str):
        return _only_object(whole) if "{" in whole else _refuse("the reply holds no JSON object.")
    if whole is not None:
        return whole
    found = _objects(text)
    if not found:
        _refuse("the reply holds no JSON object.")
    if len(found) > 1:
        _refuse(f"the reply holds {len(found)} JSON objects, one was asked for.")
    return found[0]


def _objects(text: str) -> list[Any]:
    """Every outermost {...} that is JSON; text in braces that is not JSON is skipped whole."""
    found, at = [], text.find("{")
    while at >= 0:
        end = _closing(text, at)
        if end < 0:
            _refuse("the reply's JSON breaks off.")
        value = _decode(text[at : end + 1])
        if value is not None:
            found.append(value)
        at = text.find("{", end + 1)
    return found


def _closing(text: str, start: int) -> int:
    """Where the brace opened at `start` closes, strings respected; -1 when it never does."""
    depth, quoted, escaped = 0, False, False
    for at in range(start, len(text)):
        c = text[at]
        if quoted:
            quoted, escaped = (escaped or c != '"'), (c == "\\" and not escaped)
        elif c == '"':
            quoted = True
        elif c in "{}":
            depth += 1 if c == "{" else -1
            if depth == 0:
                return at
    return -1


def _decode(text: str) -> Any:
    """The JSON value of the whole text, or None; raises BadReply for what is JSON but must not be trusted."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except (json.JSONDecodeError, RecursionError):
        return None
    except ValueError as error:  # a whole number of thousands of digits
        raise BadReply("the reply holds a number too long to be real.", "Ask again.") from error


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        _refuse("the reply names a key twice.")
    return out


def _constant(name: str) -> Any:
    return _refuse(f"the reply holds {name}, which is not a number.")


def _unwrap(value: Any, schema: Mapping[str, Any]) -> Any:
    """The object inside a list of one, or under a single key of the model's own making."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    wanted = schema.get("properties", {})
    if isinstance(value, dict) and len(value) == 1:
        [(key, inner)] = value.items()
        if key not in wanted and isinstance(inner, dict) and any(name in inner for name in wanted):
            return inner
    return value


class _Checker:
    """Builds a clean copy of a value along its schema; anything not named there is left behind."""

    def __init__(self) -> None:
        self.dropped = 0

    def check(self, value: Any, schema: Mapping[str, Any], where: str) -> Any:
        kind = schema.get("type", "object")
        check = {
            "object": self._object,
            "array": self._array,
            "string": _string,
            "boolean": _boolean,
            "integer": _integer,
            "number": _number,
        }[kind]
        return check(value, schema, where)

    def _object(self, value: Any, schema: Mapping[str, Any], where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            _refuse(f"{where} is not an object.")
        wanted: Mapping[str, Any] = schema.get("properties", {})
        missing = [name for name in schema.get("required", wanted) if name not in value]
        if missing:
            _refuse(f"{where} lacks {', '.join(missing)}.")
        return {name: self.check(value[name], wanted[name], name) for name in wanted if name in value}

    def _array(self, value: Any, schema: Mapping[str, Any], where: str) -> list[Any]:
        if not isinstance(value, list):
            _refuse(f"{where} is not a list.")
        out = [item for item in (self._item(v, schema["items"], where) for v in value) if item is not None]
        if "x-unique" in schema:
            key = schema["x-unique"]
            seen = Counter(item[key] for item in out)
            once = [item for item in out if seen[item[key]] == 1]
            self.dropped += len(out) - len(once)
            out = once
        limit = int(schema.get("maxItems", 256))
        self.dropped += max(0, len(out) - limit)
        if value and not out:
            _refuse(f"no item of {where} can be used.")
        return out[:limit]

    def _item(self, value: Any, schema: Mapping[str, Any], where: str) -> Any:
        try:
            return self.check(value, schema, f"an item of {where}")
        except BadReply:
            self.dropped += 1
            return None


def _string(value: Any, schema: Mapping[str, Any], where: str) -> str:
    if not isinstance(value, str):
        _refuse(f"{where} is not text.")
    cleaned = clean_text(value, min(MAX_TEXT, int(schema.get("maxLength", MAX_TEXT))))
    choices: Sequence[str] | None = schema.get("enum")
    if choices is None:
        return cleaned
    for choice in choices:
        if cleaned.casefold() == choice.casefold():
            return choice
    return str(_refuse(f"{where} is none of {', '.join(choices)}."))


def _boolean(value: Any, schema: Mapping[str, Any], where: str) -> bool:
    if isinstance(value, str) and value.strip().casefold() in _WORDS_OF_TRUTH:
        return _WORDS_OF_TRUTH[value.strip().casefold()]
    if not isinstance(value, bool):
        _refuse(f"{where} is neither true nor false.")
    return bool(value)


def _integer(value: Any, schema: Mapping[str, Any], where: str) -> int:
    number = _number(value, schema, where)
    if number != int(number):
        _refuse(f"{where} is not a whole number.")
    return int(number)


def _number(value: Any, schema: Mapping[str, Any], where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(f"{where} is not a number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        _refuse(f"{where} is not a finite number.")
    low, high, allowed = schema.get("minimum"), schema.get("maximum"), schema.get("enum")
    if (low is not None and number < low) or (high is not None and number > high):
        _refuse(f"{where} is out of its range {low}..{high}.")
    if allowed is not None and number not in allowed:
        _refuse(f"{where} is none of the numbers asked about.")
    return number


def _refuse(reason: str) -> Any:
    raise BadReply(reason, "The reply was not used.")

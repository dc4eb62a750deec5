"""200 hostile replies and 60 merely wrapped ones: no crash, no invented field, wrapped ones recovered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from maskwright.asking.replies import clean_text, read_reply
from maskwright.errors import BadReply
from maskwright.sculpting.judges import schemas

IDS = ("1a", "1b", "2a")
CELLS = schemas.cells_schema(IDS)
DIAGNOSIS = schemas.DIAGNOSIS
ITEM = {"cell": "1a", "is_target": True, "conf": 0.9}
GOOD = json.dumps({"cells": [ITEM, {"cell": "1b", "is_target": False, "conf": 0.4}]})
FINE = json.dumps(
    {"missing_parts": ["left ear"], "over_segments": [], "boundary_quality": "soft", "key_cues": ["brown"]}
)

WRAPPINGS = (
    "@", "  \n@\n ", "\ufeff@", "```json\n@\n```", "```\n@\n```", "~~~\n@\n~~~", "Here you are:\n@",
    "@\nI hope this helps!", "Sure! ```json\n@\n``` Done.", "<think>hm {no} </think>@",
    "<think>\nfirst {\"a\": 1}\n</think>\n@", "<answer>@</answer>", "Answer: @", "**Answer**\n\n@", "[@]",
    "json\n@", "> @", "1. @", "The set {x} is not JSON, this is: @", "JSON:@.", "`@`", '{"answer": @}',
    '{"result": @}', "@;", "“@”", "<output>\n@\n</output>", "@<|im_end|>", "Final answer → @", "@\n\n---\n",
)  # fmt: skip


def damaged(good: str) -> Iterator[str]:
    """Every way we know to spoil a good reply."""
    for cut in range(1, len(good), max(1, len(good) // 30)):
        yield good[:cut]
        yield good[cut:]
    for a, b in (('"', "'"), (":", ""), (",", " "), ("{", "["), ("}", ""), ("true", "maybe"), ("0.9", "7"),
                 ("0.9", "-0.1"), ("0.9", "NaN"), ("0.9", "Infinity"), ("0.9", '"high"'), ("0.9", "null"),
                 ("0.9", "1e999"), ("0.9", "9" * 5000), ("1a", "99"), ("1a", "../../etc/passwd"), ("1a", "1b"),
                 ("cells", "items"), ("cell", "cel"), ("conf", "confidence"), ("left", "\\ud800"), ("soft", "blurry"),
                 ("soft", ""), ("left ear", "x" * 10_000), ("key_cues", "key_cue")):  # fmt: skip
        yield good.replace(a, b)
    yield good + good
    yield good + "\n" + good.replace("0.9", "0.1").replace("soft", "sharp")
    yield good.replace("{", '{"__proto__": {"admin": true}, "x": 1,', 1)
    yield good.replace("{", '{"path": "/etc/passwd", "mask": [[0, 0, 9, 9]], ', 1)
    yield "/*" + good + "*/ {" + good[1:-1] + "}, {}"


RUINS = (
    "", " ", "null", "true", "42", "[]", "{}", "[[]]", '""', '"{"', "{", "}", "{{}}", "[" * 100_000, "{" * 50_000,
    '{"a":' * 20_000, "I cannot help with that.", "<html><body>502</body></html>", "NaN", "\x00\x01\x02", "💥" * 1000,
    '{"cells": {}}', '{"cells": null}', '{"cells": "all"}', '{"cells": [1, 2, 3]}', '{"cells": [null]}',
    '{"cells": [[]]}', '{"cells": [{}]}', '{"cells": [{"cell": 1}]}', '{"cells": [], "cells": []}',
    '{"cells": [{"cell": {"a": 1}, "is_target": true, "conf": 1}]}', "ignore all previous instructions",
    '{"cells": [{"cell": "1a", "is_target": 1, "conf": true}]}', "{'cells': []}", "cells: []", "{cells: []}",
    '{"missing_parts": "all", "over_segments": [], "boundary_quality": "soft", "key_cues": []}',
    '{"missing_parts": [], "over_segments": [], "boundary_quality": ["soft"], "key_cues": []}',
    '{"missing_parts": [["a"]], "over_segments": [], "boundary_quality": "soft", "key_cues": []}',
    "x" * 70_000, '{"cells": ' + "[" * 3000 + "]" * 3000 + "}", "\\u007b\\u007d", "{\u202e}", '"\\ud800"',
)  # fmt: skip

HOSTILE = [(schema, text) for schema, good in ((CELLS, GOOD), (DIAGNOSIS, FINE)) for text in (*damaged(good), *RUINS)]


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """An independent reading of the schema: exactly the known fields, all of them in range."""
    kind = schema["type"]
    if kind == "object":
        return set(value) == set(schema["properties"]) and all(fits(value[k], schema["properties"][k]) for k in value)
    if kind == "array":
        return len(value) <= schema["maxItems"] and all(fits(v, schema["items"]) for v in value)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "string":
        return value in schema["enum"] if "enum" in schema else len(value) <= 120 and value.isprintable()
    return isinstance(value, (int, float)) and schema.get("minimum", value) <= value <= schema.get("maximum", value)


def test_there_are_two_hundred() -> None:
    assert len(HOSTILE) >= 200


def test_no_crash_and_no_invented_field() -> None:
    used = 0
    for schema, text in HOSTILE:
        try:
            parsed = read_reply(text, schema)
        except BadReply as error:
            assert len(error.message) < 400
            continue
        used += 1
        assert fits(parsed.value, schema), text[:200]
        kept = [item["cell"] for item in parsed.value.get("cells", ())]
        assert len(kept) == len(set(kept))
    print(f"\n{len(HOSTILE)} hostile replies: 0 crashes, 0 invented fields, {used} usable in part")
    assert used < len(HOSTILE) / 2


@pytest.mark.parametrize(("schema", "good"), [(CELLS, GOOD), (DIAGNOSIS, FINE)], ids=["cells", "diagnosis"])
def test_wrapped_ones_are_recovered(schema: dict[str, Any], good: str) -> None:
    wanted, found = json.loads(good), 0
    texts = [*(w.replace("@", good) for w in WRAPPINGS), json.dumps(good)]
    for text in texts:
        try:
            found += read_reply(text, schema).value == wanted
        except BadReply:
            continue
    print(f"\n{found} of {len(texts)} wrapped replies recovered")
    assert found >= 0.95 * len(texts)


@pytest.mark.parametrize(
    ("cells", "kept", "dropped"),
    [
        ([ITEM, {**ITEM, "cell": "99"}], ["1a"], 1),
        ([ITEM, {**ITEM, "cell": "1b", "conf": 7}], ["1a"], 1),
        ([ITEM, {**ITEM, "is_target": False}, {**ITEM, "cell": "2a"}], ["2a"], 2),
        ([ITEM, {"cell": "1b"}, "1b", None], ["1a"], 3),
        ([{**ITEM, "is_target": "no", "extra": "x"}], ["1a"], 0),
    ],
    ids=["cell 99", "confidence 7", "contradiction", "half items", "words for truth"],
)
def test_bad_items_are_left_out_alone(cells: list[Any], kept: list[str], dropped: int) -> None:
    parsed = read_reply(json.dumps({"cells": cells}), CELLS)
    assert [item["cell"] for item in parsed.value["cells"]] == kept
    assert parsed.dropped == dropped


def test_text_is_one_short_line() -> None:
    assert clean_text("a\n\tb\x00c \u202ed\ud800" + "x" * 500) == "a b c d " + "x" * 112

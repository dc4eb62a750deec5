"""The caption file of a clip: the small part of YAML that it needs, written and read strictly.

Strings stay strings (`no`, `1e3` and `null` are words here); there are no anchors, aliases, tags or nested values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from maskwright.errors import BadSettings
from maskwright.plumbing.files import write_text

MOST_BYTES = 64 * 1024
SOURCES = ("manual", "auto_masked")
_LISTS = ("prompt", "n_prompt", "prompt_frame_idx")
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*:(?:\s+(.*))?$")


@dataclass(frozen=True)
class PromptFile:
    """What a caption file says; `prompt_source` is "manual" for anything a person wrote."""

    prompt: tuple[str, ...] = ()
    n_prompt: tuple[str, ...] = ()
    text_guidance_scale: float | None = None
    prompt_source: str = "manual"
    prompt_model: str = ""
    prompt_timestamp: str = ""
    prompt_frame_idx: tuple[int, ...] = ()
    source_video: str = ""

    @property
    def words(self) -> str:
        return " ".join(self.prompt).strip()

    @property
    def avoid(self) -> str:
        return " ".join(self.n_prompt).strip()


def write_prompt(path: str | Path, value: PromptFile) -> None:
    """Writes the caption file, whole or not at all."""
    scale = 2.0 if value.text_guidance_scale is None else value.text_guidance_scale
    places = value.prompt_frame_idx
    lines = [
        f"prompt: {_list(value.prompt or ('',))}",
        f"n_prompt: {_list(value.n_prompt or ('',))}",
        f"text_guidance_scale: {scale:g}" if scale % 1 else f"text_guidance_scale: {scale:.1f}",
        f"prompt_source: {value.prompt_source}",
        f"prompt_model: {_quote(value.prompt_model)}",
        f"prompt_timestamp: {_quote(value.prompt_timestamp)}",
        f"prompt_frame_idx: {places[0] if len(places) == 1 else list(places)}",
        f"source_video: {_quote(value.source_video)}",
    ]
    write_text(path, "\n".join(lines) + "\n")


def read_prompt(path: str | Path) -> PromptFile:
    """The caption file; raises BadSettings naming the file and the line."""
    path = Path(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise BadSettings(f"{path} is larger than {MOST_BYTES // 1024} KiB.", "A caption file holds a sentence.")
        return _typed(_parse(data.decode("utf-8-sig"), path), path)
    except UnicodeDecodeError as error:
        raise BadSettings(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(_quote(v) for v in values) + "]"


def _parse(text: str, path: Path) -> dict[str, list[str] | str]:
    out: dict[str, list[str] | str] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#") or bare in ("---", "..."):
            continue
        place = f"{path}, line {number}"
        if bare == "-" or bare.startswith("- "):
            held = out.get(key)
            if not isinstance(held, list):
                raise BadSettings(f"{place}: a list item without its name.", "Write it under `prompt:`.")
            held.append(_scalar(bare[1:].strip(), place))
            continue
        found = _KEY.match(line)
        if found is None:
            raise BadSettings(f"{place}: {bare[:40]!r} is not `name: value`.", "One value a line; quote long text.")
        key, value = found[1], (found[2] or "").strip()
        if key in out:
            raise BadSettings(f"{place}: {key} is there twice.", "Keep one.")
        out[key] = _value(value, place)
    return out


def _value(text: str, place: str) -> list[str] | str:
    if text == "" or text.startswith("#"):
        return []
    if text.startswith("["):
        return _flow(text, place)
    return _scalar(text, place)


_ITEM = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\[\]"'][^,\[\]]*)\s*(,|\])""")


def _flow(text: str, place: str) -> list[str]:
    """The items of `[a, "b", 'c']`."""
    rest, out = text[1:], []
    while rest.strip() not in ("", "]"):
        found = _ITEM.match(rest)
        if found is None:
            raise BadSettings(f"{place}: the list cannot be read.", 'Write it as ["text", "text"].')
        out.append(_scalar(found[1].strip(), place))
        rest = rest[found.end() :]
        if found[2] == "]":
            break
    else:
        if rest.strip() != "]":
            raise BadSettings(f"{place}: the list is not closed.", 'Write it as ["text", "text"].')
        rest = ""
    if rest.strip() and not rest.strip().startswith("#"):
        raise BadSettings(f"{place}: there is something after the list.", "One value a line.")
    return out


def _scalar(text: str, place: str) -> str:
    if text[:1] in "&*!" and text:
        raise BadSettings(f"{place}: anchors, aliases and tags are not read.", "Quote the text.")
    if text[:1] in ("|", ">", "{", "@", "`", "%"):
        raise BadSettings(f"{place}: {text[:1]} begins a form that is not read.", "Write the text quoted on one line.")
    if text.startswith('"'):
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except json.JSONDecodeError as error:
            raise BadSettings(f"{place}: the quoted text cannot be read.", "Close the quotes.") from error
        _only_comment(text[end:], place)
        return str(value)
    if text.startswith("'"):
        found = re.match(r"'((?:[^']|'')*)'", text)
        if found is None:
            raise BadSettings(f"{place}: the quoted text cannot be read.", "Close the quotes.")
        _only_comment(text[found.end() :], place)
        return found[1].replace("''", "'")
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def _only_comment(rest: str, place: str) -> None:
    if rest.strip() and not rest.strip().startswith("#"):
        raise BadSettings(f"{place}: there is something after the quotes.", "One value a line.")


def _typed(values: Mapping[str, list[str] | str], path: Path) -> PromptFile:
    known = [field.name for field in fields(PromptFile)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise BadSettings(f"{path}: {unknown[0]} is not a field of a caption file.", f"Known: {', '.join(known)}.")
    out: dict[str, Any] = {}
    for name, value in values.items():
        if name in _LISTS:
            out[name] = tuple([value] if isinstance(value, str) else value)
        elif isinstance(value, list):
            if value:
                raise BadSettings(f"{path}: {name} is one value, not a list.", "Take the brackets away.")
        else:
            out[name] = value
    if "text_guidance_scale" in out:
        out["text_guidance_scale"] = _number(out["text_guidance_scale"], path)
    if "prompt_frame_idx" in out:
        out["prompt_frame_idx"] = tuple(int(_number(v, path)) for v in out["prompt_frame_idx"])
    if out.setdefault("prompt_source", "manual") not in SOURCES:
        raise BadSettings(f"{path}: prompt_source is {out['prompt_source']!r}.", f"Write {' or '.join(SOURCES)}.")
    return PromptFile(**out)


def _number(text: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise BadSettings(f"{path}: {text!r} is not a number.", "Give a plain number.") from error
    if not -1e9 < value < 1e9:
        raise BadSettings(f"{path}: {text!r} is not a sensible number.", "Give a plain number.")
    return value

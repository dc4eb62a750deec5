"""The classic folder layout: images/NAME.png, box_out/NAME/NAME_sam_boxes.json, llm_out/NAME_output.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maskwright.errors import InputError, MaskwrightError
from maskwright.media.images import SUFFIXES
from maskwright.plumbing.files import read_json
from maskwright.runs.jobs import Rows, checked

IMAGES, BOXES, WORDS = "images", "box_out", "llm_out"
_NAME_KEYS = ("target", "phrase", "instance", "object", "label", "class", "name", "category")


def is_classic(folder: Path) -> bool:
    """Whether a folder is laid out so."""
    return (folder / IMAGES).is_dir() and ((folder / BOXES).is_dir() or (folder / WORDS).is_dir())


def read_classic(
    folder: str | Path, kind: str, *, samples: tuple[str, ...] = (), defaults: Mapping[str, Any] | None = None
) -> Rows:
    """One job a box of each sample (all of images/ when none are chosen); ids are NAME, or NAME-2 and so on."""
    folder = Path(folder)
    if not is_classic(folder):
        raise InputError(f"{folder} has no {IMAGES}/ with {BOXES}/ or {WORDS}/.", "Give a folder of that layout.")
    found = {p.stem: p for p in sorted((folder / IMAGES).iterdir()) if p.suffix.lower() in SUFFIXES}
    names = samples or tuple(found)
    raw: list[tuple[int, Mapping[str, Any] | str]] = []
    for name in names:
        if name not in found:
            raw.append((len(raw) + 1, f"there is no picture {IMAGES}/{name}.*"))
            continue
        for row in _rows(folder, name, found[name]):
            raw.append((len(raw) + 1, row))
    return checked(raw, kind, folder, defaults or {})


def _rows(folder: Path, name: str, image: Path) -> Iterator[Mapping[str, Any] | str]:
    try:
        boxes = _boxes(folder / BOXES / name / f"{name}_sam_boxes.json")
        words = _words(folder / WORDS / f"{name}_output.json")
    except (MaskwrightError, KeyError, TypeError, ValueError) as error:
        yield f"{name}: {getattr(error, 'message', error)}"
        return
    about = {"image": str(image.absolute()), **({} if words is None else {"phrase": words, "target": words})}
    if not boxes:
        yield {"id": name, **about}
    for number, box in enumerate(boxes, 1):
        yield {"id": name if number == 1 else f"{name}-{number}", "box": box, **about}


def _boxes(path: Path) -> list[list[float]]:
    """Boxes xyxy: {"x0": ...} objects, alone, in a list, or under a key."""
    if not path.exists():
        return []
    return [[float(entry[k]) for k in ("x0", "y0", "x1", "y1")] for entry in _objects(read_json(path), "x0")]


def _words(path: Path) -> str | None:
    """What the picture shows, from whichever usual key holds it."""
    if not path.exists():
        return None
    for key in _NAME_KEYS:
        for entry in _objects(read_json(path), key):
            if isinstance(entry[key], str) and entry[key].strip():
                return str(entry[key]).strip()[:200]
    return None


def _objects(value: Any, key: str, depth: int = 4) -> Iterator[Mapping[str, Any]]:
    """Every object in `value`, at most `depth` levels down, that has the key."""
    if isinstance(value, Mapping):
        if key in value:
            yield value
            return
        value = list(value.values())
    if isinstance(value, list) and depth:
        for entry in value:
            yield from _objects(entry, key, depth - 1)

"""Any folder or JSONL of picture, phrase(s) and mask.

JSONL: one object a line with `image` (path from the file's folder), `phrase` or `phrases`, and `mask` (a PNG's path, a
COCO RLE, or null for "no such thing"); optional `id`, `tags` or `kinds`, `none_such`, `cluster`.
Folder: `images/NAME.jpg` with `masks/NAME.png` and the phrase in `phrases/NAME.txt` (else the name itself, _ as space).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maskwright.bench.samples import Dataset, Sample
from maskwright.errors import BadMask, InputError, MissingData
from maskwright.media.images import SUFFIXES, open_image, open_mask
from maskwright.values import Image, Mask


def open_listed(root: str | None, split: str | None = None) -> Dataset:
    """The samples of a JSONL file or a folder; raises MissingData, InputError naming the line."""
    if root is None:
        raise MissingData("the data set 'listed' needs a file or folder.", "Give it: --data PATH/phrases.jsonl")
    path = Path(root)
    if path.is_dir() and (path / "phrases.jsonl").exists():
        path = path / "phrases.jsonl"
    if path.is_dir():
        return Dataset(path.name, list(_of_folder(path)))
    if not path.exists():
        raise MissingData(f"{path} does not exist.", "Give a JSONL file, or a folder with images/ and masks/.")
    return Dataset(path.parent.name or path.stem, list(_of_lines(path)))


def _of_lines(path: Path) -> Iterator[Sample]:
    seen: set[str] = set()
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        row = _row(line, place)
        for sample in _of_row(row, path.parent, place, default=f"line-{number:05d}"):
            if sample.id in seen:
                raise InputError(f"{place}: the id {sample.id!r} is used twice.", "Give each row its own id.")
            seen.add(sample.id)
            yield sample


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error


def _row(line: str, place: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{place} is not JSON: {error}.", "Mend or remove the line.") from error
    if not isinstance(row, dict) or not isinstance(row.get("image"), str) or "mask" not in row:
        raise InputError(f"{place} lacks image or mask.", 'Write {"image": ..., "phrase": ..., "mask": ...}.')
    return row


def _of_row(row: Mapping[str, Any], folder: Path, place: str, default: str) -> Iterator[Sample]:
    phrases = row.get("phrases", row.get("phrase"))
    phrases = [phrases] if isinstance(phrases, str) else phrases
    if not isinstance(phrases, list) or not phrases or not all(isinstance(p, str) for p in phrases):
        raise InputError(f"{place} has no phrase.", 'Write "phrase": "the red cup".')
    tags = row.get("tags", row.get("kinds")) or ()
    if not isinstance(tags, list | tuple):
        raise InputError(f"{place}: tags is not a list.", 'Write "tags": ["colour"].')
    image, mask = folder / row["image"], row["mask"]
    for i, phrase in enumerate(phrases):
        name = str(row.get("id", default))
        yield Sample(
            id=name if len(phrases) == 1 else f"{name}-{i}",
            phrase=phrase,
            cluster=str(row.get("cluster", row["image"])),
            open_image=lambda: open_image(image),
            open_truth=lambda: _truth(mask, folder, place),
            tags=tuple(str(tag) for tag in tags),
            none_such=mask is None or bool(row.get("none_such", False)),
        )


def _truth(mask: Any, folder: Path, place: str) -> Mask | None:
    if mask is None:
        return None
    if isinstance(mask, str):
        return open_mask(folder / mask)
    if isinstance(mask, dict):
        return Mask.from_rle(mask)
    raise BadMask(f"{place}: the mask is neither a path nor a COCO RLE.", "Give one of them, or null.")


def _of_folder(folder: Path) -> Iterator[Sample]:
    pictures = sorted(p for p in (folder / "images").glob("*") if p.suffix.lower() in SUFFIXES)
    if not pictures:
        raise MissingData(f"{folder} holds neither phrases.jsonl nor images/.", "See docs/bench.md, own data.")
    for picture in pictures:
        mask, words = folder / "masks" / f"{picture.stem}.png", folder / "phrases" / f"{picture.stem}.txt"
        if not mask.exists():
            raise MissingData(f"{picture} has no mask {mask}.", "Add it, or remove the picture.")
        yield _pair(picture, mask, words)


def _pair(picture: Path, mask: Path, words: Path) -> Sample:
    text = _text(words).strip() if words.exists() else picture.stem.replace("_", " ")
    return paired_sample(picture, mask, text)


def paired_sample(picture: Path, mask: Path, phrase: str, tags: tuple[str, ...] = ()) -> Sample:
    """A sample of a picture file and a mask file."""

    def image() -> Image:
        return open_image(picture)

    def truth() -> Mask | None:
        found = open_mask(mask)
        return found if found else None

    return Sample(picture.stem, phrase, picture.stem, image, truth, tags)

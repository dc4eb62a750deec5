"""moondream/refcoco-m (validation) through the `datasets` library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from maskwright.bench.samples import Dataset, Sample
from maskwright.errors import InputError, MissingData, MissingPackage
from maskwright.media.images import open_image
from maskwright.values import Image, Mask

REPOSITORY = "moondream/refcoco-m"
ABOUT = "RefCOCO-M: RefCOCO's validation split with masks drawn again and unclear phrases removed (moondream)."


def open_refcoco_m(root: str | None = None, split: str | None = None) -> Dataset:
    """The samples, from the hub's cache, the hub, or a copy at `root`; raises MissingPackage, MissingData."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise MissingPackage("refcoco-m is read with the package datasets.", "Type: pip install datasets") from error
    try:
        rows = datasets.load_dataset(root or REPOSITORY, split=split or "validation")
        rows = rows.cast_column("image", datasets.Image(decode=False))
    except (OSError, ValueError, ConnectionError, RuntimeError) as error:
        raise MissingData(
            f"{root or REPOSITORY} cannot be read ({type(error).__name__}: {str(error)[:120]}).",
            f"Type: hf download --repo-type dataset {REPOSITORY} --local-dir refcoco-m; then --data refcoco-m",
        ) from error
    return Dataset("refcoco-m", samples_of(rows), ABOUT)


def samples_of(rows: Any) -> list[Sample]:
    """One sample a phrase. Rows hold `image` (bytes or path) and `samples` of `sentences` and `mask` (COCO RLE)."""
    found: list[Sample] = []
    for number in range(len(rows)):
        row = rows[number]
        for j, target in enumerate(_targets(row)):
            rle = _rle(target, row, f"{REPOSITORY}, row {number}")
            phrases = target.get("sentences") or target.get("phrases") or [target.get("phrase", "")]
            for k, phrase in enumerate(phrases):
                found.append(_sample(rows, number, f"{number:05d}-{j}-{k}", str(phrase), rle))
    return found


def _sample(rows: Any, number: int, name: str, phrase: str, rle: Mapping[str, Any]) -> Sample:
    return Sample(
        id=f"refcoco-m-{name}",
        phrase=phrase,
        cluster=f"{number:05d}",
        open_image=lambda: _image(rows[number]["image"]),
        open_truth=lambda: Mask.from_rle(rle),
    )


def _targets(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    targets = row.get("samples", row.get("annotations"))
    return [row] if targets is None else list(targets)


def _rle(target: Mapping[str, Any], row: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    mask = target.get("mask", target.get("segmentation"))
    if isinstance(mask, str):
        try:
            mask = json.loads(mask)
        except json.JSONDecodeError:
            mask = None
    if not isinstance(mask, Mapping) or "counts" not in mask:
        raise InputError(f"{place} holds no COCO RLE mask.", "The data set has another form than expected; update it.")
    if "size" not in mask:
        if "height" not in row or "width" not in row:
            raise InputError(
                f"{place} says no size of its mask.", "The data set has another form than expected; update it."
            )
        return {"size": [row["height"], row["width"]], "counts": mask["counts"]}
    return mask


def _image(value: Any) -> Image:
    if isinstance(value, Mapping):
        return open_image(value["bytes"] if value.get("bytes") else value["path"])
    if isinstance(value, bytes):
        return open_image(value)
    return Image.of(value)

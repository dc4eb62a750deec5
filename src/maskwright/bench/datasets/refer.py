"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO from their official files.

ROOT/refcoco/refs(unc).p + instances.json, ROOT/refcoco+/..., ROOT/refcocog/refs(umd).p + ..., ROOT/grefcoco/
grefs(unc).json + instances.json; pictures in ROOT/images/mscoco/images/train2014, ROOT/train2014 or ROOT/images.
The .p files are pickles: they are read by an unpickler that knows only plain containers, so they can run nothing.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.bench.samples import Dataset, Sample
from maskwright.errors import BadMask, InputError, MaskwrightError, MissingData, MissingPackage
from maskwright.media.images import open_image
from maskwright.values import Image, Mask

FILES = {
    "refcoco": ("refs(unc).p", "refs(google).p"),
    "refcoco+": ("refs(unc).p",),
    "refcocog": ("refs(umd).p", "refs(google).p"),
    "grefcoco": ("grefs(unc).json",),
}
"""Data set -> names of its list of references, the first one there is taken."""

SOURCES = {
    "grefcoco": "https://github.com/henghuiding/gRefCOCO",
    "": "https://github.com/lichengunc/refer",
}

PICTURES = ("images/mscoco/images/train2014", "images/train2014", "train2014", "images")


def open_refer(name: str, root: str | None, split: str | None = None) -> Dataset:
    """The phrases of one split (val by default); raises MissingData saying what to fetch and where it goes."""
    source = SOURCES.get(name, SOURCES[""])
    if root is None:
        raise MissingData(f"{name} is read from its official files.", f"Fetch them as {source} says; --data FOLDER.")
    folder = Path(root) / name if (Path(root) / name).is_dir() else Path(root)
    refs = next((folder / f for f in FILES[name] if (folder / f).exists()), None)
    for path, what in ((refs, FILES[name][0]), (folder / "instances.json", "instances.json")):
        if path is None or not path.exists():
            raise MissingData(f"{folder / what} does not exist.", f"Fetch it as {source} says.")
    assert refs is not None
    pictures = next((Path(root) / p for p in PICTURES if (Path(root) / p).is_dir()), None)
    if pictures is None:
        raise MissingData(
            f"{root} has no COCO pictures ({', '.join(PICTURES)}).", "Fetch train2014.zip from cocodataset.org there."
        )
    split = split or "val"
    rows = [ref for ref in _read(refs) if ref.get("split") == split]
    if not rows:
        raise InputError(f"{refs} has no split {split!r}.", "Usual splits: val, testA, testB, test.")
    samples = list(_Source(name, _Instances(folder / "instances.json"), pictures).samples(rows))
    return Dataset(name, samples, f"{name}, split {split}, from {refs.name}.")


@dataclass(frozen=True, eq=False)
class _Source:
    """What all samples of one data set share."""

    name: str
    truth: _Instances
    pictures: Path

    def samples(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
        for number, ref in enumerate(rows, 1):
            try:
                marks = tuple(int(a) for a in _as_list(ref["ann_id"]) if int(a) >= 0)
                place = self.truth.place(int(ref["image_id"]))
                found = [self._sample(ref, sentence, marks, place) for sentence in ref["sentences"]]
            except (KeyError, TypeError, ValueError) as error:
                if isinstance(error, MaskwrightError):
                    raise
                raise InputError(
                    f"{self.name}: reference {number} is damaged ({error!r}).", "Fetch it again."
                ) from error
            yield from found

    def _sample(
        self, ref: Mapping[str, Any], sentence: Mapping[str, Any], marks: tuple[int, ...], place: _Place
    ) -> Sample:
        return Sample(
            id=f"{self.name}-{ref['ref_id']}-{sentence['sent_id']}",
            phrase=str(sentence["sent"]),
            cluster=str(ref["image_id"]),
            open_image=lambda: self._image(place),
            open_truth=lambda: self.truth.mask(marks, place),
            none_such=not marks,
        )

    def _image(self, place: _Place) -> Image:
        path = self.pictures / place.file
        if not path.exists():
            raise MissingData(f"the picture {path} is not there.", "Fetch train2014.zip from cocodataset.org.")
        return open_image(path)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


# -- masks


@dataclass(frozen=True)
class _Place:
    file: str
    width: int
    height: int


class _Instances:
    """COCO instances.json: where pictures lie and what is marked in them."""

    def __init__(self, path: Path) -> None:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            self._places = {
                int(i["id"]): _Place(str(i["file_name"]), int(i["width"]), int(i["height"])) for i in data["images"]
            }
            self._marks = {int(a["id"]): a["segmentation"] for a in data["annotations"]}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is not a COCO instances file ({error!r}).", "Fetch it again.") from error

    def place(self, image_id: int) -> _Place:
        if image_id not in self._places:
            raise InputError(f"picture {image_id} is not in instances.json.", "The files are of different releases.")
        return self._places[image_id]

    def mask(self, marks: tuple[int, ...], place: _Place) -> Mask | None:
        """The union of the marked things; None when nothing is marked."""
        if not marks:
            return None
        out = np.zeros((place.height, place.width), dtype=np.bool_)
        for mark in marks:
            if mark not in self._marks:
                raise InputError(f"annotation {mark} is not in instances.json.", "The files are of different releases.")
            out |= _drawn(self._marks[mark], place)
        return Mask(out)


def _drawn(segmentation: Any, place: _Place) -> NDArray[np.bool_]:
    """A COCO RLE or polygons as pixels; polygons as pycocotools draws them, since papers report those."""
    if isinstance(segmentation, Mapping):
        mask = Mask.from_rle(segmentation)
        mask.check_size((place.width, place.height))
        return mask.array
    try:
        from pycocotools import mask as coco
    except ModuleNotFoundError as error:
        raise MissingPackage("polygons are drawn with pycocotools.", "Type: pip install 'maskwright[bench]'") from error
    if not isinstance(segmentation, list) or not segmentation:
        raise BadMask("an annotation is neither RLE nor polygons.", "Fetch instances.json again.")
    try:
        return Mask.from_rle(coco.merge(coco.frPyObjects(segmentation, place.height, place.width))).array
    except MaskwrightError:
        raise
    except Exception as error:  # pycocotools raises bare ones
        raise BadMask(f"an annotation's polygons are damaged ({error}).", "Fetch instances.json again.") from error


# -- lists of references


class _Plain(pickle.Unpickler):
    """Knows no class at all: containers, text and numbers are built in."""

    def find_class(self, module: str, name: str) -> Any:
        raise InputError(
            f"the pickle asks for {module}.{name}; a list of references needs no such thing.",
            "Do not use this file; fetch the official one.",
        )


@lru_cache(maxsize=4)
def _read(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    try:
        rows = json.loads(data) if path.suffix == ".json" else _Plain(io.BytesIO(data), encoding="latin1").load()
    except (ValueError, EOFError, pickle.UnpicklingError, KeyError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read ({error}).", "Fetch it again.") from error
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise InputError(f"{path} is not a list of references.", "Fetch it again.")
    return rows

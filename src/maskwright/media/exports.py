"""Masks in the formats of other tools: COCO, YOLO, Label Studio, CVAT, labelme, PNG folders, Parquet.

    export(objects, "coco", "out/labels.json")

`objects` may be a generator: they are taken one by one. Into a new place; what is there is never replaced without
`overwrite`.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from maskwright.errors import BadSettings, MissingPackage, StorageError
from maskwright.media.images import save_mask
from maskwright.media.polygons import bridged, polygons_of
from maskwright.plumbing.files import atomic_path, storage_errors, write_json, write_text
from maskwright.values import Box, Mask


@dataclass(frozen=True)
class LabelledMask:
    """One object: `id` names it, `image` is the picture's file as the other tool shall find it."""

    id: str
    image: str
    mask: Mask
    label: str = "object"
    score: float | None = None


Objects = Iterable[LabelledMask]
_PATH_SIGNS = re.compile(r"[/\\\x00]|^\.+")


def export(objects: Objects, form: str, out: str | Path, *, overwrite: bool = False) -> Path:
    """Writes the objects in one of FORMS; returns the path. Empty masks are left out of all but `png` and `parquet`.

    Raises BadSettings (no such form), StorageError (something is there already), MissingPackage.
    """
    if form not in FORMS:
        raise BadSettings(f"there is no export named {form!r}.", f"Choose one of: {', '.join(FORMS)}.")
    path = Path(out).absolute()
    taken = path.exists() and (path.is_file() or any(path.iterdir()))
    if taken and not overwrite:
        raise StorageError(f"{path} exists already.", "Choose another place, or say --overwrite.")
    scratch = path.with_name(f".part-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        FORMS[form](objects, scratch)
        with storage_errors(path):
            scratch.parent.mkdir(parents=True, exist_ok=True)
            _remove(path)
            scratch.replace(path)
    finally:
        _remove(scratch)
    return Path(out)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class _Stems:
    """File names for pictures; two pictures that would share one are refused."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def of(self, image: str) -> str:
        stem = Path(image).stem
        other = self._taken.setdefault(stem, image)
        if other != image:
            raise BadSettings(
                f"{other} and {image} would both be written to {stem}.", "Export them apart, or rename one."
            )
        return stem


# -- COCO


def _coco(objects: Objects, out: Path) -> None:
    """COCO JSON with compressed RLE (`iscrowd` 0): nothing is lost."""
    write_json(out, _coco_value(objects, lambda mask: mask.to_rle()))


def _coco_polygons(objects: Objects, out: Path) -> None:
    """COCO JSON with polygons; a piece with holes is one polygon whose holes are joined by lines walked twice."""

    def outlines(mask: Mask) -> list[list[float]]:
        return [_flat(bridged([piece])) for piece in polygons_of(mask)]

    write_json(out, _coco_value(objects, outlines))


def _coco_value(objects: Objects, segmentation: Callable[[Mask], Any]) -> dict[str, Any]:
    images: dict[str, dict[str, Any]] = {}
    labels: dict[str, int] = {}
    found: list[dict[str, Any]] = []
    for item in objects:
        size = {"width": item.mask.width, "height": item.mask.height}
        image = images.setdefault(item.image, {"id": len(images) + 1, "file_name": item.image, **size})
        category = labels.setdefault(item.label, len(labels) + 1)
        if item.mask.box is None:
            continue
        entry = {
            "id": len(found) + 1,
            "image_id": image["id"],
            "category_id": category,
            "segmentation": segmentation(item.mask),
            "area": item.mask.area,
            "bbox": _xywh(item.mask.box),
            "iscrowd": 0,
            "name": item.id,
        }
        found.append(entry if item.score is None else {**entry, "score": float(item.score)})
    categories = [{"id": number, "name": name} for name, number in labels.items()]
    return {"images": list(images.values()), "annotations": found, "categories": categories}


def _xywh(box: Box) -> list[float]:
    return [box.x0, box.y0, box.width, box.height]


def _flat(ring: NDArray[np.int64]) -> list[float]:
    values: list[float] = ring.astype(np.float64).reshape(-1).tolist()
    return values


# -- YOLO


def _yolo(objects: Objects, out: Path) -> None:
    """labels/<picture>.txt, one object a line: class, then corners as shares of width and height; data.yaml."""
    lines: dict[str, list[str]] = {}
    labels: dict[str, int] = {}
    stems = _Stems()
    for item in objects:
        number = labels.setdefault(item.label, len(labels))
        of_picture = lines.setdefault(stems.of(item.image), [])
        if not item.mask:
            continue
        corners = bridged(polygons_of(item.mask)) / (item.mask.width, item.mask.height)
        of_picture.append(" ".join([str(number), *(f"{v:.6f}" for v in corners.reshape(-1))]))
    for stem, rows in lines.items():
        write_text(out / "labels" / f"{stem}.txt", "".join(row + "\n" for row in rows))
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for name, number in labels.items())
    write_text(out / "data.yaml", f"path: .\ntrain: images\nval: images\nnames:\n{names}")


# -- Label Studio


def _label_studio(objects: Objects, out: Path) -> None:
    """Tasks with brush masks as predictions; the labelling page needs <BrushLabels name="tag" toName="image">."""
    tasks: dict[str, dict[str, Any]] = {}
    for item in objects:
        new = {"data": {"image": item.image}, "predictions": [{"model_version": "maskwright", "result": []}]}
        task = tasks.setdefault(item.image, new)
        if not item.mask:
            continue
        result = {
            "id": item.id,
            "type": "brushlabels",
            "from_name": "tag",
            "to_name": "image",
            "original_width": item.mask.width,
            "original_height": item.mask.height,
            "image_rotation": 0,
            "value": {"format": "rle", "rle": brush_bytes(item.mask), "brushlabels": [item.label]},
        }
        task["predictions"][0]["result"].append(result if item.score is None else {**result, "score": item.score})
    write_json(out, list(tasks.values()))


_RUN_BITS = (4, 8, 12, 16)


def brush_bytes(mask: Mask) -> list[int]:
    """Label Studio's run-length bytes of a mask: the RGBA values (all four 0 or 255), rows first.

    Bits: 32 count, 5 word size - 1, four times 4 run sizes - 1; then for each run: 1, 2 which run size, length - 1,
    value.
    """
    values = np.repeat(mask.array.reshape(-1), 4)
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    ends = np.concatenate([edges, [values.size]])
    lengths = np.diff(ends, prepend=0)
    parts = [f"{values.size:032b}", f"{7:05b}", *(f"{bits - 1:04b}" for bits in _RUN_BITS)]
    for length, value in zip(lengths.tolist(), values[ends - 1].tolist(), strict=True):
        parts += _run_bits(length, "11111111" if value else "00000000")
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _run_bits(length: int, value: str) -> Iterator[str]:
    while length > 0:
        part = min(length, 1 << _RUN_BITS[-1])
        size = next(place for place, bits in enumerate(_RUN_BITS) if part <= 1 << bits)
        yield f"1{size:02b}{part - 1:0{_RUN_BITS[size]}b}{value}"
        length -= part


# -- CVAT


def _cvat(objects: Objects, out: Path) -> None:
    """ "CVAT for images 1.1" XML with <mask> elements: row-wise runs inside the box, background first."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    images: dict[str, ElementTree.Element] = {}
    for item in objects:
        if item.image not in images:
            about = {"id": str(len(images)), "name": item.image}
            size = {"width": str(item.mask.width), "height": str(item.mask.height)}
            images[item.image] = ElementTree.SubElement(root, "image", {**about, **size})
        if item.mask.box is not None:
            ElementTree.SubElement(images[item.image], "mask", _cvat_mask(item, item.mask.box))
    ElementTree.indent(root)
    write_text(out, ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n")


def _cvat_mask(item: LabelledMask, box: Box) -> dict[str, str]:
    x0, y0, x1, y1 = box.pixels()
    flat = item.mask.array[y0:y1, x0:x1].reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([edges, [flat.size]]), prepend=0).tolist()
    runs = [0, *runs] if flat[0] else runs
    place = {"left": str(x0), "top": str(y0), "width": str(x1 - x0), "height": str(y1 - y0)}
    fixed = {"label": item.label, "source": "auto", "occluded": "0", "z_order": "0"}
    return {**fixed, "rle": ", ".join(map(str, runs)), **place}


# -- labelme


def _labelme(objects: Objects, out: Path) -> None:
    """A folder of <picture>.json with shapes of type "mask" (the box, and a PNG of what is in it)."""
    files: dict[str, dict[str, Any]] = {}
    stems = _Stems()
    for item in objects:
        empty: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": [],
            "imagePath": item.image,
            "imageData": None,
            "imageHeight": item.mask.height,
            "imageWidth": item.mask.width,
        }
        shapes = files.setdefault(stems.of(item.image), empty)["shapes"]
        if item.mask.box is not None:
            shapes.append(_labelme_shape(item, item.mask.box))
    for stem, value in files.items():
        write_json(out / f"{stem}.json", value)


def _labelme_shape(item: LabelledMask, box: Box) -> dict[str, Any]:
    x0, y0, x1, y1 = box.pixels()
    buffer = io.BytesIO()
    PIL.Image.fromarray(item.mask.array[y0:y1, x0:x1].astype(np.uint8)).save(buffer, format="PNG")
    return {
        "label": item.label,
        "description": item.id,
        "points": [[x0, y0], [x1 - 1, y1 - 1]],
        "group_id": None,
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }


# -- plain


def _png(objects: Objects, out: Path) -> None:
    """<id>.png, 0 and 255."""
    out.mkdir(parents=True, exist_ok=True)
    for item in objects:
        save_mask(out / f"{_PATH_SIGNS.sub('_', item.id)}.png", item.mask)


def _parquet(objects: Objects, out: Path) -> None:
    """One row an object: id, image, label, score, size, area, box (xyxy), RLE counts."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingPackage("Parquet needs the package pyarrow.", "Type: pip install 'maskwright[bench]'") from error
    rows = [_row(item) for item in objects]
    names = ("id", "image", "label", "score", "width", "height", "area", "box", "counts")
    kinds = [pyarrow.string()] * 3 + [pyarrow.float64()] + [pyarrow.int64()] * 3
    kinds += [pyarrow.list_(pyarrow.float64()), pyarrow.string()]
    table = pyarrow.Table.from_pylist(rows, schema=pyarrow.schema(list(zip(names, kinds, strict=True))))
    with atomic_path(out) as path:
        pyarrow.parquet.write_table(table, path)


def _row(item: LabelledMask) -> dict[str, Any]:
    mask = item.mask
    return {
        "id": item.id,
        "image": item.image,
        "label": item.label,
        "score": item.score,
        "width": mask.width,
        "height": mask.height,
        "area": mask.area,
        "box": None if mask.box is None else list(mask.box),
        "counts": mask.to_rle()["counts"],
    }


FORMS: dict[str, Callable[[Objects, Path], None]] = {
    "coco": _coco,
    "coco-polygons": _coco_polygons,
    "yolo": _yolo,
    "label-studio": _label_studio,
    "cvat": _cvat,
    "labelme": _labelme,
    "png": _png,
    "parquet": _parquet,
}
"""Name -> what writes it: a file, or a folder for yolo, labelme and png."""

__all__ = ["FORMS", "LabelledMask", "brush_bytes", "export"]

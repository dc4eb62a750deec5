"""Masks in the formats of other tools, read back by readers of their own."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import BadSettings, StorageError
from maskwright.media.exports import FORMS, LabelledMask, brush_bytes, export
from maskwright.media.images import open_mask
from maskwright.media.polygons import bridged, mask_of, polygons_of
from maskwright.values import Mask

coco = pytest.importorskip("pycocotools.mask")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own


def ring(size: int = 40) -> Mask:
    y, x = np.mgrid[:size, : size + 10]
    far = (x - 20) ** 2 + (y - 19) ** 2
    return Mask((far < 15**2) & (far > 6**2) | (x > 44) & (y > 30))


def objects() -> list[LabelledMask]:
    blot = cv2.GaussianBlur(np.random.default_rng(5).random((40, 50)).astype(np.float32), (0, 0), 3) > 0.5
    return [
        LabelledMask("a-1", "a.jpg", ring(), "tyre", 0.75),
        LabelledMask("a-2", "a.jpg", Mask(blot), "cloud"),
        LabelledMask("b-1", "b.jpg", Mask.empty(50, 40), "tyre"),
        LabelledMask("b-2", "b.jpg", Mask(np.ones((40, 50), bool)), "cloud", 0.5),
    ]


SEEN = [item for item in objects() if item.mask]


@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(1, 24), st.floats(0.1, 0.9))
def test_polygons_are_exact(seed: int, width: int, height: int, share: float) -> None:
    mask = Mask(np.random.default_rng(seed).random((height, width)) < share)
    pieces = polygons_of(mask)
    assert mask_of(pieces, width, height) == mask
    if mask:
        flat = bridged(pieces).reshape(-1).astype(float).tolist()
        assert np.array_equal(coco.decode(coco.merge(coco.frPyObjects([flat], height, width))) > 0, mask.array)


def test_a_ring_has_one_hole() -> None:
    pieces = polygons_of(ring())
    assert [len(piece.holes) for piece in pieces] == [1, 0]


@pytest.mark.parametrize("form", ["coco", "coco-polygons"])
def test_coco_is_read_by_pycocotools(tmp_path: Path, form: str) -> None:
    from pycocotools.coco import COCO

    data = COCO(str(export(objects(), form, tmp_path / "labels.json")))
    found = data.loadAnns(data.getAnnIds())
    assert [a["name"] for a in found] == [item.id for item in SEEN]
    for annotation, item in zip(found, SEEN, strict=True):
        assert np.array_equal(data.annToMask(annotation) > 0, item.mask.array)
        assert data.cats[annotation["category_id"]]["name"] == item.label
        assert annotation["area"] == item.mask.area
        assert data.imgs[annotation["image_id"]]["file_name"] == item.image
    assert len(data.imgs) == 2 and "score" not in found[1] and found[0]["score"] == 0.75


def test_yolo_lines_give_the_masks_back(tmp_path: Path) -> None:
    out = export(objects(), "yolo", tmp_path / "yolo")
    for stem, items in (("a", SEEN[:2]), ("b", SEEN[2:])):
        lines = (out / "labels" / f"{stem}.txt").read_text().splitlines()
        for line, item in zip(lines, items, strict=True):
            number, *values = line.split()
            corners = np.rint(np.array(values, float).reshape(-1, 2) * (50, 40))
            flat = [corners.reshape(-1).tolist()]
            assert np.array_equal(coco.decode(coco.merge(coco.frPyObjects(flat, 40, 50))) > 0, item.mask.array)
            assert int(number) == ["tyre", "cloud"].index(item.label)
    assert '0: "tyre"' in (out / "data.yaml").read_text()


def brush_values(data: list[int]) -> np.ndarray:
    """Label Studio's own decoding, read off its format: runs of equal or of single values."""
    bits = "".join(f"{byte:08b}" for byte in data)
    place = 0

    def read(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    out: list[int] = []
    while len(out) < total:
        equal, count = read(1), read(sizes[read(2)]) + 1
        out += [read(word)] * count if equal else [read(word) for _ in range(count)]
    return np.array(out, np.uint8)


@pytest.mark.parametrize("item", objects(), ids=lambda item: item.id)
def test_label_studio_brushes(item: LabelledMask) -> None:
    values = brush_values(brush_bytes(item.mask)).reshape(40, 50, 4)
    assert np.array_equal(values[:, :, 3] > 0, item.mask.array) and (values[:, :, :1] == values).all()


def test_label_studio_tasks(tmp_path: Path) -> None:
    tasks = json.loads(export(objects(), "label-studio", tmp_path / "tasks.json").read_text())
    results = [r for task in tasks for r in task["predictions"][0]["result"]]
    assert [r["value"]["brushlabels"] for r in results] == [[item.label] for item in SEEN]
    assert {(r["original_width"], r["original_height"]) for r in results} == {(50, 40)}


def test_cvat_masks(tmp_path: Path) -> None:
    root = ElementTree.parse(export(objects(), "cvat", tmp_path / "annotations.xml")).getroot()
    assert [image.get("name") for image in root.iter("image")] == ["a.jpg", "b.jpg"]
    for element, item in zip(root.iter("mask"), SEEN, strict=True):
        left, top, width, height = (int(element.get(name, "")) for name in ("left", "top", "width", "height"))
        runs = [int(v) for v in element.get("rle", "").split(",")]
        values = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
        whole = np.zeros((40, 50), bool)
        whole[top : top + height, left : left + width] = values
        assert np.array_equal(whole, item.mask.array) and element.get("label") == item.label


def test_labelme_masks(tmp_path: Path) -> None:
    out = export(objects(), "labelme", tmp_path / "labelme")
    shapes = [s for name in ("a", "b") for s in json.loads((out / f"{name}.json").read_text())["shapes"]]
    for shape, item in zip(shapes, SEEN, strict=True):
        (x0, y0), (x1, y1) = shape["points"]
        whole = np.zeros((40, 50), bool)
        part = np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(shape["mask"]))))
        whole[y0 : y1 + 1, x0 : x1 + 1] = part > 0
        assert np.array_equal(whole, item.mask.array)


def test_png_and_parquet_keep_empty_masks(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = export(objects(), "png", tmp_path / "png")
    rows = parquet.read_table(export(objects(), "parquet", tmp_path / "m.parquet")).to_pylist()
    for row, item in zip(rows, objects(), strict=True):
        assert open_mask(out / f"{item.id}.png") == item.mask
        assert Mask.from_rle({"size": [row["height"], row["width"]], "counts": row["counts"]}) == item.mask


@pytest.mark.parametrize("form", FORMS)
def test_nothing_there_is_replaced_unless_asked(tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    place = tmp_path / "labels"
    place.mkdir()
    (place / "precious.txt").write_text("mine")
    with pytest.raises(StorageError, match="--overwrite"):
        export(objects(), form, place)
    assert (place / "precious.txt").read_text() == "mine"
    export(objects(), form, place, overwrite=True)
    assert not (place / "precious.txt").exists() and [p.name for p in tmp_path.iterdir()] == ["labels"]


def test_a_failed_export_leaves_the_old_one(tmp_path: Path) -> None:
    export(objects(), "png", tmp_path / "png")
    clash = [LabelledMask("x", "a/1.jpg", ring()), LabelledMask("y", "b/1.jpg", ring())]
    with pytest.raises(BadSettings, match="would both be written"):
        export(clash, "labelme", tmp_path / "png", overwrite=True)
    assert len(list((tmp_path / "png").glob("*.png"))) == 4 and len(list(tmp_path.iterdir())) == 1


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    export([LabelledMask("../../evil", "a.jpg", ring())], "png", tmp_path / "out")
    assert [p.parent for p in tmp_path.rglob("*.png")] == [tmp_path / "out"]


def test_an_unknown_form_names_the_known() -> None:
    with pytest.raises(BadSettings, match="label-studio"):
        export([], "voc", "x")

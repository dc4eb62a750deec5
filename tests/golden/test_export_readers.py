"""Exports read back by the tools they are for: supervision and labelme's own reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskwright.media.exports import LabelledMask, export
from maskwright.media.images import save_image
from maskwright.values import Image, Mask


def ring() -> Mask:
    y, x = np.mgrid[:40, :50]
    far = (x - 20) ** 2 + (y - 19) ** 2
    return Mask((far < 15**2) & (far > 6**2))


def corner() -> Mask:
    y, x = np.mgrid[:40, :50]
    return Mask((x > 40) & (y > 30))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for name in ("a.png", "b.png"):
        save_image(folder / name, Image(np.full((40, 50, 3), 90, np.uint8)))
    return folder


ITEMS = [
    LabelledMask("a-1", "a.png", ring(), "tyre", 0.75),
    LabelledMask("a-2", "a.png", corner(), "wall"),
    LabelledMask("b-1", "b.png", Mask(np.ones((40, 50), bool)), "wall", 0.5),
]


def test_supervision_reads_coco_exactly(pictures: Path, tmp_path: Path) -> None:
    supervision = pytest.importorskip("supervision", reason="needs the package supervision to read with")
    path = export(ITEMS, "coco", tmp_path / "labels.json")
    for mask, item in read_by(supervision.DetectionDataset.from_coco(str(pictures), str(path), force_masks=True)):
        assert np.array_equal(mask, item.mask.array)


@pytest.mark.parametrize("form", ["coco-polygons", "yolo"])
def test_supervision_reads_polygons_but_for_their_rim(form: str, pictures: Path, tmp_path: Path) -> None:
    """It draws the line around a polygon as well: nothing is missing, and what is more lies within two pixels."""
    supervision = pytest.importorskip("supervision", reason="needs the package supervision to read with")
    out = export(ITEMS, form, tmp_path / "labels")
    if form == "yolo":
        places = (str(out / "labels"), str(out / "data.yaml"))
        data = supervision.DetectionDataset.from_yolo(str(pictures), *places, force_masks=True)
    else:
        data = supervision.DetectionDataset.from_coco(str(pictures), str(out), force_masks=True)
    for mask, item in read_by(data):
        wide = cv2.dilate(item.mask.array.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert not (item.mask.array & ~mask).any()
        assert not (mask & ~wide).any()


def read_by(data: Any) -> Iterator[tuple[Any, LabelledMask]]:
    """Each mask of a data set beside the item it was exported from; names are compared here."""
    found = {Path(name).name: detections for name, _, detections in data}
    for name in ("a.png", "b.png"):
        items = [item for item in ITEMS if item.image == name]
        for mask, number, item in zip(found[name].mask, found[name].class_id, items, strict=True):
            assert data.classes[number] == item.label
            yield mask, item


def test_labelme_reads_its_own(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    reader = pytest.importorskip("labelme._label_file", reason="needs the package labelme to read with")
    out = export(ITEMS, "labelme", pictures / "labels")
    for name in ("a", "b"):
        items = [item for item in ITEMS if item.image == f"{name}.png"]
        path = out / f"{name}.json"
        (out / f"{name}.png").write_bytes((pictures / f"{name}.png").read_bytes())
        for shape, item in zip(reader.read_label_file(str(path)).shapes, items, strict=True):
            (x0, y0), (x1, y1) = (tuple(int(v) for v in point) for point in shape["points"])
            whole = np.zeros((40, 50), bool)
            whole[y0 : y1 + 1, x0 : x1 + 1] = shape["mask"]
            assert shape["label"] == item.label and shape["shape_type"] == "mask"
            assert np.array_equal(whole, item.mask.array)

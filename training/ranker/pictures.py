"""Training pictures with region truth, filtered by licence and by the list of pictures kept for measuring."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

ALLOWED = {4, 5, 7, 8}
"""Flickr licences used: CC BY, CC BY-SA, no known restrictions, US government work (never NC or ND)."""


@dataclass(frozen=True)
class Region:
    name: str
    mask: NDArray[np.bool_] = field(repr=False)
    crowd: bool = False
    kind: str = "thing"


@dataclass(frozen=True)
class Picture:
    key: str
    source: str
    path: Path
    regions: tuple[Region, ...]
    captions: tuple[str, ...] = ()

    def pixels(self) -> NDArray[np.uint8]:
        """RGB (H, W, 3)."""
        return cv2.cvtColor(cv2.imread(str(self.path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def held_out(shared: Path, data: Path) -> tuple[set[int], set[str]]:
    """COCO ids and CCP ids that no weights may have seen."""
    rules = json.loads((shared / "not_for_training.json").read_text())
    coco, ccp = set(rules["coco_ids"]), set(rules["ccp_ids"])
    for path in (shared / "dev" / "images").iterdir():
        kind, _, rest = path.stem.partition("_")
        if kind == "coco":
            coco.add(int(rest))
        if kind == "ccp":
            ccp.add(rest)
    coco |= {int(p.stem) for p in (data / "coco128" / "images" / "val2017").glob("*.jpg")}
    coco.add(int(rules["refcoco_image"]))
    return coco, ccp


def coco_pictures(data: Path, shared: Path) -> Iterator[Picture]:
    """COCO pictures with instance masks, and stuff masks where panoptic truth is at hand."""
    banned, _ = held_out(shared, data)
    seen: set[int] = set()
    panoptic = _panoptic(data)
    places = {p.name: p for folder in (*data.glob("coco_*"), data / "coco128") for p in folder.rglob("*.jpg")}
    for file in _instance_files(data):
        truth = json.loads(file.read_text())
        names = {c["id"]: c["name"] for c in truth["categories"]}
        captions = _captions(file)
        by_image: dict[int, list[dict]] = {}
        for a in truth["annotations"]:
            by_image.setdefault(a["image_id"], []).append(a)
        for item in truth["images"]:
            ident = int(item["id"])
            path = places.get(Path(item["file_name"]).name)
            if ident in banned or ident in seen or item["license"] not in ALLOWED or path is None:
                continue
            seen.add(ident)
            size = (item["height"], item["width"])
            regions = tuple(_instance(a, names, size) for a in by_image.get(ident, []))
            regions += tuple(panoptic.get(ident, (None, ()))[1]) if ident in panoptic else ()
            yield Picture(f"coco_{ident:012d}", "coco", path, regions, tuple(captions.get(ident, ())))
    for ident, (path, regions) in panoptic.items():
        if ident not in seen and ident not in banned:
            seen.add(ident)
            yield Picture(f"coco_{ident:012d}", "coco", path, tuple(regions))


def _instance_files(data: Path) -> list[Path]:
    """Every COCO json at hand but the one that marks a single person a picture."""
    found = sorted(data.glob("coco_*/**/annotations/instances_*.json"))
    return [path for path in found if "coco_person" not in path.parts]


def _captions(file: Path) -> dict[int, list[str]]:
    path = file.with_name(file.name.replace("instances", "captions"))
    out: dict[int, list[str]] = {}
    if path.exists():
        for a in json.loads(path.read_text())["annotations"]:
            out.setdefault(int(a["image_id"]), []).append(a["caption"])
    return out


def _instance(a: dict, names: dict[int, str], size: tuple[int, int]) -> Region:
    seg = a["segmentation"]
    if isinstance(seg, dict):
        code = rle.frPyObjects(seg, *size) if isinstance(seg["counts"], list) else seg
    else:
        code = rle.merge(rle.frPyObjects(seg, *size))
    return Region(names[a["category_id"]], rle.decode(code).astype(bool), bool(a.get("iscrowd")))


def _panoptic(data: Path) -> dict[int, tuple[Path, list[Region]]]:
    """id -> (picture, stuff regions and, because instance truth may be absent, things)."""
    root = data / "coco128" / "panoptic_segmentation" / "annotations"
    truth = json.loads((root / "panoptic_train2017.json").read_text())
    classes = {c["id"]: c for c in truth["categories"]}
    licences = {i["id"]: i["license"] for i in truth["images"]}
    out: dict[int, tuple[Path, list[Region]]] = {}
    for a in truth["annotations"]:
        ident = int(a["image_id"])
        if licences.get(ident) not in ALLOWED:
            continue
        code = cv2.imread(str(root / "panoptic_train2017" / a["file_name"]))[:, :, ::-1].astype(np.int64)
        ids = code[..., 0] + 256 * code[..., 1] + 65536 * code[..., 2]
        regions = []
        for s in a["segments_info"]:
            c = classes[s["category_id"]]
            name = c["name"].replace("-merged", "").replace("-other", "").replace("-stuff", "")
            kind = "thing" if c["isthing"] else "stuff"
            regions.append(Region(name, ids == s["id"], bool(s.get("iscrowd")), kind))
        out[ident] = (data / "coco128" / "images" / "train2017" / f"{ident:012d}.jpg", regions)
    return out


def ccp_pictures(data: Path, shared: Path, limit: int | None = None) -> Iterator[Picture]:
    """Street-fashion pictures with garment masks and one person mask (everything that is not background)."""
    import scipy.io

    _, banned = held_out(shared, data)
    listed = scipy.io.loadmat(str(data / "ccp" / "label_list.mat"))["label_list"][0]
    labels = [str(x[0]) if len(x) else "" for x in listed]
    files = sorted((data / "ccp" / "annotations" / "pixel-level").glob("*.mat"))
    kept = [f for f in files if f.stem not in banned]
    for file in kept[:: max(1, len(kept) // limit)] if limit else kept:
        truth = scipy.io.loadmat(str(file))["groundtruth"]
        regions = [Region("person", truth > 0)]
        regions += [Region(labels[v], truth == v, kind="part") for v in np.unique(truth) if v > 0]
        yield Picture(f"ccp_{file.stem}", "ccp", data / "ccp" / "photos" / f"{file.stem}.jpg", tuple(regions))

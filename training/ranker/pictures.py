"""Training pictures with region truth, filtered by licence and by the list of pictures kept for measuring.

Flat drawings are read and laid out by training/segmenter.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from maskwright.finding.phrases.lexicon import lexicon

sys.path.append(str(Path(__file__).resolve().parents[1] / "segmenter"))
import samples
import sources
from sources import ALLOWED

FEW_CLASSES = {"coco_person", "coco_people", "coco_mini2"}
"""Mirrors that outline persons and vehicles only: left out, since what else is there would count as absent."""


DRAWN_BY_HALF = ("twemoji", "noto")
"""The set of the drawings on the sheets of each half of the pictures: `drawn.py` keeps its family from that half's
tables."""
BESIDE = re.compile(r" (?:with|without|over|in|on|of|and|at|for|behind|from|showing|holding)\b.*|:.*")
"""What follows the thing in a drawing's name."""


def half_of(key: str) -> int:
    """The half of the pictures that a picture belongs to, by its name."""
    return zlib.crc32(key.encode()) % 2


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
    drawn: NDArray[np.uint8] | None = field(default=None, repr=False)
    """The pixels of a picture that is no file."""

    def pixels(self) -> NDArray[np.uint8]:
        """RGB (H, W, 3)."""
        if self.drawn is not None:
            return self.drawn
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
            regions = tuple(instance(a, names, size) for a in by_image.get(ident, []))
            regions += tuple(panoptic.get(ident, (None, ()))[1]) if ident in panoptic else ()
            yield Picture(f"coco_{ident:012d}", "coco", path, regions, tuple(captions.get(ident, ())))
    for ident, (path, regions) in panoptic.items():
        if ident not in seen and ident not in banned:
            seen.add(ident)
            yield Picture(f"coco_{ident:012d}", "coco", path, tuple(regions))


def _instance_files(data: Path) -> list[Path]:
    """Every COCO json at hand that outlines all classes."""
    found = sorted(data.glob("coco_*/**/annotations/instances_*.json"))
    return [path for path in found if not set(path.parts) & FEW_CLASSES]


def _captions(file: Path) -> dict[int, list[str]]:
    path = file.with_name(file.name.replace("instances", "captions"))
    out: dict[int, list[str]] = {}
    if path.exists():
        for a in json.loads(path.read_text())["annotations"]:
            out.setdefault(int(a["image_id"]), []).append(a["caption"])
    return out


def instance(a: dict, names: dict[int, str], size: tuple[int, int]) -> Region:
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


def drawn_pictures(data: Path, scenes: int) -> Iterator[Picture]:
    """Sheets of flat drawings whose names the lexicon knows, laid out as the segmenter's cartoons are; those of one half
    are of one set, those of the other of another."""
    table = json.loads((data / "drawings/openmoji/data/openmoji.json").read_text())
    named = {e["hexcode"].lower(): thing_of(e["annotation"]) for e in table}
    stock: dict[str, dict[str, list[sources.Picture]]] = {name: {} for name in DRAWN_BY_HALF}
    for cutout in sources.drawings(data / "drawings"):
        name, code = cutout.id.split("_", 1)
        if name in stock and named.get(code):
            stock[name].setdefault(named[code], []).append(cutout)
    for number in range(scenes):
        rng, key = np.random.default_rng((77, number)), f"drawn_{number:04d}"
        mine = stock[DRAWN_BY_HALF[half_of(key)]]
        scene = samples.paper(rng)
        scene.masks, scene.kinds, scene.areas = [], [], []
        for noun in rng.choice(sorted(mine), rng.integers(2, 5), replace=False):
            for _ in range(rng.choice([1, 1, 2])):
                cutout = mine[noun][rng.integers(len(mine[noun]))]
                sheet = samples.Scene(cutout.rgb, cutout.masks[:1], ["drawing"], np.ones(cutout.rgb.shape[:2]), [])
                samples.stamp(scene, sheet, rng)
                scene.kinds[-1] = str(noun)
        regions = tuple(Region(k, m) for k, m in zip(scene.kinds, scene.masks))
        yield Picture(key, "drawn", Path(), regions, drawn=scene.rgb)


def thing_of(annotation: str) -> str:
    """The noun of a drawing's name: "red apple" is an apple, "cup with straw" a cup, "dog face" a dog."""
    name = BESIDE.sub("", annotation.lower()).removesuffix(" face")
    words = re.sub(r"[^a-z ]", " ", name).split()
    for start in range(len(words)):
        noun, used, _ = lexicon("en").noun(words, start)
        if used and start + used == len(words):
            return str(noun)
    return ""

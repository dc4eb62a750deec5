"""Reads the training sources into one packed file: JPEG bytes, packed masks, licence of every picture.

    python training/segmenter/sources.py --root DIR --out pack.npz --ledger training/segmenter/data.csv \\
        --never not_for_training.json --never-images DIR

A picture: long side at most 432 pixels, a list of masks (one object, garment, or stuff region each) with a kind, and
an optional mask of pixels whose truth is unknown. Pictures under NonCommercial or NoDerivs terms are left out. Flat
drawings come as single cut-outs of 144 pixels: the whole and its parts, for the cartoon scenes of `samples.py`. Drawing
the vector ones needs `resvg-py`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from scipy.io import loadmat

LONG_SIDE = 432
QUALITY = 66
MASKS = 48
SAME = 0.93
ALLOWED = {4: "CC BY 2.0", 5: "CC BY-SA 2.0", 7: "no known copyright restrictions", 8: "US government work"}
SKIN_AND_HAIR = {"skin", "hair"}
MOST = {"pets": 240, "ccp": 250}
PERSON = 0.005
DRAWN = 128
RIM = 8
PARTS = 6
DRAWINGS = {"openmoji": ("CC BY-SA 4.0", 600), "twemoji": ("CC BY 4.0", 600), "noto": ("Apache-2.0", 400)}
THEMES = {"animals-nature", "food-drink", "objects", "travel-places", "activities", "smileys-emotion", "people-body"}
FOREIGN = re.compile(
    r"^(COCO_|0{2,}\d{8,10}(_|\.)|n\d{8}_|20\d\d_\d{6}(_|\.)|\d{3}-\d{3}-\d{2})|istock|shutterstock|alamy|getty|dreamstime"
    r"|depositphotos|adobestock|123rf|pixta|stock-photo",
    re.IGNORECASE,
)
"""File names that tell of another origin than the licence given (COCO, ImageNet, VOC, shops, picture agencies)."""


@dataclass
class Export:
    """A folder of polygon annotations under one licence: how many pictures to take, and which file names."""

    source: str
    licence: str
    most: int
    names: str = ""
    yolo: bool = False


EXPORTS = (
    Export("wild_animals", "CC BY 4.0", 250, r"^[0-9a-f]{16}_"),
    Export("feral_cats", "Public Domain", 150, yolo=True),
    Export("furniture", "Public Domain", 110, yolo=True),
    Export("tools", "CC BY 4.0", 120, r"^20\d\d", yolo=True),
    Export("microcontrollers", "MIT", 50),
    Export("small_things", "CC BY 4.0", 20),
    Export("street", "CC BY 4.0", 100),
    Export("facades", "CC BY 4.0", 80),
    Export("warehouse", "CC BY 4.0", 72),
    Export("strawberry", "CC BY 4.0", 40),
    Export("mushrooms", "CC BY 4.0", 20),
    Export("road_marks", "CC BY 4.0", 25, r"^video"),
    Export("electronics", "CC BY 4.0", 45, r"^IMG_"),
    Export("aerial", "MIT", 50, r"Ornek-Video", yolo=True),
)


@dataclass
class Picture:
    """One picture, its masks and where it came from."""

    id: str
    source: str
    licence: str
    rgb: np.ndarray
    masks: list[np.ndarray] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    unknown: np.ndarray | None = None


def shrunk(rgb: np.ndarray) -> np.ndarray:
    """The picture with its long side at most 432."""
    scale = LONG_SIDE / max(rgb.shape[:2])
    if scale >= 1:
        return rgb
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def fitted(mask: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """A mask brought to the size of the picture."""
    if mask.shape == rgb.shape[:2]:
        return mask.astype(bool)
    return cv2.resize(mask.astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_AREA) > 0.5


def opened(path: Path) -> np.ndarray:
    """RGB uint8 of a file."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SystemExit(f"cannot read {path}")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def drawn(segmentation: object, height: int, width: int) -> np.ndarray:
    """A COCO polygon list as a mask; a run-length dict is decoded too."""
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        return flat.reshape(width, height).T.astype(bool)
    canvas = np.zeros((height, width), np.uint8)
    for polygon in segmentation:  # type: ignore[attr-defined]
        points = np.round(np.array(polygon).reshape(-1, 2) * 8).astype(np.int32)
        cv2.fillPoly(canvas, [points], 1, shift=3)
    return canvas.astype(bool)


def coco(root: Path, banned: set[int]) -> Iterator[Picture]:
    """Pictures of the small COCO mirrors, instances and panoptic regions together.

    The mirrors coco_people and coco_person outline persons only; they come last, and tiny persons are left out.
    """
    files = {p.name: p for folder in (*root.glob("coco_*"), root / "coco128") for p in folder.rglob("*.jpg")}
    found: dict[int, Picture] = {}
    indices = root.glob("coco_*/**/annotations/instances_*.json")
    for index in sorted(indices, key=lambda p: ("/coco_pe" in p.as_posix(), p)):
        data = json.loads(index.read_text())
        least = PERSON if "/coco_pe" in index.as_posix() else 0
        rows = {
            i["id"]: i
            for i in data["images"]
            if Path(i["file_name"]).name in files
            and i["id"] not in banned
            and i["license"] in ALLOWED
            and i["id"] not in found
        }
        for i, row in rows.items():
            rgb = shrunk(opened(files[Path(row["file_name"]).name]))
            found[i] = Picture(f"coco_{i:012d}", "coco", ALLOWED[row["license"]], rgb)
        for note in data["annotations"]:
            row = rows.get(note["image_id"])
            if row is None or note["iscrowd"] or note["area"] < least * row["height"] * row["width"]:
                continue
            mask = drawn(note["segmentation"], row["height"], row["width"])
            picture = found[row["id"]]
            picture.masks.append(fitted(mask, picture.rgb))
            picture.kinds.append("thing")
    yield from found.values()
    yield from panoptic(root / "coco128", banned | set(found))


def panoptic(root: Path, banned: set[int]) -> Iterator[Picture]:
    """The train2017 half of coco128 with panoptic truth."""
    data = json.loads((root / "panoptic_segmentation/annotations/panoptic_train2017.json").read_text())
    things = {c["id"] for c in data["categories"] if c["isthing"]}
    rows = {i["id"]: i for i in data["images"] if i["license"] in ALLOWED and i["id"] not in banned}
    for note in data["annotations"]:
        row = rows.get(note["image_id"])
        path = root / "panoptic_segmentation/annotations/panoptic_train2017" / note["file_name"]
        if row is None or not path.exists():
            continue
        code = opened(path).astype(np.int64) @ np.array([1, 256, 65536])
        rgb = shrunk(opened(root / "images/train2017" / row["file_name"]))
        picture = Picture(f"coco_{row['id']:012d}", "coco", ALLOWED[row["license"]], rgb)
        for segment in note["segments_info"]:
            if not segment["iscrowd"]:
                picture.masks.append(fitted(code == segment["id"], rgb))
                picture.kinds.append("thing" if segment["category_id"] in things else "stuff")
        yield picture


def garments(root: Path, banned: set[str]) -> Iterator[Picture]:
    """Clothing-co-parsing: every label one mask, the whole person, and skin with hair."""
    names = [str(n[0]) if len(n) else "null" for n in loadmat(root / "label_list.mat")["label_list"][0]]
    for path in sorted((root / "annotations/pixel-level").glob("*.mat")):
        if path.stem in banned:
            continue
        rgb = shrunk(opened(root / "photos" / f"{path.stem}.jpg"))
        truth = loadmat(path)["groundtruth"]
        picture = Picture(f"ccp_{path.stem}", "ccp", "Apache-2.0 (repository)", rgb)
        for value in np.unique(truth):
            if value:
                picture.masks.append(fitted(truth == value, rgb))
                picture.kinds.append("skin" if names[value] in SKIN_AND_HAIR else "part")
        picture.masks.append(fitted(truth > 0, rgb))
        picture.kinds.append("person")
        yield picture


def pets(root: Path) -> Iterator[Picture]:
    """Oxford-IIIT pets (CC BY-SA 4.0): the animal; its unlabelled rim is unknown."""
    for path in sorted((root / "annotations/trimaps").glob("[!.]*.png")):
        photo = root / "images" / f"{path.stem}.jpg"
        trimap = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if not photo.exists() or trimap is None or cv2.imread(str(photo)) is None:
            continue
        rgb = shrunk(opened(photo))
        picture = Picture(f"pet_{path.stem}", "pets", "CC BY-SA 4.0", rgb)
        rim = cv2.dilate((trimap == 1).astype(np.uint8), np.ones((3, 3), np.uint8)) & (trimap == 3)
        picture.masks.append(fitted((trimap == 1) | (rim > 0), rgb))
        picture.kinds.append("thing")
        picture.unknown = fitted(trimap == 3, rgb)
        yield picture


def chosen(paths: Iterable[Path], export: Export) -> Iterator[Path]:
    """One file of every original (exports hold several turned copies), in an order by name, at most so many."""
    first: dict[str, Path] = {}
    for path in sorted(paths):
        if re.search(export.names, path.name) and not FOREIGN.search(path.name):
            first.setdefault(re.split(r"_(?:jpe?g|png|webp)(?:_jpg)?\.rf\.", path.name, flags=re.IGNORECASE)[0], path)
    yield from (first[stem] for stem in sorted(first, key=lambda s: zlib.crc32(s.encode()))[: export.most])


def outlines(root: Path, export: Export) -> dict[Path, list[object]]:
    """The polygons of every picture of an export, in pixels (COCO) or in fractions of its sides (YOLO)."""
    found: dict[Path, list[object]] = {}
    if export.yolo:
        for path in root.rglob("labels/*.txt"):
            rows = [np.array(line.split()[1:], float).reshape(-1, 2) for line in path.read_text().splitlines()]
            found[path.parent.parent / "images" / f"{path.stem}.jpg"] = [r for r in rows if len(r) > 5]
        return found
    for index in root.rglob("_annotations.coco.json"):
        data = json.loads(index.read_text())
        at = {p.name: p for p in index.parent.rglob("*.jpg")}
        names = {i["id"]: at.get(i["file_name"], index.parent / i["file_name"]) for i in data["images"]}
        for note in data["annotations"]:
            polygons = note["segmentation"]
            if isinstance(polygons, list) and any(len(p) > 10 for p in polygons) and not note.get("iscrowd"):
                found.setdefault(names[note["image_id"]], []).append(polygons)
    return found


def exported(root: Path, export: Export) -> Iterator[Picture]:
    """The pictures of an export; boxes among its polygons are left out."""
    found = outlines(root, export)
    for path in chosen((p for p, polygons in found.items() if polygons and p.exists()), export):
        full = opened(path)
        rgb = shrunk(full)
        stem = path.name.split(".rf.")[0]
        picture = Picture(f"{export.source}_{stem}", export.source, export.licence, rgb)
        for polygons in found[path]:
            lists = [(polygons * np.array(full.shape[1::-1])).ravel()] if export.yolo else polygons
            picture.masks.append(fitted(drawn(lists, *full.shape[:2]), rgb))
            picture.kinds.append("thing")
        yield picture


def straight(rgba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours and mask of a drawing with alpha, on a rim; its colours go on a little way beyond its edge."""
    rgba = cv2.copyMakeBorder(rgba, RIM, RIM, RIM, RIM, cv2.BORDER_CONSTANT)
    seen = rgba[..., 3] > 40
    far, nearest = cv2.distanceTransformWithLabels(
        (~seen).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((nearest.max() + 1, 3), np.uint8)
    colours[nearest[seen]] = rgba[seen][:, :3]
    return np.where((far < 4)[..., None], colours[nearest], 255).astype(np.uint8), rgba[..., 3] > 127


def areas_of_one_colour(rgba: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """The larger areas of one colour with all they enclose, as masks of the given size; lines are left out."""
    solid = rgba[..., 3] > 250
    code = rgba[..., :3].astype(np.int64) @ np.array([1, 256, 65536])
    values, counts = np.unique(code[solid], return_counts=True)
    edge = RIM * rgba.shape[0] // DRAWN
    found: list[np.ndarray] = []
    for value in values[counts > 0.01 * solid.sum()]:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(((code == value) & solid).astype(np.uint8))
        for i in range(1, count):
            piece = (labels == i).astype(np.uint8)
            thick = cv2.erode(piece, np.ones((3 * edge // 4,) * 2, np.uint8))
            if stats[i, 4] < 0.012 * solid.sum() or thick.sum() < 0.15 * stats[i, 4]:
                continue
            outer, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(piece, outer, -1, 1, cv2.FILLED)
            whole = cv2.copyMakeBorder(piece & (rgba[..., 3] > 127), edge, edge, edge, edge, cv2.BORDER_CONSTANT)
            found.append(cv2.resize(whole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5)
    return found


def distinct(whole: np.ndarray, parts: list[np.ndarray]) -> list[np.ndarray]:
    """The largest parts that are neither the whole nor one another."""
    kept = [whole]
    for part in sorted(parts, key=lambda m: -m.sum()):
        if all((part & m).sum() < 0.88 * (part | m).sum() for m in kept):
            kept.append(part)
    return kept[1 : PARTS + 1]


def cutout(root: Path, name: str, code: str) -> Path:
    """The file of a drawing in one of the sets; only openmoji keeps the variation selector in its names."""
    plain = code.replace("-FE0F", "").lower()
    return {
        "openmoji": root / f"openmoji/color/svg/{code}.svg",
        "twemoji": root / f"twemoji/{plain}.svg",
        "noto": root / f"noto/png/128/emoji_u{plain.replace('-', '_')}.png",
    }[name]


def drawings(root: Path) -> Iterator[Picture]:
    """Flat drawings of three free sets: the whole, and the areas of one colour as its parts."""
    table = json.loads((root / "openmoji/data/openmoji.json").read_text())
    codes = [e["hexcode"] for e in table if e["group"] in THEMES and not e["skintone"]]
    for name, (licence, most) in DRAWINGS.items():
        ordered = sorted(codes, key=lambda c: zlib.crc32(f"{name}{c}".encode()))
        there = [(c, cutout(root, name, c)) for c in ordered if cutout(root, name, c).exists()]
        for code, path in there[:most]:
            rgba, large = rendered(path, DRAWN), rendered(path, 4 * DRAWN) if path.suffix == ".svg" else None
            rgb, whole = straight(rgba)
            parts = [] if large is None else distinct(whole, areas_of_one_colour(large, whole.shape[::-1]))
            kinds = ["drawing"] + ["part"] * len(parts)
            yield Picture(f"{name}_{code.lower()}", "drawings", licence, rgb, [whole, *parts], kinds)


def rendered(path: Path, side: int) -> np.ndarray:
    """A drawing as RGBA, its width as told if it is a vector file."""
    if path.suffix == ".svg":
        import resvg_py

        data = np.frombuffer(bytes(resvg_py.svg_to_bytes(svg_path=str(path), width=side)), np.uint8)
    else:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)


def few(pictures: Iterator[Picture], source: str) -> Iterator[Picture]:
    """A share of a narrow source, chosen by name."""
    yield from sorted(pictures, key=lambda p: zlib.crc32(p.id.encode()))[: MOST[source]]


def sketch(rgb: np.ndarray) -> np.ndarray:
    """A tiny grey copy with mean 0 and length 1; two of the same picture have a product near 1."""
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
    grey -= grey.mean()
    return (grey / (np.linalg.norm(grey) + 1e-6)).ravel()


def packed(masks: list[np.ndarray]) -> bytes:
    """A stack of masks as compressed bits."""
    return zlib.compress(np.packbits(np.stack(masks)).tobytes(), 6)


def record(picture: Picture) -> dict[str, object]:
    """One picture as it is stored."""
    keep = [i for i, m in enumerate(picture.masks) if m.mean() >= 0.0006 and m.mean() < 0.95 and m.sum() >= 80]
    keep = sorted(sorted(keep, key=lambda i: -picture.masks[i].sum())[:MASKS])
    bgr = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2BGR)
    flat = picture.source == "drawings"
    _ok, image = cv2.imencode(*((".png", bgr) if flat else (".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])))
    stack = [picture.masks[i] for i in keep]
    if picture.unknown is not None:
        stack.append(picture.unknown)
    return {
        "id": picture.id,
        "source": picture.source,
        "licence": picture.licence,
        "jpeg": image.tobytes(),
        "size": picture.rgb.shape[:2],
        "kinds": [picture.kinds[i] for i in keep],
        "unknown": picture.unknown is not None,
        "masks": packed(stack) if keep else b"",
    }


def held_out(identity: str) -> bool:
    """Whether a picture belongs to the validation split: about one in twelve, by its name alone."""
    return zlib.crc32(identity.encode()) % 12 == 0


def main() -> None:
    """Packs all sources."""
    ask = argparse.ArgumentParser()
    for name in ("--root", "--out", "--ledger", "--never", "--never-images"):
        ask.add_argument(name, type=Path, required=True)
    a = ask.parse_args()
    never = json.loads(a.never.read_text())
    shapes = {".jpg", ".jpeg", ".png"}
    hide = sorted(p for p in a.never_images.rglob("*") if p.suffix.lower() in shapes and "masks" not in p.parts)
    shown = [p.stem for p in hide]
    banned = set(never["coco_ids"]) | {never["refcoco_image"]}
    banned |= {int(s.split("_")[1]) for s in shown if s.startswith(("coco_", "refcoco_"))}
    banned |= {int(p.stem) for p in (a.root / "coco128/images/val2017").glob("*.jpg")}
    people = set(never["ccp_ids"]) | {s[4:] for s in shown if s.startswith("ccp_")}
    hidden = np.stack([sketch(opened(p)) for p in hide])
    sources = [coco(a.root, banned), few(pets(a.root / "pets"), "pets"), few(garments(a.root / "ccp", people), "ccp")]
    sources += [exported(a.root / export.source, export) for export in EXPORTS]
    sources.append(drawings(a.root / "drawings"))
    records = []
    for source in sources:
        for picture in source:
            alike = max((hidden @ sketch(side)).max() for side in (picture.rgb, picture.rgb[:, ::-1]))
            if alike > SAME:
                print("left out, looks like a picture never to be learned:", picture.id, round(float(alike), 3))
                continue
            row = record(picture)
            records += [row] if row["kinds"] else []
        print(len(records), flush=True)
    np.savez(a.out, records=np.array(records, dtype=object))
    with a.ledger.open("w", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["id", "source", "licence", "masks", "split"])
        rows.writerows(
            [r["id"], r["source"], r["licence"], len(r["kinds"]), "val" if held_out(r["id"]) else "train"]
            for r in records
        )


if __name__ == "__main__":
    main()

"""Pictures of which only captions are known, and the outlines of some people: what the product proposes in them, its
features, and the nouns that were said.

python training/ranker/captions.py --data DIR --shared DIR --net ranker_lite.onnx --out captions.npz

captions.csv names every picture and its licence.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pictures import Picture, Region, coco_pictures, held_out, instance
from sources import ALLOWED

from maskwright.finding.phrases.lexicon import lexicon
from maskwright.models.proposers.lite import LiteProposer
from maskwright.models.rankers import lite_features as lf
from maskwright.values import Image

SMALLEST_PX, SMALLEST, MOST = 80, 0.002, 64
"""Pixels of the smallest outlined person; share of the picture of the smallest proposal; proposals of a picture."""
SAID = 2
"""Captions of a picture, of five, that must say a noun."""


@dataclass(frozen=True, eq=False)
class Captioned:
    """One picture: features of its regions, the outlined people first, and the nouns said of it, with how often."""

    dense: NDArray
    crop: NDArray
    shape: NDArray
    iou: NDArray
    """(K, K) of the regions with one another."""
    area: NDArray
    people: int
    nouns: Counter[str]

    @property
    def said(self) -> set[str]:
        """The nouns that enough captions agree on."""
        return {noun for noun, count in self.nouns.items() if count >= SAID}


def nouns_in(caption: str) -> set[str]:
    """The nouns of the lexicon in a sentence."""
    words, out, at = re.sub(r"[^a-z' ]", " ", caption.lower()).split(), set(), 0
    while at < len(words):
        noun, used, _ = lexicon("en").noun(words, at)
        if used:
            out.add(noun)
        at += max(used, 1)
    return out


def captions_file(data: Path) -> Path:
    return data / "coco_words" / "annotations" / "captions_val2017.json"


def captioned_pictures(data: Path, shared: Path) -> Iterator[Picture]:
    """Pictures with captions whose licence allows it, that nothing is measured on and no head was taught with."""
    truth = json.loads(captions_file(data).read_text())
    said: dict[int, list[str]] = {}
    for a in truth["annotations"]:
        said.setdefault(a["image_id"], []).append(a["caption"])
    banned, _ = held_out(shared, data)
    banned |= {int(p.key.removeprefix("coco_")) for p in coco_pictures(data, shared)}
    places, people = {}, {}
    for folder in ("coco_person", "coco_people"):  # the latter outlines everybody, the former one
        places |= {int(p.stem): p for p in (data / folder).rglob("*.jpg") if p.stem.isdigit()}
        for file in (data / folder).rglob("instances_val2017.json"):
            people |= people_of(file)
    for item in truth["images"]:
        ident = item["id"]
        if item["license"] in ALLOWED and ident in places and ident not in banned:
            yield Picture(f"coco_{ident:012d}", "coco", places[ident], tuple(people.get(ident, ())), tuple(said[ident]))


def people_of(file: Path) -> dict[int, list[Region]]:
    """The outlined people of a COCO json, no crowds."""
    truth, out = json.loads(file.read_text()), {}
    sizes = {i["id"]: (i["height"], i["width"]) for i in truth["images"]}
    names = {c["id"]: c["name"] for c in truth["categories"]}
    for a in truth["annotations"]:
        if names[a["category_id"]] == "person" and not a.get("iscrowd"):
            out.setdefault(a["image_id"], []).append(instance(a, names, sizes[a["image_id"]]))
    return out


def described(session, proposer: LiteProposer, picture: Picture) -> dict[str, NDArray]:
    """What `Captioned` holds, as arrays."""
    pixels = picture.pixels()
    people = [r.mask for r in picture.regions if r.mask.shape == pixels.shape[:2] and r.mask.sum() >= SMALLEST_PX]
    found = [mask for mask in proposer.propose(Image(pixels)).masks if mask.mean() >= SMALLEST][:MOST]
    if not people and not found:
        return {}
    masks = np.stack(people + found)
    features = lf.feature_map(session, pixels)
    dense = lf.pooled(features, lf.coarse(masks, *features.shape[:2]))
    flat = masks[:, ::2, ::2].reshape(len(masks), -1).astype(np.float32)
    shared, own = flat @ flat.T, flat.sum(1)
    nouns = Counter(noun for caption in picture.captions for noun in sorted(nouns_in(caption)))
    return {
        "dense": dense.astype(np.float16), "shape": lf.shape_facts(masks), "people": np.array(len(people)),
        "crop": lf.crop_features(session, pixels, masks)[:, 0].astype(np.float16), "area": masks.mean(axis=(1, 2)),
        "iou": (shared / np.maximum(own[:, None] + own[None] - shared, 1)).astype(np.float16),
        "nouns": np.array(list(nouns)), "counts": np.array(list(nouns.values())),
    }  # fmt: skip


def list_pictures(pictures: list[Picture], data: Path) -> None:
    """Writes captions.csv."""
    licences = {f"coco_{i['id']:012d}": i["license"] for i in json.loads(captions_file(data).read_text())["images"]}
    with (Path(__file__).with_suffix(".csv")).open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "licence", "people"])
        rows.writerows([p.key, ALLOWED[licences[p.key]], len(p.regions)] for p in pictures)


def load_captioned(path: Path) -> list[Captioned]:
    """What `main` wrote."""
    store = np.load(path)
    out = []
    for key in sorted({k.rsplit("/", 1)[0] for k in store.files}):
        part = {name: store[f"{key}/{name}"] for name in ("dense", "crop", "shape", "iou", "area", "people")}
        wide = {name: value.astype(np.float32) for name, value in part.items() if name != "people"}
        nouns = dict(zip(map(str, store[f"{key}/nouns"]), map(int, store[f"{key}/counts"])))
        out.append(Captioned(**wide, people=int(part["people"]), nouns=Counter(nouns)))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "shared", "net", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session, proposer = onnxruntime.InferenceSession(str(args.net), options), LiteProposer()
    out: dict[str, NDArray] = {}
    pictures = list(captioned_pictures(args.data, args.shared))
    list_pictures(pictures, args.data)
    for number, picture in enumerate(pictures):
        out |= {f"{picture.key}/{name}": value for name, value in described(session, proposer, picture).items()}
        if number % 20 == 19:
            print(number + 1, "pictures", flush=True)
    np.savez_compressed(args.out, **out)


if __name__ == "__main__":
    main()

"""Phrases against true regions: how well the ranker and the phrase parser choose when nothing has to be segmented.

    python benchmarks/phrases_oracle.py --data DEV_FOLDER [--truth FOLDER] [--verbose]

Candidates are the true instances of each phrase's picture. COCO instances come from instances_*2017.json under
--truth (COCO annotations, CC BY 4.0; default: a folder `coco_annotations` beside the data); the masks of the data
folder itself serve where that is absent. Writes docs/benchmarks/phrases_oracle.md and .json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from writing import table, write_page

from maskwright.assemble.loading import load
from maskwright.finding.phrases import Phrase, fit, look, parse, score_attributes
from maskwright.finding.phrases.scene import Scene
from maskwright.values import Embedding, Image

SMALLEST = 0.001
"""Instances below this share of the picture are no candidates, unless a phrase asks for them."""
NONE_AT = 0.5


@dataclass
class Asked:
    """One phrase with its candidates and the index of the right one (None: no such thing)."""

    row: dict[str, Any]
    right: int | None


@dataclass
class Scored:
    """What three ways of scoring chose, and the chance of none of the full one."""

    row: dict[str, Any]
    right: int | None
    chosen: dict[str, int]
    none: float
    trace: Any


def read_mask(path: Path) -> NDArray[np.bool_]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127)


def coco_instances(truth: Path) -> dict[int, list[NDArray[np.bool_]]]:
    """COCO image id -> masks of its instances that are no crowds."""
    from pycocotools import mask as rle

    out: dict[int, list[NDArray[np.bool_]]] = defaultdict(list)
    for file in sorted(truth.rglob("instances_*2017.json")) if truth.exists() else []:
        content = json.loads(file.read_text())
        sizes = {i["id"]: (i["height"], i["width"]) for i in content["images"]}
        for entry in content["annotations"]:
            if not entry.get("iscrowd"):
                code = rle.merge(rle.frPyObjects(entry["segmentation"], *sizes[entry["image_id"]]))
                out[entry["image_id"]].append(rle.decode(code).astype(bool))
    return out


def candidates_of(data: Path, image: str, rows: list[dict[str, Any]], coco: dict[int, Any]) -> NDArray[np.bool_]:
    """(K, H, W): true instances of one picture, the phrases' own targets among them."""
    stem = Path(image).stem
    masks = [read_mask(data / r["mask"]) for r in rows if r["mask"]]
    if stem.startswith("coco_"):
        masks += coco.get(int(stem.split("_")[1]), [])
    masks += [read_mask(p) for p in sorted((data / "masks").glob(f"{stem}_*.png")) if p.stem.split("_")[-1].isdigit()]
    kept: list[NDArray[np.bool_]] = []
    targets = sum(1 for r in rows if r["mask"])
    for i, mask in enumerate(masks):
        new = all((mask & k).sum() / max((mask | k).sum(), 1) < 0.9 for k in kept)
        if new and (i < targets or mask.mean() >= SMALLEST):
            kept.append(mask)
    order = np.random.default_rng(len(kept)).permutation(len(kept))
    return np.stack(kept)[order]


def best_match(masks: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> int:
    return int(np.argmax([(m & wanted).sum() / (m | wanted).sum() for m in masks]))


def score(ranker: Any, regions: Embedding, scene: Scene, phrase: Phrase) -> tuple[dict[str, int], float, Any]:
    """The choice by nouns alone, by attributes alone, and by both."""
    ranking = ranker.rank(regions, phrase.queries)
    posterior = fit(scene, phrase, lambda nouns: ranker.rank(regions, nouns))
    blank = {q: np.full(len(scene), 0.5, np.float32) for q in phrase.queries}
    bare = score_attributes(scene, phrase, blank).log_chances
    return (
        {"nouns": int(ranking.logits[0].argmax()), "attributes": int(bare.argmax()),
         "both": int(posterior.chances.argmax())},
        posterior.none, posterior.trace,
    )  # fmt: skip


def run(data: Path, truth: Path) -> tuple[list[Scored], dict[str, Any]]:
    rows = [json.loads(line) for line in (data / "phrases.jsonl").read_text().splitlines()]
    by_image: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_image[row["image"]].append(row)
    ranker, coco = load("ranker", "lite"), coco_instances(truth)
    out, counts = [], []
    for name, asked in by_image.items():
        pixels = cv2.cvtColor(cv2.imread(str(data / name)), cv2.COLOR_BGR2RGB)
        image = Image(pixels)
        masks = candidates_of(data, name, asked, coco)
        regions, scene = ranker.encode(image, masks), look(image, masks)
        counts.append(len(masks))
        for row in asked:
            right = None if row["none_such"] else best_match(masks, read_mask(data / row["mask"]))
            chosen, none, trace = score(ranker, regions, scene, parse(row["phrase"]))
            out.append(Scored(row, right, chosen, none, {**trace, "candidates": len(masks)}))
    return out, {"pictures": len(by_image), "candidates_mean": float(np.mean(counts)), "coco_truth": bool(coco)}


def time_ranking(k: int = 150) -> dict[str, float]:
    """Processor milliseconds on one thread for 150 regions of a 640x480 picture (steadier than the clock)."""
    rng = np.random.default_rng(0)
    image = Image(cv2.resize(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), (640, 480)))
    masks = np.zeros((k, 480, 640), np.bool_)
    for mask in masks:
        x, y, w, h = rng.integers((0, 0, 20, 20), (500, 380, 140, 100))
        mask[y : y + h, x : x + w] = True
    ranker, phrase = load("ranker", "lite"), parse("the red bus on the left")
    best: dict[str, float] = defaultdict(lambda: 1e9)
    for _ in range(5):
        marks = [time.process_time()]
        regions = ranker.encode(image, masks)
        marks.append(time.process_time())
        ranking = ranker.rank(regions, phrase.queries)
        marks.append(time.process_time())
        scene = look(image, masks)
        marks.append(time.process_time())
        fit(scene, phrase, lambda _, ranking=ranking: ranking)
        marks.append(time.process_time())
        for label, span in zip(("encode", "rank", "look", "attributes"), np.diff(marks)):
            best[label] = min(best[label], 1000 * float(span))
    return dict(best)


def share(rows: list[Scored], way: str) -> float:
    return float(np.mean([r.chosen[way] == r.right for r in rows])) if rows else float("nan")


def tables(rows: list[Scored]) -> tuple[str, dict[str, Any]]:
    positive = [r for r in rows if r.right is not None]
    groups: dict[str, list[Scored]] = {"all": positive}
    groups["with a same-kind distractor"] = [r for r in positive if (r.row.get("distractors") or 0) > 0]
    for language in ("en", "zh"):
        groups[language] = [r for r in positive if r.row["lang"] == language]
    for kind in sorted({k for r in positive for k in r.row["kinds"]}):
        groups[kind] = [r for r in positive if kind in r.row["kinds"]]
    ways = ("nouns", "attributes", "both")
    lines = [[name, len(g), *(share(g, way) for way in ways)] for name, g in groups.items()]
    absent = [r for r in rows if r.right is None]
    found = float(np.mean([r.none >= NONE_AT for r in absent]))
    false = float(np.mean([r.none >= NONE_AT for r in positive]))
    body = table(("phrases", "n", *(f"top-1 by {w}" for w in ways)), lines)
    body += f"\n\nNone-such found: {found:.2f} of {len(absent)}; falsely said of {false:.2f} of {len(positive)}.\n"
    values = {name: {"n": len(g), **{w: share(g, w) for w in ways}} for name, g in groups.items()}
    return body, {"top1": values, "none_found": found, "none_false": false}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--no-page", action="store_true")
    args = parser.parse_args()
    rows, about = run(args.data, args.truth or args.data.parent / "coco_annotations")
    body, values = tables(rows)
    if args.verbose:
        for r in rows:
            mark = "  " if r.chosen["both"] == r.right else "X "
            print(mark, r.row["phrase"], r.chosen, r.right, f"none {r.none:.2f}", json.dumps(r.trace["best"]))
    if not args.no_page:
        values |= {"milliseconds": time_ranking()}
        spans = ", ".join(f"{name} {ms:.0f} ms" for name, ms in values["milliseconds"].items())
        body += f"\n150 regions of a 640x480 picture on one thread, processor time, best of 5: {spans}.\n"
        mean = about["candidates_mean"]
        title = f"Phrases against true regions: {about['pictures']} pictures, {mean:.1f} candidates each"
        print(write_page("phrases_oracle", title, body, {**about, **values}))
    print(body)


if __name__ == "__main__":
    main()

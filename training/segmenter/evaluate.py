"""Click curves on the held-out pictures of the training sources: what every decision of the recipe is made by.

    python training/segmenter/evaluate.py --pack pack.npz --weights DIR [--objects 120] [--set closer_side=0 ...]

With --boxes: boxes drawn with more and less care instead. --data DEV_FOLDER takes the development objects instead of --pack.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from clicks import Case, Outcome, cases, iou, lite, simulated, summary, table_of
from samples import KIND_WEIGHT, Store

from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Image, Prompt

DRAWN = {
    "a tenth larger": (0.05, 0.05, 0.05, 0.05), "tight": (0.0, 0.0, 0.0, 0.0), "too far left": (0.12, 0.0, -0.05, 0.02),
    "too far up": (0.0, 0.12, 0.02, -0.05), "sides inside": (-0.04, -0.04, -0.04, -0.04),
}  # fmt: skip
"""How far the left, upper, right and lower side lie outside the object, in shares of its width or height."""


def held_out_cases(pack: Path, objects: int, seed: int = 3) -> list[Case]:
    """Objects of held-out pictures, as many from each source: things and stuff, animals, garments and people."""
    store, rng = Store(pack, validation=True), np.random.default_rng(seed)
    found: list[Case] = []
    for source in ("coco", "pets", "ccp"):
        pool = []
        for row in store.rows:
            if row["source"] != source:
                continue
            scene = store.scene(row)
            image = Image(scene.rgb)
            for i, (mask, kind) in enumerate(zip(scene.masks, scene.kinds, strict=True)):
                if mask.mean() > 0.004 and kind in KIND_WEIGHT:
                    ignore = scene.weight < 0.5 if row["unknown"] else None
                    pool.append(Case(f"{row['id']}_{i}", source, image, mask, ignore))
        share = {"coco": 0.45, "pets": 0.15, "ccp": 0.4}[source]
        take = rng.permutation(len(pool))[: round(objects * share)]
        found += [pool[i] for i in sorted(take)]
    return found


def box_answers(segmenter: LiteSegmenter, case: Case) -> list[float]:
    """The IoU for each way of DRAWN."""
    ys, xs = np.nonzero(case.truth)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    (height, width), embedding = case.truth.shape, segmenter.encode(case.image)
    found = []
    for left, up, right, down in DRAWN.values():
        wide, high = x1 - x0, y1 - y0
        corner = max(0.0, x0 - left * wide), max(0.0, y0 - up * high)
        box = (*corner, min(width, x1 + right * wide), min(height, y1 + down * high))
        found.append(iou(segmenter.predict(embedding, [Prompt(box=box)])[0].masks[0], case))
    return found


def main() -> None:
    """Prints the table."""
    ask = argparse.ArgumentParser()
    source = ask.add_mutually_exclusive_group(required=True)
    source.add_argument("--pack", type=Path)
    source.add_argument("--data", type=Path)
    ask.add_argument("--boxes", action="store_true")
    ask.add_argument("--weights", type=Path)
    ask.add_argument("--objects", type=int, default=120)
    ask.add_argument("--set", nargs="*", default=[])
    a = ask.parse_args()
    cv2.setNumThreads(1)
    settings = {k: int(v) for k, v in (pair.split("=") for pair in a.set)}
    segmenter = LiteSegmenter(weights=a.weights, **settings)
    asked = list(cases(a.data)) if a.data else held_out_cases(a.pack, a.objects)
    if a.boxes:
        means = np.mean([box_answers(segmenter, case) for case in asked], axis=0)
        print(len(asked), "objects:", ", ".join(f"{name} {mean:.3f}" for name, mean in zip(DRAWN, means, strict=True)))
        return
    outcomes: dict[str, list[Outcome]] = {}
    for case in asked:
        outcomes.setdefault(case.source, []).append(simulated(case, lite(segmenter)))
    rows = {"all": summary([o for group in outcomes.values() for o in group])}
    print(table_of(rows | {source: summary(group) for source, group in outcomes.items()}))


if __name__ == "__main__":
    main()

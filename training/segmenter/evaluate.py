"""Click curves on the held-out pictures of the training sources: what every decision of the recipe is made by.

python training/segmenter/evaluate.py --pack pack.npz --weights DIR [--objects 120] [--set closer_side=0 ...]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from clicks import Case, Outcome, lite, simulated, summary, table_of
from samples import KIND_WEIGHT, Store

from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Image


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


def main() -> None:
    """Prints the table."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--pack", type=Path, required=True)
    ask.add_argument("--weights", type=Path)
    ask.add_argument("--objects", type=int, default=120)
    ask.add_argument("--set", nargs="*", default=[])
    a = ask.parse_args()
    cv2.setNumThreads(1)
    settings = {k: int(v) for k, v in (pair.split("=") for pair in a.set)}
    segmenter = LiteSegmenter(weights=a.weights, **settings)
    outcomes: dict[str, list[Outcome]] = {}
    for case in held_out_cases(a.pack, a.objects):
        outcomes.setdefault(case.source, []).append(simulated(case, lite(segmenter)))
    rows = {"all": summary([o for group in outcomes.values() for o in group])}
    print(table_of(rows | {source: summary(group) for source, group in outcomes.items()}))


if __name__ == "__main__":
    main()

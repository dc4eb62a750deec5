"""Features of flat drawings of known things, laid out small on sheets in all colours.

python training/ranker/drawings.py --data DIR --net ranker_lite.onnx --out drawings.npz
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pictures import samples, sources, thing_of
from samples import Scene

from maskwright.models.rankers import lite_features as lf
from maskwright.models.weights import onnx_session

EACH, SHEET, SMALLEST = 2, 4, 60
"""How often each drawing is shown, how many on a sheet, and the fewest pixels that are seen of it."""
RECOLOURED, INKED, ROUGH = 0.5, 0.12, 0.5
"""Shares of drawings in other colours, of sheets of which only the lines are left, and of sheets with a rough ground."""


def named_files(root: Path) -> list[tuple[str, str, Path]]:
    """(noun, set, file) of every drawing whose name the lexicon knows."""
    table = json.loads((root / "openmoji/data/openmoji.json").read_text())
    out = []
    for entry in table:
        noun = "" if entry["skintone"] or entry["group"] not in sources.THEMES else thing_of(entry["annotation"])
        for name in sources.DRAWINGS if noun else ():
            path = sources.cutout(root, name, entry["hexcode"])
            if path.exists():
                out.append((noun, name, path))
    return sorted(out)


def recoloured(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The drawing in other colours: all hues turned, or shades of one."""
    if rng.random() < 0.5:
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + rng.integers(15, 165)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None] / 255
    colour = rng.integers(20, 256, 3)
    return np.clip(colour * (0.4 + 0.9 * light), 0, 255).astype(np.uint8)


def sheet_of(chosen: list[tuple[str, str, Path]], rng: np.random.Generator) -> Scene:
    """The drawings on one sheet; its masks are in their order."""
    scene = samples.paper(rng)
    scene.masks, scene.kinds, scene.areas = [], [], []
    if rng.random() < ROUGH:
        h, w = scene.rgb.shape[:2]
        soft = cv2.resize(rng.normal(0, 7, (12, 16)), (w, h), interpolation=cv2.INTER_CUBIC)
        scene.rgb = np.clip(scene.rgb + soft[..., None] + rng.normal(0, 3, scene.rgb.shape), 0, 255).astype(np.uint8)
    for _noun, _name, path in chosen:
        rgb, mask = sources.straight(sources.rendered(path, sources.DRAWN))
        rgb = recoloured(rgb, rng) if rng.random() < RECOLOURED else rgb
        samples.stamp(scene, Scene(rgb, [mask], ["drawing"], np.ones(mask.shape, np.float32), []), rng)
    if rng.random() < INKED:
        scene.rgb = samples.inked(scene.rgb, rng)
    return scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "net", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    files, net = named_files(args.data / "drawings"), onnx_session(args.net, threads=1)
    rows: dict[str, list] = {k: [] for k in ("noun", "set", "drawing", "sheet", "dense", "crop", "shape")}
    print(len(files), "drawings of", len({noun for noun, _, _ in files}), "nouns")
    sheets = 0
    for shown in range(EACH):
        rng = np.random.default_rng((78, shown))
        order = rng.permutation(len(files))
        for start in range(0, len(order), SHEET):
            chosen = [files[i] for i in order[start : start + SHEET]]
            scene = sheet_of(chosen, rng)
            masks = np.stack(scene.masks)
            seen = np.flatnonzero(masks.sum(axis=(1, 2)) >= SMALLEST)
            features = lf.feature_map(net, scene.rgb)
            rows["dense"] += list(lf.pooled(features, lf.coarse(masks[seen], *features.shape[:2])).astype(np.float16))
            rows["crop"] += list(lf.crop_features(net, scene.rgb, masks[seen])[:, 0].astype(np.float16))
            rows["shape"] += list(lf.shape_facts(masks[seen]))
            rows["noun"] += [chosen[i][0] for i in seen]
            rows["set"] += [chosen[i][1] for i in seen]
            rows["drawing"] += [chosen[i][2].stem for i in seen]
            rows["sheet"] += [sheets] * len(seen)
            sheets += 1
            if sheets % 100 == 0:
                print(sheets, "sheets", flush=True)
    np.savez_compressed(args.out, **{k: np.array(v) for k, v in rows.items()})


if __name__ == "__main__":
    main()

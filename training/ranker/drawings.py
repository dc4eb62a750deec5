"""Features of flat drawings of known things, laid out small on sheets in all colours.

python training/ranker/drawings.py --data DIR --net ranker_lite.onnx --out drawings.npz
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from icons import Icon, family_of, icons, named_by
from numpy.typing import NDArray
from pictures import Picture, Region, samples, sources, thing_of
from samples import Scene

from maskwright.models.rankers import lite_features as lf
from maskwright.models.weights import onnx_session

EACH, SHEET, SMALLEST = 2, 4, 60
"""How often each drawing is shown (pictograms once), how many on a sheet, and the fewest pixels that are seen of it."""
LARGEST = (0.3, 0.75)
"""How long the things on a sheet are at most, as shares of it, for wholes.py."""
RECOLOURED, INKED, ROUGH = 0.5, 0.12, 0.5
"""Shares of drawings in other colours, of sheets of which only the lines are left, and of sheets with a rough ground."""


@dataclass(frozen=True)
class Drawing:
    """A file of one of the three sets of `sources.DRAWINGS`."""

    noun: str
    origin: str
    name: str
    path: Path

    def rgba(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        return sources.rendered(self.path, sources.DRAWN)


def named(root: Path) -> list[Drawing | Icon]:
    """Every drawing whose name the lexicon knows."""
    table = json.loads((root / "openmoji/data/openmoji.json").read_text())
    out: list[Drawing | Icon] = []
    nouns: dict[str, str] = {}
    for entry in table:
        noun = "" if entry["skintone"] or entry["group"] not in sources.THEMES else thing_of(entry["annotation"])
        if not noun:
            continue
        nouns[entry["annotation"]] = noun
        for name in sources.DRAWINGS:
            path = sources.cutout(root, name, entry["hexcode"])
            if path.exists():
                out.append(Drawing(noun, name, path.stem, path))
    out += icons(root / "iconify", named_by(nouns))
    return sorted(out, key=lambda d: (d.noun, d.origin, d.name))


def recoloured(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The drawing in other colours: all hues turned, or shades of one."""
    if rng.random() < 0.5:
        hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + rng.integers(15, 165)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    light = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None] / 255
    colour = rng.integers(20, 256, 3)
    return np.clip(colour * (0.4 + 0.9 * light), 0, 255).astype(np.uint8)


def sheet_of(chosen: list[Drawing | Icon], rng: np.random.Generator, largest: float = 0.75) -> Scene:
    """The drawings on one sheet, each at most that share of it long; its masks are in their order."""
    scene = samples.paper(rng)
    scene.masks, scene.kinds, scene.areas = [], [], []
    if rng.random() < ROUGH:
        h, w = scene.rgb.shape[:2]
        soft = cv2.resize(rng.normal(0, 7, (12, 16)), (w, h), interpolation=cv2.INTER_CUBIC)
        scene.rgb = np.clip(scene.rgb + soft[..., None] + rng.normal(0, 3, scene.rgb.shape), 0, 255).astype(np.uint8)
    for drawing in chosen:
        rgb, mask = sources.straight(drawing.rgba(rng))
        rgb = recoloured(rgb, rng) if rng.random() < RECOLOURED else rgb
        samples.stamp(scene, Scene(rgb, [mask], ["drawing"], np.ones(mask.shape, np.float32), []), rng, largest)
    if rng.random() < INKED:
        scene.rgb = samples.inked(scene.rgb, rng)
    return scene


def sheets(root: Path, count: int) -> Iterator[Picture]:
    """Sheets of a few to many drawings of all sets, as pictures."""
    drawings = named(root)
    for number in range(count):
        rng = np.random.default_rng((79, number))
        chosen = [drawings[i] for i in rng.choice(len(drawings), rng.integers(3, 10), replace=False)]
        scene = sheet_of(chosen, rng, rng.choice(LARGEST))
        regions = tuple(Region(d.noun, m) for d, m in zip(chosen, scene.masks))
        yield Picture(f"drawn_sheet_{number:04d}", "drawn", Path(), regions, drawn=scene.rgb)


def showing(drawings: list[Drawing | Icon], net_file: Path, shown: int) -> dict[str, list]:
    """Facts and features of every drawing, laid out anew each time that they are shown."""
    net, rng = onnx_session(net_file, threads=1), np.random.default_rng((78, shown))
    rows: dict[str, list] = {k: [] for k in ("noun", "set", "drawing", "sheet", "dense", "crop", "shape")}
    order = rng.permutation([i for i, d in enumerate(drawings) if not shown or family_of(d.origin) != "pictograms"])
    for sheet, some in enumerate(np.array_split(order, range(SHEET, len(order), SHEET))):
        chosen = [drawings[i] for i in some]
        scene = sheet_of(chosen, rng)
        masks = np.stack(scene.masks)
        seen = np.flatnonzero(masks.sum(axis=(1, 2)) >= SMALLEST)
        features = lf.feature_map(net, scene.rgb)
        rows["dense"] += list(lf.pooled(features, lf.coarse(masks[seen], *features.shape[:2])).astype(np.float16))
        rows["crop"] += list(lf.crop_features(net, scene.rgb, masks[seen])[:, 0].astype(np.float16))
        rows["shape"] += list(lf.shape_facts(masks[seen]))
        rows["noun"] += [chosen[i].noun for i in seen]
        rows["set"] += [chosen[i].origin for i in seen]
        rows["drawing"] += [chosen[i].name for i in seen]
        rows["sheet"] += [shown * len(drawings) + sheet] * len(seen)
        if sheet % 100 == 99:
            print(shown, sheet + 1, "sheets", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "net", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    drawings = named(args.data / "drawings")
    print(len(drawings), "drawings of", len({d.noun for d in drawings}), "nouns")
    with ProcessPoolExecutor(EACH) as pool:
        parts = list(pool.map(partial(showing, drawings, args.net), range(EACH)))
    np.savez_compressed(args.out, **{k: np.array([row for part in parts for row in part[k]]) for k in parts[0]})


if __name__ == "__main__":
    main()

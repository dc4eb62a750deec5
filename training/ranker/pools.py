"""What `find` has to choose from on the training pictures: all proposals and their features.

python training/ranker/pools.py --data DIR --shared DIR --out pools.npz

Of the sheets of drawings.py only what wholes.py reads is kept.
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

import numpy as np
from drawings import sheets
from pictures import ccp_pictures, coco_pictures, drawn_pictures

from maskwright.assemble.finding import Finder
from maskwright.finding.counting import Meter
from maskwright.models.rankers import lite_features as lf
from maskwright.models.rankers.lite import WEIGHTS
from maskwright.models.rankers.lite_wholes import seen_around
from maskwright.models.weights import locate, onnx_session
from maskwright.values import Image, MaskStack

BIG = 0.001
"""Smallest share of the picture of a region that phrases are made for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "shared", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=100)
    parser.add_argument("--ccp", type=int, default=60)
    parser.add_argument("--sheets", type=int, default=300)
    args = parser.parse_args()
    net, finder, out = onnx_session(locate(WEIGHTS) / "ranker_lite.onnx", threads=1), Finder(), {}
    pictures = [*coco_pictures(args.data, args.shared), *drawn_pictures(args.data, args.drawn)]
    pictures += ccp_pictures(args.data, args.shared, args.ccp)
    for number, picture in enumerate(chain(pictures, sheets(args.data / "drawings", args.sheets))):
        if number % 20 == 19:
            print(number + 1, "of", len(pictures) + args.sheets, flush=True)
        if sum(r.mask.mean() >= BIG for r in picture.regions if not r.crowd) < 2:
            continue
        pool = (session := finder.session(Image(picture.pixels()))).pool((), "", Meter())
        regions_seen = session.engines.ranker.encode(session.shown, pool.masks)
        dense, shape = regions_seen.data["dense"], regions_seen.data["shape"]
        features = lf.feature_map(net, session.shown.pixels)
        looks, facts = seen_around(features, dense, shape, pool.masks)
        things = np.array([r.mask for r in picture.regions if r.kind != "stuff" and not r.crowd])
        whole = pool.stack.iou(MaskStack.of(things)).max(axis=1) if len(things) else np.zeros(len(pool))
        out[f"{picture.key}/whole"] = whole.astype(np.float32)
        out[f"{picture.key}/looks"], out[f"{picture.key}/facts"] = looks.astype(np.float16), facts
        if number >= len(pictures):
            continue
        out[f"{picture.key}/masks"] = np.packbits(pool.masks)
        out[f"{picture.key}/size"] = np.array(pool.masks.shape)
        out[f"{picture.key}/dense"] = dense.astype(np.float16)
        out[f"{picture.key}/shape"] = shape
        out[f"{picture.key}/crop"] = lf.crop_features(net, session.shown.pixels, pool.masks)[:, 0].astype(np.float16)
    np.savez_compressed(args.out, **out)


if __name__ == "__main__":
    main()

"""Learn which regions of a picture are of one kind, and add that to the ranker's tables.

    python training/ranker/kin.py --data DIR --shared DIR --pools pools.npz \\
        --tables ranker_lite.safetensors half0.safetensors half1.safetensors

Pairs of the product's own proposals (pools.py) on photographs and drawings that lie apart, one of them a true thing:
a logistic model of how alike they look tells whether the other is a thing of the same name. Most pairs are not, so only
some of those are drawn, and the chances are meant for comparing. Printed figures are out of fold, by picture.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from abstain import named
from numpy.typing import NDArray
from pictures import Picture, coco_pictures, drawn_pictures
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from train import write_safetensors

from maskwright.models.rankers.lite_kin import AXES, Kin, apart
from maskwright.models.rankers.lite_tables import read_tables
from maskwright.values import MaskStack

MOST = {True: 150, False: 450}
"""Pairs of one kind and of two kinds that a picture gives at most."""
FOLDS = 5


def names_of(picture: Picture, masks: NDArray[np.bool_]) -> list[set[str]]:
    """The nouns of the true regions that each proposal shows."""
    regions = [r for r in picture.regions if not r.crowd]
    size = masks.shape[:0:-1]
    truth = [cv2.resize(r.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0 for r in regions]
    hits = MaskStack.of(masks).iou(MaskStack.of(np.stack(truth))) >= 0.5
    return [{named(regions[k], picture) for k in np.flatnonzero(row)} - {""} for row in hits]


def axes_of(dense: list[NDArray]) -> Kin:
    """What to measure regions along: a model that weighs nothing yet."""
    rooted = [np.sqrt(np.maximum(d.astype(np.float32), 0)) for d in dense]
    everything = np.concatenate(rooted)
    mean, spread = everything.mean(0), everything.std(0) + np.float32(0.05)
    own = np.concatenate([(r - mean) / spread - ((r - mean) / spread).mean(0) for r in rooted])
    extent, axes = np.linalg.eigh(np.cov(own.T))
    last = AXES[-1]
    return Kin(mean, spread, axes[:, ::-1][:, :last].astype(np.float32), extent[::-1][:last].astype(np.float32),
               np.zeros(8, np.float32), 0.0)  # fmt: skip


def pairs_of(kin: Kin, dense: NDArray, masks: NDArray, names: list[set[str]], rng) -> tuple[NDArray, NDArray]:
    """Likeness (N, 8) of some pairs, and whether they are of one kind."""
    first, second = np.where(apart(masks) & np.array([bool(n) for n in names])[:, None])
    same = np.array([bool(names[i] & names[k]) for i, k in zip(first, second)], dtype=bool)
    kept = np.concatenate([rng.permutation(np.flatnonzero(same == kind))[:most] for kind, most in MOST.items()])
    return kin.likeness(dense, masks)[first[kept], second[kept]], same[kept]


def fitted(X: NDArray, y: NDArray) -> LogisticRegression:
    return LogisticRegression(C=10, max_iter=500).fit(X, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "shared", "pools"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--tables", type=Path, nargs="+", required=True)
    parser.add_argument("--drawn", type=int, default=100)
    args = parser.parse_args()
    store = np.load(args.pools)
    keys = {k.rsplit("/", 1)[0] for k in store.files}
    pictures = [*coco_pictures(args.data, args.shared), *drawn_pictures(args.data, args.drawn)]
    pictures = [p for p in pictures if p.key in keys]
    dense = [store[f"{p.key}/dense"].astype(np.float32) for p in pictures]
    kin, rng, parts = axes_of(dense), np.random.default_rng(0), []
    for number, (picture, seen) in enumerate(zip(pictures, dense)):
        size = store[f"{picture.key}/size"]
        masks = np.unpackbits(store[f"{picture.key}/masks"], count=int(np.prod(size))).reshape(size).view(bool)
        X, y = pairs_of(kin, seen, masks, names_of(picture, masks), rng)
        parts.append((X, y, np.full(len(y), number), np.full(len(y), picture.source != "drawn")))
    X, y, picture, photo = (np.concatenate(column) for column in zip(*parts))
    chances = np.zeros(len(y))
    for fold in range(FOLDS):
        test = picture % FOLDS == fold
        chances[test] = fitted(X[~test], y[~test]).predict_proba(X[test])[:, 1]
    for name, mine in (("photographs", photo), ("drawings", ~photo)):
        print(f"{name}: {mine.sum()} pairs, ROC {roc_auc_score(y[mine], chances[mine]):.3f}")
    model = fitted(X, y)
    kin = replace(kin, weights=model.coef_[0].astype(np.float32), offset=float(model.intercept_[0]))
    for path in args.tables:
        kept = {name: np.ascontiguousarray(value) for name, value in read_tables(path).items()}
        write_safetensors(path, {**kept, **tables_of(kin)})
        print(path, path.stat().st_size, "bytes")


def tables_of(kin: Kin) -> dict[str, NDArray]:
    arrays = {name: getattr(kin, name) for name in ("mean", "spread", "extent", "weights")}
    out = {f"kin_{name}": np.ascontiguousarray(value) for name, value in arrays.items()}
    return out | {"kin_axes": np.ascontiguousarray(kin.axes.astype(np.float16)),
                  "kin_offset": np.array([kin.offset], np.float32)}  # fmt: skip


if __name__ == "__main__":
    main()

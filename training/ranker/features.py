"""Features of true regions, of wrong ones (pieces, mergers, background) and of proposals, made by the product's own code.

python training/ranker/features.py --data DIR --shared DIR --net ranker_lite.onnx --out features.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pictures import Picture, Region, ccp_pictures, coco_pictures
from skimage.segmentation import slic

from maskwright.models.proposers.lite import LiteProposer
from maskwright.models.rankers import lite_features as lf
from maskwright.values import Image

SMALLEST = 80


def wrong_regions(pixels: NDArray, regions: list[Region], rng: np.random.Generator, n: int) -> list[NDArray]:
    """Masks a proposer may make that are not a whole thing: halves, cores, swollen ones, mergers, superpixels."""
    out: list[NDArray] = []
    things = [r.mask for r in regions if r.mask.sum() > 400]
    for mask in things:
        kind = rng.integers(0, 4)
        if kind == 0:
            out.append(_half(mask, rng))
        elif kind == 1 and len(things) > 1:
            out.append(mask | things[rng.integers(len(things))])
        elif kind == 2:
            k = max(3, int(np.sqrt(mask.sum()) * rng.uniform(0.3, 0.7)) | 1)
            out.append(cv2.dilate(mask.astype(np.uint8), np.ones((k, k), np.uint8)) > 0)
        else:
            out.append(_half(_half(mask, rng), rng))
    parts = slic(cv2.resize(pixels, None, fx=0.25, fy=0.25), n_segments=int(rng.integers(12, 60)), start_label=0)
    parts = cv2.resize(parts.astype(np.int32), pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    for v in rng.permutation(parts.max() + 1)[:n]:
        out.append(parts == v)
    rng.shuffle(out)
    return [m for m in out if m.sum() >= SMALLEST][: 2 * n]


def _half(mask: NDArray, rng: np.random.Generator) -> NDArray:
    ys, xs = np.nonzero(mask)
    angle = rng.uniform(0, 2 * np.pi)
    along = xs * np.cos(angle) + ys * np.sin(angle)
    keep = along > np.quantile(along, rng.uniform(0.4, 0.75))
    out = np.zeros_like(mask)
    out[ys[keep], xs[keep]] = True
    return out


def proposed(proposer, pixels: NDArray, rng: np.random.Generator, n: int) -> list[NDArray]:
    """Some of what the product's own proposer gives, good and bad."""
    found = proposer.propose(Image(pixels)).masks
    return [found[i] for i in rng.permutation(len(found))[:n] if found[i].sum() >= SMALLEST]


def describe(session, proposer, picture: Picture, rng: np.random.Generator, wrong: int) -> dict[str, NDArray]:
    pixels = picture.pixels()
    regions = [r for r in picture.regions if r.mask.sum() >= SMALLEST]
    masks = [r.mask for r in regions] + wrong_regions(pixels, [r for r in regions if not r.crowd], rng, wrong)
    masks += proposed(proposer, pixels, rng, 4 * wrong)
    stack = np.stack(masks)
    features = lf.feature_map(session, pixels)
    dense = lf.pooled(features, lf.coarse(stack, *features.shape[:2]))
    crops = lf.crop_features(session, pixels, stack)
    flat = stack.reshape(len(stack), -1).astype(np.float32)
    inter = flat @ flat[: len(regions)].T
    area = flat.sum(1)
    iou = inter / (area[:, None] + area[None, : len(regions)] - inter)
    return {
        "dense": dense.astype(np.float16), "crop": crops.astype(np.float16), "shape": lf.shape_facts(stack),
        "scene": features.mean(axis=(0, 1)).astype(np.float16), "iou": iou.astype(np.float32),
        "names": np.array([r.name for r in regions]), "kinds": np.array([r.kind for r in regions]),
        "crowd": np.array([r.crowd for r in regions]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--net", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ccp", type=int, default=120)
    args = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(args.net), options)
    pictures = [*coco_pictures(args.data, args.shared), *ccp_pictures(args.data, args.shared, args.ccp)]
    out: dict[str, NDArray] = {}
    proposer = LiteProposer()
    for i, picture in enumerate(p for p in pictures if p.regions):
        wrong = 6 if picture.source == "coco" else 3
        for key, value in describe(session, proposer, picture, np.random.default_rng(i), wrong).items():
            out[f"{picture.key}/{key}"] = value
    np.savez_compressed(args.out, **out)
    print(len(out) // 8, "pictures")


if __name__ == "__main__":
    main()

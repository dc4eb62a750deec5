"""Packs Clothing Co-Parsing for training: JPEG bytes and label maps in the product's vocabulary, 384 pixels high.

    python training/parser/pictures.py --ccp DIR --pets DIR --never not_for_training.json --never-images DIR \\
        --out pack.npz

The source calls face, arms and legs all "skin"; the face is split off here as the skin of the head: within the top
seventh of the figure and joined to hair, hat or glasses (else its highest piece).
Pictures of animals serve as other grounds to paste figures on.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path

import cv2
import numpy as np
from labels import BACKGROUND, FACE, HAIR, HAT, OTHER, SKIN, mapping
from scipy.io import loadmat

HIGH = 384
HEADS = 6.6


def with_face(labels: np.ndarray) -> np.ndarray:
    """The label map with the head's skin called face."""
    rows = np.flatnonzero((labels != BACKGROUND).any(axis=1))
    if not rows.size:
        return labels
    top, high = rows[0], rows[-1] - rows[0] + 1
    head = np.zeros(labels.shape, np.uint8)
    head[top : top + max(1, round(high / HEADS))] = 1
    kin = np.isin(labels, (HAIR, HAT, OTHER)).astype(np.uint8)
    near = cv2.dilate(kin * head, np.ones((9, 9), np.uint8))
    count, parts = cv2.connectedComponents(((labels == SKIN) & (head > 0)).astype(np.uint8))
    out = labels.copy()
    for i in range(1, count):
        if near[parts == i].any():
            out[parts == i] = FACE
    if count > 1 and not (out == FACE).any():  # bald, or all hair hidden: the highest skin of the head
        highest = parts[parts > 0][0]
        out[parts == highest] = FACE
    return out


def shrunk(path: Path) -> np.ndarray | None:
    """RGB of a file, 384 pixels high."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        return None
    wide = max(1, round(bgr.shape[1] * HIGH / bgr.shape[0]))
    return cv2.cvtColor(cv2.resize(bgr, (wide, HIGH), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


def packed(rgb: np.ndarray) -> bytes:
    """JPEG bytes."""
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def held_out(identity: str) -> bool:
    """Whether a picture belongs to the test split: one in twelve, by its name alone."""
    return zlib.crc32(identity.encode()) % 12 == 0


def main() -> None:
    """Packs every allowed picture."""
    ask = argparse.ArgumentParser()
    for name in ("--ccp", "--pets", "--never", "--never-images", "--out"):
        ask.add_argument(name, type=Path, required=True)
    a = ask.parse_args()
    banned = set(json.loads(a.never.read_text())["ccp_ids"])
    banned |= {p.stem[4:] for p in a.never_images.glob("ccp_*")}
    names = [str(n[0]) if len(n) else "null" for n in loadmat(a.ccp / "label_list.mat")["label_list"][0]]
    table = np.array(mapping(names), np.uint8)
    records = []
    for path in sorted((a.ccp / "annotations/pixel-level").glob("*.mat")):
        rgb = shrunk(a.ccp / "photos" / f"{path.stem}.jpg")
        if path.stem in banned or rgb is None:
            continue
        truth = with_face(table[loadmat(path)["groundtruth"]])
        truth = cv2.resize(truth, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        records.append(
            {"id": path.stem, "jpeg": packed(rgb), "labels": zlib.compress(truth.tobytes()), "size": rgb.shape[:2]}
        )
    grounds = [packed(g) for p in sorted((a.pets / "images").glob("*.jpg")) if (g := shrunk(p)) is not None]
    np.savez(a.out, records=np.array(records, dtype=object), grounds=np.array(grounds, dtype=object))
    print(len(records), "figures,", sum(held_out(r["id"]) for r in records), "held out,", len(grounds), "grounds")


if __name__ == "__main__":
    main()

"""Prints how far DiffuEraser is from its recordings: `python diffueraser_compare.py step|lora|cfg FOLDER`.

step: the largest relative difference; lora, cfg: the largest difference in grey levels and how many bytes differ.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from PIL import Image as Pil
from safetensors.torch import load_file

from maskwright.models.fillers.diffueraser.filler import LAYOUT, load_models
from maskwright.models.fillers.diffueraser.networks import BrushNet, MotionUnet, load_network
from maskwright.models.fillers.diffueraser.painting import Painter, Scene, Wish
from maskwright.models.fillers.diffueraser.pictures import blend, hole
from maskwright.models.torching import Place

SIZE = (256, 144)
WISHES = {
    "lora": Wish(seed=5, draw_seed=123),
    "cfg": Wish("a sunny park", "blurry", 2.0, seed=5, draw_seed=123),
}


def compare_step(folder: Path) -> float:
    """The largest difference of any recorded tensor, as a share of its largest value."""
    recorded = load_file(folder / "reference_step.safetensors")
    brushnet = load_network(BrushNet, folder / "weights/diffuEraser/brushnet")
    unet = load_network(MotionUnet, folder / "weights/diffuEraser/unet_main")
    worst = 0.0
    with torch.inference_mode():
        for shape, frames in (("a", 22), ("cfg", 6), ("odd", 5)):
            x, t, text, condition = (recorded[f"{shape}.{name}"] for name in ("x", "t", "e", "cond"))
            made = brushnet(x, t, text.repeat_interleave(frames, 0), condition)
            got = {"m": made.middle, "y": unet(x, t, text, frames, made), "y0": unet(x, t, text, frames)}
            got |= {f"d.{i}": v for i, v in enumerate(made.down)} | {f"up.{i}": v for i, v in enumerate(made.up)}
            for name, value in got.items():
                wanted = recorded[f"{shape}.{name}"]
                worst = max(worst, float((value - wanted).abs().max() / wanted.abs().max()))
    return worst


def compare_clip(folder: Path, recording: str) -> tuple[int, int]:
    """(largest difference in grey levels, bytes that differ) of the composed frames."""
    with av.open(str(folder / "video.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    prior = _read(folder / "priori.mp4")
    grey = [np.asarray(Pil.fromarray(frame).convert("L")) for frame in _read(folder / "mask.mp4")]
    holes = [hole(mask > 0, SIZE, 8) for mask in grey]
    scene = Scene(len(frames), SIZE, frames.__getitem__, holes.__getitem__, prior.__getitem__)
    places = {part: folder / "weights" / name for part, name in LAYOUT.items()}
    models = load_models(places, Place("cpu", torch.float32), steps=2)
    with torch.inference_mode():
        painted = Painter(models, scene, WISHES[recording], lambda what, done, total: None).paint()
        made = np.stack([blend(p, f, h) for p, f, h in zip(painted, frames, holes)])
    wanted = load_file(folder / f"reference_{recording}.safetensors")["frames"].numpy()
    difference = np.abs(made.astype(int) - wanted)
    return int(difference.max()), int(np.count_nonzero(difference))


def _read(path: Path) -> list[Any]:
    """Frames as the published code reads them: by OpenCV."""
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(np.ascontiguousarray(read[1][..., ::-1]))
    return frames


if __name__ == "__main__":
    part, where = sys.argv[1], Path(sys.argv[2])
    print(compare_step(where) if part == "step" else "{} {}".format(*compare_clip(where, part)))

"""Small clips to erase from: a textured ground that pans under a red ball, with the truth beneath it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.media.images import save_mask
from maskwright.media.videos import write_clip
from maskwright.values import Mask


def ball_clip(
    count: int = 12, size: tuple[int, int] = (96, 64), *, pan: int = 1, roll: int = 4
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """(frames, masks, truth): the ground moves `pan` pixels a frame, the ball `roll`."""
    width, height = size
    ground = np.random.default_rng(3).integers(0, 255, (height, width + pan * count, 3)).astype(np.uint8)
    ground = cv2.normalize(cv2.GaussianBlur(ground, (0, 0), 2.5), None, 20, 235, cv2.NORM_MINMAX)
    frames, masks, truth = [], [], []
    for i in range(count):
        seen = ground[:, i * pan : i * pan + width].copy()
        mask = np.zeros((height, width), np.uint8)
        cv2.circle(mask, (14 + roll * i, height // 2), height // 7, 1, -1)
        frame = seen.copy()
        frame[mask > 0] = (230, 30, 30)
        truth.append(seen)
        masks.append(mask > 0)
        frames.append(frame)
    return frames, masks, truth


def write_ball(
    folder: Path, count: int = 12, size: tuple[int, int] = (96, 64), *, name: str = "ball", suffix: str = ""
) -> Path:
    """A folder of frames, or a lossless .mkv, and `name`_masks/ in the folder; returns the clip's path."""
    frames, masks, _ = ball_clip(count, size)
    for i, mask in enumerate(masks):
        save_mask(folder / f"{name}_masks" / f"{i:05d}.png", Mask(mask))
    return write_clip(folder / f"{name}{suffix}", frames, rate=Fraction(24000, 1001), lossless=True)


def five_clips(folder: Path) -> list[dict[str, Any]]:
    """What a data set of five clips lists; the third lacks one mask."""
    specs = []
    for number in range(5):
        clip = write_ball(folder, 4, name=f"c{number}")
        specs.append({"name": f"c{number}", "video": str(clip), "mask": str(folder / f"c{number}_masks")})
    (folder / "c2_masks" / "00003.png").unlink()
    return specs

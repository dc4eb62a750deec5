"""Pixels in and out: working size, masks, tensors, and the final blend."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pil
from torch import Tensor

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
_FEATHER = (21, 21)


def working_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) multiples of 8, the longer at most `max_side`."""
    ratio = max(1.0, max(width, height) / max_side)
    return (max(8, int(width / ratio) // 8 * 8), max(8, int(height / ratio) // 8 * 8))


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture at `size` = (width, height)."""
    if pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(Pil.fromarray(pixels).resize(size, Pil.Resampling.BICUBIC))


def hole(mask: Bools, size: tuple[int, int], dilate: int) -> Bools:
    """The mask at `size`, rid of single pixels and grown by `dilate` pixels (0: as it is)."""
    m = mask.astype(np.uint8)
    if mask.shape[::-1] != size:
        m = cv2.resize(m, size, interpolation=cv2.INTER_NEAREST)
    if dilate:
        square = np.ones((3, 3), np.uint8)
        m = cv2.dilate(cv2.erode(m, square), square, iterations=dilate)
    return m.astype(np.bool_)


def to_tensor(pixels: Pixels) -> Tensor:
    """(1, 3, H, W) float32 from -1 to 1."""
    scaled = torch.from_numpy(pixels.astype(np.float32) / 255.0).permute(2, 0, 1)[None]
    return 2.0 * scaled - 1.0


def to_pixels(tensor: Tensor) -> Pixels:
    """(H, W, 3) uint8 from (1, 3, H, W)."""
    scaled = (tensor[0].float() * 0.5 + 0.5).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return np.asarray((scaled * 255).round(), dtype=np.uint8)


def blend(painted: Pixels, frame: Pixels, mask: Bools) -> Pixels:
    """Painted inside the mask, the frame outside, feathered over about ten pixels beyond its edge."""
    if not mask.any():
        return frame
    inside = mask.astype(np.uint8) * 255
    soft = cv2.GaussianBlur(inside, _FEATHER, 0) / 255.0
    alpha = ((1 - (1 - inside / 255.0) * (1 - soft)) * 255).astype(np.uint8)
    weight = (alpha.astype(np.float32) / 255.0)[:, :, None]
    return np.asarray(painted * weight + frame * (1 - weight)).astype(np.uint8)

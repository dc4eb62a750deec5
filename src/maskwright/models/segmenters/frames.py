"""How a picture is laid into a SAM-like network's square, and how points go in and masks come out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pil
from torch import Tensor
from torch.nn import functional as F

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class Square:
    """The network's square of `side` pixels for a picture of `size` (width, height). `keep`: the aspect is kept and
    the rest, right and below, is empty (SAM, SAM-HQ); else the picture is stretched (SAM 2 and later)."""

    size: tuple[int, int]
    side: int
    keep: bool
    colours: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET

    @property
    def used(self) -> tuple[int, int]:
        """(width, height) of the picture inside the square."""
        if not self.keep:
            return (self.side, self.side)
        scale = self.side / max(self.size)
        return (max(1, int(self.size[0] * scale + 0.5)), max(1, int(self.size[1] * scale + 0.5)))

    def read(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(1, 3, side, side) float32, colours centred."""
        mean, spread = (torch.tensor(c).view(1, 3, 1, 1) for c in self.colours)
        width, height = self.used
        if self.keep:
            small = np.array(Pil.fromarray(pixels).resize((width, height), Pil.Resampling.BILINEAR))
            tensor = (torch.from_numpy(small).permute(2, 0, 1)[None].float() - 255 * mean) / (255 * spread)
        else:
            whole = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
            shown = F.interpolate(whole, (height, width), mode="bilinear", align_corners=False, antialias=True)
            tensor = (shown - mean) / spread
        return F.pad(tensor, (0, self.side - width, 0, self.side - height))

    def points(self, xy: Any) -> NDArray[np.float32]:
        """(..., 2) points of the picture as the network counts them."""
        scale = (self.used[0] / self.size[0], self.used[1] / self.size[1])
        return (np.asarray(xy, dtype=np.float64) * scale).astype(np.float32)

    def logits(self, low: Tensor) -> Tensor:
        """(B, K, H, W) at the picture's size from (B, K, h, w): both bilinear steps of the networks' own code, made
        one product a side, which is faster and needs no square in between."""
        down = _enlarger(low.shape[-2], self.side, self.used[1], self.size[1], self.keep).to(low)
        across = _enlarger(low.shape[-1], self.side, self.used[0], self.size[0], self.keep).to(low)
        return down @ low @ across.T


@lru_cache(maxsize=64)
def _enlarger(low: int, side: int, used: int, full: int, keep: bool) -> Tensor:
    """(full, low): what one axis of a map becomes at the picture's size."""
    line = torch.eye(low)[:, None]
    if keep:
        line = F.interpolate(line, side, mode="linear", align_corners=False)[..., :used]
    return F.interpolate(line, full, mode="linear", align_corners=False)[:, 0].T.contiguous()

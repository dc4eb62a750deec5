"""The click network: one encoder pass a picture, one light decoder pass a batch of prompts.

Shapes: pictures (B, 3, H, W) float32 RGB 0..255 with H and W multiples of 32. The encoder gives
`embedding` (B, 64, H/8, W/8), `keys` (B, 32, H/8, W/8, unit length) and `skip` (B, 32, H/4, W/4).
The decoder takes those of one picture a prompt, the prompts, and the previous logits, and gives
`logits` (N, 4, H/4, W/4) and `scores` (N, 4), the predicted IoU of each hypothesis.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, KEYS, FINE, HYPOTHESES = 64, 32, 32, 4
# (repeats, kernel, stride, expansion, channels out) of EfficientNet-Lite0
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = {2: 24, 4: 40, 10: 112, 15: 320}  # block index -> channels: strides 4, 8, 16, 32
FROZEN_BLOCKS = 3


class SameConv(nn.Module):
    """A convolution with a bias and the asymmetric padding its pretrained weights expect."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__()
        low = (kernel - stride) // 2 if stride > 1 else kernel // 2
        self.pads = (low, kernel - stride - low) * 2 if stride > 1 else None
        self.conv = nn.Conv2d(inside, out, kernel, stride, 0 if stride > 1 else kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, self.pads) if self.pads else x)


class InvertedBlock(nn.Module):
    """One EfficientNet-Lite block, its batch norms folded into its convolutions."""

    def __init__(self, inside: int, out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inside * expansion
        self.expand = SameConv(inside, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, out, 1)
        self.residual = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class Backbone(nn.Module):
    """EfficientNet-Lite0 without its head: features at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        blocks, inside = [], 32
        for repeats, kernel, stride, expansion, out in STAGES:
            for i in range(repeats):
                blocks.append(InvertedBlock(inside, out, kernel, stride if i == 0 else 1, expansion))
                inside = out
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        taps = []
        with torch.set_grad_enabled(False):
            x = F.relu6(self.stem((x - 127.0) / 128.0))
            for block in self.blocks[:FROZEN_BLOCKS]:
                x = block(x)
        taps.append(x)
        for i in range(FROZEN_BLOCKS, len(self.blocks)):
            x = self.blocks[i](x)
            if i in TAPS:
                taps.append(x)
        return taps


class ChannelNorm(nn.Module):
    """Layer norm over the channels of every place."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Depthwise convolution, norm, two linear maps, residual."""

    def __init__(self, width: int, kernel: int = 3, expansion: int = 2):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, width * expansion)
        self.narrow = nn.Linear(width * expansion, width)
        self.gain = nn.Parameter(torch.full((width,), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = F.relu(self.wide(self.norm(y)))
        y = F.linear(y, self.narrow.weight * self.gain[:, None], self.narrow.bias * self.gain)
        return x + y.permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """Picture -> embedding, keys, skip: a feature pyramid over the backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.sides = nn.ModuleList([nn.Conv2d(c, WIDTH, 1) for c in (40, 112, 320)])
        self.blocks = nn.ModuleList([Block(WIDTH), Block(WIDTH)])
        self.skip = nn.Conv2d(24, FINE, 1)
        self.fine = nn.Conv2d(WIDTH, FINE, 1)
        self.keys = nn.Conv2d(WIDTH + 40, KEYS, 1)
        self.norm = ChannelNorm(WIDTH)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.pyramid(*self.backbone(picture))

    def pyramid(self, s4: Tensor, s8: Tensor, s16: Tensor, s32: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Everything above the backbone."""
        deep = self.sides[1](s16) + enlarge(self.sides[2](s32))
        deep = self.blocks[0](deep)
        x = self.blocks[1](self.sides[0](s8) + enlarge(deep))
        x = self.norm(x)
        keys = self.keys(torch.cat([x, s8], 1))
        keys = keys / (keys.pow(2).sum(1, keepdim=True) + 1e-6).sqrt()
        return x, keys, self.skip(s4) + enlarge(self.fine(x))


def enlarge(x: Tensor) -> Tensor:
    """Twice the size, bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def places(like: Tensor, stride: float) -> tuple[Tensor, Tensor]:
    """Pixel centres (H, 1) and (1, W) of a map of this stride."""
    ys = (torch.arange(like.shape[-2], device=like.device, dtype=torch.float32) + 0.5) * stride
    xs = (torch.arange(like.shape[-1], device=like.device, dtype=torch.float32) + 0.5) * stride
    return ys[:, None], xs[None, :]


def click_maps(points: Tensor, labels: Tensor, like: Tensor) -> Tensor:
    """(N, 4, h, w): a small disk and a wide fall-off about the nearest click of each sign."""
    ys, xs = places(like, 4.0)
    square = (ys - points[..., 1, None, None]) ** 2 + (xs - points[..., 0, None, None]) ** 2
    maps = []
    for sign in (1.0, 0.0):
        far = (labels != sign).to(square.dtype)[..., None, None] * 1e8
        nearest = (square + far).amin(1, keepdim=True)
        maps += [torch.exp(-nearest / 72.0), 1.0 / (1.0 + nearest.clamp(max=1e7).sqrt() / 40.0)]
    return torch.cat(maps, 1)


def box_map(boxes: Tensor, has_box: Tensor, like: Tensor) -> Tensor:
    """(N, 2, h, w): signed, softened distance to the box sides, and whether there is a box."""
    ys, xs = places(like, 4.0)
    x0, y0, x1, y1 = (boxes[:, i, None, None] for i in range(4))
    inside = torch.minimum(torch.minimum(xs - x0, x1 - xs), torch.minimum(ys - y0, y1 - ys))
    on = has_box[:, None, None]
    return torch.stack([torch.tanh(inside / 16.0) * on, torch.ones_like(inside) * on], 1)


def at_points(maps: Tensor, points: Tensor) -> Tensor:
    """Features (N, P, C) of stride-8 maps (N, C, h, w) under points (N, P, 2) in pixels."""
    h, w = maps.shape[-2], maps.shape[-1]
    x = (points[..., 0] / 8.0).floor().clamp(0, w - 1)
    y = (points[..., 1] / 8.0).floor().clamp(0, h - 1)
    index = (y * w + x).long()
    flat = maps.flatten(2).transpose(1, 2)
    return torch.gather(flat, 1, index[..., None].expand(-1, -1, flat.shape[-1]))


def pooled(maps: Tensor, weight: Tensor) -> Tensor:
    """The weighted mean (N, C) of maps (N, C, h, w) under weights (N, 1, h, w)."""
    total = weight.sum((2, 3)) + 1e-3
    return (maps * weight).sum((2, 3)) / total


class Decoder(nn.Module):
    """Prompts and embedding -> four mask hypotheses and their predicted IoU."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = nn.Conv2d(8, WIDTH, 4, 2, 1)
        self.alike = nn.Conv2d(7, WIDTH, 1)
        self.film = nn.Linear(4 * WIDTH + 4, 2 * WIDTH)
        deep = 96
        self.at8 = nn.ModuleList([Block(WIDTH), Block(WIDTH)])
        self.down16 = nn.Conv2d(WIDTH, deep, 2, 2)
        self.at16 = nn.ModuleList([Block(deep), Block(deep), Block(deep)])
        self.down32 = nn.Conv2d(deep, deep, 2, 2)
        self.at32 = nn.ModuleList([Block(deep), Block(deep)])
        self.context = nn.Linear(deep, deep)
        self.up16 = Block(deep)
        self.up8 = nn.Conv2d(deep, WIDTH, 1)
        self.out8 = nn.ModuleList([Block(WIDTH), Block(WIDTH), Block(WIDTH)])
        self.coarse = nn.Conv2d(WIDTH, HYPOTHESES, 1)
        self.to4 = nn.Conv2d(WIDTH, FINE, 1)
        self.prompt4 = nn.Conv2d(8, FINE, 3, padding=1)
        self.at4 = nn.ModuleList([Block(FINE, 3, 2), Block(FINE, 3, 2), Block(FINE, 3, 2)])
        self.masks = nn.Conv2d(FINE, HYPOTHESES, 1)
        self.judge = nn.Sequential(nn.Linear(2 * WIDTH + 4, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))
        with torch.no_grad():
            self.coarse.bias.copy_(torch.tensor([-1.0, -2.0, -1.0, 0.0]))

    def forward(
        self,
        embedding: Tensor,
        keys: Tensor,
        skip: Tensor,
        points: Tensor,
        labels: Tensor,
        boxes: Tensor,
        has_box: Tensor,
        previous: Tensor,
        has_previous: Tensor,
    ) -> tuple[Tensor, Tensor]:
        prior = torch.sigmoid(previous.clamp(-8, 8)) * has_previous[:, None, None, None]
        box = box_map(boxes, has_box, skip)
        maps = torch.cat(
            [click_maps(points, labels, skip), box, prior, torch.ones_like(prior) * has_previous[:, None, None, None]],
            1,
        )
        guess = self.guess(prior, box, has_previous)
        alike = self.likeness(keys, points, labels, guess)
        x = embedding + self.prompt(maps) + self.alike(alike)
        x = self.modulated(x, embedding, points, labels, guess, has_box, has_previous)
        x = self.body(x)
        fine = enlarge(self.to4(x)) + skip + self.prompt4(maps)
        for block in self.at4:
            fine = block(fine)
        logits = self.masks(fine) + enlarge(self.coarse(x))
        return logits, self.quality(x, logits)

    def guess(self, prior: Tensor, box: Tensor, has_previous: Tensor) -> Tensor:
        """(N, 1, h8, w8): where the object seems to be: the previous mask, else the box."""
        on = has_previous[:, None, None, None]
        seen = prior * on + (1 - on) * box[:, :1].clamp(min=0)
        return F.avg_pool2d(seen, 2)

    def likeness(self, keys: Tensor, points: Tensor, labels: Tensor, guess: Tensor) -> Tensor:
        """(N, 7, h8, w8): cosine of every place with the clicks and with inside and outside of the guess."""
        n, _c, h, w = keys.shape
        flat = keys.flatten(2)
        cosine = torch.bmm(at_points(keys, points), flat)
        out = []
        for sign in (1.0, 0.0):
            is_sign = (labels == sign).to(cosine.dtype)[..., None]
            any_sign = is_sign.amax(1)
            best = (cosine * is_sign - (1 - is_sign) * 2).amax(1) * any_sign - (1 - any_sign)
            mean = (cosine * is_sign).sum(1) / is_sign.sum(1).clamp(min=1.0)
            out += [best, mean]
        both = torch.stack([pooled(keys, guess), pooled(keys, 1 - guess)], 1)
        both = both / (both.pow(2).sum(-1, keepdim=True) + 1e-4).sqrt()
        regions = torch.bmm(both, flat)
        out += [regions[:, 0], regions[:, 1], regions[:, 0] - regions[:, 1]]
        return torch.stack(out, 1).reshape(n, 7, h, w)

    def modulated(
        self,
        x: Tensor,
        embedding: Tensor,
        points: Tensor,
        labels: Tensor,
        guess: Tensor,
        has_box: Tensor,
        has_previous: Tensor,
    ) -> Tensor:
        """Scales and shifts the channels by what lies under the prompts."""
        under = at_points(embedding, points)
        parts = []
        for sign in (1.0, 0.0):
            is_sign = (labels == sign).to(under.dtype)[..., None]
            parts.append((under * is_sign).sum(1) / is_sign.sum(1).clamp(min=1.0))
        parts += [pooled(embedding, guess), embedding.mean((2, 3))]
        counts = [(labels == s).to(under.dtype).sum(1, keepdim=True).clamp(max=10.0) / 5.0 for s in (1.0, 0.0)]
        scale, shift = self.film(torch.cat([*parts, *counts, has_box[:, None], has_previous[:, None]], 1)).chunk(2, 1)
        return x * (1 + scale[..., None, None]) + shift[..., None, None]

    def body(self, x: Tensor) -> Tensor:
        """A small U-shaped stack from stride 8 to 32 and back."""
        for block in self.at8:
            x = block(x)
        mid = self.down16(x)
        for block in self.at16:
            mid = block(mid)
        low = self.down32(mid)
        for block in self.at32:
            low = block(low)
        low = low + self.context(low.mean((2, 3)))[..., None, None]
        mid = self.up16(mid + enlarge(low))
        x = x + self.up8(enlarge(mid))
        for block in self.out8:
            x = block(x)
        return x

    def quality(self, x: Tensor, logits: Tensor) -> Tensor:
        """(N, 4): predicted IoU from the features inside and at the border of each hypothesis."""
        x, logits = x.detach(), logits.detach()
        p = torch.sigmoid(logits)
        edge = p * (1 - p) * 4
        p8, e8 = F.avg_pool2d(p, 2), F.avg_pool2d(edge, 2)
        flat = x.flatten(2).transpose(1, 2)
        inside = torch.bmm(p8.flatten(2), flat) / (p8.sum((2, 3)) + 1e-3)[..., None]
        border = torch.bmm(e8.flatten(2), flat) / (e8.sum((2, 3)) + 1e-3)[..., None]
        area, unsure = p.mean((2, 3)), edge.mean((2, 3))
        firm = (p * p).mean((2, 3)) / (area + 1e-4)
        stable = (logits > 1).to(p.dtype).mean((2, 3)) / ((logits > -1).to(p.dtype).mean((2, 3)) + 1e-4)
        stats = torch.stack([area, unsure / (area + 1e-3), firm, stable], -1)
        return torch.sigmoid(self.judge(torch.cat([inside, border, stats], -1))[..., 0])


class ClickNet(nn.Module):
    """Encoder and decoder together, as trained."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()


def load_backbone(backbone: Backbone, state: dict[str, Tensor]) -> None:
    """Folds the published EfficientNet-Lite0 weights (convolution + batch norm) into the backbone."""

    def fold(target: SameConv, conv: str, norm: str) -> None:
        scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + 1e-3).sqrt()
        with torch.no_grad():
            target.conv.weight.copy_(state[f"{conv}.weight"] * scale[:, None, None, None])
            target.conv.bias.copy_(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale)

    fold(backbone.stem, "_conv_stem", "_bn0")
    for i, block in enumerate(backbone.blocks):
        if block.expand is not None:
            fold(block.expand, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        fold(block.depthwise, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        fold(block.project, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")

"""DiffuEraser's two networks: BrushNet, which looks at what is known, and the motion U-Net, which paints the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from maskwright.errors import MissingWeights, WeightsError
from maskwright.models.fillers.diffueraser.layers import Ladder, Layout, Step

WEIGHTS = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Additions:
    """What BrushNet adds to the U-Net: at its entry and after each layer down, in the middle, after each layer up."""

    down: list[Tensor]
    middle: Tensor
    up: list[Tensor]

    def ordered(self) -> list[Tensor]:
        return [*self.down, self.middle, *self.up]


class BrushNet(Ladder):
    """Reads noisy latents (N, 4, h, w) and the condition (N, 5, h, w): latents of the masked picture and its mask,
    1 where known. Frames are looked at one by one."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        layout = Layout.read(config, motion=False)
        super().__init__(layout)
        self.conv_in_condition = nn.Conv2d(layout.latent + layout.condition, layout.widths[0], 3, padding=1)
        down, middle, up = _widths(layout)
        self.brushnet_down_blocks = nn.ModuleList(nn.Conv2d(width, width, 1) for width in down)
        self.brushnet_mid_block = nn.Conv2d(middle, middle, 1)
        self.brushnet_up_blocks = nn.ModuleList(nn.Conv2d(width, width, 1) for width in up)

    def forward(self, x: Tensor, t: Tensor, text: Tensor, condition: Tensor) -> Additions:
        """`text` (N, L, C), one row a frame."""
        step = Step(self.embed(t, len(x), x.dtype), text)
        x = self.conv_in_condition(torch.cat([x, condition], dim=1))
        skips = [x]
        for stage in self.down_blocks:
            x, made = stage(x, step)
            skips += made
        x = self.mid_block(x, step)
        _, ups = self.climb(x, step, skips)
        return Additions(
            down=[conv(skip) for conv, skip in zip(self.brushnet_down_blocks, skips)],
            middle=self.brushnet_mid_block(x),
            up=[conv(made) for conv, made in zip(self.brushnet_up_blocks, ups)],
        )


class MotionUnet(Ladder):
    """Predicts the noise of latents (B * F, 4, h, w), F frames a clip, under BrushNet's additions."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        layout = Layout.read(config, motion=True)
        super().__init__(layout)
        self.max_frames = layout.motion_length
        self.conv_in = nn.Conv2d(layout.latent, layout.widths[0], 3, padding=1)
        self.conv_norm_out = nn.GroupNorm(layout.groups, layout.widths[0], eps=layout.eps)
        self.conv_out = nn.Conv2d(layout.widths[0], int(config["out_channels"]), 3, padding=1)

    def forward(self, x: Tensor, t: Tensor, text: Tensor, frames: int, additions: Additions | None = None) -> Tensor:
        """`text` (B, L, C), one row a clip."""
        given = None if additions is None else iter(additions.ordered())
        time = self.embed(t, len(text), x.dtype).repeat_interleave(frames, dim=0)
        step = Step(time, text.repeat_interleave(frames, dim=0), frames, given)
        x = self.conv_in(x)
        skips = [x]  # without BrushNet's first addition: so it was trained
        x = step.add(x)
        for stage in self.down_blocks:
            x, made = stage(x, step)
            skips += made
        x, _ = self.climb(self.mid_block(x, step), step, skips)
        out: Tensor = self.conv_out(nn.functional.silu(self.conv_norm_out(x)))
        return out


def _widths(layout: Layout) -> tuple[list[int], int, list[int]]:
    """Channels of each output down (the entry first), in the middle, and up."""
    last = len(layout.widths) - 1
    down = [layout.widths[0]]
    for i, width in enumerate(layout.widths):
        down += [width] * (layout.layers + (i < last))
    up = []
    for i, width in enumerate(layout.widths[::-1]):
        up += [width] * (layout.layers + 1 + (i < last))
    return down, layout.widths[-1], up


def load_network(kind: type[BrushNet] | type[MotionUnet], folder: Path) -> Any:
    """The network in a folder of config.json and diffusion_pytorch_model.safetensors, on the CPU in float32.

    Raises MissingWeights and WeightsError (other architecture, half a file).
    """
    config, state = _read(folder)
    with torch.device("meta"):
        network = kind(config)
    state = {name: tensor.float() for name, tensor in state.items()}
    problems = _problems(network, state)
    if problems:
        raise WeightsError(f"{folder} is not {kind.__name__}: {problems}", "Give DiffuEraser's own folder, whole.")
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not (folder / "config.json").is_file() or not (folder / WEIGHTS).is_file():
        raise MissingWeights(
            f"{folder} holds no config.json and {WEIGHTS}.", "Type: maskwright models pull diffueraser"
        )
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8")), load_file(folder / WEIGHTS)
    except (SafetensorError, ValueError, OSError) as error:
        raise WeightsError(f"{folder} cannot be read: {error}", "Pull it again.") from error


def _problems(network: nn.Module, state: Mapping[str, Tensor]) -> str:
    """ "" when every tensor is there in its shape, else the first few that are not."""
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = [name for name in wanted if given.get(name) != wanted[name]] + [n for n in given if n not in wanted]
    return "" if not wrong else f"{len(wrong)} tensors are missing, unknown or misshapen ({', '.join(wrong[:3])})"

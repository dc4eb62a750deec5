"""What both networks of DiffuEraser are built of: stages of residual, text and motion layers.

The parameter names are those of the published weights, which therefore load unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import Downsample2D, ResnetBlock2D, Upsample2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

from maskwright.errors import WeightsError

_FIXED = {"act_fn": "silu", "downsample_padding": 1, "mid_block_scale_factor": 1, "time_cond_proj_dim": None,
          "encoder_hid_dim": None, "class_embed_type": None, "addition_embed_type": None}  # fmt: skip
_PLAIN_UP_MOTION_GROUPS = 32  # the published network has 32 here whatever norm_num_groups says


@dataclass(frozen=True)
class Layout:
    """The sizes of one network, read from its config.json."""

    latent: int
    condition: int
    widths: tuple[int, ...]
    texts: tuple[bool, ...]
    layers: int
    groups: int
    eps: float
    heads: int
    text_width: int
    linear: bool
    motion_heads: int
    motion_length: int

    @classmethod
    def read(cls, config: Mapping[str, Any], *, motion: bool) -> Layout:
        """Raises WeightsError when the config asks for something DiffuEraser's networks do not have."""
        for name, value in _FIXED.items():
            if config.get(name, value) != value:
                raise WeightsError(
                    f"config.json: {name} = {config[name]!r} is not DiffuEraser.", "Give DiffuEraser's folder."
                )
        try:
            return cls(
                latent=int(config["in_channels"]),
                condition=0 if motion else int(config["conditioning_channels"]),
                widths=tuple(config["block_out_channels"]),
                texts=tuple(str(kind).startswith("CrossAttn") for kind in config["down_block_types"]),
                layers=int(config["layers_per_block"]),
                groups=int(config["norm_num_groups"]),
                eps=float(config["norm_eps"]),
                heads=int(config.get("num_attention_heads") or config["attention_head_dim"]),
                text_width=int(config["cross_attention_dim"]),
                linear=bool(config.get("use_linear_projection", False)),
                motion_heads=int(config["motion_num_attention_heads"]) if motion else 0,
                motion_length=int(config["motion_max_seq_length"]) if motion else 0,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"config.json lacks or garbles {error}.", "Give DiffuEraser's own folder.") from error

    @property
    def time_width(self) -> int:
        return self.widths[0] * 4


@dataclass
class Step:
    """What every layer of one pass sees: time (N, T), text (N, L, C), frames a clip, and BrushNet's additions, which
    the layers take one after the other."""

    time: Tensor
    text: Tensor
    frames: int = 1
    additions: Iterator[Tensor] | None = None

    def add(self, x: Tensor) -> Tensor:
        return x if self.additions is None else x + next(self.additions)


class Motion(nn.Module):  # type: ignore[misc]
    """Attention along time at every place: (B * F, C, H, W) -> the same."""

    def __init__(self, width: int, layout: Layout, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.proj_in = nn.Linear(width, width)
        block = BasicTransformerBlock(
            width,
            layout.motion_heads,
            width // layout.motion_heads,
            activation_fn="geglu",
            double_self_attention=True,
            positional_embeddings="sinusoidal",
            num_positional_embeddings=layout.motion_length,
        )
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Linear(width, width)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        n, c, h, w = x.shape
        # The norm spans the frames of a clip: it sees (B, C, F, H, W).
        y = self.norm(x.reshape(-1, frames, c, h, w).permute(0, 2, 1, 3, 4))
        y = self.proj_in(y.permute(0, 3, 4, 2, 1).reshape(-1, frames, c))
        y = self.proj_out(self.transformer_blocks[0](y))
        y = y.reshape(n // frames, h, w, frames, c).permute(0, 3, 4, 1, 2).contiguous()
        return y.reshape(n, c, h, w) + x


def residual(inside: int, outside: int, layout: Layout) -> nn.Module:
    return ResnetBlock2D(
        in_channels=inside, out_channels=outside, temb_channels=layout.time_width, groups=layout.groups, eps=layout.eps
    )


def attention(width: int, layout: Layout, *, linear: bool) -> nn.Module:
    return Transformer2DModel(
        layout.heads,
        width // layout.heads,
        in_channels=width,
        cross_attention_dim=layout.text_width,
        norm_num_groups=layout.groups,
        use_linear_projection=linear,
    )


class Stage(nn.Module):  # type: ignore[misc]
    """One resolution, down or up: residual layers, with text and motion where the stage has them, then a resize."""

    def __init__(self, layout: Layout, inputs: Sequence[int], width: int, *, text: bool, resize: str) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(residual(inside, width, layout) for inside in inputs)
        self.attentions = self.motion_modules = self.downsamplers = self.upsamplers = None
        if text:
            self.attentions = nn.ModuleList(attention(width, layout, linear=layout.linear) for _ in inputs)
        if layout.motion_heads:
            plain_up = not text and len(inputs) > layout.layers
            groups = _PLAIN_UP_MOTION_GROUPS if plain_up else layout.groups
            self.motion_modules = nn.ModuleList(Motion(width, layout, groups) for _ in inputs)
        if resize == "down":
            self.downsamplers = nn.ModuleList([Downsample2D(width, use_conv=True, padding=1, name="op")])
        if resize == "up":
            self.upsamplers = nn.ModuleList([Upsample2D(width, use_conv=True)])

    def forward(
        self, x: Tensor, step: Step, skips: list[Tensor] | None = None, size: tuple[int, int] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The outcome, and what each layer made; `skips` are used up from the end, `size` is that of an upsampling."""
        made = []
        for i, resnet in enumerate(self.resnets):
            x = resnet(x if skips is None else torch.cat([x, skips.pop()], dim=1), step.time)
            if self.attentions is not None:
                x = self.attentions[i](x, encoder_hidden_states=step.text, return_dict=False)[0]
            x = step.add(x)
            if self.motion_modules is not None:
                x = self.motion_modules[i](x, step.frames)
            made.append(x)
        if self.downsamplers is not None:
            x = step.add(self.downsamplers[0](x))
            made.append(x)
        if self.upsamplers is not None:
            x = step.add(self.upsamplers[0](x, size))
            made.append(x)
        return x, made


class Middle(nn.Module):  # type: ignore[misc]
    """The lowest resolution. With motion, its last residual layer is used twice: the weights were trained so."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        width = layout.widths[-1]
        self.resnets = nn.ModuleList(residual(width, width, layout) for _ in range(2))
        # The published motion network does not hand use_linear_projection to its middle.
        linear = layout.linear and not layout.motion_heads
        self.attentions = nn.ModuleList([attention(width, layout, linear=linear)])
        self.motion_modules = None
        if layout.motion_heads:
            self.motion_modules = nn.ModuleList([Motion(width, layout, layout.groups)])

    def forward(self, x: Tensor, step: Step) -> Tensor:
        x = self.resnets[0](x, step.time)
        x = self.attentions[0](x, encoder_hidden_states=step.text, return_dict=False)[0]
        x = step.add(self.resnets[1](x, step.time))
        if self.motion_modules is not None:
            x = self.resnets[1](self.motion_modules[0](x, step.frames), step.time)
        return x


class Ladder(nn.Module):  # type: ignore[misc]
    """The stages of a U-shaped network, and the embedding of its time step."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.time_proj = Timesteps(layout.widths[0], True, 0)
        self.time_embedding = TimestepEmbedding(layout.widths[0], layout.time_width)
        self.down_blocks = nn.ModuleList(_descents(layout))
        self.mid_block = Middle(layout)
        self.up_blocks = nn.ModuleList(_ascents(layout))

    def embed(self, t: Tensor, count: int, dtype: torch.dtype) -> Tensor:
        """(count, T) from one time step; made row by row, because one row and many round differently."""
        embedded: Tensor = self.time_embedding(self.time_proj(t.reshape(1).expand(count)).to(dtype))
        return embedded

    def climb(self, x: Tensor, step: Step, skips: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """All up stages; `skips` are the outputs of the down stages, in order."""
        made = []
        for stage in self.up_blocks:
            taken = len(stage.resnets)
            own, skips = skips[-taken:], skips[:-taken]
            x, new = stage(x, step, own, tuple(skips[-1].shape[2:]) if skips else None)
            made += new
        return x, made


def _descents(layout: Layout) -> Iterator[Stage]:
    inside = layout.widths[0]
    for i, width in enumerate(layout.widths):
        inputs = [inside] + [width] * (layout.layers - 1)
        resize = "down" if i < len(layout.widths) - 1 else ""
        yield Stage(layout, inputs, width, text=layout.texts[i], resize=resize)
        inside = width


def _ascents(layout: Layout) -> Iterator[Stage]:
    widths, texts = layout.widths[::-1], layout.texts[::-1]
    before = widths[0]
    for i, width in enumerate(widths):
        beside = widths[min(i + 1, len(widths) - 1)]
        flows = [before] + [width] * layout.layers
        skips = [width] * layout.layers + [beside]
        resize = "up" if i < len(widths) - 1 else ""
        yield Stage(layout, [a + b for a, b in zip(flows, skips)], width, text=texts[i], resize=resize)
        before = width

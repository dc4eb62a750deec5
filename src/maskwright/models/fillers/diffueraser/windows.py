"""How a long clip is cut into windows of 22 frames, and how their answers are joined again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

WINDOW = 22
OVERLAP = 5


def windows(frames: int, *, shifted: bool = False) -> list[range]:
    """Windows of 22 frames, 5 shared by neighbours, the last moved back to end with the clip. `shifted` ones start
    half a window later (after a first one at 0), so that the seams of odd steps lie elsewhere."""
    last = range(frames - WINDOW, frames)
    if frames <= WINDOW:
        return [range(frames)]
    starts = range(WINDOW // 2 if shifted else 0, frames - WINDOW, WINDOW - OVERLAP)
    head = [range(WINDOW)] if shifted else []
    return [*head, *(range(k, k + WINDOW) for k in starts), last]


def join(parts: Sequence[tuple[range, Tensor]], frames: int, *, quirks: bool) -> Tensor:
    """One clip of latents from the answers of windows in order; where they overlap, the later one fades in.

    `quirks`: the last shared frame is taken from the later window alone, as the published code does.
    """
    first = parts[0][1]
    whole = torch.zeros((frames, *first.shape[1:]), dtype=first.dtype, device=first.device)
    reached = 0
    for window, latents in parts:
        shared = max(0, reached - window.start)
        fade = torch.linspace(0, 1, shared + 2)[1:-1].to(first).view(-1, 1, 1, 1)
        both = slice(window.start, window.start + shared)
        whole[both] = whole[both] * (1 - fade) + latents[:shared] * fade
        kept = max(0, shared - 1) if quirks else shared
        whole[window.start + kept : window.stop] = latents[kept:]
        reached = window.stop
    return whole


def reflected(frames: int, length: int) -> list[int]:
    """Indices of a clip played back and forth until `length` frames are reached."""
    order = [*range(frames), *range(frames - 2, 0, -1)]
    return [order[i % len(order)] for i in range(max(frames, length))]


def samples(frames: int) -> list[int]:
    """The 22 frames, evenly spaced, that are painted first when a clip is longer than two windows."""
    return [int(i * (frames / WINDOW)) for i in range(WINDOW)] if frames > 2 * WINDOW else []

"""A video filler that invents nothing: each hole becomes smooth; frame by frame, deterministic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask
from maskwright.models.fillers.lite_motion import push_pull
from maskwright.ports import FillOptions

Frame = NDArray[np.uint8]


class FakeFiller:
    """Smooth colours over every hole; the anchor's pixels on its frame."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name

    def fill(
        self, frames: Sequence[Frame], masks: Sequence[NDArray[np.bool_]], options: FillOptions
    ) -> Iterator[Frame]:
        """Every frame in order; raises BadMask when frames and masks do not belong together."""
        if len(frames) != len(masks):
            raise BadMask(f"{len(frames)} frames, but {len(masks)} masks.", "Give one mask a frame.")
        for index in range(len(frames)):
            frame, mask = frames[index], masks[index]
            if frame.shape[:2] != mask.shape:
                raise BadMask(f"frame {index} and its mask differ in size.", "Give frames and masks of one size.")
            painted = options.anchor[1] if options.anchor and options.anchor[0] == index else _smooth(frame, mask)
            out = frame.copy()
            out[mask] = painted[mask]
            yield out


def _smooth(frame: Frame, mask: NDArray[np.bool_]) -> Frame:
    filled = push_pull(frame.astype(np.float32), (~mask).astype(np.float32))
    out: Frame = np.clip(np.rint(filled), 0, 255).astype(np.uint8)
    return out

"""The completion protocol: another clip's masks, made a given size, drift over a clip whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import MissingData
from maskwright.media.images import open_image, open_mask
from maskwright.media.videos import picture_files

Frame = NDArray[np.uint8]
Bools = NDArray[np.bool_]

HOLE_SHARE = 0.06
"""Mean share of the frame that the laid masks cover at most."""
TURN_FRAMES = 48
"""In so many frames the mask drifts once around its path."""
GREY = 127
"""What is put under the masks, so that nothing of the truth is left there."""


@dataclass(frozen=True, eq=False)
class Case:
    """`given` has grey holes under `masks`; `truth` is what was there."""

    name: str
    given: list[Frame]
    masks: list[Bools]
    truth: list[Frame]


def completion_cases(clips: Path, size: tuple[int, int] = (432, 240)) -> list[Case]:
    """Every clip below `clips` (frames/ and masks/ in each) under the masks of every other one that has a mask for
    each frame. Raises MissingData."""
    folders = sorted(p for p in clips.iterdir() if (p / "frames").is_dir()) if clips.is_dir() else []
    if not folders:
        raise MissingData(f"{clips} holds no clips.", "Give a folder of clips with frames/ and masks/ in each.")
    frames = {p.name: _frames(p / "frames", size) for p in folders}
    masks = {p.name: _masks(p / "masks", size) for p in folders if _complete(p)}
    masks = {name: found for name, found in masks.items() if any(mask.any() for mask in found)}
    cases = []
    for name, truth in frames.items():
        for other, found in masks.items():
            if other != name:
                laid = lay(found, len(truth), size)
                cases.append(Case(f"{name} under {other}", _holed(truth, laid), laid, truth))
    if not cases:
        raise MissingData(
            f"{clips} has no clip that another one's masks could cover.",
            "Give at least two clips, one of them with a mask for every frame.",
        )
    return cases


def lay(masks: Sequence[Bools], count: int, size: tuple[int, int]) -> list[Bools]:
    """`count` masks: the given ones to and fro, scaled to the share, along an ellipse about the middle."""
    some = [mask for mask in masks if mask.any()]
    last = len(some) - 1
    share = float(np.mean([mask.mean() for mask in some]))
    scale = min(1.0, (HOLE_SHARE / share) ** 0.5)
    out = []
    for index in range(count):
        mask = some[last - abs(index % (2 * last) - last)] if last else some[0]
        y, x = np.nonzero(mask)
        turn = 2 * np.pi * (index / TURN_FRAMES + 0.1)
        to_x, to_y = size[0] * (0.5 + 0.25 * np.sin(turn)), size[1] * (0.5 + 0.15 * np.cos(turn))
        move = np.array([[scale, 0, to_x - scale * x.mean()], [0, scale, to_y - scale * y.mean()]], np.float32)
        out.append(np.asarray(cv2.warpAffine(mask.astype(np.uint8), move, size, flags=cv2.INTER_NEAREST) > 0))
    return out


def _holed(truth: Sequence[Frame], masks: Sequence[Bools]) -> list[Frame]:
    out = []
    for frame, mask in zip(truth, masks, strict=True):
        given = frame.copy()
        given[mask] = GREY
        out.append(given)
    return out


def _complete(folder: Path) -> bool:
    return (folder / "masks").is_dir() and len(list((folder / "masks").iterdir())) == len(
        list((folder / "frames").iterdir())
    )


def _frames(folder: Path, size: tuple[int, int]) -> list[Frame]:
    files = picture_files(folder)
    return [cv2.resize(open_image(p).pixels, size, interpolation=cv2.INTER_AREA) for p in files]


def _masks(folder: Path, size: tuple[int, int]) -> list[Bools]:
    found = [open_mask(p).array.astype(np.uint8) for p in picture_files(folder)]
    return [cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) > 0 for mask in found]

"""Where an object went between two frames: near where it was, near where its speed takes it, or anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.values import Mask

Frame = NDArray[np.uint8]
Soft = NDArray[np.float32]
Bools = NDArray[np.bool_]
Step = tuple[int, int]

MATCHED_PX = 64
"""The longer side at which an object's picture is compared."""
COARSE_PX = 20
"""The same in a search of the whole frame."""
COARSE_FRAME_PX = 400
STRANGE = 30.0
"""An object that looks so unlike itself (grey levels, root mean square) may be elsewhere."""
CLEARLY = 0.6
"""Another place is believed when the object looks there so much more like itself."""


@dataclass(frozen=True)
class Look:
    """An object's picture (h, w, 3) and which of its pixels are its own."""

    picture: Frame
    own: Bools
    corner: Step

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.picture.shape[1], self.picture.shape[0]


def look_of(frame: Frame, soft: Soft) -> Look | None:
    """How the object looks in a frame; None where nothing of it is there."""
    box = Mask(soft > 0.5).box
    if box is None:
        return None
    x0, y0, x1, y1 = box.pixels()
    return Look(frame[y0:y1, x0:x1].copy(), soft[y0:y1, x0:x1] > 0.5, (x0, y0))


def near_step(look: Look, frame: Frame, toward: Step) -> tuple[Step, float]:
    """The step (x, y) from the look's corner that fits best around `toward`, near places first, and how unlike itself
    the object is there."""
    width, height = look.size
    reach = max(12, max(width, height) // 2)
    scale = min(1.0, MATCHED_PX / max(width, height))
    x, y = look.corner[0] + toward[0], look.corner[1] + toward[1]
    where = _window(frame, (x - reach, y - reach, x + width + reach, y + height + reach))
    differs, share = _differences(look, where, scale)
    rows, columns = np.mgrid[: differs.shape[0], : differs.shape[1]] - reach * scale
    near = 1 + 0.1 * np.hypot(columns, rows) / max(1.0, reach * scale)
    at = np.unravel_index(int(((differs + 20.0**2) * near).argmin()), differs.shape)
    step = (toward[0] + round(float(at[1]) / share[0] - reach), toward[1] + round(float(at[0]) / share[1] - reach))
    return step, float(np.sqrt(max(0.0, float(differs[at]))))


def far_step(look: Look, frame: Frame) -> tuple[Step, float]:
    """The same over the whole frame, by a coarse look refined once."""
    width, height = look.size
    scale = min(1.0, COARSE_PX / max(width, height), COARSE_FRAME_PX / max(frame.shape[:2]))
    pad = (width // 2, height // 2)
    whole = _window(frame, (-pad[0], -pad[1], frame.shape[1] + pad[0], frame.shape[0] + pad[1]))
    differs, share = _differences(look, whole, scale)
    y, x = np.unravel_index(int(differs.argmin()), differs.shape)
    toward = (
        round(float(x) / share[0]) - pad[0] - look.corner[0],
        round(float(y) / share[1]) - pad[1] - look.corner[1],
    )
    return near_step(look, frame, toward)


def _window(frame: Frame, box: tuple[int, int, int, int]) -> Frame:
    """A part of the frame, its rim repeated beyond its borders."""
    height, width = frame.shape[:2]
    columns, rows = (
        np.clip(np.arange(a, b), 0, size - 1) for a, b, size in ((box[0], box[2], width), (box[1], box[3], height))
    )
    found: Frame = frame[rows][:, columns]
    return found


def _differences(look: Look, where: Frame, scale: float) -> tuple[Soft, tuple[float, float]]:
    """Mean squared difference a value at every place of the (scaled) window, and the scales used (x, y)."""
    own = np.repeat(look.own[..., None], 3, axis=2).astype(np.float32)
    pictures = [where.astype(np.float32), look.picture.astype(np.float32), own]
    sizes = [(max(3, round(p.shape[1] * scale)), max(3, round(p.shape[0] * scale))) for p in pictures]
    window, template, cover = (
        cv2.resize(p, s, interpolation=cv2.INTER_AREA) for p, s in zip(pictures, sizes, strict=True)
    )
    differs = cv2.matchTemplate(window, template, cv2.TM_SQDIFF, mask=cover)
    mean = differs / max(1e-6, float((cover**2).sum()))
    clean = np.nan_to_num(mean, nan=1e9, posinf=1e9).astype(np.float32)
    return clean, (sizes[0][0] / where.shape[1], sizes[0][1] / where.shape[0])

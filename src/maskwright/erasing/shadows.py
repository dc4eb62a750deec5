"""Soft-shadow candidates: darker parts of the ground in its own colour, touching the object, all on one side of it.

They are candidates: a dark carpet may pass for a shadow. So they are shown, and only erased when that is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.erasing.preparing import Bools, Frame, Mapped, few_held, grown

LOOKS = 9
"""Frames in which the common direction is looked for."""
WORKING_PX = 320
"""The longer side at which shadows are looked for; they are soft."""
DARKEST, LIGHTEST = 0.3, 0.88
"""A shadow leaves so much of the ground's brightness."""
HUE_GAP = 0.03
"""Shares of red and green may differ from the ground's by so much."""
LEAST_SHARE, MOST_SHARE = 0.05, 2.0
"""Size of a candidate, in areas of the object."""
AGREEMENT, SPREAD_DEG = 0.8, 50.0
"""Length of the mean direction (1: all alike) that counts as common, and how far one candidate may be off it."""


def shadow_masks(frames: Sequence[Frame], masks: Sequence[Bools]) -> Mapped[Bools]:
    """One mask a frame: what may be the shadow of what `masks` mark, without the object itself; empty where there is
    no candidate, or where candidates lie to all sides."""
    turns = [turn for i in few_held(masks, LOOKS) for _, turn in _parts(frames[i], masks[i])]
    common = _common(turns)

    def make(index: int) -> Bools:
        out = np.zeros_like(masks[index])
        if common is None:
            return out
        for part, turn in _parts(frames[index], masks[index]):
            if abs((turn - common + np.pi) % (2 * np.pi) - np.pi) <= np.deg2rad(SPREAD_DEG):
                out |= part
        return out

    return Mapped(len(masks), make)


def _common(turns: Sequence[float]) -> float | None:
    """The direction that most candidates share, or None."""
    mean = complex(np.mean(np.exp(1j * np.array(turns)))) if turns else 0j
    return float(np.angle(mean)) if abs(mean) >= AGREEMENT else None


def _parts(frame: Frame, mask: Bools) -> list[tuple[Bools, float]]:
    """Candidates of one frame, each with its direction from the object, in radians."""
    if not mask.any():
        return []
    height, width = mask.shape
    scale = min(1.0, WORKING_PX / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    body = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    dark = _dark(cv2.GaussianBlur(small, (0, 0), 1.0), body)
    count, labels = cv2.connectedComponents(dark.astype(np.uint8))
    rim, centre = grown(body, 2), _centre(body)
    out = []
    for label in range(1, count):
        part = labels == label
        share = part.sum() / body.sum()
        if not LEAST_SHARE <= share <= MOST_SHARE or not (part & rim).any():
            continue
        away = _centre(part) - centre
        whole = cv2.resize(part.astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR) > 0
        out.append((whole & ~mask, float(np.arctan2(away[1], away[0]))))
    return out


def _dark(small: NDArray[np.float32], body: Bools) -> Bools:
    """Where the ground is darker than around it, in the ground's own colour; the object's own pixels count as dark, so
    that its surroundings say what the ground is like."""
    reach = 2 * int(np.sqrt(body.sum())) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (min(reach, 121), min(reach, 121)))
    light = small.sum(axis=2) + 1
    ground = cv2.morphologyEx(np.where(body, 0, light).astype(np.float32), cv2.MORPH_CLOSE, kernel) + 1
    near = grown(body, reach // 2) & ~grown(body, 1)
    ratio = light / ground
    lit = near & (ratio > LIGHTEST)
    if not lit.any():
        return np.zeros_like(body)
    hue = small[..., :2] / light[..., None]
    same = np.abs(hue - np.median(hue[lit], axis=0)).max(axis=2) < HUE_GAP
    found = near & same & (ratio > DARKEST) & (ratio < LIGHTEST)
    opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(opened > 0)


def _centre(mask: Bools) -> NDArray[np.float64]:
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])

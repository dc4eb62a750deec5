"""Soft-shadow candidates on made pictures: darker, the ground's own hue, on one side of the object."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from maskwright.erasing.shadows import shadow_masks

Clip = tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]


def lit_ball(count: int = 6, *, tint: tuple[float, float, float] = (0.55, 0.55, 0.55), around: bool = False) -> Clip:
    """(frames, masks, shadows): a ball rolls over warm ground, its soft shadow falls to the lower right. `tint`: what
    the shadow leaves of each channel; `around`: it falls to another side in every frame."""
    rng = np.random.default_rng(0)
    ground = np.array([170.0, 140.0, 110.0]) + rng.normal(0, 4, (120, 200, 1))
    frames, masks, shadows = [], [], []
    for i in range(count):
        x, y = 50 + 12 * i, 60
        turn = (0.6 + (2 * np.pi * i / count if around else 0.0)) % (2 * np.pi)
        spot = np.zeros((120, 200), np.float32)
        cv2.ellipse(
            spot, (round(x + 22 * np.cos(turn)), round(y + 22 * np.sin(turn))), (20, 9), np.rad2deg(turn), 0, 360, 1, -1
        )
        soft = cv2.GaussianBlur(spot, (0, 0), 1.5)[..., None]
        frame = ground * (1 - soft * (1 - np.array(tint)))
        mask = np.zeros((120, 200), np.uint8)
        cv2.circle(mask, (x, y), 16, 1, -1)
        frame[mask > 0] = (40, 60, 200)
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
        masks.append(mask > 0)
        shadows.append((spot > 0) & (mask == 0))
    return frames, masks, shadows


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def test_a_soft_shadow_is_found_beside_its_object() -> None:
    frames, masks, shadows = lit_ball()
    found = shadow_masks(frames, masks)
    assert min(iou(found[i], shadows[i]) for i in range(len(frames))) > 0.6
    assert not any((found[i] & masks[i]).any() for i in range(len(frames)))


@pytest.mark.parametrize(
    "clip",
    [
        {"tint": (0.2, 0.6, 1.4)},  # another colour: a thing, not a shadow
        {"tint": (1.0, 1.0, 1.0)},  # nothing there
        {"tint": (1.3, 1.3, 1.3)},  # brighter
        {"around": True},  # to all sides: no light does that
    ],
    ids=["coloured", "none", "bright", "all sides"],
)
def test_what_is_no_shadow(clip: dict) -> None:
    frames, masks, _ = lit_ball(**clip)
    found = shadow_masks(frames, masks)
    assert max(int(found[i].sum()) for i in range(len(frames))) == 0


def test_frames_without_the_object_have_no_shadow() -> None:
    frames, masks, _ = lit_ball(3)
    masks[1] = np.zeros_like(masks[1])
    found = shadow_masks(frames, masks)
    assert not found[1].any() and found[0].any()
    assert not shadow_masks(frames, [np.zeros_like(m) for m in masks])[0].any()

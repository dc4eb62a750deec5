"""Reflection candidates on made pictures: the object's pattern, turned over below it, darker and softer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from test_erase_shadows import Clip, iou, lit_ball

from maskwright.erasing.reflections import reflection_masks

SIZE = (200, 160)


def noise(seed: int, shape: tuple[int, int], sigma: float, spread: float) -> np.ndarray:
    """(h, w, 3) smooth noise about 0, `spread` grey levels strong."""
    made = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (*shape, 3)), (0, 0), sigma)
    return np.asarray(made / made.std() * spread)


def mirrored(
    count: int = 6,
    *,
    strength: float = 0.4,
    soft: float = 1.0,
    gap: int = 0,
    ripple: float = 0.0,
    upright: bool = False,
    flat: bool = False,
    planks: bool = False,
    banded: bool = False,
    parts: int = 1,
    rough: float = 8.0,
) -> Clip:
    """(frames, masks, reflections): a patterned thing slides over a floor that mirrors a share `strength` of it.

    `gap`: pixels between the thing and its reflection; `ripple`: pixels by which water moves it sideways; `upright`: the
    copy is not turned over; `flat`: the thing has no pattern; `planks`: the floor has bright and dark boards; `banded`:
    so has the thing, where it would stand on its reflection; `rough`: grey levels of the floor's grain.
    """
    width, height = SIZE
    floor = np.array([120.0, 125.0, 130.0]) + noise(1, (height, width), 2.0, rough).mean(axis=2)[..., None]
    if planks:
        floor += 25 * np.sign(np.sin(np.arange(height) / 4))[:, None, None]
    look = np.array([150.0, 110.0, 90.0]) + noise(2, (48, 32), 2.5, 0 if flat else 40)
    if banded:
        look += 60 * np.sign(np.sin((30 + 95 - np.arange(30, 78)) / 4))[:, None, None]
    shape = np.zeros((48, 32), np.uint8)
    cv2.ellipse(shape, (16, 24), (15, 23), 0, 0, 360, 1, -1)
    frames, masks, reflections = [], [], []
    for i in range(count):
        frame, mask, below = floor.copy(), np.zeros((height, width), bool), np.zeros((height, width), bool)
        for n in range(parts):
            left, top = 20 + 9 * i + 60 * n, 30 + 14 * n
            body = shape.astype(bool)
            last = top + int(np.flatnonzero(body.any(axis=1))[-1]) + 1
            turned, turned_shape = (look, body) if upright else (look[::-1], body[::-1])
            first = last + gap - int(np.flatnonzero(turned_shape.any(axis=1))[0])
            layer, share = np.zeros_like(frame), np.zeros((height, width), np.float32)
            rows = slice(first, min(height, first + 48))
            high = rows.stop - rows.start
            layer[rows, left : left + 32], share[rows, left : left + 32] = turned[:high], turned_shape[:high]
            below |= share > 0
            if ripple:
                sway = np.float32(ripple * np.sin(np.arange(height) / 3 + i))[:, None]
                x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
                layer, share = (cv2.remap(a, x + sway, y, cv2.INTER_LINEAR) for a in (layer, share))
            layer, share = cv2.GaussianBlur(layer, (0, 0), soft), cv2.GaussianBlur(share, (0, 0), soft)
            frame = frame * (1 - strength * share[..., None]) + strength * layer * share[..., None]
            frame[top : top + 48, left : left + 32][body] = look[body]
            mask[top : top + 48, left : left + 32] |= body
        frames.append(np.clip(frame + noise(50 + i, (height, width), 0.1, 1.5), 0, 255).astype(np.uint8))
        masks.append(mask)
        reflections.append(below & ~mask)
    return frames, masks, reflections


@pytest.mark.parametrize(
    ("clip", "bound"),
    [
        ({}, 0.9),
        ({"strength": 0.25}, 0.9),
        ({"soft": 2.5}, 0.85),  # polished stone
        ({"ripple": 1.5}, 0.8),  # water
        ({"gap": 6}, 0.9),
        ({"parts": 2}, 0.85),  # two things, each with a contact line of its own
    ],
    ids=["floor", "faint", "soft", "water", "gap", "two"],
)
def test_a_reflection_is_found_below_its_object(clip: dict, bound: float) -> None:
    frames, masks, reflections = mirrored(**clip)
    found = reflection_masks(frames, masks)
    got = [iou(found[i], reflections[i]) for i in range(len(frames))]
    assert min(got) > bound, got
    assert not any((found[i] & masks[i]).any() for i in range(len(frames)))


@pytest.mark.parametrize(
    "clip",
    [
        mirrored(strength=0),
        mirrored(strength=0, planks=True),
        mirrored(strength=0, planks=True, banded=True),  # the same beside it
        mirrored(upright=True),
        mirrored(flat=True),
        lit_ball(),
    ],
    ids=["none", "planks", "bands", "not turned over", "no pattern", "a shadow"],
)
def test_what_is_no_reflection(clip: Clip) -> None:
    found = reflection_masks(*clip[:2])
    assert sum(int(found[i].sum()) for i in range(len(clip[0]))) == 0


def test_a_reflection_ends_where_the_floor_does() -> None:
    """Two frames of six without it: it is not painted there, and the others keep theirs."""
    frames, masks, reflections = mirrored()
    frames[4:] = mirrored(strength=0)[0][4:]
    found = reflection_masks(frames, masks)
    assert [iou(found[i], reflections[i]) > 0.9 for i in range(6)] == [True] * 4 + [False] * 2
    assert not found[4].any() and not found[5].any()


def test_frames_without_the_object_have_no_reflection() -> None:
    frames, masks, _ = mirrored(3)
    masks[1] = np.zeros_like(masks[1])
    found = reflection_masks(frames, masks)
    assert not found[1].any() and found[0].any()
    assert not reflection_masks(frames, [np.zeros_like(m) for m in masks])[0].any()

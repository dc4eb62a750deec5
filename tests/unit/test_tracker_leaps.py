"""The embedded tracker with objects that move farther than their own size, hide, and come back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from maskwright.models.trackers.lite import LiteTracker
from maskwright.models.trackers.lite_search import far_step, look_of
from maskwright.values import Image, Mask, Prompt

SIZE = (160, 320)


class _Reds:
    """A segmenter that takes what is red inside the prompt's box."""

    name = "reds"

    def encode(self, image: Image) -> Image:
        return image

    def predict(self, embedding: Image, prompts: list[Prompt]) -> list[object]:
        red = (embedding.pixels[..., 0] > 205) & (embedding.pixels[..., 1] < 95)
        return [type("Found", (), {"masks": red[None], "scores": np.ones(1)})() for _ in prompts]


def ground() -> np.ndarray:
    noise = np.random.default_rng(4).normal(0, 1, (*SIZE, 3)).astype(np.float32)
    return np.clip(120 + 220 * cv2.GaussianBlur(noise, (0, 0), 3), 40, 190)


def clip(places: list[tuple[int, int] | None], radius: int = 10) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Frames with a red ball at each place (None: hidden), and its true masks."""
    frames, masks = [], []
    for place in places:
        frame, mask = ground().astype(np.uint8), np.zeros(SIZE, np.uint8)
        if place is not None:
            cv2.circle(mask, place, radius, 1, -1)
            frame[mask > 0] = (215, 40, 50)
            cv2.circle(frame, (place[0] - 3, place[1] - 3), 2, (235, 90, 90), -1)
        frames.append(frame)
        masks.append(mask > 0)
    return frames, masks


FAST = [(20 + 45 * i, 40 + 10 * i) for i in range(7)]
BOUNCING = [(30 + 40 * i, 120 - abs(((i * 50) % 160) - 80)) for i in range(7)]
SPEEDING = [(15 + 6 * i * i, 80) for i in range(8)]


@pytest.mark.parametrize("places", [FAST, BOUNCING, SPEEDING], ids=["fast", "bouncing", "speeding"])
@pytest.mark.parametrize("marked", [0, 3, 6])
def test_a_ball_that_moves_more_than_its_size_is_followed(places: list[tuple[int, int]], marked: int) -> None:
    frames, masks = clip(places)
    found = dict(LiteTracker(_Reds()).track(frames, {marked: {1: Mask(masks[marked])}}))  # type: ignore[arg-type]
    overlaps = [found[i][1].iou(Mask(m)) for i, m in enumerate(masks)]
    assert min(overlaps) > 0.6, overlaps


def test_a_ball_that_left_the_picture_is_found_again() -> None:
    frames, masks = clip([(200, 80), (250, 80), (305, 80), None, None, (260, 60), (210, 60)])
    found = dict(LiteTracker(_Reds()).track(frames, {0: {1: Mask(masks[0])}}))  # type: ignore[arg-type]
    assert found[6][1].iou(Mask(masks[6])) > 0.6


def test_an_object_that_stays_does_not_leap_to_its_twin() -> None:
    frames, masks = clip([(60 + 2 * i, 80) for i in range(6)])
    for frame in frames:
        cv2.circle(frame, (250, 80), 10, (215, 40, 50), -1)
    found = dict(LiteTracker(_Reds(), key_every=99).track(frames, {0: {1: Mask(masks[0])}}))  # type: ignore[arg-type]
    assert min(found[i][1].iou(Mask(m)) for i, m in enumerate(masks)) > 0.7


def test_the_whole_frame_is_searched() -> None:
    frames, masks = clip([(20, 20), (290, 130)])
    look = look_of(frames[0], masks[0].astype(np.float32))
    assert look is not None
    step, unlike = far_step(look, frames[1])
    assert np.hypot(step[0] - 270, step[1] - 110) < 3
    assert unlike < 15

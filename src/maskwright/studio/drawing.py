"""The picture as the page shows it: tints, outlines, clicks; scaled to what a screen needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.media.pictures import PALETTE, contour, mark, overlay
from maskwright.studio.sessions import Session
from maskwright.values import Box, Image, Mask

SHOWN_SIDE, SMALL_SIDE = 1280, 400
TINTS = (PALETTE[1], PALETTE[3], PALETTE[4], *PALETTE[5:], PALETTE[0], PALETTE[2])
"""Colours of objects; blue first: skin, leaves and red coats are what people click most."""
VIEWS = ("tint", "outline", "dim", "plain")


def shown_scale(picture: Image) -> float:
    """Shown pixels per picture pixel; tiny pictures are shown whole times larger, as the page never does it itself."""
    side = max(picture.size)
    return float(-(-SMALL_SIDE // side)) if side < SMALL_SIDE else min(1.0, SHOWN_SIDE / side)


def draw(session: Session, view: str = "tint", preview: Mask | None = None) -> NDArray[np.uint8] | None:
    """The board as RGB uint8, None when there is no picture. `preview`: a region under the pointer."""
    if session.picture is None:
        return None
    scale = shown_scale(session.picture)
    shown = scaled(session.picture, scale)
    board = session.board
    for place, thing in enumerate(board.things):
        if thing.mask is not None:
            mask = _scaled_mask(thing.mask, shown.size)
            shown = _with_mask(shown, mask, view if place == board.active else "outline", place)
    if preview is not None:
        shown = overlay(shown, _scaled_mask(preview, shown.size), colour=(255, 255, 255), opacity=0.35)
    thing = board.thing
    points = [(x * scale, y * scale) for x, y in thing.points]
    boxes = [] if thing.box is None else [Box.of([v * scale for v in thing.box])]
    return np.asarray(mark(shown, points=points, labels=thing.labels, boxes=boxes).pixels)


def _with_mask(shown: Image, mask: Mask, view: str, place: int) -> Image:
    colour = TINTS[place % len(TINTS)]
    if view == "plain":
        return shown
    if view == "outline":
        return contour(shown, mask, colour=colour)
    if view == "dim":
        dark = np.where(mask.array[:, :, None], shown.pixels, shown.pixels // 4).astype(np.uint8)
        return contour(Image(dark), mask, colour=colour)
    return overlay(shown, mask, colour=colour)


def overview(picture: Image, masks: Sequence[Mask]) -> NDArray[np.uint8]:
    """Every region in a colour of its own, the small ones on top."""
    shown = scaled(picture, shown_scale(picture))
    pixels = shown.pixels.astype(np.float32)
    order = sorted(range(len(masks)), key=lambda i: -masks[i].area)
    for i in order:
        inside = _scaled_mask(masks[i], shown.size).array
        pixels[inside] = 0.55 * pixels[inside] + 0.45 * np.array(PALETTE[i % len(PALETTE)], np.float32)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def numbers(picture: Image, masks: Sequence[Mask]) -> NDArray[np.uint8]:
    """Which region stands at each shown pixel, from 1, low byte in red and high byte in green; the smallest on top."""
    shown = scaled(picture, shown_scale(picture))
    found = np.zeros((shown.height, shown.width, 3), np.uint8)
    for i in sorted(range(len(masks)), key=lambda i: -masks[i].area):
        found[_scaled_mask(masks[i], shown.size).array] = ((i + 1) & 255, (i + 1) >> 8, 0)
    return found


def strokes_of(layers: Sequence[NDArray[Any]], size: tuple[int, int]) -> Mask:
    """What was painted (any layer's alpha) as a mask of the picture's size."""
    painted = np.zeros(size[::-1], dtype=np.bool_)
    for layer in layers:
        alpha = layer[:, :, 3] if layer.ndim == 3 and layer.shape[2] == 4 else layer.max(axis=-1)
        painted |= cv2.resize(alpha, size, interpolation=cv2.INTER_NEAREST) > 32
    return Mask(painted)


def thumbnail(picture: Image, mask: Mask, side: int = 160) -> NDArray[np.uint8]:
    """A small dimmed view of one alternative."""
    shown = scaled(picture, min(1.0, side / max(picture.size)))
    return np.asarray(_with_mask(shown, _scaled_mask(mask, shown.size), "dim", 0).pixels)


def scaled(picture: Image, scale: float) -> Image:
    """The picture that many times as large."""
    if scale == 1.0:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return Image(cv2.resize(picture.pixels, size, interpolation=how))


def _scaled_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    if mask.size == size:
        return mask
    return Mask(cv2.resize(mask.array.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)

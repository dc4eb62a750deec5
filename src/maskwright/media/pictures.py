"""Pictures about masks, for people: overlays, contours, panels side by side, contact sheets with captions.

All take and give maskwright Images (RGB uint8); nothing here is read back by the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImages
from PIL import ImageDraw, ImageFont

from maskwright.errors import BadImage
from maskwright.values import Box, Image, Mask

Colour = tuple[int, int, int]

GREEN: Colour = (42, 200, 120)
WHITE: Colour = (255, 255, 255)
PALETTE: tuple[Colour, ...] = (
    (230, 75, 60), (50, 130, 220), (60, 175, 90), (245, 170, 40), (150, 90, 200), (30, 180, 190),
    (235, 110, 170), (140, 110, 60), (110, 130, 150), (180, 200, 50), (90, 70, 160), (250, 130, 90),
)  # fmt: skip
"""Twelve colours that stay apart from each other; colour i of many is PALETTE[i % 12]."""


def overlay(
    image: Image, mask: Mask, *, colour: Colour = GREEN, opacity: float = 0.45, line_px: int | None = None
) -> Image:
    """The picture with the mask tinted and outlined; line_px 0 draws no outline, None chooses it by the size."""
    mask.check_size(image.size)
    pixels = image.pixels.copy()
    inside = mask.array
    tinted = pixels[inside] * (1 - opacity) + np.array(colour) * opacity
    pixels[inside] = np.clip(np.rint(tinted), 0, 255).astype(np.uint8)
    return Image(_outlined(pixels, mask, colour, _line_px(image, line_px)))


def overlay_many(image: Image, masks: Sequence[Mask], *, opacity: float = 0.45) -> Image:
    """The picture with each mask in a colour of its own; the first mask lies on top."""
    for place in reversed(range(len(masks))):
        image = overlay(image, masks[place], colour=PALETTE[place % len(PALETTE)], opacity=opacity)
    return image


def contour(image: Image, mask: Mask, *, colour: Colour = GREEN, line_px: int | None = None) -> Image:
    """The picture with the mask's outline, holes too."""
    mask.check_size(image.size)
    return Image(_outlined(image.pixels.copy(), mask, colour, _line_px(image, line_px)))


def mark(
    image: Image,
    *,
    points: Sequence[Sequence[float]] | NDArray[Any] = (),
    labels: Sequence[int] | NDArray[Any] | None = None,
    boxes: Sequence[Box] = (),
) -> Image:
    """The picture with points (green inside, red outside, ringed in white) and boxes drawn on it."""
    pixels = image.pixels.copy()
    line = _line_px(image, None)
    for box in boxes:
        x0, y0, x1, y1 = box.pixels()
        cv2.rectangle(pixels, (x0, y0), (x1 - 1, y1 - 1), GREEN, line)
    marks = [1] * len(points) if labels is None else [int(v) for v in labels]
    for (x, y), label in zip(points, marks, strict=True):
        centre = (round(float(x) - 0.5), round(float(y) - 0.5))
        cv2.circle(pixels, centre, 3 * line + 1, WHITE, -1, cv2.LINE_AA)
        cv2.circle(pixels, centre, 2 * line + 1, GREEN if label else PALETTE[0], -1, cv2.LINE_AA)
    return Image(pixels)


def cutout(image: Image, mask: Mask, *, ground: Colour | None = None) -> Image:
    """Only what is inside the mask: transparent outside, or on a plain ground."""
    mask.check_size(image.size)
    if ground is None:
        return Image(image.pixels, mask.array.astype(np.uint8) * 255)
    return Image(np.where(mask.array[:, :, None], image.pixels, np.array(ground, np.uint8)))


def picture_of(mask: Mask) -> Image:
    """The mask itself, white on black."""
    return Image(np.repeat(mask.array[:, :, None].astype(np.uint8) * 255, 3, axis=2))


def side_by_side(images: Sequence[Image], captions: Sequence[str] = (), *, height: int | None = None) -> Image:
    """Pictures in one row, all `height` pixels high (the first one's height when not given), captions below."""
    if not images:
        raise BadImage("there are no pictures to put side by side.", "Give at least one.")
    height = height or images[0].height
    cells = [(max(1, round(image.width * height / image.height)), height) for image in images]
    return _sheet([_Row(list(images), cells, list(captions))])


def contact_sheet(
    images: Iterable[Image], captions: Sequence[str] = (), *, columns: int = 4, cell: tuple[int, int] = (240, 180)
) -> Image:
    """Many small pictures in rows, each fitted into a cell (width, height) with its caption below."""
    pictures = list(images)
    if not pictures or columns < 1:
        raise BadImage("there are no pictures for the sheet.", "Give at least one, and one column or more.")
    rows = []
    for start in range(0, len(pictures), columns):
        part = pictures[start : start + columns]
        rows.append(_Row(part, [cell] * len(part), list(captions[start : start + columns])))
    return _sheet(rows)


# -- drawing

_GAP, _TEXT_PX = 6, 14
_GROUND, _INK = (250, 250, 250), (40, 40, 40)


class _Row:
    """Pictures and the cells they are fitted into."""

    def __init__(self, images: list[Image], cells: list[tuple[int, int]], captions: list[str]) -> None:
        self.images, self.cells = images, cells
        self.captions = captions + [""] * (len(images) - len(captions))
        self.caption_px = _TEXT_PX + 6 if any(self.captions) else 0
        self.width = sum(w for w, _ in cells) + _GAP * (len(cells) + 1)
        self.height = max(h for _, h in cells) + self.caption_px + _GAP


def _sheet(rows: list[_Row]) -> Image:
    size = (max(row.width for row in rows), sum(row.height for row in rows) + _GAP)
    sheet = PilImages.new("RGB", size, _GROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TEXT_PX)
    top = _GAP
    for row in rows:
        left = _GAP
        for image, (width, height), caption in zip(row.images, row.cells, row.captions, strict=True):
            small = PilImages.fromarray(_fitted(image, width, height))
            sheet.paste(small, (left + (width - small.width) // 2, top + (height - small.height) // 2))
            draw.text((left, top + height + 2), _shortened(caption, font, width), fill=_INK, font=font)
            left += width + _GAP
        top += row.height
    return Image(np.asarray(sheet))


def _fitted(image: Image, width: int, height: int) -> NDArray[np.uint8]:
    """The pixels (alpha over a light ground) scaled to fit inside width x height."""
    pixels = image.pixels
    if image.alpha is not None:
        share = image.alpha[:, :, None] / 255
        pixels = np.rint(pixels * share + np.array(_GROUND) * (1 - share)).astype(np.uint8)
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled: NDArray[np.uint8] = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=how)
    return scaled


def _shortened(text: str, font: Any, width: int) -> str:
    """The text on one line, cut with an ellipsis where it is wider than the cell."""
    text = " ".join(text.split())
    while text and font.getlength(text) > width:
        text = text[:-2].rstrip() + "…"
        if len(text) <= 1:
            break
    return text


def _outlined(pixels: NDArray[np.uint8], mask: Mask, colour: Colour, line_px: int) -> NDArray[np.uint8]:
    if line_px:
        lines, _ = cv2.findContours(mask.array.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(pixels, lines, -1, tuple(v // 3 for v in colour), line_px + 2, cv2.LINE_AA)
        cv2.drawContours(pixels, lines, -1, colour, line_px, cv2.LINE_AA)
    return pixels


def _line_px(image: Image, line_px: int | None) -> int:
    return max(1, round(max(image.size) / 400)) if line_px is None else line_px

"""Things that scenes are made of: each is drawn large in RGBA and shrunk into place."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = tuple[int, int, int]
Canvas = NDArray[np.uint8]

SIDE = 192
"""Things are drawn on a square of this side."""

COLOURS: dict[str, Rgb] = {
    "red": (200, 35, 40), "green": (50, 140, 60), "blue": (45, 85, 195), "yellow": (232, 200, 45),
    "orange": (235, 125, 30), "purple": (125, 60, 160), "pink": (238, 140, 175), "brown": (120, 78, 45),
    "black": (35, 35, 38), "white": (238, 238, 234),
}  # fmt: skip


def draw_thing(kind: str, colour: str, side: int) -> Canvas:
    """(side, side, 4) uint8: RGB and coverage of one thing."""
    canvas = np.zeros((SIDE, SIDE, 4), dtype=np.uint8)
    THINGS[kind](canvas, COLOURS[colour])
    canvas[..., :3] = _lit(canvas[..., :3])
    alpha = canvas[..., 3:].astype(np.float32) / 255
    small = cv2.resize(canvas[..., :3] * alpha, (side, side), interpolation=cv2.INTER_AREA)
    cover = cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA)
    rgb = small / np.maximum(cover[..., None], 1e-3)
    return np.dstack([np.clip(rgb, 0, 255), cover * 255]).astype(np.uint8)


def _lit(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Light from the upper left."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    light = (1.12 - 0.32 * (0.5 * x + 0.5 * y)).astype(np.float32)
    lit: NDArray[np.float32] = np.clip(rgb * light[..., None], 0, 255)
    return lit


def _disc(canvas: Canvas, x: int, y: int, radius: int, colour: Rgb) -> None:
    cv2.circle(canvas, (x, y), radius, (*colour, 255), -1, cv2.LINE_AA)


def _oval(canvas: Canvas, centre: tuple[int, int], axes: tuple[int, int], colour: Rgb, turn: int = 0) -> None:
    cv2.ellipse(canvas, centre, axes, turn, 0, 360, (*colour, 255), -1, cv2.LINE_AA)


def _shape(canvas: Canvas, corners: list[tuple[int, int]], colour: Rgb) -> None:
    cv2.fillPoly(canvas, [np.array(corners, dtype=np.int32)], (*colour, 255), cv2.LINE_AA)


def _shade(colour: Rgb, share: float) -> Rgb:
    r, g, b = (int(min(255, v * share)) for v in colour)
    return (r, g, b)


def _apple(canvas: Canvas, colour: Rgb) -> None:
    cv2.line(canvas, (96, 60), (106, 18), (80, 55, 35, 255), 8, cv2.LINE_AA)
    _oval(canvas, (124, 28), (20, 9), (60, 130, 50), -25)
    _oval(canvas, (70, 112), (54, 62), colour)
    _oval(canvas, (122, 112), (54, 62), colour)
    _oval(canvas, (70, 84), (12, 18), _shade(colour, 1.3), 30)


def _ball(canvas: Canvas, colour: Rgb) -> None:
    _disc(canvas, 96, 96, 84, colour)
    cv2.ellipse(canvas, (96, 96), (84, 26), 20, 0, 360, (*_shade(colour, 0.6), 255), 8, cv2.LINE_AA)
    _disc(canvas, 66, 62, 16, _shade(colour, 1.35))


def _cup(canvas: Canvas, colour: Rgb) -> None:
    cv2.ellipse(canvas, (142, 100), (34, 36), 0, 0, 360, (*_shade(colour, 0.85), 255), 13, cv2.LINE_AA)
    _shape(canvas, [(30, 40), (142, 40), (130, 172), (42, 172)], colour)
    _oval(canvas, (86, 41), (56, 14), _shade(colour, 0.55))


def _bottle(canvas: Canvas, colour: Rgb) -> None:
    _shape(canvas, [(80, 14), (112, 14), (114, 66), (136, 96), (136, 182), (56, 182), (56, 96), (78, 66)], colour)
    _shape(canvas, [(78, 6), (114, 6), (114, 26), (78, 26)], _shade(colour, 0.5))
    _shape(canvas, [(56, 112), (136, 112), (136, 156), (56, 156)], (225, 220, 200))


def _book(canvas: Canvas, colour: Rgb) -> None:
    _shape(canvas, [(36, 30), (140, 18), (160, 162), (52, 178)], colour)
    _shape(canvas, [(52, 178), (160, 162), (166, 172), (58, 188)], (230, 225, 210))
    _shape(canvas, [(64, 62), (126, 54), (129, 76), (67, 84)], _shade(colour, 0.55))


def _car(canvas: Canvas, colour: Rgb) -> None:
    _shape(canvas, [(46, 92), (72, 56), (126, 56), (152, 92)], _shade(colour, 0.9))
    _shape(canvas, [(60, 90), (78, 64), (96, 64), (96, 90)], (170, 205, 225))
    _shape(canvas, [(102, 90), (102, 64), (122, 64), (138, 90)], (170, 205, 225))
    _shape(canvas, [(10, 92), (176, 92), (186, 106), (186, 138), (10, 138)], colour)
    for x in (50, 144):
        _disc(canvas, x, 138, 24, (30, 30, 32))
        _disc(canvas, x, 138, 11, (165, 165, 170))


def _umbrella(canvas: Canvas, colour: Rgb) -> None:
    cv2.line(canvas, (96, 90), (96, 168), (90, 60, 40, 255), 8, cv2.LINE_AA)
    cv2.ellipse(canvas, (108, 168), (12, 14), 0, 0, 180, (90, 60, 40, 255), 8, cv2.LINE_AA)
    cv2.ellipse(canvas, (96, 98), (88, 82), 0, 180, 360, (*colour, 255), -1, cv2.LINE_AA)
    for x in (38, 96, 154):
        cv2.line(canvas, (96, 18), (x, 97), (*_shade(colour, 0.7), 255), 4, cv2.LINE_AA)


def _cone(canvas: Canvas, colour: Rgb) -> None:
    _shape(canvas, [(14, 160), (178, 160), (178, 182), (14, 182)], _shade(colour, 0.75))
    _shape(canvas, [(86, 10), (106, 10), (146, 160), (46, 160)], colour)
    _shape(canvas, [(69, 74), (123, 74), (132, 106), (60, 106)], (240, 240, 236))


def _star(canvas: Canvas, colour: Rgb) -> None:
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2 == 0, 90, 38)
    corners = [(round(96 + r * np.cos(a)), round(100 + r * np.sin(a))) for r, a in zip(reach, angles)]
    _shape(canvas, corners, colour)


def _box(canvas: Canvas, colour: Rgb) -> None:
    _shape(canvas, [(20, 66), (116, 82), (116, 180), (20, 160)], colour)
    _shape(canvas, [(116, 82), (174, 56), (174, 146), (116, 180)], _shade(colour, 0.65))
    _shape(canvas, [(20, 66), (82, 44), (174, 56), (116, 82)], _shade(colour, 1.2))


THINGS: dict[str, Callable[[Canvas, Rgb], None]] = {
    "apple": _apple, "ball": _ball, "cup": _cup, "bottle": _bottle, "book": _book,
    "car": _car, "umbrella": _umbrella, "traffic cone": _cone, "star": _star, "box": _box,
}  # fmt: skip

"""Draws docs/pictures/segmenter_lite.jpg from the bundled sample pictures: python docs/make_embedded_pictures.py"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Image, Prompt

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "src" / "maskwright" / "samples"
SHOWN = (
    ("cat.jpg", [(0.5, 0.5)], [1]),
    ("coffee.jpg", [(0.5, 0.45)], [1]),
    ("astronaut.jpg", [(0.45, 0.75)], [1]),
    ("astronaut.jpg", [(0.45, 0.75), (0.44, 0.22)], [1, 1]),
    ("rocket.jpg", [(0.5, 0.5)], [1]),
    ("flower.jpg", [(0.5, 0.5)], [1]),
)
"""Picture, clicks as shares of its sides, labels."""


def panel(segmenter: LiteSegmenter, name: str, shares: list[tuple[float, float]], labels: list[int]) -> np.ndarray:
    """The best mask over the picture, its clicks as dots; 320 x 240."""
    pixels = cv2.cvtColor(cv2.imread(str(SAMPLES / name)), cv2.COLOR_BGR2RGB)
    image = Image(pixels)
    points = [(x * image.width, y * image.height) for x, y in shares]
    [found] = segmenter.predict(segmenter.encode(image), [Prompt(points, labels)])
    out = pixels.astype(np.float32)
    inside = found.masks[0]
    out[~inside] *= 0.35
    out[inside] = out[inside] * 0.75 + np.array([0, 120, 255]) * 0.25
    out = np.ascontiguousarray(out.astype(np.uint8))
    for (x, y), label in zip(points, labels):
        radius = max(image.size) // 60
        cv2.circle(out, (round(x), round(y)), radius, (60, 255, 60) if label else (255, 60, 60), -1)
    scale = min(320 / image.width, 240 / image.height)
    small = cv2.resize(out, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((240, 320, 3), 255, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


def main() -> None:
    """Draws and writes."""
    segmenter = LiteSegmenter()
    panels = [panel(segmenter, *row) for row in SHOWN]
    sheet = np.concatenate([np.concatenate(panels[i : i + 3], 1) for i in (0, 3)], 0)
    out = HERE / "pictures" / "segmenter_lite.jpg"
    out.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()

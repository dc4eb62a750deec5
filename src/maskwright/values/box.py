"""A rectangle in full-image pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from maskwright.errors import BadPrompt


@dataclass(frozen=True, slots=True)
class Box:
    """Corners (x0, y0)-(x1, y1) in pixels of the full image; x1 and y1 are exclusive edges."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in self):
            raise BadPrompt(f"box {tuple(self)} is not finite.", "Give x0,y0,x1,y1 as plain numbers.")
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise BadPrompt(f"box {tuple(self)} is empty or inverted.", "Give x0,y0,x1,y1 with x0 < x1 and y0 < y1.")

    def __iter__(self) -> Iterator[float]:
        return iter((self.x0, self.y0, self.x1, self.y1))

    @classmethod
    def of(cls, value: Box | Sequence[float]) -> Box:
        """A Box from a Box or any four numbers xyxy; raises BadPrompt."""
        if isinstance(value, Box):
            return value
        try:
            x0, y0, x1, y1 = (float(v) for v in value)
        except (TypeError, ValueError) as error:
            raise BadPrompt(f"{value!r} is not a box.", "Give four numbers: x0,y0,x1,y1.") from error
        return cls(x0, y0, x1, y1)

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def diagonal(self) -> float:
        return math.hypot(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        return ((self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2)

    def grow(self, share: float) -> Box:
        """The box with each side longer by `share` of itself, about the same centre."""
        dx, dy = self.width * share / 2, self.height * share / 2
        return Box(self.x0 - dx, self.y0 - dy, self.x1 + dx, self.y1 + dy)

    def clip(self, width: int, height: int) -> Box:
        """The part inside a width x height image; raises BadPrompt when nothing is left."""
        x0, y0 = max(self.x0, 0.0), max(self.y0, 0.0)
        x1, y1 = min(self.x1, float(width)), min(self.y1, float(height))
        if x1 <= x0 or y1 <= y0:
            raise BadPrompt(
                f"box {tuple(self)} lies outside the {width}x{height} image.", "Give a box that overlaps it."
            )
        return Box(x0, y0, x1, y1)

    def pixels(self) -> tuple[int, int, int, int]:
        """The smallest whole-pixel rectangle that holds the box, as ints x0, y0, x1, y1."""
        return (math.floor(self.x0), math.floor(self.y0), math.ceil(self.x1), math.ceil(self.y1))

    def iou(self, other: Box) -> float:
        w = min(self.x1, other.x1) - max(self.x0, other.x0)
        h = min(self.y1, other.y1) - max(self.y0, other.y0)
        if w <= 0 or h <= 0:
            return 0.0
        return w * h / (self.area + other.area - w * h)

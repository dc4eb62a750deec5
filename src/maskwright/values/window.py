"""The one place where coordinates of a crop and of the full image are converted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.values.box import Box


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of the full image (whole pixels, may reach outside) shown at `width` x `height` pixels."""

    x0: int
    y0: int
    x1: int
    y1: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.x1 <= self.x0 or self.y1 <= self.y0 or self.width <= 0 or self.height <= 0:
            raise BadPrompt(f"{self} is empty.", "Give corners with x0 < x1 and y0 < y1.")

    @classmethod
    def around(cls, box: Box, *, long_side: int | None = None) -> Window:
        """The window of a box's whole pixels, shown at its own size or with its longer side scaled to `long_side`."""
        x0, y0, x1, y1 = box.pixels()
        scale = 1.0 if long_side is None else long_side / max(x1 - x0, y1 - y0)
        return cls(x0, y0, x1, y1, max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))

    @property
    def scale(self) -> tuple[float, float]:
        """(shown pixels per image pixel) across and down."""
        return (self.width / (self.x1 - self.x0), self.height / (self.y1 - self.y0))

    def to_window(self, points: Any) -> NDArray[np.float32]:
        """(N, 2) full-image points as shown in the window."""
        xy = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        return ((xy - (self.x0, self.y0)) * self.scale).astype(np.float32)

    def to_image(self, points: Any) -> NDArray[np.float32]:
        """(N, 2) points of the window in full-image pixels."""
        xy = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        return (xy / self.scale + (self.x0, self.y0)).astype(np.float32)

    def box_to_window(self, box: Box) -> Box:
        return Box.of(self.to_window([(box.x0, box.y0), (box.x1, box.y1)]).reshape(-1).tolist())

    def box_to_image(self, box: Box) -> Box:
        return Box.of(self.to_image([(box.x0, box.y0), (box.x1, box.y1)]).reshape(-1).tolist())

"""What callers hand in, as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maskwright.media.images import open_image
from maskwright.values import Image


def as_image(image: Any) -> Image:
    """A picture from a path, an Image, an array or a PIL image; raises BadImage."""
    return open_image(image) if isinstance(image, (str, Path)) else Image.of(image)

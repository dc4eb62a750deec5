"""What every matter checks first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask
from maskwright.values import Image


def checked(image: Image, trimap: NDArray[np.uint8]) -> None:
    """Raises BadMask unless the trimap is uint8 0/128/255 of the picture's size."""
    if trimap.dtype != np.uint8 or trimap.shape != (image.height, image.width):
        raise BadMask(
            f"the trimap is {trimap.dtype} {trimap.shape}, the picture {image.height}x{image.width}.",
            "Give uint8 (height, width) of 0 outside, 128 unknown, 255 inside.",
        )
    odd = (trimap != 0) & (trimap != 128) & (trimap != 255)
    if odd.any():
        raise BadMask(f"the trimap holds the value {int(trimap[odd][0])}.", "Use only 0, 128 and 255.")

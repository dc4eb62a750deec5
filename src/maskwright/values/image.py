"""A picture: RGB pixels and the hash that names them."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadImage
from maskwright.values.pillow import rgb_and_alpha

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

Pixels = NDArray[np.uint8]


class Image:
    """RGB pixels (H, W, 3) uint8, read-only; optional `alpha` (H, W) uint8; `source` says where from."""

    def __init__(self, pixels: Pixels, alpha: Pixels | None = None, source: str | None = None) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise BadImage(
                f"pixels of shape {pixels.shape} and type {pixels.dtype} are not a picture.",
                "Give a uint8 RGB array (height, width, 3), or use maskwright.open_image.",
            )
        if alpha is not None and (alpha.shape != pixels.shape[:2] or alpha.dtype != np.uint8):
            raise BadImage(f"alpha {alpha.shape} does not fit the picture {pixels.shape[:2]}.", "Give uint8 (H, W).")
        self.pixels = _sealed(pixels)
        self.alpha = None if alpha is None else _sealed(alpha)
        self.source = source

    @classmethod
    def of(cls, value: Image | Pixels | PilImage | Any) -> Image:
        """An Image from an Image, an array (H, W), (H, W, 3|4) uint8, or a PIL image, which is read as `open_image`
        reads its file but for EXIF: its pixels stay where Pillow has them."""
        if isinstance(value, Image):
            return value
        if isinstance(value, np.ndarray):
            return cls._of_array(value)
        if hasattr(value, "convert") and hasattr(value, "getbands"):
            picture: Any = value
            return cls(*rgb_and_alpha(picture, "the picture"))
        raise BadImage(
            f"a {type(value).__name__} is not a picture.",
            "Give a maskwright.Image, a uint8 array, a PIL image, or open a file with maskwright.open_image.",
        )

    @classmethod
    def _of_array(cls, array: NDArray[Any]) -> Image:
        if array.dtype != np.uint8:
            raise BadImage(f"an array of type {array.dtype} is not a picture.", "Scale it to 0-255 uint8 first.")
        if array.ndim == 2:
            return cls(np.repeat(array[:, :, None], 3, axis=2))
        if array.ndim == 3 and array.shape[2] == 4:
            return cls(np.ascontiguousarray(array[:, :, :3]), np.ascontiguousarray(array[:, :, 3]))
        return cls(array)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return (self.width, self.height)

    @cached_property
    def sha256(self) -> str:
        """The name of these pixels: sha256 over shape, RGB and alpha."""
        digest = hashlib.sha256(repr((self.pixels.shape, self.alpha is not None)).encode())
        digest.update(self.pixels.data)
        if self.alpha is not None:
            digest.update(self.alpha.data)
        return digest.hexdigest()

    def crop(self, x0: int, y0: int, x1: int, y1: int) -> Image:
        """The picture inside whole-pixel corners, which must lie inside it."""
        alpha = None if self.alpha is None else self.alpha[y0:y1, x0:x1]
        return Image(self.pixels[y0:y1, x0:x1], alpha, self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"Image({self.width}x{self.height}{', alpha' if self.alpha is not None else ''}, {self.source or '-'})"


def _sealed(array: Pixels) -> Pixels:
    """A contiguous read-only array that nobody else can write to."""
    if array.flags.writeable or not array.flags.c_contiguous:
        array = np.array(array, order="C")
        array.flags.writeable = False
    return array

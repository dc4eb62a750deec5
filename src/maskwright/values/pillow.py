"""What Pillow's pictures of every mode mean: RGB with alpha, or a mask. Pillow itself need not be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadImage, BadMask

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

_BAND_BYTES = 8 << 20


def rgb_and_alpha(picture: PilImage, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """RGB (H, W, 3) and alpha (H, W) or None, band by band so that only one full copy is held beside Pillow's."""
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        grey = _grey_of_wide(picture, name)
        return np.repeat(grey[:, :, None], 3, axis=2), None
    has_alpha = picture.has_transparency_data
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if has_alpha else None
    rows = max(1, _BAND_BYTES // (4 * width))
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height)))
        band.info = picture.info
        values = np.asarray(band.convert("RGBA" if has_alpha else "RGB"))
        pixels[top : top + rows] = values[:, :, :3]
        if alpha is not None:
            alpha[top : top + rows] = values[:, :, 3]
    return pixels, alpha


def mask_values(picture: PilImage, name: str) -> NDArray[Any]:
    """(H, W) bool, indices, or grey values of a mask."""
    picture.load()
    if picture.mode in ("1", "P", "L") or picture.mode.startswith("I"):
        return np.asarray(picture)
    pixels, alpha = rgb_and_alpha(picture, name)
    grey: NDArray[np.uint8] = pixels.max(axis=2)
    if alpha is not None and grey.min() == grey.max() and alpha.min() != alpha.max():
        return alpha
    return grey


def middle(array: NDArray[Any], name: str = "the mask") -> float:
    """The value above which a pixel is inside; raises BadMask where the numbers do not say."""
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise BadMask(f"{name}: values of type {array.dtype} are no mask.", "Give bool, 0/1 or 0-255.")
    is_float = np.issubdtype(array.dtype, np.floating)
    if is_float and not np.isfinite(array).all():
        raise BadMask(f"{name} holds NaN or infinity.", "Give bool, 0/1 or 0-255.")
    top = array.max()
    if top <= (1.1 if is_float else 1):  # resizing overshoots
        return 0.5 if is_float else 0
    if 127 < top <= 255:
        return 127
    if top > 32767:
        return 32767
    raise BadMask(
        f"{name} holds values up to {top:g}: neither 0/1 nor 0/255.",
        "Of numbered objects take one (array == 3; of a file value=3), else save 0/255.",
    )


def _grey_of_wide(picture: PilImage, name: str) -> NDArray[np.uint8]:
    """(H, W) uint8 of a 16-bit, 32-bit or float grey picture."""
    values: NDArray[Any] = np.asarray(picture)
    if picture.mode == "F":
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise BadImage(
                f"{name}: a float picture holds values outside 0..1.", "Scale it to 0..1, or save it as 16 bits."
            )
        scaled: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
        return scaled
    if values.min() < 0 or values.max() > 65535:
        raise BadImage(f"{name}: a 32-bit picture holds values outside 0..65535.", "Save it with 8 or 16 bits.")
    return (values >> 8).astype(np.uint8)

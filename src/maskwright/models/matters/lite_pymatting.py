"""Closed-form matting by the library pymatting, over the whole picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import ModelError
from maskwright.models.matters.trimaps import checked
from maskwright.values import Image


class PymattingMatter:
    """`method`: one of pymatting's estimators ("cf", "knn", "lkm", "lbdm", "rw")."""

    name = "pymatting"

    def __init__(self, *, method: str = "cf") -> None:
        import pymatting

        self.method, self._library = method, pymatting

    def matte(self, image: Image, trimap: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Alpha (H, W) 0..1; a trimap with only one sure side is answered without the library."""
        checked(image, trimap)
        if not (trimap == 128).any() or not (trimap == 0).any() or not (trimap == 255).any():
            alpha: NDArray[np.float32] = np.where(trimap == 0, 0, 1).astype(np.float32)
            return alpha
        estimate = getattr(self._library, f"estimate_alpha_{self.method}")
        try:
            found = estimate(
                image.pixels / 255.0, trimap.astype(np.float64) / 255.0 * (trimap != 128) + 0.5 * (trimap == 128)
            )
        except (ValueError, ArithmeticError, MemoryError) as error:
            raise ModelError(
                f"pymatting could not solve this matte ({error}).", "Use --matter lite, or a narrower band."
            ) from error
        return np.asarray(np.clip(found, 0, 1), np.float32)

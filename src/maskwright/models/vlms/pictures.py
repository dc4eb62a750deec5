"""Pictures as bytes for an endpoint."""

from __future__ import annotations

import base64

import cv2
import numpy as np

from maskwright.errors import BadImage
from maskwright.values import Image

QUALITY = 92


def data_url(image: Image, max_side: int) -> str:
    """A JPEG data URL of the picture, shrunk to `max_side` when it is larger; nothing else of the file travels."""
    pixels = image.pixels
    scale = max_side / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    good, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not good:
        raise BadImage(f"a picture of {image.size} cannot be encoded.", "Use a smaller one.")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")

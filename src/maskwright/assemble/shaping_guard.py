"""The body rule where no words give it away: a mask drawn around a worn garment, and the word "remove"."""

from __future__ import annotations

from functools import cache

import numpy as np

from maskwright.asking.body_rule import HINT, MESSAGE
from maskwright.assemble.loading import load
from maskwright.errors import RefusedError
from maskwright.models.parsers.lite import LiteParser
from maskwright.ports import PART_LABELS
from maskwright.values import Image, Mask

_WORN = [PART_LABELS.index(name) for name in ("upper garment", "lower garment", "dress", "outerwear")]
_BODY = [PART_LABELS.index(name) for name in ("face", "hair", "skin")]
_GARMENT_SHARE, _SURE, _BODY_SHARE = 0.55, 0.6, 0.12


def refuse_unclothing(image: Image, mask: Mask) -> None:
    """Raises RefusedError when the mask is mostly a garment on a person who stays in the picture."""
    parser = _parser()
    parts = parser.parse(Image(image.pixels))
    inside, labels = mask.array, parts.label_map
    assert parts.confidence is not None
    garment = inside & np.isin(labels, _WORN) & (parts.confidence > _SURE)
    if not inside.any() or garment.sum() < _GARMENT_SHARE * inside.sum():
        return
    body_left = int((np.isin(labels, _BODY) & ~inside & (parts.confidence > _SURE)).sum())
    face_left = ((labels == 1) & ~inside & (parts.confidence > _SURE)).any()
    if face_left and body_left > _BODY_SHARE * int(garment.sum()):
        raise RefusedError(f"the mask covers a worn garment: {MESSAGE}", HINT)


@cache
def _parser() -> LiteParser:
    parser = load("parser", "lite", mode="photo")
    assert isinstance(parser, LiteParser)
    return parser

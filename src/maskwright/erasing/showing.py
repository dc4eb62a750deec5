"""Pictures of what was done: clips side by side, a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from maskwright.erasing.job import Bools, Frame, Frames

CAPTION_PX = 22
SHEET_FRAMES = 5
SHEET_WIDTH = 320


def side_by_side(
    columns: Mapping[str, Frames], *, width: int | None = None, indices: Sequence[int] | None = None
) -> Iterator[Frame]:
    """Frames of several clips in one row, each under its name; `width` of one column (its own when not given)."""
    first = next(iter(columns.values()))
    height, own = first[0].shape[:2]
    wide = min(width or own, own)
    size = (wide, max(1, round(height * wide / own)))
    for index in range(len(first)) if indices is None else indices:
        yield np.concatenate([_titled(_fit(c[index], size), name) for name, c in columns.items()], axis=1)


def sheet(columns: Mapping[str, Frames]) -> Frame:
    """A few frames of every column, one below the other."""
    count = len(next(iter(columns.values())))
    indices = sorted({round(i * (count - 1) / (SHEET_FRAMES - 1)) for i in range(SHEET_FRAMES)})
    return np.concatenate(list(side_by_side(columns, width=SHEET_WIDTH, indices=indices)), axis=0)


def marked(frame: Frame, mask: Bools, shadow: Bools | None = None) -> Frame:
    """The frame with the mask tinted red and outlined, a shadow candidate tinted blue."""
    out = frame.copy()
    if shadow is not None:
        out[shadow] = (0.5 * out[shadow] + 0.5 * np.array([60, 120, 255])).astype(np.uint8)
    out[mask] = (0.45 * out[mask] + 0.55 * np.array([255, 60, 60])).astype(np.uint8)
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn: Frame = cv2.drawContours(out, edges, -1, (255, 255, 255), max(1, out.shape[1] // 480))
    return drawn


def _fit(frame: Frame, size: tuple[int, int]) -> Frame:
    if frame.shape[1::-1] == size:
        return frame
    how = cv2.INTER_AREA if frame.shape[1] > size[0] else cv2.INTER_LINEAR
    out: Frame = cv2.resize(frame, size, interpolation=how)
    return out


def _titled(frame: Frame, text: str) -> Frame:
    bar = np.full((CAPTION_PX, frame.shape[1], 3), 24, np.uint8)
    cv2.putText(bar, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([bar, frame], axis=0)

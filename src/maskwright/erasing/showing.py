"""Pictures of what was done: clips side by side, a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np

from maskwright.erasing.job import Bools, Frame, Frames

CAPTION_PX = 22
SHEET_FRAMES = 5
SHEET_WIDTH = 320
LEAST_NUMBERED = 640
"""The longer side of a picture with numbers, at least, unless whoever looks at it sees less."""
TINTS = {"shadow": (60, 120, 255), "reflection": (60, 220, 90)}
"""Colours of the candidates beside the object."""


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


def marked(frame: Frame, mask: Bools, candidates: Mapping[str, Bools] | None = None) -> Frame:
    """The frame with the mask tinted red and outlined, a shadow candidate tinted blue, a reflection green."""
    out = frame.copy()
    for kind, found in (candidates or {}).items():
        out[found] = (0.5 * out[found] + 0.5 * np.array(TINTS[kind])).astype(np.uint8)
    out[mask] = (0.45 * out[mask] + 0.55 * np.array([255, 60, 60])).astype(np.uint8)
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn: Frame = cv2.drawContours(out, edges, -1, (255, 255, 255), max(1, out.shape[1] // 480))
    return drawn


def numbered(frame: Frame, mask: Bools, candidates: Sequence[Bools], *, side: int) -> Frame:
    """The frame, at most `side` pixels long, with the mask outlined in red, each candidate outlined in a colour of its
    own with its number, from 1, in its middle. A small frame is enlarged, so that numbers hide little."""
    scale = min(side, max(LEAST_NUMBERED, *frame.shape[:2])) / max(frame.shape[:2])
    size_px = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    out = _fit(frame, size_px).copy()
    mask, *candidates = (_fit(m.astype(np.uint8) * 255, size_px) > 127 for m in (mask, *candidates))
    line = max(1, round(max(out.shape) / 400))
    colours = [tuple(TINTS.values())[n % len(TINTS)] for n in range(len(candidates))]
    for shape, colour in zip([*candidates, mask], [*colours, (255, 40, 40)]):
        edges, _ = cv2.findContours(shape.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, edges, -1, (0, 0, 0), line + 2)
        cv2.drawContours(out, edges, -1, colour, line)
    size = max(0.4, max(out.shape) / 900)
    for number, (shape, colour) in enumerate(zip(candidates, colours), 1):
        depth = cv2.distanceTransform(np.pad(shape, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), shape.shape)
        (wide, high), _ = cv2.getTextSize(str(number), cv2.FONT_HERSHEY_SIMPLEX, size, line)
        left, low, pad = int(x) - wide // 2, int(y) + high // 2, 2 * line
        cv2.rectangle(out, (left - pad, low - high - pad), (left + wide + pad, low + pad), colour, -1)
        cv2.putText(out, str(number), (left, low), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), line, cv2.LINE_AA)
    return out


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

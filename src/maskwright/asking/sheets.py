"""Numbered contact sheets: many small crops in one picture, each cell with its label above it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.values import Image

LABEL_PX = 22
GAP_PX = 6


def draw_sheet(cells: Sequence[Sequence[NDArray[np.uint8]]], labels: Sequence[Sequence[str]], side_px: int) -> Image:
    """A sheet whose cell i shows the crops cells[i] side by side, each `side_px` square under labels[i][j].

    Crops are (h, w, 3) uint8 of any size. Cells run left to right, top to bottom.
    """
    widest = max((len(crops) for crops in cells), default=1)
    columns = max(1, round(math.sqrt(len(cells) / widest)))
    rows = -(-len(cells) // columns)
    cell_w, cell_h = widest * side_px + GAP_PX * (widest + 1), side_px + LABEL_PX + GAP_PX
    canvas = np.full((max(1, rows) * cell_h + GAP_PX, columns * cell_w + GAP_PX, 3), 255, dtype=np.uint8)
    for index, (crops, names) in enumerate(zip(cells, labels)):
        top = (index // columns) * cell_h + GAP_PX
        left = (index % columns) * cell_w + GAP_PX
        cv2.rectangle(canvas, (left, top), (left + cell_w - GAP_PX, top + cell_h - GAP_PX), (170, 170, 170), 1)
        for j, (crop, name) in enumerate(zip(crops, names)):
            x = left + GAP_PX + j * (side_px + GAP_PX)
            _put_label(canvas, name, x, top)
            canvas[top + LABEL_PX : top + LABEL_PX + side_px, x : x + side_px] = fit_square(crop, side_px)
    return Image(canvas)


def fit_square(crop: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """The crop at side_px x side_px; smoothed when it shrinks."""
    shrinks = crop.shape[0] > side_px
    sized = cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(sized, dtype=np.uint8)


def _put_label(canvas: NDArray[np.uint8], text: str, x: int, top: int) -> None:
    cv2.putText(canvas, text, (x, top + LABEL_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)

"""Pictures about masks: what is painted, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from maskwright.errors import BadImage, BadMask
from maskwright.media import pictures
from maskwright.values import Box, Image, Mask

GREY = Image(np.full((60, 80, 3), 100, np.uint8))
SQUARE = Mask(np.pad(np.ones((20, 20), bool), ((20, 20), (30, 30))))


def changed(image: Image) -> np.ndarray:
    return (image.pixels != GREY.pixels).any(axis=2)


def test_an_overlay_tints_the_mask_and_nothing_else() -> None:
    tint = pictures.overlay(GREY, SQUARE, colour=(200, 0, 0), opacity=0.5, line_px=0)
    assert np.array_equal(changed(tint), SQUARE.array)
    assert tint.pixels[30, 40].tolist() == [150, 50, 50]
    assert (GREY.pixels == 100).all()


def test_a_contour_runs_along_the_edge_and_round_holes() -> None:
    holed = SQUARE.array.copy()
    holed[28:32, 38:42] = False
    drawn = changed(pictures.contour(GREY, Mask(holed), line_px=1))
    assert drawn[20, 40] and drawn[28, 37] and not drawn[24, 34] and not drawn[5, 5]


def test_first_masks_lie_on_top() -> None:
    image = pictures.overlay_many(GREY, [SQUARE, SQUARE], opacity=1.0)
    assert image.pixels[30, 40].tolist() == list(pictures.PALETTE[0])


def test_marks() -> None:
    image = pictures.mark(GREY, points=[(10, 10), (70, 10)], labels=[1, 0], boxes=[Box(5, 30, 20, 50)])
    assert image.pixels[10, 10].tolist() == list(pictures.GREEN)
    assert image.pixels[10, 70].tolist() == list(pictures.PALETTE[0])
    assert image.pixels[30, 10].tolist() == list(pictures.GREEN)


def test_cutouts() -> None:
    clear = pictures.cutout(GREY, SQUARE)
    assert clear.alpha is not None and np.array_equal(clear.alpha > 0, SQUARE.array)
    assert pictures.cutout(GREY, SQUARE, ground=(1, 2, 3)).pixels[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("paint", [pictures.overlay, pictures.contour, pictures.cutout])
def test_a_mask_of_another_size_is_refused(paint: object) -> None:
    with pytest.raises(BadMask, match="5x5"):
        paint(GREY, Mask(np.ones((5, 5), bool)))  # type: ignore[operator]


def test_sheets() -> None:
    sheet = pictures.contact_sheet([GREY] * 5, ["one", "two, which is too long for its cell"], columns=2, cell=(80, 60))
    assert sheet.width == 2 * 80 + 3 * 6 and sheet.height == 60 + 20 + 6 + 2 * (60 + 6) + 6
    row = pictures.side_by_side([GREY, pictures.cutout(GREY, SQUARE)], height=30)
    assert row.size == (2 * 40 + 18, 42)
    with pytest.raises(BadImage):
        pictures.contact_sheet([])
    with pytest.raises(BadImage):
        pictures.side_by_side([])

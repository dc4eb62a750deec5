"""Colour, place, size, order and relations against drawn scenes whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.finding.phrases import combine, fit, look, parse, score_attributes
from maskwright.finding.phrases.colours import chance_of
from maskwright.values import Image, Ranking

WIDTH, HEIGHT = 320, 240


def scene_of(*things: tuple[int, int, int, int, tuple[int, int, int]]) -> tuple[Image, NDArray[np.bool_]]:
    """Rectangles (x, y, w, h, rgb) on a grey ground, and their masks."""
    pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    masks = np.zeros((len(things), HEIGHT, WIDTH), np.bool_)
    for i, (x, y, w, h, rgb) in enumerate(things):
        pixels[y : y + h, x : x + w] = rgb
        masks[i, y : y + h, x : x + w] = True
    return Image(pixels), masks


RED, BLUE, WHITE, GREEN = (200, 30, 30), (40, 70, 190), (240, 240, 240), (40, 150, 60)
ROW = [(20, 100, 40, 40, RED), (100, 90, 60, 60, BLUE), (180, 105, 30, 30, WHITE), (250, 95, 50, 50, RED)]

ANSWERS = [
    ("the white box", 2),
    ("the blue box", 1),
    ("the leftmost box", 0),
    ("the box on the far right", 3),
    ("the second box from the left", 1),
    ("the second box from the right", 2),
    ("the third box from the left", 2),
    ("the last box from the left", 3),
    ("the second largest box", 3),
    ("the second smallest box", 0),
    ("the third biggest box", 0),
    ("第二大的盒子", 3),
    ("the last box on the left", 0),
    ("the last box on the right", 3),
    ("右边最后一个盒子", 3),
    ("the non-red box on the left", 1),
    ("the biggest box", 1),
    ("the smallest box", 2),
    ("the red box on the left", 0),
    ("the rightmost red box", 3),
    ("the second red box from the left", 3),
    ("the box that is not red on the left", 1),
    ("最大的盒子", 1),
    ("左边第二个盒子", 1),
    ("右边的红色盒子", 3),
]


@pytest.mark.parametrize(("text", "right"), ANSWERS, ids=[a[0] for a in ANSWERS])
def test_the_best_region(text: str, right: int) -> None:
    image, masks = scene_of(*ROW)
    phrase, scene = parse(text), look(image, masks)
    nouns = {query: np.full(len(masks), 0.8, np.float32) for query in phrase.queries}
    assert int(score_attributes(scene, phrase, nouns).log_chances.argmax()) == right


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("the fourth box from the left", None), ("the fifth box from the left", 4), ("左边第五个盒子", 4),
        ("the fourth last box from the left", None), ("the second red box from the left", None),
        ("the third red box from the right", 2), ("the fifth largest box", 4), ("the first six boxes", None),
    ],
)  # fmt: skip
def test_a_place_beyond_the_last_of_its_kind_is_told(text: str, seen: int | None) -> None:
    image, masks = scene_of(*ROW)
    phrase, scene = parse(text), look(image, masks)
    nouns = {query: np.full(len(masks), 0.8, np.float32) for query in phrase.queries}
    scores = score_attributes(scene, phrase, nouns)
    assert scores.too_few == seen
    found = combine(phrase, ranking_of([0.8] * len(masks), len(phrase.queries)), scores)
    assert (found.none > 0.5) == (seen is not None) and found.trace.get("only") == seen


@pytest.mark.parametrize(
    ("text", "right"),
    [("the smallest box", 2), ("the leftmost box", 0), ("the second box from the left", 1)],
)
def test_pieces_are_no_rivals_of_whole_things(text: str, right: int) -> None:
    """Scraps of the ground, a little like boxes, lie above, before and between the boxes."""
    scraps = [(4, 4, 9, 9, GREEN), (60, 30, 9, 9, GREEN), (200, 200, 9, 9, GREEN), (300, 10, 9, 9, GREEN)]
    image, masks = scene_of(*ROW, *scraps)
    phrase, scene = parse(text), look(image, masks)
    nouns = {query: np.array([0.08] * 4 + [0.05] * 4, np.float32) for query in phrase.queries}
    wholes = np.array([0.9] * 4 + [0.1] * 4, np.float32)
    own = slice(0, len(ROW))
    without = score_attributes(scene, phrase, nouns).log_chances[own]
    told = score_attributes(scene, phrase, nouns, wholes).log_chances[own]
    assert int(told.argmax()) == right
    assert told[right] > without[right] + 0.5


PAIRS = [
    ("the cup on the table", [(150, 60, 20, 30, RED), (20, 200, 20, 30, RED)], (100, 88, 140, 60, WHITE), 0),
    ("the cup next to the table", [(245, 100, 20, 30, RED), (10, 20, 20, 30, RED)], (150, 90, 90, 60, WHITE), 0),
    (
        "the cup to the left of the table",
        [(260, 100, 20, 30, RED), (60, 100, 20, 30, RED)],
        (130, 90, 90, 60, WHITE),
        1,
    ),
    ("the cup farthest from the table", [(245, 100, 20, 30, RED), (10, 20, 20, 30, RED)], (150, 90, 90, 60, WHITE), 1),
    ("离桌子最远的杯子", [(245, 100, 20, 30, RED), (10, 20, 20, 30, RED)], (150, 90, 90, 60, WHITE), 1),
    ("the cup nearest the table", [(245, 100, 20, 30, RED), (10, 20, 20, 30, RED)], (150, 90, 90, 60, WHITE), 0),
    ("the cup under the table", [(150, 20, 20, 30, RED), (150, 170, 20, 30, RED)], (100, 90, 140, 60, WHITE), 1),
]


@pytest.mark.parametrize(("text", "cups", "table", "right"), PAIRS, ids=[p[0] for p in PAIRS])
def test_relations_choose_the_partner(text: str, cups: list[tuple], table: tuple, right: int) -> None:
    image, masks = scene_of(*cups, table)
    nouns = {"cup": np.array([0.9, 0.9, 0.05], np.float32), "table": np.array([0.05, 0.05, 0.9], np.float32)}
    scores = score_attributes(look(image, masks), parse(text), nouns)
    assert int(scores.log_chances[:2].argmax()) == right


@pytest.mark.parametrize(
    ("name", "rgb"),
    [("red", (190, 20, 30)), ("red", (120, 15, 20)), ("green", (30, 120, 40)), ("green", (120, 190, 80)),
     ("blue", (30, 50, 160)), ("blue", (110, 160, 220)), ("yellow", (240, 215, 50)), ("orange", (240, 130, 20)),
     ("purple", (110, 40, 140)), ("pink", (245, 150, 185)), ("brown", (100, 60, 30)), ("beige", (215, 195, 160)),
     ("black", (15, 15, 18)), ("white", (245, 245, 240)), ("grey", (130, 130, 132)), ("dark blue", (20, 30, 80)),
     ("light blue", (150, 195, 235)), ("dark", (30, 32, 40)), ("maroon", (100, 15, 25))],
)  # fmt: skip
def test_colour_names(name: str, rgb: tuple[int, int, int]) -> None:
    image, masks = scene_of((50, 50, 100, 100, rgb))
    assert chance_of(name, look(image, masks).colours())[0] > 0.6


@pytest.mark.parametrize(("name", "rgb"), [("red", BLUE), ("white", (20, 20, 20)), ("yellow", RED), ("blue", GREEN)])
def test_wrong_colour_names(name: str, rgb: tuple[int, int, int]) -> None:
    image, masks = scene_of((50, 50, 100, 100, rgb))
    assert chance_of(name, look(image, masks).colours())[0] < 0.1


def test_clothes_are_read_where_they_are_worn() -> None:
    """Two figures: red above blue, and blue above red."""
    pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    masks = np.zeros((2, HEIGHT, WIDTH), np.bool_)
    for i, (upper, lower) in enumerate([(RED, BLUE), (BLUE, RED)]):
        x = 60 + 120 * i
        pixels[20:50, x : x + 60] = (200, 160, 140)
        pixels[50:125, x : x + 60], pixels[125:220, x : x + 60] = upper, lower
        masks[i, 20:220, x : x + 60] = True
    scene = look(Image(pixels), masks)
    nouns = {"man": np.full(2, 0.9, np.float32)}
    for text, right in [("the man in the red shirt", 0), ("the man in blue jeans", 0), ("man in blue", 1)]:
        assert int(score_attributes(scene, parse(text), nouns).log_chances.argmax()) == right, text


def ranking_of(chances: list[float], rows: int, known: bool = True) -> Ranking:
    table = np.tile(np.array(chances, np.float32), (rows, 1))
    return Ranking(np.log(table / (1 - table)), table, np.full(rows, known))


def test_the_posterior_falls_when_nothing_fits() -> None:
    image, masks = scene_of(*ROW)
    scene = look(image, masks)
    there = fit(scene, parse("the blue box"), lambda q: ranking_of([0.7, 0.8, 0.7, 0.7], len(q)))
    absent = fit(scene, parse("the green box"), lambda q: ranking_of([0.7, 0.8, 0.7, 0.7], len(q)))
    assert int(there.chances.argmax()) == 1
    assert there.none < absent.none
    assert there.known and "colour blue" in there.trace["best"]


def test_in_drawings_pieces_are_weak_signs_that_something_fits() -> None:
    image, masks = scene_of(*ROW)
    scene, sure = look(image, masks), replace(ranking_of([0.8, 0.1, 0.1, 0.1], 1), drawn=np.full(4, True))
    rankings = [replace(sure, wholes=np.array([w, 0.9, 0.9, 0.9], np.float32)) for w in (0.9, 0.1)]
    whole, piece = (fit(scene, parse("the box"), lambda q, r=r: r).none for r in rankings)
    assert whole < piece


def test_an_unknown_noun_is_ranked_by_its_attributes_with_low_confidence() -> None:
    image, masks = scene_of(*ROW)
    scene = look(image, masks)
    known = fit(scene, parse("the white box"), lambda q: ranking_of([0.8] * 4, len(q)))
    unknown = fit(scene, parse("the white qwertz"), lambda q: ranking_of([0.12] * 4, len(q), known=False))
    assert int(unknown.chances.argmax()) == 2
    assert not unknown.known
    assert unknown.chances.max() < known.chances.max()


def test_no_regions_give_no_answer() -> None:
    image, _ = scene_of()
    masks = np.zeros((0, HEIGHT, WIDTH), np.bool_)
    phrase = parse("the red box on the table")
    scene = look(image, masks)
    scores = score_attributes(scene, phrase, {q: np.zeros(0, np.float32) for q in phrase.queries})
    posterior = combine(phrase, ranking_of([], len(phrase.queries)), scores)
    assert posterior.none == 1.0 and len(posterior.chances) == 0


def test_empty_and_whole_masks_are_scored() -> None:
    image, masks = scene_of(*ROW)
    masks[0], masks[1] = False, True
    posterior = fit(
        look(image, masks), parse("the red box behind the cup in the middle"), lambda q: ranking_of([0.5] * 4, len(q))
    )
    assert np.isfinite(posterior.chances).all()

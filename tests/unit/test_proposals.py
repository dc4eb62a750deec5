"""Proposals: the sifting rules of the click grid, the merge tree, and both together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from maskwright.errors import BadSettings
from maskwright.models.proposers.grid import (
    GridProposer,
    crop_corners,
    cut_off,
    grid_points,
    stabilities,
    suppressed,
    without_small,
)  # fmt: skip
from maskwright.models.proposers.lite import LiteProposer, click_places
from maskwright.models.proposers.lite_tree import merged, superpixels
from maskwright.values import Candidates, Embedding, Image, Prompt

RECTANGLES = {(20, 20, 60, 70): (220, 60, 50), (80, 30, 150, 110): (60, 200, 80), (100, 50, 125, 90): (50, 80, 230)}


def scene() -> Image:
    """Three flat rectangles, the last one inside the second, on grey; 160x120."""
    pixels = np.full((120, 160, 3), 128, np.uint8)
    for (x0, y0, x1, y1), colour in RECTANGLES.items():
        pixels[y0:y1, x0:x1] = colour
    return Image(pixels)


class Flat:
    """A segmenter that answers with the pixels of exactly the clicked colour; `soft` makes its answers unstable."""

    def __init__(self, soft: bool = False, score: float = 0.95) -> None:
        self.name, self.soft, self.score, self.asked = "flat", soft, score, 0

    def encode(self, image: Image) -> Embedding:
        return Embedding("segmenter:flat", image.sha256, image.size, {"pixels": image.pixels})

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        self.asked += len(prompts)
        pixels = embedding.data["pixels"]
        out = []
        for prompt in prompts:
            x, y = prompt.points[0].astype(int)
            mask = (pixels == pixels[y, x]).all(-1)
            logits = np.where(mask, 5.0, -0.5 if self.soft else -5.0).astype(np.float32)
            out.append(Candidates(mask[None], np.array([self.score], np.float32), logits[None]))
        return out


def test_grid_points_lie_half_a_step_inside() -> None:
    assert grid_points(2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]


@pytest.mark.parametrize(
    ("size", "layers", "want"),
    [
        ((100, 60), 0, [(0, (0, 0, 100, 60))]),
        (
            (100, 60),
            1,
            [
                (0, (0, 0, 100, 60)),
                (1, (0, 0, 60, 40)), (1, (0, 20, 60, 60)), (1, (40, 0, 100, 40)), (1, (40, 20, 100, 60)),
            ],
        ),
    ],
)  # fmt: skip
def test_crops_overlap_as_published(size: tuple[int, int], layers: int, want: list[object]) -> None:
    assert crop_corners(size, layers, 512 / 1500) == want


def test_stability_is_the_overlap_of_two_thresholds() -> None:
    logits = np.array([[[2.0, 2.0, 0.0, -2.0]], [[2.0, 2.0, 2.0, -2.0]]], np.float32)
    candidates = Candidates(logits > 0, np.ones(2, np.float32), logits)
    assert stabilities(candidates, 1.0).tolist() == pytest.approx([2 / 3, 1.0])
    assert stabilities(Candidates(logits > 0, np.ones(2, np.float32)), 1.0).tolist() == [1, 1]


def test_suppression_equals_the_slow_way() -> None:
    rng = np.random.default_rng(5)
    corner = rng.uniform(0, 60, (80, 2))
    boxes, scores = np.concatenate([corner, corner + rng.uniform(5, 40, (80, 2))], 1), rng.random(80)

    def iou(a: np.ndarray, b: np.ndarray) -> float:
        shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
        return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))

    kept: list[int] = []
    for i in np.argsort(-scores):
        if all(iou(boxes[i], boxes[k]) <= 0.4 for k in kept):
            kept.append(int(i))
    assert suppressed(boxes, scores, 0.4).tolist() == kept


def test_masks_cut_off_by_a_crop_are_left_to_its_neighbour() -> None:
    boxes = np.array([[0, 0, 10, 10], [70, 40, 95, 60], [30, 30, 60, 60]], float)
    assert cut_off(boxes, (0, 0, 100, 100), (400, 100)).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("rows", "holes", "least", "want", "changed"),
    [
        (["#####", "#.###", "#####"], True, 2, ["#####", "#####", "#####"], True),
        (["#####", "#.###", "#####"], True, 1, ["#####", "#.###", "#####"], False),
        (["##..#", "##...", "....."], False, 2, ["##...", "##...", "....."], True),
        (["#...#", ".....", "....."], False, 5, ["#....", ".....", "....."], True),
    ],
)
def test_small_holes_and_islands(rows: list[str], holes: bool, least: int, want: list[str], changed: bool) -> None:
    mask = np.array([[c == "#" for c in row] for row in rows])
    got, was = without_small(mask, least, holes=holes)
    assert ["".join("#" if v else "." for v in row) for row in got] == want and was is changed


def test_every_flat_region_is_found_once() -> None:
    found = GridProposer(Flat(), points=16).propose(scene())
    assert len(found) == 4 and set(found.sources) == {"grid"}
    for x0, y0, x1, y1 in list(RECTANGLES)[::2]:
        truth = np.zeros((120, 160), dtype=np.bool_)
        truth[y0:y1, x0:x1] = True
        assert any((mask == truth).all() for mask in found.masks)


def test_crops_find_the_same_regions_and_no_twins() -> None:
    found = GridProposer(Flat(), points=16, crop_layers=1).propose(scene())
    inner = np.zeros((120, 160), dtype=np.bool_)
    inner[50:90, 100:125] = True
    assert sum((mask == inner).all() for mask in found.masks) == 1


def test_unstable_or_poor_answers_are_left_out() -> None:
    assert len(GridProposer(Flat(soft=True), points=8).propose(scene())) == 0
    assert len(GridProposer(Flat(score=0.5), points=8).propose(scene())) == 0
    assert GridProposer(Flat(score=0.5), points=8).propose(scene()).masks.shape == (0, 120, 160)


def test_an_embedding_of_the_same_segmenter_is_used() -> None:
    class Counted(Flat):
        encoded = 0

        def encode(self, image: Image) -> Embedding:
            self.encoded += 1
            return super().encode(image)

    segmenter = Counted()
    ready = Flat().encode(scene())
    GridProposer(segmenter, points=2).propose(scene(), ready)
    assert segmenter.encoded == 0
    GridProposer(segmenter, points=2).propose(scene(), Embedding("other", "", (160, 120), {}))
    assert segmenter.encoded == 1


def test_a_grid_without_points_is_refused() -> None:
    with pytest.raises(BadSettings):
        GridProposer(Flat(), points=0)


def test_the_tree_joins_even_regions_first() -> None:
    lab = scene().pixels.astype(np.float32)
    pieces = superpixels(lab, 120)
    tree = merged(pieces, lab / 60, np.zeros(pieces.shape, np.float32))
    assert pieces.min() == 0 and len(np.unique(pieces)) == tree.leaves
    assert len(tree.children) == tree.leaves - 1 and (tree.parent == -1).sum() == 1
    members = tree.members()
    assert members[-1].all() and np.all(np.diff(tree.height) >= 0)
    best = 0.0
    for node in members:
        mask = node[pieces]
        truth = np.zeros(pieces.shape, dtype=np.bool_)
        truth[20:70, 20:60] = True
        best = max(best, (mask & truth).sum() / (mask | truth).sum())
    assert best > 0.9


@pytest.mark.parametrize("size", [(160, 120), (40, 30), (20, 90)])
def test_lite_proposals_have_the_promised_form(size: tuple[int, int]) -> None:
    image = Image(np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8))
    found = LiteProposer(clicks=9, most=20).propose(image)
    assert found.masks.shape[1:] == (size[1], size[0]) and 0 < len(found) <= 20
    assert len(found.sources) == len(found.scores) == len(found)
    assert np.all(np.diff(found.scores) <= 0) and found.masks.any((1, 2)).all()


def test_lite_proposals_hold_the_drawn_things() -> None:
    found = LiteProposer(clicks=30).propose(scene())
    for x0, y0, x1, y1 in RECTANGLES:
        truth = np.zeros((120, 160), dtype=np.bool_)
        truth[y0:y1, x0:x1] = True
        assert ((found.masks & truth).sum((1, 2)) / (found.masks | truth).sum((1, 2))).max() > 0.6


def test_clicks_spread_over_the_picture() -> None:
    places = click_places((300, 100), 27)
    assert 20 <= len(places) <= 35 and (places > 0).all() and (places < [300, 100]).all()

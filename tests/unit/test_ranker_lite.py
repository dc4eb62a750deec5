"""The embedded ranker: what its words mean, what it sees, and that nothing depends on threads or company."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.bench.scenes import draw_scene
from maskwright.errors import BadMask, WeightsError
from maskwright.media.samples import sample
from maskwright.models.rankers.lite import LiteRanker
from maskwright.models.rankers.lite_drawn import Drawn, Sketch
from maskwright.models.rankers.lite_features import coarse, pooled, shape_facts, window_of
from maskwright.models.rankers.lite_kin import joined
from maskwright.models.rankers.lite_tables import read_tables
from maskwright.models.rankers.lite_words import Sparse
from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Box, Image, Prompt


@pytest.fixture(scope="module")
def ranker() -> LiteRanker:
    return LiteRanker()


@pytest.fixture(scope="module")
def picture() -> tuple[Image, NDArray[np.bool_]]:
    rng = np.random.default_rng(3)
    pixels = cv2.resize(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    masks = np.zeros((12, 240, 320), np.bool_)
    for i, mask in enumerate(masks):
        mask[10 + 15 * i : 60 + 15 * i, 20 * i : 20 * i + 70] = True
    return Image(pixels), masks


ROWS = [
    ("dog", "dog"),
    ("The Dogs", "dog"),
    ("puppy", "dog"),
    ("men", "man"),
    ("fire hydrant", "fire hydrant"),
    ("the red bus on the left", "bus"),
    ("stop sign near a tree", "stop sign"),
    ("红色的公交车", "bus"),
    ("狗", "dog"),
    ("沙发", "couch"),
    ("poodle", "poodle"),
    ("oscilloscope", "oscilloscope"),
]


@pytest.mark.parametrize(("said", "word"), ROWS, ids=[r[0] for r in ROWS])
def test_the_word_that_is_meant(ranker: LiteRanker, said: str, word: str) -> None:
    assert ranker.vocabulary.words[ranker.vocabulary.row(said)] == word


@pytest.mark.parametrize("said", ["qwertz", "咕噜", "", "???", "the"])
def test_no_word_is_meant(ranker: LiteRanker, said: str) -> None:
    assert ranker.vocabulary.row(said) == -1


def test_thousands_of_nouns_are_known(ranker: LiteRanker) -> None:
    assert ranker.vocabulary.known.sum() > 5000
    assert len(ranker.vocabulary.words) > 20000


def test_unknown_nouns_are_flagged_and_never_sure(ranker: LiteRanker, picture) -> None:
    ranking = ranker.rank(ranker.encode(*picture), ["the qwertz", "dog"])
    assert ranking.known.tolist() == [False, True]
    assert ranking.probabilities[0].max() < 0.3


def test_shapes_and_ranges(ranker: LiteRanker, picture) -> None:
    ranking = ranker.rank(ranker.encode(*picture), ["dog", "man", "tree"])
    assert ranking.logits.shape == ranking.probabilities.shape == (3, 12)
    assert ((ranking.probabilities > 0) & (ranking.probabilities < 1)).all()
    assert ranking.logits.dtype == ranking.probabilities.dtype == np.float32


def test_one_and_two_threads_give_the_same_numbers(ranker: LiteRanker, picture) -> None:
    other = LiteRanker(threads=2)
    a, b = (r.rank(r.encode(*picture), ["dog", "man"]) for r in (ranker, other))
    assert np.array_equal(a.logits, b.logits) and np.array_equal(a.wholes, b.wholes)


def test_few_regions_of_a_photograph_are_scored_alone_as_in_company(ranker: LiteRanker, picture) -> None:
    """A dozen regions all get a closer look, so none depends on the others."""
    image, masks = sample("astronaut"), picture[1]
    masks = np.stack([cv2.resize(m.view(np.uint8), image.size) > 0 for m in masks])
    together = ranker.rank(ranker.encode(image, masks[:4]), ["dog"]).logits[0]
    alone = [ranker.rank(ranker.encode(image, masks[i : i + 1]), ["dog"]).logits[0, 0] for i in range(4)]
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (64, 64), (500, 33)])
def test_odd_sizes(ranker: LiteRanker, size: tuple[int, int]) -> None:
    image = Image(np.full((*size, 3), 90, np.uint8))
    masks = np.stack([np.ones(size, np.bool_), np.zeros(size, np.bool_)])
    assert np.isfinite(ranker.rank(ranker.encode(image, masks), ["dog"]).logits).all()


def test_no_regions(ranker: LiteRanker, picture) -> None:
    ranking = ranker.rank(ranker.encode(picture[0], picture[1][:0]), ["dog"])
    assert ranking.logits.shape == (1, 0)
    assert ranking.wholes is not None and ranking.wholes.shape == (0,)


def test_a_whole_thing_is_told_from_its_half_and_from_the_background(ranker: LiteRanker) -> None:
    image = sample("flower")
    segmenter = LiteSegmenter()
    box = Box(0.2 * image.width, 0.05 * image.height, 0.8 * image.width, image.height)
    [found] = segmenter.predict(segmenter.encode(image), [Prompt(box=box)])
    flower = found.masks[0]
    left = np.arange(image.width) < np.flatnonzero(flower.any(axis=0)).mean()
    wholes = ranker.rank(ranker.encode(image, np.stack([flower, flower & left, ~flower])), ["flower"]).wholes
    assert wholes is not None and wholes.dtype == np.float32
    assert wholes[0] > wholes[1] > wholes[2]


def test_masks_of_another_size_are_refused(ranker: LiteRanker, picture) -> None:
    with pytest.raises(BadMask, match="do not fit"):
        ranker.encode(picture[0], np.ones((2, 5, 5), np.bool_))


def test_large_pictures_are_kept_small(ranker: LiteRanker) -> None:
    image = Image(np.zeros((1200, 3200, 3), np.uint8))
    kept = ranker.encode(image, np.ones((1, 1200, 3200), np.bool_)).data["pixels"]
    assert max(kept.shape[:2]) == 1600


def test_pooling_is_the_mean_under_the_mask() -> None:
    features = np.arange(2 * 2 * 3, dtype=np.float32).reshape(2, 2, 3)
    masks = np.zeros((2, 4, 4), np.bool_)
    masks[0, :2, :2] = True
    shares = coarse(masks, 2, 2)
    np.testing.assert_allclose(pooled(features, shares)[0], features[0, 0])
    np.testing.assert_allclose(pooled(features, shares)[1], features.reshape(-1, 3).mean(axis=0))


def test_windows_stay_inside() -> None:
    assert window_of(np.array([0, 0, 10, 10]), 100, 50) == (0, 0, 13, 13)
    assert window_of(np.array([90, 40, 100, 50]), 100, 50) == (87, 37, 100, 50)


def test_shape_facts_of_a_quarter() -> None:
    masks = np.zeros((1, 100, 100), np.bool_)
    masks[0, :50, :50] = True
    np.testing.assert_allclose(shape_facts(masks)[0, :6], [0.5, 0.25, 0.25, 0.5, 0.5, 1.0], atol=1e-6)


@pytest.mark.parametrize("spoil", [lambda b: b[:40], lambda b: b"\xff" * 8 + b[8:], lambda b: b[:8] + b"{" + b[9:60]])
def test_damaged_tables_are_refused(tmp_path: Path, spoil) -> None:
    body = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    file = tmp_path / "t.safetensors"
    file.write_bytes(spoil(len(body).to_bytes(8, "little") + body + bytes(8)))
    with pytest.raises(WeightsError):
        read_tables(file)


def test_real_things_are_told_apart(ranker: LiteRanker, dev_data: Path) -> None:
    pixels = cv2.imread(str(dev_data / "images" / "coco_000000121647.jpg"))[:, :, ::-1]
    names = ["coco_000000121647_1073688", "coco_000000121647_1144053"]
    masks = np.stack([cv2.imread(str(dev_data / "masks" / f"{n}.png"), 0) > 127 for n in names])
    ranking = ranker.rank(ranker.encode(Image(pixels.copy()), masks), ["pizza", "book", "wine glass"])
    assert len({int(row.argmax()) for row in ranking.logits}) == 2


def test_a_noun_is_lent_to_what_is_of_its_kind_and_never_taken() -> None:
    logits = np.array([[4.0, -4.0, -4.0], [-5.0, -5.0, 1.0]], np.float32)
    chances = np.array([[0, 0.5, 0.001], [0.5, 0, 0.001], [0.001, 0.001, 0]], np.float32)
    got = joined(logits, chances)
    assert (got >= logits).all()
    assert got[0, 1] == pytest.approx(np.log(0.49 / 0.51), abs=0.02)
    np.testing.assert_allclose(got[[0, 0, 1], [0, 2, 2]], logits[[0, 0, 1], [0, 2, 2]])


def test_kin_look_alike_and_lie_apart(ranker: LiteRanker) -> None:
    """Two cups and a checked square: the cups are kin, a part of one is not its own kin."""
    coffee = sample("coffee").pixels
    cup = cv2.resize(coffee[60:330, 150:480], (120, 98))
    pixels = np.full((300, 420, 3), 128, np.uint8)
    pixels[20:118, 20:140], pixels[170:268, 20:140] = cup, cup
    pixels[60:160, 260:360] = np.indices((100, 100)).sum(0)[..., None] // 10 % 2 * 255
    masks = np.zeros((4, 300, 420), np.bool_)
    masks[0, 20:118, 20:140] = masks[1, 170:268, 20:140] = masks[2, 60:160, 260:360] = masks[3, 20:60, 20:140] = True
    kin = ranker.encode(Image(pixels), masks).data["kin"]
    assert kin.shape == (4, 4) and kin.dtype == np.float32
    assert kin[0, 1] > 5 * kin[0, 2]
    assert kin[0, 3] == kin[3, 0] == kin[0, 0] == 0
    np.testing.assert_allclose(kin, kin.T, atol=1e-5)


def test_drawn_things_are_told_apart(ranker: LiteRanker) -> None:
    right, asked = 0, 0
    for seed in range(3):
        scene = draw_scene(seed, salt="ranker test")
        kinds = [thing.kind for thing in scene.things]
        masks = np.stack([thing.mask.array for thing in scene.things])
        ranking = ranker.rank(ranker.encode(scene.image, masks), sorted(set(kinds)))
        assert ranking.drawn is not None and ranking.drawn.mean() > 0.7
        best = ranking.logits.argmax(axis=1)
        right += sum(kinds[k] == name for name, k in zip(sorted(set(kinds)), best))
        asked += len(best)
    assert right > 0.8 * asked


@pytest.mark.parametrize("name", ["coffee", "cat", "astronaut"])
def test_photographs_are_not_drawn(ranker: LiteRanker, name: str) -> None:
    image = sample(name)
    masks = np.zeros((4, image.height, image.width), np.bool_)
    rows, columns = image.height // 2, image.width // 2
    for i, mask in enumerate(masks):
        mask[i // 2 * rows :, i % 2 * columns :][:rows, :columns] = True
    ranking = ranker.rank(ranker.encode(image, masks), ["snowman"])
    assert ranking.drawn is not None and not ranking.drawn.any()
    assert not ranking.known[0], "only drawings taught it"


@pytest.mark.parametrize(
    ("alone", "drawn"),
    [([0.6, 0.1, 0.1], [False] * 3), ([0.6, 0.7, 0.3], [True] * 3), ([0.9, 0.1, 0.1], [True, False, False]), ([], [])],
)
def test_a_region_looks_drawn_more_readily_in_a_drawing(alone: list[float], drawn: list[bool]) -> None:
    layers = {
        "dense": (
            (np.zeros((3, 11), np.float32), np.zeros(3, np.float32)),
            (np.eye(2, 3, dtype=np.float32), np.zeros(2, np.float32)),
        )
    }
    gate = {"dense": np.eye(1, 12, dtype=np.float32)[0]}
    seen = np.square(np.array(alone, np.float32)).reshape(-1, 1)
    heads = Drawn(layers, gate, {}, Sparse(np.zeros(1, np.uint32), np.zeros(0, np.uint16), np.zeros(0, np.uint8)))
    assert heads.look(seen, None, np.zeros((len(alone), 10), np.float32)).flat.tolist() == drawn


def test_what_is_not_drawn_keeps_its_logits() -> None:
    pair = {"both": np.array([0.5, 2.0, -1.0], np.float32)}
    ties = Sparse(np.array([0, 2, 2], np.uint32), np.array([0, 1], np.uint16), np.array([255, 51], np.uint8))
    drawn = Drawn({}, {}, pair, ties)
    chances = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]], np.float32)
    sketch = Sketch("both", np.log(chances), np.array([True, False]))
    logits = np.array([1.0, 1.0], np.float32)
    named = 2.0 * np.log(0.5 + 0.2 * 0.25)
    assert drawn.corrected(sketch, 0, logits) == pytest.approx([0.5 + named - 1.0, 1.0], abs=1e-4)
    assert drawn.corrected(sketch, 1, logits) is logits, "no drawn class for this noun"
    assert not drawn.knows(sketch, -1)

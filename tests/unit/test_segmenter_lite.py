"""Segmenter lite: shapes, clicks on their right side, odd pictures and prompts, the same bytes on any threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwright.errors import BadPrompt, MissingWeights
from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.models.segmenters.lite_network import Asked, View
from maskwright.values import Candidates, Image, Mask, Prompt


@pytest.fixture(scope="module")
def segmenter() -> LiteSegmenter:
    return LiteSegmenter()


def drawn(width: int, height: int, seed: int = 3) -> tuple[Image, np.ndarray]:
    """A bright disc on a dim, noisy ground, and where it is."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[:height, :width]
    inside = np.hypot((xs - width * 0.45) / width, (ys - height * 0.5) / height) < 0.22
    pixels = np.where(inside[..., None], (210, 120, 40), (40, 70, 90)) + rng.integers(-8, 9, (height, width, 1))
    return Image(np.clip(pixels, 0, 255).astype(np.uint8)), inside


def one(segmenter: LiteSegmenter, image: Image, prompt: Prompt) -> Candidates:
    [found] = segmenter.predict(segmenter.encode(image), [prompt])
    return found


@pytest.mark.parametrize(
    ("width", "height"),
    [(64, 64), (33, 7), (1, 1), (640, 480), (480, 640), (1000, 60), (2400, 1800)],
)
def test_every_size_of_picture(segmenter: LiteSegmenter, width: int, height: int) -> None:
    image, _ = drawn(width, height)
    found = one(segmenter, image, Prompt([(width * 0.45, height * 0.5)]))
    assert found.masks.shape == (4, height, width) and found.masks.dtype == np.bool_
    assert found.scores.dtype == np.float32 and found.logits is not None and found.logits.ndim == 3
    assert found.masks[0][int(height * 0.5), int(width * 0.45)]


@pytest.mark.slow
def test_a_picture_of_48_megapixels(segmenter: LiteSegmenter) -> None:
    image = Image(cv2.resize(drawn(400, 300)[0].pixels, (8000, 6000)))
    found = one(segmenter, image, Prompt([(3600, 3000)]))
    assert found.masks.shape[1:] == (6000, 8000) and found.masks[0, 3000, 3600]


def test_finds_a_plain_disc(segmenter: LiteSegmenter) -> None:
    image, inside = drawn(320, 240)
    ys, xs = np.nonzero(inside)
    box = (float(xs.min() - 6), float(ys.min() - 6), float(xs.max() + 7), float(ys.max() + 7))
    for prompt in (Prompt([(144, 120)]), Prompt(box=box), Prompt([(144, 120), (300, 20)], [1, 0], box=box)):
        assert Mask(one(segmenter, image, prompt).masks[0]).iou(Mask(inside)) > 0.85


def test_scores_are_best_first(segmenter: LiteSegmenter) -> None:
    found = one(segmenter, drawn(320, 240)[0], Prompt([(144, 120)]))
    assert np.all(np.diff(found.scores) <= 0) and np.all((found.scores >= 0) & (found.scores <= 1))


@pytest.mark.parametrize("seed", range(6))
def test_every_click_ends_on_its_side(segmenter: LiteSegmenter, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, _ = drawn(160, 120, seed)
    count = int(rng.integers(1, 12))
    points = rng.choice(160 * 120 // 64, count, replace=False)
    xy = np.stack([points % 20 * 8 + 4, points // 20 * 8 + 4], 1)
    labels = rng.integers(0, 2, count)
    mask = one(segmenter, image, Prompt(xy, labels)).masks[0]
    assert [bool(mask[y, x]) for x, y in xy] == [bool(v) for v in labels]


CLICKS = {
    "in a corner": Prompt([(0, 0)]),
    "beyond the last pixel": Prompt([(319.9, 239.9)]),
    "far outside": Prompt([(-50, 900)]),
    "the same place, both labels": Prompt([(100, 100), (100, 100)], [1, 0]),
    "only outside": Prompt([(100, 100)], [0]),
    "sixty": Prompt(np.random.default_rng(0).uniform(0, 240, (60, 2)), np.arange(60) % 2),
    "a box over everything": Prompt(box=(-20, -20, 400, 400)),
    "a sliver of a box": Prompt(box=(10, 10, 10.5, 200)),
}


@pytest.mark.parametrize("name", CLICKS)
def test_odd_prompts_have_answers(segmenter: LiteSegmenter, name: str) -> None:
    found = one(segmenter, drawn(320, 240)[0], CLICKS[name])
    assert found.masks.shape == (4, 240, 320) and np.isfinite(found.scores).all()


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Prompt(), "empty prompt"),
        (Prompt(text="the dog"), "empty prompt"),
        (Prompt(box=(500, 500, 600, 600)), "outside"),
        (Prompt([(5, 5)], logits=np.zeros((2, 3, 4), np.float32)), "do not fit"),
        (Prompt([(5, 5)], logits=np.full((4, 4), np.nan, np.float32)), "do not fit"),
    ],
)
def test_unusable_prompts(segmenter: LiteSegmenter, prompt: Prompt, words: str) -> None:
    with pytest.raises(BadPrompt, match=words):
        one(segmenter, drawn(320, 240)[0], prompt)


CLICK, TWO, BOX = [(70, 60)], [(70, 60), (10, 10)], (40, 30, 110, 90)
LOGITS = np.zeros((30, 40), np.float32)


@pytest.mark.parametrize(
    ("prompt", "own_answer", "decoder"),
    [
        (Prompt(CLICK), False, "click"),
        (Prompt(CLICK), True, "click"),
        (Prompt(box=BOX), False, "box"),
        (Prompt(box=BOX), True, "box"),
        (Prompt(CLICK, box=BOX), False, "later"),
        (Prompt(TWO, [1, 0]), False, "later"),
        (Prompt(CLICK, logits=LOGITS), True, "later"),
        (Prompt(box=BOX, logits=LOGITS), True, "later"),
        (Prompt(logits=LOGITS), True, "later"),
    ],
)
def test_one_click_and_one_box_have_decoders_of_their_own(prompt: Prompt, own_answer: bool, decoder: str) -> None:
    shown = View(0, 0, 160, 120, (160, 120), {})
    assert Asked.of(prompt, shown, LOGITS if own_answer else None).decoder == decoder


def test_no_prompts_no_answers(segmenter: LiteSegmenter) -> None:
    assert segmenter.predict(segmenter.encode(drawn(64, 48)[0]), []) == []


def test_a_batch_answers_as_one_by_one(segmenter: LiteSegmenter) -> None:
    embedding = segmenter.encode(drawn(320, 240)[0])
    prompts = [Prompt([(144, 120)]), Prompt([(20, 20), (144, 120)], [1, 0]), Prompt(box=(70, 60, 220, 180))]
    together = segmenter.predict(embedding, prompts)
    for prompt, both in zip(prompts, together):
        [alone] = segmenter.predict(embedding, [prompt])
        assert (alone.masks[0] != both.masks[0]).mean() < 1e-3


def test_earlier_logits_of_another_size_are_fitted(segmenter: LiteSegmenter) -> None:
    image, inside = drawn(320, 240)
    logits = cv2.resize(np.where(inside, 4.0, -4.0).astype(np.float32), (50, 40))
    assert Mask(one(segmenter, image, Prompt(logits=logits)).masks[0]).iou(Mask(inside)) > 0.6


@pytest.mark.parametrize("size", [(400, 300), (481, 321), (90, 250)])
def test_the_same_bytes_on_one_and_two_threads_and_from_two_callers(size: tuple[int, int]) -> None:
    image, _ = drawn(*size)
    prompts = [Prompt([(80, 150)]), Prompt([(80, 150), (60, 40)], [1, 0]), Prompt(box=(20, 30, 80, 200))]
    answers = [bytes_of(threads, image, prompts) for threads in (1, 2)]
    assert len(set(answers[0] + answers[1])) == 1 and len(answers[0]) == 2


def bytes_of(threads: int, image: Image, prompts: list[Prompt]) -> list[bytes]:
    """What two callers at once get from one segmenter."""
    segmenter = LiteSegmenter(threads=threads)
    embedding = segmenter.encode(image)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: segmenter.predict(embedding, prompts), range(2)))
    return [
        b"".join(c.masks.tobytes() + c.scores.tobytes() + np.asarray(c.logits).tobytes() for c in found)
        for found in answers
    ]


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="Install maskwright again"):
        LiteSegmenter(weights=tmp_path)


def test_the_weights_are_small() -> None:
    from importlib import resources

    files = [p for p in resources.files("maskwright.weights").iterdir() if p.name.startswith("segmenter_lite")]
    sizes = [len(p.read_bytes()) for p in files]
    assert len(sizes) == 4 and max(sizes) < 25 * 2**20 and sum(sizes) < 18 * 2**20

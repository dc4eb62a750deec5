"""Click, word and memory networks of transformers, tiny and random, loaded from folders as a user's would be."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("transformers", reason="needs the torch extra")

import tiny_torch as tiny  # noqa: E402

from maskwright import ports  # noqa: E402
from maskwright.errors import (  # noqa: E402
    BadPrompt,
    BadSettings,
    MissingWeights,
    ModelError,
    OutOfMemory,
    WeightsError,
)
from maskwright.models.segmenters.frames import Square  # noqa: E402
from maskwright.models.segmenters.sam import Sam, SamHq  # noqa: E402
from maskwright.models.segmenters.sam2 import EdgeTam, Sam2, Sam3Clicks  # noqa: E402
from maskwright.models.sieve import Sieve  # noqa: E402
from maskwright.models.torching import Host, Place, lodge  # noqa: E402
from maskwright.values import Image, Mask, Prompt  # noqa: E402

KINDS = {"sam": Sam, "sam-hq": SamHq, "sam2": Sam2, "edgetam": EdgeTam, "sam3-clicks": Sam3Clicks}
SIZES = [(71, 45), (45, 71), (3, 5), (64, 64)]


def noise(size: tuple[int, int], seed: int = 0) -> Image:
    return Image(np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


@pytest.fixture(scope="module", params=list(KINDS))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if request.param == "edgetam":
        pytest.importorskip("timm", reason="EdgeTAM needs timm")
    folder = tiny.SEGMENTERS[request.param](tmp_path_factory.mktemp(request.param))
    return KINDS[request.param](folder, device="cpu", name=request.param)


@pytest.mark.parametrize("size", SIZES)
def test_answers_have_the_pictures_size_and_are_best_first(model: Any, size: tuple[int, int]) -> None:
    assert isinstance(model, ports.Segmenter)
    embedding = model.encode(noise(size))
    assert embedding.nbytes > 0
    answers = model.predict(embedding, [Prompt([(1, 1)]), Prompt([(1, 1), (2, 2)], [1, 0]), Prompt(box=(0, 0, 2, 3))])
    assert [len(a) for a in answers] == [3, 1, 1]
    for answer in answers:
        assert answer.masks.shape[1:] == (size[1], size[0])
        assert (np.diff(answer.scores) <= 0).all()
        assert (answer.scores >= 0).all()
        assert (answer.scores <= 1).all()


def test_many_prompts_at_once_equal_one_by_one(model: Any) -> None:
    embedding = model.encode(noise((71, 45)))
    rng = np.random.default_rng(1)
    prompts = [Prompt(rng.uniform(0, 40, (1 + i % 2, 2)), box=(5, 5, 40, 30) if i % 3 else None) for i in range(9)]
    earlier = model.predict(embedding, prompts[:1])[0].logits[0]
    prompts += [Prompt([(9, 9)], logits=earlier), Prompt(logits=earlier)]
    for together, prompt in zip(model.predict(embedding, prompts), prompts):
        [alone] = model.predict(embedding, [prompt])
        np.testing.assert_allclose(together.logits, alone.logits, atol=1e-5)


def test_sifting_gives_what_passes_of_all_answers(model: Any) -> None:
    embedding = model.encode(noise((71, 45)))
    prompts = [Prompt([(5 + 7 * i, 4 + 4 * i)]) for i in range(9)]
    answers = model.predict(embedding, prompts)
    everything = model.sift(embedding, prompts, Sieve(-1e9, 0.0))
    assert sorted(m.tobytes() for m in everything.masks) == sorted(m.tobytes() for a in answers for m in a.masks)
    middle = float(np.median(everything.scores))  # of the model's own scores: answers have them cut to 0..1
    passed = model.sift(embedding, prompts, Sieve(middle, 0.0))
    np.testing.assert_array_equal(passed.masks, everything.masks[everything.scores > middle])
    assert (passed.scores > middle).all()
    steady = float(np.median(everything.stability))
    assert (model.sift(embedding, prompts, Sieve(-1e9, steady)).stability >= steady).all()
    assert model.sift(embedding, prompts, Sieve(1e9, 0.0)).masks.shape == (0, 45, 71)
    assert model.sift(embedding, [], Sieve(0.0, 0.0)).masks.shape == (0, 45, 71)
    with pytest.raises(BadPrompt):
        model.sift(embedding, [Prompt([(1, 1)]), Prompt(box=(0, 0, 5, 5))], Sieve(0.0, 0.0))


def test_an_earlier_answer_and_the_picture_matter(model: Any) -> None:
    first, second = (model.encode(noise((71, 45), seed)) for seed in (0, 1))
    [a], [b] = (model.predict(e, [Prompt([(9, 9)])]) for e in (first, second))
    assert np.abs(a.logits - b.logits).max() > 1e-6
    [c] = model.predict(first, [Prompt([(9, 9)], logits=b.logits[0] * 50)])
    [d] = model.predict(first, [Prompt([(9, 9)], logits=-b.logits[0] * 50)])
    assert np.abs(c.logits - d.logits).max() > 1e-7


def test_threads_do_not_disturb_each_other(model: Any) -> None:
    pictures = [noise((71, 45), seed) for seed in range(4)]
    wanted = [model.predict(model.encode(p), [Prompt([(9, 9)])])[0].logits for p in pictures]
    got: dict[int, Any] = {}

    def work(i: int) -> None:
        got[i] = model.predict(model.encode(pictures[i % 4]), [Prompt([(9, 9)])])[0].logits

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(got[i], wanted[i % 4]) for i in range(8))


@pytest.mark.parametrize(
    "prompt", [Prompt(), Prompt(text="cup"), Prompt([(1, 1)], logits=np.zeros((2, 4, 4), np.float32))]
)
def test_what_it_cannot_be_asked_is_refused(model: Any, prompt: Prompt) -> None:
    with pytest.raises(BadPrompt):
        model.predict(model.encode(noise((20, 20))), [prompt])


def test_no_prompts_no_answers_and_no_foreign_embedding(model: Any) -> None:
    embedding = model.encode(noise((20, 20)))
    assert model.predict(embedding, []) == []
    object.__setattr__(embedding, "model", "segmenter:another")
    with pytest.raises(BadPrompt, match="another"):
        model.predict(embedding, [Prompt([(1, 1)])])


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("size", [(641, 363), (363, 641), (97, 100), (1500, 1001)])
def test_a_bright_square_is_found_where_it_is(size: tuple[int, int], keep: bool) -> None:
    """In through `read` and `points`, out through `logits`: edges stay within half a pixel of low resolution's grid."""
    width, height = size
    box = (width * 0.3, height * 0.4, width * 0.55, height * 0.75)
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    inside = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    square = Square(size, 1024, keep)
    shown = square.read(np.repeat(np.where(inside, 255, 0).astype(np.uint8)[:, :, None], 3, axis=2))[:, :1]
    (a, b), (c, d) = square.points([box[:2], box[2:]])
    ys, xs = torch.meshgrid(torch.arange(1024) + 0.5, torch.arange(1024) + 0.5, indexing="ij")
    mapped = (xs > a) & (xs < c) & (ys > b) & (ys < d)
    bright = shown[0, 0] > (shown.max() + shown.min()) / 2
    assert (bright != mapped).sum() <= 2 * (c - a + d - b) * max(1, 1024 / max(size))
    ramp = torch.minimum(torch.minimum(xs - a, c - xs), torch.minimum(ys - b, d - ys))[None, None]
    found = Mask((square.logits(ramp)[0, 0] > 0).numpy()).box
    assert found is not None
    np.testing.assert_allclose(tuple(found), box, atol=0.51)


def test_half_precision_keeps_coordinates(tmp_path: Path) -> None:
    folder = tiny.sam(tmp_path)
    exact, rough = Sam(folder, device="cpu"), Sam(folder, device="cpu", dtype="bfloat16")
    assert next(rough.host.model.prompt_encoder.parameters()).dtype == torch.float32
    picture = noise((71, 45))
    [a], [b] = (m.predict(m.encode(picture), [Prompt(box=(5, 5, 40, 30))]) for m in (exact, rough))
    assert np.abs(a.logits - b.logits).max() < 0.05


@pytest.mark.parametrize("settings", [{"dtype": "int8"}, {"device": "nowhere"}, {"multimask": "often"}])
def test_impossible_settings_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        Sam(tiny.sam(tmp_path), **settings)


def test_weights_that_are_not_its_own_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        Sam(tiny.sam2(tmp_path / "other"), device="cpu")
    with pytest.raises(MissingWeights):
        Sam(tmp_path / "absent", device="cpu")
    half = tiny.sam(tmp_path / "half") / "model.safetensors"
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    with pytest.raises(WeightsError):
        Sam(half.parent, device="cpu")


def test_a_full_device_gets_smaller_batches_then_the_processor() -> None:
    sizes: list[int] = []

    def work(model: Any, place: Place, some: Any) -> list[int]:
        sizes.append(len(some))
        if place.device != "cpu" and len(some) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(some)

    host = Host("tiny", torch.nn.Linear(1, 1), Place("pretended", torch.float32))
    room = 3
    assert [i for part in host.batches(work, range(10), 8) for i in part] == list(range(10))
    assert sizes == [8, 4, 2, 2, 2, 2, 2]
    assert host.fell_back == 0
    room = 0
    assert [i for part in host.batches(work, range(2), 2) for i in part] == [0, 1]
    assert host.fell_back == 2


def test_twenty_requests_after_a_full_device_succeed() -> None:
    """Every request runs out of memory at first; the next one is answered as if nothing had been."""
    full = [True]

    def work(model: Any, place: Place, some: Any) -> list[int]:
        if full[0] and place.device != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [2 * i for i in some]

    host, good = Host("tiny", torch.nn.Linear(1, 1), Place("pretended", torch.float32)), 0
    for _ in range(20):
        full[0] = True
        assert [i for part in host.batches(work, range(4), 4) for i in part] == [0, 2, 4, 6]
        full[0] = False
        before = host.fell_back
        good += [i for part in host.batches(work, range(4), 4) for i in part] == [0, 2, 4, 6]
        assert host.fell_back == before
    print(f"\n{good} of 20 next requests answered on the device")
    assert good == 20


class Idle:
    """A model that takes `room` of the device until it is asked to leave."""

    def __init__(self, taken: bool) -> None:
        self.taken, self.asked = taken, 0

    def make_room(self) -> bool:
        self.asked += 1
        had, self.taken = self.taken, False
        return had


def test_idle_models_leave_a_full_device_before_the_processor_is_taken() -> None:
    idle, other = Idle(True), Idle(False)
    for lodger in (idle, other):
        lodge(lodger)
    tried: list[tuple[str, int]] = []

    def work(model: Any, place: Place, some: Any) -> list[int]:
        tried.append((place.device, len(some)))
        if place.device != "cpu" and (idle.taken or len(some) > room):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(some)

    host, room = Host("tiny", torch.nn.Linear(1, 1), Place("pretended", torch.float32)), 1
    assert [i for part in host.batches(work, range(3), 2) for i in part] == [0, 1, 2]
    assert tried == [("pretended", 2)] + [("pretended", 1)] * 5
    assert host.fell_back == 0
    assert (idle.asked, other.asked) == (1, 1)
    room = 0
    assert [i for part in host.batches(work, range(1), 1) for i in part] == [0]
    assert host.fell_back == 1
    assert tried[-1] == ("cpu", 1)


def test_a_model_that_does_not_fit_is_loaded_when_an_idle_one_has_left(tmp_path: Path, monkeypatch: Any) -> None:
    from transformers import SamModel

    idle = Idle(True)
    lodge(idle)
    moved = SamModel.to

    def to(self: Any, *args: Any, **named: Any) -> Any:
        if idle.taken:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return moved(self, *args, **named)

    monkeypatch.setattr(SamModel, "to", to)
    Sam(tiny.sam(tmp_path / "sam"), device="cpu")
    idle = Idle(True)  # not known to anybody
    with pytest.raises(OutOfMemory):
        Sam(tmp_path / "sam", device="cpu")


def test_foreign_errors_stay_inside() -> None:
    host = Host("tiny", None, Place("cpu", torch.float32))
    for foreign, ours in ((RuntimeError("out of memory"), OutOfMemory), (ZeroDivisionError(), ModelError)):
        with pytest.raises(ours, match="tiny"):
            host.call(lambda model, place, foreign=foreign: (_ for _ in ()).throw(foreign))


def test_words_find_every_instance(tmp_path: Path) -> None:
    pytest.importorskip("torchvision", reason="SAM 3 needs torchvision", exc_type=ImportError)
    from maskwright.models.segmenters.sam3 import Sam3

    model = Sam3(tiny.sam3(tmp_path), device="cpu", threshold=0.0)
    embedding = model.encode(noise((71, 45)))
    by_word, by_box, by_long = model.predict(
        embedding, [Prompt(text="a red cup"), Prompt(box=(3, 3, 20, 20)), Prompt(text="cup " * 200)]
    )
    assert by_word.masks.shape == (6, 45, 71)
    assert (np.diff(by_word.scores) <= 0).all()
    assert len(by_box) == len(by_long) == 6
    with pytest.raises(BadPrompt, match="words"):
        model.predict(embedding, [Prompt([(1, 1)])])


@pytest.mark.parametrize("name", list(tiny.TRACKERS))
def test_objects_are_followed_through_a_clip(name: str, tmp_path: Path) -> None:
    from maskwright.models.trackers import memory

    kind = {"sam2": memory.Sam2Tracker, "edgetam": memory.EdgeTamTracker, "sam3": memory.Sam3Tracker}[name]
    if name == "edgetam":
        pytest.importorskip("timm", reason="EdgeTAM needs timm")
    tracker = kind(tiny.TRACKERS[name](tmp_path), device="cpu")
    assert isinstance(tracker, ports.VideoSegmenter)
    frames = [noise((71, 45), i).pixels for i in range(5)]
    square = np.zeros((45, 71), np.bool_)
    square[10:30, 20:50] = True
    got = list(tracker.track(frames, {2: {7: Mask(square), 9: Mask(~square)}}))
    assert [index for index, _ in got] == list(range(5))
    assert all(set(masks) == {7, 9} and masks[7].size == (71, 45) for _, masks in got)
    assert got[2][1][7].iou(Mask(square)) > 0.8
    clicked = list(tracker.track(frames, {1: {1: Prompt([(5, 5)])}, 3: {1: Prompt(box=(3, 3, 20, 20))}}))
    assert len(clicked) == 5
    for nothing in ({}, {9: {1: Prompt([(1, 1)])}}, {0: {1: Prompt(text="cup")}}):
        with pytest.raises(BadPrompt):
            list(tracker.track(frames, nothing))

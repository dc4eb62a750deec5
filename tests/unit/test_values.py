"""Values: codecs against pycocotools, geometry by properties, traces that round-trip."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco

from maskwright.errors import BadImage, BadMask, BadPrompt, InputError
from maskwright.media.images import open_image, open_mask
from maskwright.values import Box, Cost, Image, Mask, MaskStack, PackedMask, PackedMasks, Prompt, Round, Trace, Window

bools = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40))


@given(bools)
@settings(max_examples=150, deadline=None)
def test_rle_equals_pycocotools_and_round_trips(array: NDArray[np.bool_]) -> None:
    mask = Mask(array)
    reference = coco.encode(np.asfortranarray(array.astype(np.uint8)))
    assert mask.to_rle() == {"size": list(reference["size"]), "counts": reference["counts"].decode()}
    assert Mask.from_rle(mask.to_rle()) == mask
    assert Mask.from_rle(reference) == mask
    plain = mask.to_rle(compressed=False)
    assert Mask.from_rle(plain) == mask
    assert coco.frPyObjects(plain, *array.shape)["counts"] == reference["counts"]
    assert mask.area == int(coco.area(reference))


@pytest.mark.parametrize("seed", range(3))
def test_rle_of_large_masks_equals_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = np.zeros((700, 900), dtype=np.bool_)
    for _ in range(8):
        y, x = rng.integers(0, 600, 2)
        array[y : y + 90, x : x + 200] ^= True
    if seed == 2:
        array = rng.random((700, 900)) > 0.5
    reference = coco.encode(np.asfortranarray(array.astype(np.uint8)))
    assert Mask(array).to_rle()["counts"] == reference["counts"].decode()
    assert Mask.from_rle(reference) == Mask(array)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": [1, 2]},
        {"size": [2, 2], "counts": [-1, 5]},
        {"size": [2, 2], "counts": "~~~~"},
        {"size": [2, 2], "counts": ""},
        {"size": [2, 2], "counts": "P" * 50},
        {"size": [0, 2], "counts": [0]},
        {"size": [10**9, 10**9], "counts": [10**18]},
        {"size": ["a", 2], "counts": [4]},
        {"size": [2, 2], "counts": {"a": 1}},
        {"size": [2, 2], "counts": [10**30]},
    ],
)
def test_damaged_rle_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(BadMask):
        Mask.from_rle(value)


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_as_counts_is_a_mask_or_refused(text: str) -> None:
    with contextlib.suppress(BadMask):
        assert Mask.from_rle({"size": [3, 4], "counts": text}).size == (4, 3)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(1, 9), st.integers(1, 17), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_stack_iou_equals_the_plain_definition(n: int, m: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.random((n, height, width)) > rng.random((n, 1, 1))
    b = rng.random((m, height, width)) > rng.random((m, 1, 1))
    expected = [[Mask(x).iou(Mask(y)) for y in b] for x in a]
    found = MaskStack.of(a).iou(MaskStack.of(b))
    assert found.shape == (n, m)
    np.testing.assert_array_equal(found, np.array(expected).reshape(n, m))
    np.testing.assert_array_equal(MaskStack.of(a).unpack(), a)
    assert [mask.area for mask in MaskStack.of(a)] == MaskStack.of(a).areas.tolist()


def test_stacks_of_different_sizes_are_refused() -> None:
    with pytest.raises(BadMask):
        MaskStack.of(np.zeros((1, 2, 3), bool)).iou(MaskStack.of(np.zeros((1, 3, 2), bool)))
    assert len(MaskStack.of([], size=(4, 3))) == 0
    with pytest.raises(BadMask):
        MaskStack.of(Mask(np.zeros(shape, bool)) for shape in ((2, 12), (3, 8)))


@given(bools)
@settings(max_examples=60, deadline=None)
def test_packed_masks_come_back_as_they_were(array: NDArray[np.bool_]) -> None:
    packed = PackedMask.of(Mask(array))
    assert packed.unpack() == Mask(array)
    assert not packed.unpack().array.flags.writeable
    assert len(packed.data) <= array.size // 8 + 16, "noise, too, takes no more than its bits"


def test_packed_masks_are_few_bytes_and_do_not_mind_one_who_looks_while_they_grow() -> None:
    y, x = np.mgrid[:1080, :1920]
    disc = Mask((x - 900) ** 2 + (y - 500) ** 2 < 300**2)
    masks = PackedMasks()
    masks[3] = disc
    masks[0] = Mask.empty(1920, 1080)
    for index in masks:
        masks[index + 10] = disc
    assert sorted(masks) == [0, 3, 10, 13]
    assert masks[3] == masks[13] == disc
    assert masks.nbytes < 4 * 8192
    before = masks.copy()
    del masks[3]
    masks[0] = disc
    assert (3 in before, 3 in masks, before[0].area) == (True, False, 0)
    with pytest.raises(KeyError):
        masks[3]


@pytest.mark.parametrize(
    ("array", "area"),
    [
        (np.array([[0, 1], [1, 1]], np.uint8), 3),
        (np.array([[0, 255], [127, 128]], np.uint8), 2),
        (np.array([[0.0, 0.4], [0.6, 1.0]]), 2),
        (np.array([[0, 65535]], np.uint16), 1),
    ],
)
def test_masks_are_read_from_numbers(array: NDArray[Any], area: int) -> None:
    assert Mask(array).area == area


@pytest.mark.parametrize(
    "value", [np.zeros(3), np.zeros((2, 2, 3)), np.zeros((0, 3)), np.array([["a"]]), np.array([[np.nan]]), "mask", 3]
)
def test_nonsense_is_not_a_mask(value: Any) -> None:
    with pytest.raises(BadMask):
        Mask.of(value)


def test_mask_box_is_tight_and_none_when_empty() -> None:
    array = np.zeros((8, 9), bool)
    assert Mask(array).box is None
    assert not Mask(array)
    array[2:5, 3:7] = True
    assert Mask(array).box == Box(3, 2, 7, 5)
    assert Mask(array).iou(Mask.empty(9, 8)) == 0.0
    assert Mask.empty(9, 8).iou(Mask.empty(9, 8)) == 1.0


@pytest.mark.parametrize(
    "value",
    [np.zeros((3, 3), float), np.zeros((3, 3, 5), np.uint8), np.zeros((0, 3, 3), np.uint8), "photo.jpg", None],
)
def test_nonsense_is_not_an_image(value: Any) -> None:
    with pytest.raises(BadImage):
        Image.of(value)


def test_an_image_cannot_be_changed_from_outside() -> None:
    array = np.zeros((4, 5, 3), np.uint8)
    image = Image.of(array)
    before = image.sha256
    array[:] = 255
    assert image.pixels.max() == 0
    assert (image.sha256, image.size) == (before, (5, 4))
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0] = 1
    assert Image.of(np.zeros((4, 5, 4), np.uint8)).alpha is not None
    assert Image.of(np.zeros((4, 5), np.uint8)) == image


floats = st.floats(-1e4, 1e4, width=32)


@given(floats, floats, st.floats(0.5, 1e4), st.floats(0.5, 1e4), st.integers(1, 2000))
@settings(max_examples=200, deadline=None)
def test_windows_round_trip_to_half_a_pixel(x: float, y: float, w: float, h: float, side: int) -> None:
    window = Window.around(Box(x, y, x + w, y + h), long_side=side)
    points = np.array([(x, y), (x + w, y + h), (x + w / 3, y + h / 7)], np.float64)
    again = window.to_image(window.to_window(points))
    assert np.abs(again - points).max() <= 0.5


def test_windows_say_where_a_corner_is() -> None:
    window = Window.around(Box(10, 20, 30, 30), long_side=40)
    assert (window.width, window.height, window.scale) == (40, 20, (2.0, 2.0))
    np.testing.assert_array_equal(window.to_window([(10, 20), (30, 30), (20, 25)]), [(0, 0), (40, 20), (20, 10)])
    assert window.box_to_image(Box(0, 0, 40, 20)) == Box(10, 20, 30, 30)


@pytest.mark.parametrize(
    "value", [(0, 0, 0, 5), (5, 0, 1, 9), (0, 0, float("nan"), 1), (1, 2, 3), "abcd", None, (0, 0, float("inf"), 1)]
)
def test_nonsense_is_not_a_box(value: Any) -> None:
    with pytest.raises(BadPrompt):
        Box.of(value)


def test_boxes_grow_clip_and_overlap() -> None:
    box = Box(10, 10, 30, 20)
    assert box.grow(0.2) == Box(8, 9, 32, 21)
    assert box.grow(9).clip(50, 40) == Box(0, 0, 50, 40)
    assert box.iou(Box(20, 10, 40, 20)) == pytest.approx(1 / 3)
    assert box.iou(Box(31, 10, 40, 20)) == 0
    with pytest.raises(BadPrompt):
        box.clip(5, 5)


@pytest.mark.parametrize(
    ("points", "labels"),
    [([(1, 2)], [1, 0]), ([(1, 2)], [3]), ([(float("nan"), 1)], [1]), ("abc", None), ([1, 2, 3], None)],
)
def test_nonsense_is_not_a_prompt(points: Any, labels: Any) -> None:
    with pytest.raises(BadPrompt):
        Prompt(points, labels)


def test_prompts_default_to_inside() -> None:
    assert Prompt([(1, 2), (3, 4)]).labels.tolist() == [1, 1]
    assert Prompt().is_empty
    assert not Prompt(box=(0, 0, 3, 3)).is_empty


def _trace() -> Trace:
    mask = Mask(np.eye(5, dtype=bool))
    cost = Cost({"vlm": 2}, 10, 5, 0.01, {"vlm": 0.5})
    rounds = (Round(0, None), Round(1, mask, 0.5, 0.1, {"points": [[1, 2]]}, cost, "settled"))
    return Trace("sculpt", "ab" * 32, (5, 5), {"segmenter": "lite"}, {"rounds": 3}, rounds, {"score": 0.5})


def test_traces_round_trip_through_json() -> None:
    text = json.dumps(_trace().to_json())
    assert Trace.from_json(text) == _trace()
    assert Trace.from_json(text).cost == Cost({"vlm": 2}, 10, 5, 0.01, {"vlm": 0.5})


@pytest.mark.parametrize("damage", [{"version": 99}, {"rounds": [{}]}, {"size": 3}, {"engines": None}])
def test_damaged_traces_are_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Trace.from_json({**_trace().to_json(), **damage})
    with pytest.raises(InputError):
        Trace.from_json("{")


def _modes() -> dict[str, tuple[PIL.Image.Image, bool]]:
    """Pillow pictures of a square mask in every mode, and whether a PNG keeps them as they are."""
    square = np.zeros((20, 30), np.uint8)
    square[5:15, 5:25] = 1
    palette = PIL.Image.fromarray(square, "P")
    palette.putpalette([0, 0, 0, 90, 0, 0])
    red = PIL.Image.fromarray(np.dstack([square * 255, square * 0, square * 0]))
    return {
        "bits": (PIL.Image.fromarray(square * 255).convert("1"), True),
        "grey": (PIL.Image.fromarray(square * 255), True),
        "palette": (palette, True),
        "red": (red, True),
        "alpha": (PIL.Image.fromarray(np.dstack([square * 0 + 200] * 3 + [square * 255])), True),
        "16 bits": (PIL.Image.fromarray(square.astype(np.uint16) * 65535), True),
    }


@pytest.mark.parametrize("mode", _modes())
def test_a_pillow_picture_is_read_like_its_file(mode: str, tmp_path: Path) -> None:
    picture, _ = _modes()[mode]
    picture.save(tmp_path / "m.png")
    assert Mask.of(picture).area == 200
    assert Mask.of(picture) == open_mask(tmp_path / "m.png")
    assert Image.of(picture) == open_image(tmp_path / "m.png")


@pytest.mark.parametrize("top", [2, 100, 300])
def test_numbers_that_do_not_say_what_is_inside_are_no_mask(top: int) -> None:
    with pytest.raises(BadMask, match="neither 0/1 nor 0/255"):
        Mask.of(np.array([[0, top]]))


def test_a_resized_float_mask_may_overshoot() -> None:
    assert Mask.of(np.array([[-0.02, 1.02, 0.4]])).area == 1

"""MobileSAM and EfficientSAM by ONNX Runtime: stand-in networks that see the picture's brightness, and whose qualities
are the places of their points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch  # needs no torch, but onnx, which comes with the extras
onnx = pytest.importorskip("onnx", reason="needs the package onnx to make a stand-in network")

from maskwright import ports  # noqa: E402
from maskwright.errors import BadPrompt, MissingWeights, ModelError, WeightsError  # noqa: E402
from maskwright.models.proposers.grid import GridProposer  # noqa: E402
from maskwright.models.segmenters.onnx_sam import LOW, SIDE, OnnxSam  # noqa: E402
from maskwright.values import Box, Image, Prompt  # noqa: E402

FLOAT, INT = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
node = onnx.helper.make_node


def save(file: Path, nodes: list[Any], inputs: dict[str, list[Any]], outputs: list[str], **numbers: Any) -> None:
    """A network of `nodes`; `inputs`: name -> shape; `numbers`: constants."""
    graph = onnx.helper.make_graph(
        nodes, "stand-in",
        [onnx.helper.make_tensor_value_info(n, INT if n == "orig_im_size" else FLOAT, shape)
         for n, shape in inputs.items()],
        [onnx.helper.make_tensor_value_info(n, FLOAT, None) for n in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()],
    )  # fmt: skip
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, file)


def encoder(file: Path, name: str, level: float) -> None:
    """(1, 1, 256, 256): twenty times the mean colour of each 4x4 pixels, less `level`."""
    nodes = [
        node("ReduceMean", [name], ["grey"], axes=[1]),
        node("AveragePool", ["grey"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        node("Sub", ["small", "level"], ["flat"]),
        node("Mul", ["flat", "contrast"], ["image_embeddings"]),
    ]
    numbers = {"level": np.float32(level), "contrast": np.float32(20)}
    save(file, nodes, {name: [1, 3, SIDE, SIDE]}, ["image_embeddings"], **numbers)


def ranked(points: str, axes: list[int]) -> list[Any]:
    """Two qualities: the largest x and the largest y of the points, of 1024."""
    return [
        node("ReduceMax", [points], ["far"], axes=axes, keepdims=0),
        node("Div", ["far", "side"], ["iou_predictions"]),
    ]


def mobile(folder: Path) -> Path:
    """As SAM's exporter writes it: the first mask is what is bright (or an earlier answer), the second the rest."""
    folder.mkdir()
    encoder(folder / "encoder.onnx", "images", 0.1)
    nodes = [
        node("Mul", ["mask_input", "has_mask_input"], ["earlier"]),
        node("Mul", ["earlier", "hundred"], ["much"]),
        node("Add", ["image_embeddings", "much"], ["bright"]),
        node("Neg", ["bright"], ["dark"]),
        node("Concat", ["bright", "dark"], ["low_res_masks"], axis=1),
        node("Add", ["point_labels", "point_labels"], ["unused"]),
        *ranked("point_coords", [1]),
    ]
    inputs = {"image_embeddings": [1, 1, LOW, LOW], "point_coords": [1, None, 2], "point_labels": [1, None],
              "mask_input": [1, 1, LOW, LOW], "has_mask_input": [1]}  # fmt: skip
    save(folder / "decoder.onnx", nodes, inputs, ["low_res_masks", "iou_predictions"], side=np.float32(SIDE),
         hundred=np.float32(100))  # fmt: skip
    return folder


def efficient(folder: Path) -> Path:
    """As EfficientSAM's exporter writes it: points are scaled and masks enlarged inside."""
    folder.mkdir()
    encoder(folder / "encoder.onnx", "batched_images", 0.5)
    nodes = [
        node("Neg", ["image_embeddings"], ["dark"]),
        node("Concat", ["image_embeddings", "dark"], ["both"], axis=1),
        node("Concat", ["two", "orig_im_size"], ["full"], axis=0),
        node("Resize", ["both", "", "", "full"], ["large"], mode="linear"),
        node("Unsqueeze", ["large", "first"], ["output_masks"]),
        node("Gather", ["orig_im_size", "flip"], ["wide_high"]),
        node("Cast", ["wide_high"], ["span"], to=FLOAT),
        node("Mul", ["batched_point_coords", "side"], ["grown"]),
        node("Div", ["grown", "span"], ["points"]),
        node("Add", ["batched_point_labels", "batched_point_labels"], ["unused"]),
        *ranked("points", [2]),
    ]
    inputs = {"image_embeddings": [1, 1, LOW, LOW], "batched_point_coords": [1, 1, None, 2],
              "batched_point_labels": [1, 1, None], "orig_im_size": [2]}  # fmt: skip
    save(folder / "decoder.onnx", nodes, inputs, ["output_masks", "iou_predictions"], side=np.float32(SIDE),
         two=np.array([1, 2]), first=np.array([0]), flip=np.array([1, 0]))  # fmt: skip
    return folder


DOORS: dict[str, Callable[[Path], Path]] = {"mobile": mobile, "efficient": efficient}


@pytest.fixture(scope="module", params=list(DOORS))
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OnnxSam:
    return OnnxSam(DOORS[request.param](tmp_path_factory.mktemp("onnx") / request.param), name=request.param)


def square(size: tuple[int, int]) -> tuple[Image, Any]:
    """A bright square on a dark ground, and where it is."""
    inside = np.zeros((size[1], size[0]), np.bool_)
    x, y, side = round(size[0] * 0.55), round(size[1] * 0.3), round(min(size) * 0.3)
    inside[y : y + side, x : x + side] = True
    return Image(np.where(inside[:, :, None], 250, 10).astype(np.uint8).repeat(3, 2)), inside


@pytest.mark.parametrize("size", [(641, 363), (363, 641), (97, 100), (1500, 1001), (3, 5)])
def test_a_bright_square_is_found_where_it_is(door: OnnxSam, size: tuple[int, int]) -> None:
    assert isinstance(door, ports.Segmenter)
    image, inside = square(size)
    x, y = size[0] * 0.7, size[1] * 0.2
    [answer] = door.predict(door.encode(image), [Prompt(points=[(x, y)])])
    assert answer.masks.shape == (2, size[1], size[0])
    across, down = (x / size[0], y / size[1])
    if door.name == "mobile":
        across, down = x / max(size), y / max(size)
    np.testing.assert_allclose(answer.scores, sorted((across, down), reverse=True), atol=2e-3)
    found = answer.masks[0] if across > down else answer.masks[1]
    if min(size) < 50:
        return
    edge = max(2.0, max(size) / LOW)
    for axis in (0, 1):
        seen, true = (np.flatnonzero(m.any(axis)) for m in (found, inside))
        assert abs(seen[0] - true[0]) <= edge / 2
        assert abs(seen[-1] - true[-1]) <= edge / 2


def test_points_boxes_and_both_are_asked_at_once_and_one_by_one(door: OnnxSam) -> None:
    image, _ = square((200, 131))
    seen = door.encode(image)
    prompts = [Prompt(points=[(100, 40)]), Prompt(points=[(100, 40), (190, 9)], labels=[1, 0]),
               Prompt(box=(4, 6, 150, 33)), Prompt(points=[(9, 9)], box=(4, 6, 150, 120)),
               Prompt(points=[(i, 3 * i) for i in range(9)], box=(4, 6, 199, 33))]  # fmt: skip
    together = door.predict(seen, prompts)
    units = (200, 200) if door.name == "mobile" else (200, 131)
    furthest = [(100, 40), (190, 40), (150, 33), (150, 120), (199, 33)]
    for answer, prompt, far in zip(together, prompts, furthest, strict=True):
        [alone] = door.predict(seen, [prompt])
        assert (alone.masks == answer.masks).all()
        assert (alone.logits == answer.logits).all()
        assert answer.logits is not None
        assert answer.logits.shape == (2, LOW, LOW)
        np.testing.assert_allclose(answer.scores, sorted(np.divide(far, units), reverse=True), atol=5e-3)
    assert door.predict(seen, []) == []


def test_an_earlier_answer_counts_where_the_model_takes_one(door: OnnxSam) -> None:
    image, _ = square((200, 131))
    seen = door.encode(image)
    earlier = np.full((LOW, LOW), 9, np.float32)
    [plain] = door.predict(seen, [Prompt(points=[(150, 9)])])
    [again] = door.predict(seen, [Prompt(points=[(150, 9)], logits=earlier)])
    assert again.masks[0].all() == (door.name == "mobile")
    assert (again.masks == plain.masks).all() == (door.name == "efficient")


@pytest.mark.parametrize("prompt", [Prompt(), Prompt(text="a cup"), Prompt(points=[(1, 1)], text="a cup")])
def test_what_it_cannot_be_asked_is_refused(door: OnnxSam, prompt: Prompt) -> None:
    with pytest.raises(BadPrompt):
        door.predict(door.encode(square((60, 40))[0]), [prompt])


def test_foreign_embeddings_and_logits_are_refused(door: OnnxSam) -> None:
    other = OnnxSam.__new__(OnnxSam)
    other.name = "other"
    seen = door.encode(square((60, 40))[0])
    with pytest.raises(BadPrompt, match="embedding"):
        other.predict(seen, [Prompt(points=[(1, 1)])])
    strange = Prompt(logits=np.zeros((7, 7), np.float32))
    with pytest.raises(BadPrompt):
        door.predict(seen, [strange])


def test_automatic_masks_come_out_of_it(door: OnnxSam) -> None:
    image, inside = square((96, 64))
    found = GridProposer(door, points=4, least_iou=0.3, least_stability=0.5).propose(image)
    assert max(np.logical_and(m, inside).sum() / np.logical_or(m, inside).sum() for m in found.masks) > 0.9


def test_a_box_is_within_the_six_marks_that_efficient_sam_takes(tmp_path: Path) -> None:
    from maskwright.models.segmenters.onnx_sam import MOST_MARKS, _marks

    xy, labels = _marks(Prompt(points=[(5, 5)] * 9, box=Box(1, 2, 3, 4)))
    assert labels[:MOST_MARKS].tolist() == [2, 3, 1, 1, 1, 1]
    assert xy[:2].tolist() == [[1, 2], [3, 4]]


def test_folders_that_are_not_its_own_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="encoder"):
        OnnxSam(tmp_path)
    folder = mobile(tmp_path / "mobile")
    (folder / "decoder.onnx").write_bytes((folder / "encoder.onnx").read_bytes())
    with pytest.raises(WeightsError, match="image_embeddings"):
        OnnxSam(folder)
    whole = (efficient(tmp_path / "efficient") / "encoder.onnx").read_bytes()
    mixed = mobile(tmp_path / "mixed")
    (mixed / "encoder.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError):
        OnnxSam(mixed)


def test_files_that_do_not_belong_together_are_a_model_error(tmp_path: Path) -> None:
    folder = mobile(tmp_path / "mobile")
    nodes = [node("ReduceMean", ["images"], ["image_embeddings"], axes=[1])]
    save(folder / "encoder.onnx", nodes, {"images": [1, 3, SIDE, SIDE]}, ["image_embeddings"])
    door = OnnxSam(folder)
    with pytest.raises(ModelError):
        door.predict(door.encode(square((60, 40))[0]), [Prompt(points=[(1, 1)])])

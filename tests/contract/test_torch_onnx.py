"""LaMa by ONNX Runtime: a stand-in network that only answers with its input, half as bright."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch  # needs no torch, but onnx, which comes with the extras
onnx = pytest.importorskip("onnx", reason="needs the package onnx to make a stand-in network")

from maskwright import ports  # noqa: E402
from maskwright.errors import BadMask, MissingWeights  # noqa: E402
from maskwright.models.inpainters.lama import SIDE, LamaInpainter  # noqa: E402
from maskwright.values import Image, Mask  # noqa: E402


def stand_in(folder: Path) -> Path:
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    half = helper.make_tensor("half", kind, [1], [0.5])
    nodes = [
        helper.make_node("Mul", ["image", "half"], ["dark"]),
        helper.make_node("Mul", ["mask", "zero"], ["none"]),
        helper.make_node("Add", ["dark", "none"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes, "lama",
        [helper.make_tensor_value_info("image", kind, [1, 3, SIDE, SIDE]),
         helper.make_tensor_value_info("mask", kind, [1, 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", kind, [1, 3, SIDE, SIDE])],
        [half, helper.make_tensor("zero", kind, [1], [0.0])],
    )  # fmt: skip
    model: Any = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "lama_fp32.onnx")
    return folder


def test_only_the_hole_changes(tmp_path: Path) -> None:
    model = LamaInpainter(stand_in(tmp_path))
    assert isinstance(model, ports.Inpainter)
    image = Image(np.full((45, 71, 3), 200, np.uint8))
    hole = np.zeros((45, 71), np.bool_)
    hole[10:20, 30:50] = True
    painted = model.inpaint(image, Mask(hole)).pixels
    assert (painted[~hole] == 200).all()
    assert (np.abs(painted[hole].astype(int) - 100) <= 1).all()
    assert model.inpaint(image, Mask.empty(71, 45)) is image
    with pytest.raises(BadMask):
        model.inpaint(image, Mask.empty(7, 4))


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights):
        LamaInpainter(tmp_path)

"""Write the backbone as ONNX: uint8 pixels in, last features out; weights stored as fp16, computed as fp32.

python training/ranker/export.py --wheel efficientnet-lite0-5....pth --out ranker_lite.onnx --classifier fc.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from backbone import EfficientNetLite, load_wheel_weights
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn


class Pixels(nn.Module):
    """uint8 NHWC RGB -> last features NHWC."""

    def __init__(self, net: EfficientNetLite) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        x = (pixels.permute(0, 3, 1, 2).float() - 127.0) / 128.0
        return self.net(x)[0].permute(0, 2, 3, 1)


def halve(path: Path) -> None:
    """Keep large initializers as fp16 behind a Cast: half the bytes, folded when the session is made."""
    model = onnx.load(str(path))
    graph = model.graph
    casts, kept = [], []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= 512:
            small = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + "_half")
            kept.append(small)
            casts.append(helper.make_node("Cast", [small.name], [tensor.name], to=TensorProto.FLOAT))
        else:
            kept.append(tensor)
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--name", default="lite0")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--classifier", type=Path, required=True)
    args = parser.parse_args()
    net = load_wheel_weights(args.name, args.wheel)
    torch.onnx.export(
        Pixels(net), (torch.zeros(1, 96, 128, 3, dtype=torch.uint8),), str(args.out), dynamo=False,
        input_names=["pixels"], output_names=["features"], opset_version=17, do_constant_folding=True,
        dynamic_axes={"pixels": {0: "n", 1: "h", 2: "w"}, "features": {0: "n", 1: "hh", 2: "ww"}},
    )  # fmt: skip
    halve(args.out)
    np.savez(args.classifier, weight=net.fc.weight.detach().numpy(), bias=net.fc.bias.detach().numpy())


if __name__ == "__main__":
    main()

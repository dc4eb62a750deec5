"""Writes the trained parser as ONNX: float arithmetic, convolution weights stored as int8 with a scale a channel.

    python training/parser/export.py --state parser.pt --out src/maskwright/weights/parser_lite.onnx

Input `picture` (1, 3, H, W) float32 RGB 0..255, sides multiples of 32; output `logits` (1, 12, H/4, W/4).
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from network import PartsNetwork
from onnx import helper, numpy_helper

SMALL = 512


def stored_small(model: onnx.ModelProto) -> None:
    """Replaces large float weights by int8 and a scale a channel, undone by DequantizeLinear when loaded."""
    graph, kept, nodes = model.graph, [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.ndim != 4 or values.size < SMALL:
            kept.append(tensor)
            continue
        scale = np.maximum(np.abs(values).reshape(values.shape[0], -1).max(axis=1) / 127, 1e-12).astype(np.float32)
        small = np.clip(np.rint(values / scale[:, None, None, None]), -127, 127).astype(np.int8)
        kept += [numpy_helper.from_array(small, tensor.name + "_q"), numpy_helper.from_array(scale, tensor.name + "_s")]
        nodes.append(
            helper.make_node("DequantizeLinear", [tensor.name + "_q", tensor.name + "_s"], [tensor.name], axis=0)
        )
    del graph.initializer[:]
    graph.initializer.extend(kept)
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + rest)


def main() -> None:
    """Exports the averaged weights and compares both at two sizes."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--state", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    a = ask.parse_args()
    network = PartsNetwork()
    network.load_state_dict(torch.load(a.state, weights_only=True)["mean"])
    network.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "full.onnx"
        axes = {"picture": {2: "height", 3: "width"}, "logits": {2: "rows", 3: "columns"}}
        torch.onnx.export(
            network,
            (torch.rand(1, 3, 256, 160) * 255,),
            str(path),
            input_names=["picture"],
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        model = onnx.load(path)
    stored_small(model)
    model.doc_string = "maskwright parser-lite; Apache-2.0; see training/parser/CARD.md"
    onnx.checker.check_model(model)
    a.out.write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(str(a.out), providers=["CPUExecutionProvider"])
    for size in ((256, 160), (384, 288)):
        x = np.random.default_rng(0).uniform(0, 255, (1, 3, *size)).astype(np.float32)
        with torch.no_grad():
            wanted = network(torch.from_numpy(x)).numpy()
        found = session.run(None, {"picture": x})[0]
        print(size, "same label:", (wanted.argmax(1) == found.argmax(1)).mean())
    print(a.out.stat().st_size, hashlib.sha256(a.out.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()

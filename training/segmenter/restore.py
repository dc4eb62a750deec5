"""Reads the shipped ONNX files back into states of the training, so that anybody can teach on from them.

    python training/segmenter/restore.py --weights src/maskwright/weights --out DIR

Writes click.pt, box.pt and later.pt, the networks of first clicks, of boxes and of corrections, for first.py and
export.py. The export renames, transposes and folds the weights; which went where is found by exporting networks of
random weights too, and looking for theirs in those files.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from export import DECODERS, ENCODER, SETS, checked, network, written
from model import ClickNet
from onnx import numpy_helper
from torch import Tensor, nn

GAIN, FOLDED = ".gain", ".narrow."
GAINS = 0.25
"""What they were folded with is not known; about as large as in a fresh network, and a power of two: nothing is rounded."""


def constants(path: Path) -> list[np.ndarray]:
    """All constants of a file, in its order."""
    graph = onnx.load(str(path)).graph
    inline = [a.t for n in graph.node if n.op_type == "Constant" for a in n.attribute]
    return [numpy_helper.to_array(t) for t in (*graph.initializer, *inline)]


def random_network() -> ClickNet:
    """Random weights, and gains that change nothing."""
    net = ClickNet().eval()
    with torch.no_grad():
        for name, p in net.named_parameters():
            nn.init.ones_(p) if name.endswith(GAIN) else nn.init.normal_(p)
    return net


def values(array: np.ndarray) -> bytes:
    """The same for an array and its transpose."""
    return np.sort(array, axis=None).tobytes()


def read_back(net: ClickNet, made: list[np.ndarray], shipped: list[np.ndarray]) -> dict[str, Tensor]:
    """The weights in `shipped` that stand where `made` has those of `net`."""
    places = {values(a): i for i, a in enumerate(made) if a.dtype == np.float32}
    found: dict[str, Tensor] = {}
    for name, p in net.named_parameters():
        own = p.detach().numpy()
        i = places.get(values(own))
        if i is not None and not name.endswith(GAIN):
            turned = own.ndim == 2 and np.array_equal(made[i].reshape(own.shape[::-1]), own.T)
            new = torch.from_numpy(shipped[i].T.copy() if turned else shipped[i].copy()).reshape(own.shape)
            found[name] = new
    return found


def unfolded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights that can be taught: with gains, taken out of the maps they were folded into."""
    gains = {k: torch.full_like(v, GAINS) for k, v in ClickNet().state_dict().items() if k.endswith(GAIN)}
    return {k: v / GAINS if FOLDED in k else v for k, v in weights.items()} | gains


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--weights", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    a = ask.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    nets = [random_network() for _ in SETS]
    states: list[dict[str, Tensor]] = []
    with tempfile.TemporaryDirectory() as folder:
        written(nets, Path(folder))
        for net, decoder in zip(nets, DECODERS, strict=True):
            state: dict[str, Tensor] = {}
            for file in (ENCODER, decoder):
                state |= read_back(net, constants(Path(folder) / file), constants(a.weights / file))
            states.append(state)
    backbone = {k: v for k, v in states[-1].items() if "backbone" in k}
    weights = [unfolded(state | backbone) for state in states]
    checked([network(w) for w in weights], a.weights)
    for one, state in zip(SETS, weights, strict=True):
        torch.save({"mean": state}, a.out / f"{one}.pt")


if __name__ == "__main__":
    main()

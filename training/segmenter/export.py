"""Writes the averaged weights of three networks over one backbone as ONNX files, and checks these at other sizes.

    python training/segmenter/export.py --click A.pt --box B.pt:0.8,C.pt:0.2 --later D.pt --out src/maskwright/weights

B.pt:0.8,C.pt:0.2 is a blend of two states of one training.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from model import Block, ClickNet
from torch import Tensor, nn

SETS, FEATURES = ("click", "box", "later"), ("embedding", "keys", "skip")
ENCODER, DECODERS = "segmenter_lite_encoder.onnx", tuple(f"segmenter_lite_{one}.onnx" for one in SETS)
NAMES = [f"{one}_{name}" for one in SETS for name in FEATURES]
PROMPTS = ("points", "labels", "boxes", "has_box", "previous", "has_previous")


class OneLook(nn.Module):
    """One backbone, and the pyramids of all networks over it."""

    def __init__(self, nets: Sequence[ClickNet]):
        super().__init__()
        self.encoders = nn.ModuleList([net.encoder for net in nets])

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        stages = self.encoders[-1].backbone(picture)
        return tuple(feature for encoder in self.encoders for feature in encoder.pyramid(*stages))


class OnePicture(nn.Module):
    """The decoder for many prompts on the features of one picture."""

    def __init__(self, net: ClickNet):
        super().__init__()
        self.decoder = net.decoder

    def forward(
        self,
        embedding: Tensor,
        keys: Tensor,
        skip: Tensor,
        points: Tensor,
        labels: Tensor,
        boxes: Tensor,
        has_box: Tensor,
        previous: Tensor,
        has_previous: Tensor,
    ) -> tuple[Tensor, Tensor]:
        n = points.shape[0]
        wide = [f.expand(n, -1, -1, -1) for f in (embedding, keys, skip)]
        return self.decoder(*wide, points, labels, boxes, has_box, previous, has_previous)


class LeanBlock(nn.Module):
    """A block of the network as ONNX Runtime does it best: flat matrices, so that products, biases and ReLU fuse, and
    the gain folded into the last map."""

    def __init__(self, block: Block):
        super().__init__()
        self.depthwise, self.norm, self.wide = block.depthwise, block.norm, block.wide
        self.narrow = nn.Linear(block.narrow.in_features, block.narrow.out_features)
        with torch.no_grad():
            self.narrow.weight.copy_(block.narrow.weight * block.gain[:, None])
            self.narrow.bias.copy_(block.narrow.bias * block.gain)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        flat = self.norm(y.reshape(-1, self.wide.in_features))
        flat = self.narrow(torch.relu(self.wide(flat)))
        return x + flat.reshape_as(y).permute(0, 3, 1, 2)


def lean(part: nn.Module) -> nn.Module:
    """A copy of a part of the network with lean blocks."""
    part = copy.deepcopy(part)
    for owner in list(part.modules()):
        for name, child in list(owner.named_children()):
            if isinstance(child, Block):
                setattr(owner, name, LeanBlock(child))
    return part.eval()


def prompts(n: int, clicks: int, h: int, w: int) -> tuple[Tensor, ...]:
    """Random prompts for tracing and checking."""
    torch.manual_seed(n + clicks)
    corner = torch.rand(n, 2) * torch.tensor([w, h]) * 0.5
    boxes = torch.cat([corner, corner + 40 + torch.rand(n, 2) * 50], 1)
    return (
        torch.rand(n, clicks, 2) * torch.tensor([w, h]),
        torch.randint(-1, 2, (n, clicks)).float(),
        boxes,
        torch.randint(0, 2, (n,)).float(),
        torch.randn(n, 1, h // 4, w // 4),
        torch.randint(0, 2, (n,)).float(),
    )


def written(nets: Sequence[ClickNet], out: Path) -> None:
    """Exports encoder and decoders with every size dynamic."""
    picture = torch.rand(1, 3, 256, 320) * 255
    look = OneLook(nets)
    with torch.no_grad():
        features = look(picture)
    places = {"embedding": {2: "h8", 3: "w8"}, "keys": {2: "h8", 3: "w8"}, "skip": {2: "h4", 3: "w4"}}
    torch.onnx.export(
        lean(look),
        (picture,),
        out / ENCODER,
        input_names=["picture"],
        output_names=NAMES,
        dynamic_axes={"picture": {2: "h", 3: "w"}} | {name: places[name.partition("_")[2]] for name in NAMES},
        opset_version=17,
        dynamo=False,
    )
    axes: dict[str, dict[int, str]] = {
        **places,
        "points": {0: "n", 1: "p"},
        "labels": {0: "n", 1: "p"},
        "previous": {0: "n", 2: "h4", 3: "w4"},
        "logits": {0: "n", 2: "h4", 3: "w4"},
        "scores": {0: "n"},
    }
    axes |= {name: {0: "n"} for name in ("boxes", "has_box", "has_previous")}
    for i, (net, name) in enumerate(zip(nets, DECODERS, strict=True)):
        torch.onnx.export(
            lean(OnePicture(net)),
            (*features[3 * i : 3 * i + 3], *prompts(3, 2, 256, 320)),
            out / name,
            input_names=[*FEATURES, *PROMPTS],
            output_names=["logits", "scores"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


def checked(nets: Sequence[ClickNet], out: Path) -> None:
    """Compares ONNX with torch at sizes and counts the tracing never saw."""
    encoder, *decoders = [
        onnxruntime.InferenceSession(out / name, providers=["CPUExecutionProvider"]) for name in (ENCODER, *DECODERS)
    ]
    for h, w, n, clicks in ((64, 64, 1, 1), (384, 512, 5, 9), (512, 160, 2, 60)):
        picture = torch.rand(1, 3, h, w) * 255
        asked = prompts(n, clicks, h, w)
        got = encoder.run(NAMES, {"picture": picture.numpy()})
        for i, (net, decoder) in enumerate(zip(nets, decoders, strict=True)):
            with torch.no_grad():
                want = OnePicture(net)(*net.encoder(picture), *asked)
            given = dict(zip(FEATURES, got[3 * i : 3 * i + 3], strict=True))
            answer = decoder.run(None, given | {k: v.numpy() for k, v in zip(PROMPTS, asked, strict=True)})
            far = [float(np.abs(a - b.numpy()).max()) for a, b in zip(answer, want, strict=True)]
            print(
                f"{h}x{w}, {n} prompts of {clicks} clicks: differs by {far[0]:.1e} logits, {far[1]:.1e} scores at most"
            )
            if max(far) > 2e-2:
                raise SystemExit("the exported network differs from the trained one")


def carded(out: Path, table: Path) -> None:
    """Writes hash and size of the files into the table of weights."""
    text = table.read_text()
    for name in (ENCODER, *DECODERS):
        data = (out / name).read_bytes()
        row = f'{{ name = "weights/{name}", sha256 = "{hashlib.sha256(data).hexdigest()}", size = {len(data)} }}'
        text, count = re.subn(r'\{ name = "weights/' + re.escape(name) + r'"[^}]*\}', row, text)
        if count != 1:
            raise SystemExit(f"{table} has no row for {name}")
    table.write_text(text)


def averaged(text: str) -> dict[str, Tensor]:
    """The averaged weights of a state, or a blend of several: better than either, since each forgets other things."""
    parts = [part.rpartition(":") if ":" in part else (part, ":", "1") for part in text.split(",")]
    if not math.isclose(sum(float(share) for _, _, share in parts), 1):
        raise SystemExit(f"the shares of {text} do not add up to 1")
    means = [torch.load(path, map_location="cpu", weights_only=True)["mean"] for path, _, _ in parts]
    return {k: sum(m[k] * float(share) for m, (_, _, share) in zip(means, parts, strict=True)) for k in means[0]}


def network(weights: dict[str, Tensor]) -> ClickNet:
    net = ClickNet().eval()
    net.load_state_dict(weights)
    return net


def main() -> None:
    """Exports and checks."""
    ask = argparse.ArgumentParser()
    for one in SETS:
        ask.add_argument(f"--{one}", required=True, help="a state, or a blend A:SHARE,B:SHARE")
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--table", type=Path, help="weights.toml, to be given the new hashes")
    a = ask.parse_args()
    nets = [network(averaged(getattr(a, one))) for one in SETS]
    torch.set_num_threads(1)
    written(nets, a.out)
    for name in (ENCODER, *DECODERS):
        onnx.checker.check_model(str(a.out / name))
        print(name, (a.out / name).stat().st_size)
    checked(nets, a.out)
    if a.table:
        carded(a.out, a.table)


if __name__ == "__main__":
    main()

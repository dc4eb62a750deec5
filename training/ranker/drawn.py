"""Fit the heads for drawings and add them to the tables.

    python training/ranker/drawn.py --drawings drawings.npz --features features.npz --vocabulary vocabulary.npz \\
        --classes imagenet_class_index.json --pools pools.npz --tables ranker_lite.safetensors

Two layers tell the drawn classes apart, and from proposals that are no whole drawing; a line tells drawings from
regions of photographs. How much the former have to say beside the other heads is fitted on the drawings of some
families of sets, by layers that were learned from the others; the printed figures are such.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from affinity import Affinities
from icons import family_of
from numpy.typing import NDArray
from pictures import DRAWN_BY_HALF, half_of
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn
from train import HERE, load_regions, write_safetensors
from wholes import raw

from maskwright.models.rankers.lite_drawn import log_chance
from maskwright.models.rankers.lite_heads import STAGES, Heads, log_softmax, rooted
from maskwright.models.rankers.lite_tables import read_tables
from maskwright.models.rankers.lite_words import Sparse, Vocabulary

Layers = list[tuple[NDArray, NDArray]]

FEWEST = 3
"""Drawings that a noun needs for a class of its own."""
WIDTH, DROPPED, SMOOTHED = 512, (0.2, 0.7), 0.05
ROUNDS, BATCH, RATE, DECAY = 15, 256, 2e-3, 0.1
GATE_RIDGE = 3.0
FOLDS = (
    ("fluent", "fxemoji"), ("pictograms", "streamline-emojis"), ("noto", "openmoji"), ("emojione", "twemoji"),
)  # fmt: skip
"""Families of sets that are asked about together, by heads learned from the rest."""
FRAGMENT = 0.3
"""A proposal is no whole drawing when it overlaps with each by less than this."""
ABSENT = 4
"""Absent nouns asked for each sheet."""


@dataclass
class Seen:
    """Features (N, 1280) of the one pass and of crops, and shape facts (N, 10)."""

    dense: NDArray
    crop: NDArray
    shape: NDArray

    def rows(self, stage: str) -> NDArray:
        return rooted(self.dense, None if stage == "dense" else self.crop, self.shape)


def fragments(path: Path, leave_out: int | None) -> Seen:
    """The proposals on drawn sheets that are no whole drawing, of all sheets or of those that are not in one half."""
    store = np.load(path)
    keys = sorted({k.rsplit("/", 1)[0] for k in store.files if k.startswith("drawn")})
    keys = [key for key in keys if half_of(key) != leave_out and f"{key}/crop" in store]
    kept = {key: store[f"{key}/whole"] < FRAGMENT for key in keys}
    parts = [np.concatenate([store[f"{k}/{part}"][kept[k]] for k in keys]) for part in ("dense", "crop", "shape")]
    return Seen(*(part.astype(np.float32) for part in parts))


def classes_of(store) -> list[str]:
    """The nouns of which there are drawings enough."""
    kinds = sorted(set(zip(store["noun"], store["set"], store["drawing"])))
    return sorted(str(n) for n, k in Counter(n for n, _, _ in kinds).items() if k >= FEWEST)


def gate_of(drawings: NDArray, photos: NDArray) -> NDArray:
    """Ridge weights, and last the offset, of being drawn."""
    X = np.concatenate([drawings, photos]).astype(np.float64)
    y = np.arange(len(X)) < len(drawings)
    mean, scale = X.mean(0), (X.std(0) + 1e-2) * np.sqrt(X.shape[1])
    Z = (X - mean) / scale
    weights = np.linalg.solve(Z.T @ Z + GATE_RIDGE * np.eye(Z.shape[1]), Z.T @ (y - y.mean())) / scale
    return np.append(weights, y.mean() - mean @ weights).astype(np.float32)


def evened(y: NDArray) -> NDArray:
    """How often each row is drawn: classes with many examples by the root of their number."""
    share = 1 / np.sqrt(np.bincount(y))[y]
    return share / share.sum()


def learned(X: NDArray, y: NDArray, none: NDArray, classes: int) -> Layers:
    """Weight and bias of each layer, for raw inputs: which of the drawn classes a row is; the rows of `none` are of
    one class more, the last."""
    torch.manual_seed(0)
    share = evened(y)
    X, y = np.concatenate([X, none]), np.concatenate([y, np.full(len(none), classes)])
    upto = np.cumsum(np.concatenate([share * len(share), np.ones(len(none))]))
    mean, spread = X.mean(0), X.std(0) + 1e-2
    inputs, answer = torch.from_numpy((X - mean) / spread), torch.from_numpy(y)
    hidden, last = nn.Linear(X.shape[1], WIDTH), nn.Linear(WIDTH, classes + 1)
    net = nn.Sequential(nn.Dropout(DROPPED[0]), hidden, nn.ReLU(), nn.Dropout(DROPPED[1]), last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    steps = ROUNDS * len(X) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps + 1)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        rows = torch.from_numpy(np.searchsorted(upto / upto[-1], rng.random(BATCH)))
        loss = nn.functional.cross_entropy(net(inputs[rows]), answer[rows], label_smoothing=SMOOTHED)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    layers = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in (hidden, last)]
    return [raw(*layers[0], mean, spread), layers[1]]


def logs_of(X: NDArray, layers: Layers) -> NDArray:
    """(N, L + 1) log chances of the drawn classes and of none."""
    (first, bias), (last, offset) = layers
    return log_softmax(np.maximum(X @ first.T + bias, 0) @ last.T + offset)


def asked_of(noun: NDArray, sheet: NDArray, names: list[str]) -> list[tuple[str, NDArray]]:
    """(noun, rows of one sheet): every noun that is there and a few that are not."""
    rng, out = np.random.default_rng(0), []
    for number in np.unique(sheet):
        rows = np.flatnonzero(sheet == number)
        here = set(noun[rows]) & set(names)
        absent = [n for n in rng.choice(names, 2 * ABSENT, replace=False) if n not in here][:ABSENT]
        out += [(name, rows) for name in (*sorted(here), *absent)]
    return out


def figures(chances: dict[str, NDArray], asked, noun: NDArray) -> str:
    there = np.array([name in noun[rows] for name, rows in asked])
    tops = np.array([chances[name][rows].max() for name, rows in asked])
    hits = [noun[rows[chances[name][rows].argmax()]] == name for (name, rows), t in zip(asked, there) if t]
    cut = np.quantile(tops[there], 0.1)
    return (
        f"right {np.mean(hits):.3f} of {len(hits)}, present against absent ROC {roc_auc_score(there, tops):.3f}, "
        f"absent found at 10 % false {np.mean(tops[~there] < cut):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("drawings", "features", "vocabulary", "classes", "pools", "tables"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--leave-out", type=int, choices=(0, 1), help="a half of the pictures, for abstain.py")
    parser.add_argument("--weighed-by", type=Path, help="tables whose weights to take instead of fitting them")
    args = parser.parse_args()
    regions, loaded = load_regions(args.features, args.leave_out), np.load(args.drawings)
    family = np.array([family_of(str(origin)) for origin in loaded["set"]])
    kept = np.full(len(family), True) if args.leave_out is None else family != DRAWN_BY_HALF[args.leave_out]
    store, family = {k: loaded[k][kept] for k in loaded.files}, family[kept]
    mine = Seen(*(store[k].astype(np.float32) for k in ("dense", "crop", "shape")))
    photos = Seen(regions.dense, regions.crop, regions.shape)
    rest, noun, sheet = fragments(args.pools, args.leave_out), store["noun"], store["sheet"]
    classes = [n for n in classes_of(loaded) if n in noun]
    wnids = sorted(w for w, _ in json.loads(args.classes.read_text()).values())
    concepts = tomllib.loads((HERE / "concepts.toml").read_text())
    _, tied, _ = Affinities(np.load(args.vocabulary), [int(w[1:]) for w in wnids], classes, concepts).tables()
    shares = (tied.data * 255).round().astype(np.uint8)
    ties = Sparse(tied.indptr.astype(np.uint32), tied.indices.astype(np.uint16), shares)
    tables = read_tables(args.tables)
    heads, words = Heads.of(tables), Vocabulary.of(tables)
    names = [c for c in classes if words.row(c) >= 0 and ties.row(words.row(c))[0].size]
    asked = asked_of(noun, sheet, names)
    answer = np.array([classes.index(n) if n in classes else -1 for n in noun])
    fold, taught = np.array([FOLDS.index(next(f for f in FOLDS if name in f)) for name in family]), answer >= 0
    out: dict[str, NDArray] = {}
    for stage in STAGES:
        X, none = mine.rows(stage), rest.rows(stage)
        layers = learned(X[taught], answer[taught], none, len(classes))
        out[f"{stage}_drawn_gate"] = gate_of(X, photos.rows(stage))
        for i, (weight, bias) in enumerate(layers):
            out[f"{stage}_drawn_{i}_weight"], out[f"{stage}_drawn_{i}_bias"] = weight.astype(np.float16), bias
        if args.weighed_by:
            out[f"{stage}_drawn_pair"] = read_tables(args.weighed_by)[f"{stage}_drawn_pair"]
            continue
        logs = np.zeros((len(X), len(classes) + 1), np.float32)
        for number in np.unique(fold):
            known = taught & (fold != number)
            logs[fold == number] = logs_of(X[fold == number], learned(X[known], answer[known], none, len(classes)))
        evidence = heads.look(mine.dense, None if stage == "dense" else mine.crop, mine.shape)
        before = {n: heads.score(evidence, words.row(n), words) for n in names}
        own = {n: log_chance(logs, *ties.row(words.row(n))) for n in names}
        facts = np.concatenate([np.stack([before[n][rows], own[n][rows]], axis=1) for n, rows in asked])
        right = np.concatenate([noun[rows] == n for n, rows in asked])
        model = LogisticRegression(C=10).fit(facts, right)
        pair = np.array([*model.coef_[0], model.intercept_[0]], np.float32)
        after = {n: pair[0] * before[n] + pair[1] * own[n] + pair[2] for n in names}
        print(f"{stage}: of {taught.sum()}, {np.mean(logs[taught].argmax(1) == answer[taught]):.3f} named rightly")
        print(stage, "without:", figures(before, asked, noun))
        print(stage, "with:", figures(after, asked, noun), "weights", pair.round(2))
        out[f"{stage}_drawn_pair"] = pair
    out["drawn_classes"] = np.frombuffer("\n".join(classes).encode(), np.uint8)
    out |= {"drawn_ptr": ties.ptr, "drawn_col": ties.col, "drawn_val": ties.val}
    kept = {name: value for name, value in tables.items() if "drawn" not in name}
    write_safetensors(args.tables, {k: np.ascontiguousarray(v) for k, v in {**kept, **out}.items()})
    print(len(classes), "drawn classes;", args.tables, args.tables.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

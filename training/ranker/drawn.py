"""Fit the heads for drawings and add them to the tables.

    python training/ranker/drawn.py --drawings drawings.npz --features features.npz --vocabulary vocabulary.npz \\
        --classes imagenet_class_index.json --tables ranker_lite.safetensors

Regions of photographs are examples of none of its classes. How much it has to say beside the other heads is fitted on
the drawings of each family of sets, by heads that were learned from the others; the printed figures are such.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
from affinity import Affinities
from icons import family_of
from numpy.typing import NDArray
from pictures import DRAWN_BY_HALF
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from train import HERE, RIDGE, load_regions, write_safetensors

from maskwright.models.rankers.lite_drawn import FLAT
from maskwright.models.rankers.lite_heads import SHAPE_SCALE, STAGES, Heads
from maskwright.models.rankers.lite_tables import read_tables
from maskwright.models.rankers.lite_words import Vocabulary

FEWEST = 3
"""Drawings that a noun needs for a class of its own."""
PHOTOGRAPH = 0.1
"""Weight of a region of a photograph beside a drawing."""
GATE_RIDGE = 3.0
ABSENT = 4
"""Absent nouns asked for each sheet."""


@dataclass
class Seen:
    """Features (N, 1280) of the one pass and of crops, and shape facts (N, 10)."""

    dense: NDArray
    crop: NDArray
    shape: NDArray

    def rows(self, stage: str) -> NDArray:
        block = self.dense if stage == "dense" else self.crop
        return np.concatenate([np.sqrt(np.maximum(block, 0)), self.shape * SHAPE_SCALE], axis=1).astype(np.float64)


def classes_of(store) -> list[str]:
    """The nouns of which there are drawings enough."""
    kinds = sorted(set(zip(store["noun"], store["set"], store["drawing"])))
    return sorted(str(n) for n, k in Counter(n for n, _, _ in kinds).items() if k >= FEWEST)


@dataclass
class Sums:
    """What ridge regression needs to know of rows X (N, d) and their targets Y (N, L)."""

    count: float
    total: NDArray
    squares: NDArray
    products: NDArray
    targets: NDArray
    crossed: NDArray

    @classmethod
    def of(cls, X: NDArray, Y: NDArray) -> Sums:
        return cls(len(X), X.sum(0), (X**2).sum(0), X.T @ X, Y.sum(0), X.T @ Y)

    def plus(self, other: Sums, share: float) -> Sums:
        """The sums with `share` of another's."""
        mine, others = vars(self).values(), vars(other).values()
        return Sums(*(a + share * b for a, b in zip(mine, others, strict=True)))


def learned(drawings: Sums, photos: Sums) -> tuple[NDArray, NDArray]:
    """(matrix, bias) of the drawn classes and, last, of being drawn at all."""
    both = drawings.plus(photos, 1.0)
    mean = both.total / both.count
    scale = (np.sqrt(both.squares / both.count - mean**2) + 1e-2) * np.sqrt(len(mean))

    def solved(sums: Sums, strength: float) -> tuple[NDArray, NDArray]:
        base, off = sums.targets / sums.count, np.outer(mean, sums.total)
        A = (sums.products - off - off.T + sums.count * np.outer(mean, mean)) / np.outer(scale, scale)
        A[np.diag_indices_from(A)] += strength
        W = np.linalg.solve(A, (sums.crossed - np.outer(sums.total, base)) / scale[:, None]) / scale[:, None]
        return W, base - mean @ W

    W, b = solved(drawings.plus(photos, PHOTOGRAPH), RIDGE)
    is_drawn = replace(both, targets=np.array([drawings.count]), crossed=drawings.total[:, None])
    gate, at = solved(is_drawn, GATE_RIDGE)
    return np.concatenate([W, gate], axis=1), np.concatenate([b, at])


def asked_of(noun: NDArray, sheet: NDArray, names: list[str]) -> list[tuple[str, NDArray]]:
    """(noun, rows of one sheet): every noun that is there and a few that are not."""
    rng, out = np.random.default_rng(0), []
    for number in np.unique(sheet):
        rows = np.flatnonzero(sheet == number)
        here = set(noun[rows]) & set(names)
        absent = [n for n in rng.choice(names, 2 * ABSENT, replace=False) if n not in here][:ABSENT]
        out += [(name, rows) for name in (*sorted(here), *absent)]
    return out


def said(scores: NDArray, ties: csr_matrix, row: int) -> NDArray:
    """(N,) what the drawn classes say for the noun of this row."""
    tie = ties[row]
    return (scores[:, tie.indices] * tie.data).max(axis=1)


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
    for name in ("drawings", "features", "vocabulary", "classes", "tables"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--leave-out", type=int, choices=(0, 1), help="a half of the pictures, for abstain.py")
    args = parser.parse_args()
    regions, loaded = load_regions(args.features, args.leave_out), np.load(args.drawings)
    family = np.array([family_of(str(origin)) for origin in loaded["set"]])
    kept = np.full(len(family), True) if args.leave_out is None else family != DRAWN_BY_HALF[args.leave_out]
    store, family = {k: loaded[k][kept] for k in loaded.files}, family[kept]
    mine = Seen(*(store[k].astype(np.float32) for k in ("dense", "crop", "shape")))
    photos = Seen(regions.dense, regions.crop, regions.shape)
    noun, sheet = store["noun"], store["sheet"]
    classes = [n for n in classes_of(loaded) if n in noun]
    Y = np.array([[n == c for c in classes] for n in noun], dtype=np.float64)
    wnids = sorted(w for w, _ in json.loads(args.classes.read_text()).values())
    concepts = tomllib.loads((HERE / "concepts.toml").read_text())
    _, ties, _ = Affinities(np.load(args.vocabulary), [int(w[1:]) for w in wnids], classes, concepts).tables()
    tables = read_tables(args.tables)
    heads, words = Heads.of(tables), Vocabulary.of(tables)
    names = [c for c in classes if words.row(c) >= 0 and ties[words.row(c)].nnz]
    asked = asked_of(noun, sheet, names)
    out: dict[str, NDArray] = {}
    for stage in STAGES:
        X, others = mine.rows(stage), photos.rows(stage)
        none = Sums.of(others, np.zeros((len(others), Y.shape[1])))
        parts = {name: Sums.of(X[family == name], Y[family == name]) for name in np.unique(family)}
        whole = reduce(lambda a, b: a.plus(b, 1.0), parts.values())
        scores, flat = np.zeros(Y.shape), np.zeros(len(X))
        for name, part in parts.items():
            W, b = learned(whole.plus(part, -1.0), none)
            found = X[family == name] @ W + b
            scores[family == name], flat[family == name] = found[:, :-1], found[:, -1]
        evidence = heads.look(mine.dense, None if stage == "dense" else mine.crop, mine.shape)
        before = {n: heads.score(evidence, words.row(n), words) for n in names}
        own = {n: said(scores, ties, words.row(n)) for n in names}
        facts = np.concatenate([np.stack([before[n][rows], own[n][rows]], axis=1) for n, rows in asked])
        right = np.concatenate([noun[rows] == n for n, rows in asked])
        model = LogisticRegression(C=10).fit(facts, right)
        pair = np.array([*model.coef_[0], model.intercept_[0]], np.float32)
        after = {n: pair[0] * before[n] + pair[1] * own[n] + pair[2] for n in names}
        print(stage, "without:", figures(before, asked, noun))
        print(stage, "with:", figures(after, asked, noun), "weights", pair.round(2), "drawn", (flat > FLAT).mean())
        W, b = learned(whole, none)
        out |= {f"{stage}_drawn_head": W.T.astype(np.float16), f"{stage}_drawn_bias": b.astype(np.float32)}
        out[f"{stage}_drawn_pair"] = pair
    out["drawn_classes"] = np.frombuffer("\n".join(classes).encode(), np.uint8)
    out["drawn_ptr"], out["drawn_col"] = ties.indptr.astype(np.uint32), ties.indices.astype(np.uint16)
    out["drawn_val"] = (ties.data * 255).round().astype(np.uint8)
    write_safetensors(args.tables, {k: np.ascontiguousarray(v) for k, v in {**tables, **out}.items()})
    print(len(classes), "drawn classes;", args.tables, args.tables.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

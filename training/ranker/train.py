"""Fit the ranker's heads on region features and write its tables.

    python training/ranker/train.py --features features.npz --vocabulary vocabulary.npz --classifier fc.npz \
        --classes imagenet_class_index.json --out ranker_lite.npz

Everything is closed form or convex, so the same inputs give the same file. Decisions (regularisation, temperature,
which features) are made by cross-validation over pictures; the printed figures are out of fold.
"""

from __future__ import annotations

import argparse
import json
import tomllib
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affinity import TABLES, Affinities
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from wordnet import WordNet

from maskwright.finding.phrases.lexicon import IRREGULAR, lexicon

HERE = Path(__file__).resolve().parent
FIELDS = ("picture", "dense", "crop", "shape", "names", "whole", "is_true", "place")
TEMPERATURE = 1.5
RIDGE = 1.0
FEWEST = 2
STAGES = ("dense", "both")


@dataclass
class Regions:
    """Every region of every training picture, true or wrong, as rows."""

    picture: NDArray  # (N,) index
    dense: NDArray  # (N, 1280)
    crop: NDArray  # (N, 1280) under the mask
    shape: NDArray
    names: list[set[str]]  # canonical nouns each row is (IoU >= 0.5)
    whole: NDArray  # (N,) how much of it is one whole thing: its best IoU with one
    is_true: NDArray
    place: list[str]  # picture/index


def canonical(name: str) -> str:
    """A data set's class name as a noun of the lexicon."""
    special = {"mouse": "computer mouse", "sports ball": "ball", "glass": "wine glass", "top": "top", "pumps": "shoe",
               "flats": "shoe", "heels": "shoe", "wedges": "shoe", "accessories": "", "null": "",
               "playingfield": "field",
               "intimate": "", "bra": "", "panties": "", "bodysuit": "", "skin": "skin", "paper": "paper"}  # fmt: skip
    if name in special:
        return special[name]
    noun, used, _ = lexicon("en").noun(name.split(), 0)
    if used:
        return noun
    return name.split("-")[0] if "-" in name else name


def half_of(key: str) -> int:
    """The half of the pictures that a picture belongs to, by its name."""
    return zlib.crc32(key.encode()) % 2


def load_regions(path: Path, leave_out: int | None = None) -> Regions:
    """The regions of all pictures, or of those that are not in one half."""
    store = np.load(path)
    keys = sorted({k.rsplit("/", 1)[0] for k in store.files})
    keys = [key for key in keys if half_of(key) != leave_out]
    rows: dict[str, list] = {k: [] for k in FIELDS}
    for p, key in enumerate(keys):
        iou, names = store[f"{key}/iou"], [canonical(str(n)) for n in store[f"{key}/names"]]
        crowd = store[f"{key}/crowd"]
        kept = [i for i in range(len(iou)) if not (i < len(names) and crowd[i])]
        for i in kept:
            true = i < len(names)
            hits = {names[i]} if true else {names[j] for j in np.flatnonzero(iou[i] >= 0.5) if not crowd[j]}
            rows["picture"].append(p)
            rows["names"].append(hits - {""})
            rows["whole"].append(1.0 if true else float(iou[i][~crowd].max(initial=0)))
            rows["is_true"].append(true)
            rows["place"].append(f"{key}/{i}")
        rows["dense"] += list(store[f"{key}/dense"][kept].astype(np.float32))
        rows["crop"] += list(store[f"{key}/crop"][kept, 0].astype(np.float32))
        rows["shape"] += list(store[f"{key}/shape"][kept])
    return Regions(
        np.array(rows["picture"]), np.stack(rows["dense"]), np.stack(rows["crop"]), np.stack(rows["shape"]),
        rows["names"], np.array(rows["whole"]), np.array(rows["is_true"]), rows["place"],
    )  # fmt: skip


def rooted(regions: Regions, stage: str) -> NDArray:
    """The features a head sees: square roots, side by side, with the shape facts."""
    blocks = [np.sqrt(np.maximum(regions.dense, 0))]
    if stage == "both":
        blocks.append(np.sqrt(np.maximum(regions.crop, 0)))
    return np.concatenate([*blocks, regions.shape * 2], axis=1).astype(np.float64)


def ridge(X: NDArray, Y: NDArray, weight: NDArray, strength: float = RIDGE) -> tuple[NDArray, NDArray]:
    """(matrix, bias) on raw X: standardised inside, dual or primal is the same."""
    mean, spread = X.mean(0), X.std(0) + 1e-2
    Z = (X - mean) / spread / np.sqrt(X.shape[1])
    base = np.average(Y, axis=0, weights=weight)
    A = (Z * weight[:, None]).T @ Z
    A[np.diag_indices_from(A)] += strength
    W = np.linalg.solve(A, (Z * weight[:, None]).T @ (Y - base)) / spread[:, None] / np.sqrt(X.shape[1])
    return W, base - mean @ W


def fit_heads(regions: Regions, Y: NDArray, weight: NDArray, stage: str) -> tuple[NDArray, NDArray, NDArray]:
    """(out-of-fold scores, matrix, bias) of the learned classes."""
    X = rooted(regions, stage)
    scores = np.zeros_like(Y)
    for train, test in GroupKFold(5).split(X, Y, regions.picture):
        W, b = ridge(X[train], Y[train], weight[train])
        scores[test] = X[test] @ W + b
    return scores, *ridge(X, Y, weight)


def posteriors(regions: Regions, fc: dict[str, NDArray], stage: str) -> NDArray:
    """(N, 1000) ImageNet posteriors of each region."""
    logits = [regions.dense @ fc["weight"].T + fc["bias"]]
    if stage == "both":
        logits.append(regions.crop @ fc["weight"].T + fc["bias"])
    logs = [log_softmax(z / TEMPERATURE) for z in logits]
    p = np.exp(np.mean(logs, axis=0))
    return p / p.sum(1, keepdims=True)


def log_softmax(z: NDArray) -> NDArray:
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def class_weights(regions: Regions, classes: list[str], Y: NDArray) -> NDArray:
    counts = Y.sum(0)
    weight = np.full(len(Y), 0.35)
    for i in np.flatnonzero(Y.any(1)):
        weight[i] = 1 / np.sqrt(min(counts[c] for c in np.flatnonzero(Y[i])))
    named = Y.any(1)
    weight[named] /= weight[named].mean()
    return weight


def fit_looks(regions: Regions, stage: str) -> tuple[NDArray, float]:
    """(matrix column and bias of the apparent man (+1) or woman (-1) head, out-of-fold ROC area), from people.json."""
    notes = json.loads((HERE / "people.json").read_text())
    row_of = {place: i for i, place in enumerate(regions.place)}
    marked = {sex: [f"{key}/{i}" for key, found in notes[sex].items() for i in found] for sex in ("male", "female")}
    marked = {sex: [place for place in places if place in row_of] for sex, places in marked.items()}
    rows = np.array([row_of[place] for sex in marked.values() for place in sex])
    y = np.repeat([1.0, -1.0], [len(marked["male"]), len(marked["female"])])[:, None]
    weight = np.where(y[:, 0] > 0, (y < 0).sum() / (y > 0).sum(), 1.0)
    X = rooted(regions, stage)[rows]
    scores = np.zeros(len(y))
    for train, test in GroupKFold(10).split(X, y, regions.picture[rows]):
        W, b = ridge(X[train], y[train], weight[train], strength=0.1)
        scores[test] = (X[test] @ W + b)[:, 0]
    W, b = ridge(X, y, weight, strength=0.1)
    return np.concatenate([W[:, 0], b]), float(roc_auc_score(y[:, 0] > 0, scores))


def leanings(words: list[str]) -> NDArray:
    """(words,) int: 1 for nouns of men, -1 for nouns of women, 0 else, by WordNet."""
    net = WordNet()
    male, female = (net.below(net.senses[w][i]) for w, i in (("male", 1), ("female", 1)))
    out = np.zeros(len(words), np.int8)
    for i, word in enumerate(words):
        senses = net.senses.get(word.replace(" ", "_"), [])
        if senses:
            out[i] = int(senses[0] in male) - int(senses[0] in female)
    for word, value in (("man", 1), ("boy", 1), ("woman", -1), ("girl", -1)):
        out[words.index(word)] = value
    return out


def pair_table(regions: Regions, words: list[str], A, B, learned_words: set[str], rng) -> list[tuple[int, int, int]]:
    """(row, word, label): each picture's own nouns and a few absent ones, against all its regions."""
    index = {w: i for i, w in enumerate(words)}
    everyday = [w for w in learned_words if w in index]
    out = []
    for p in np.unique(regions.picture):
        rows = np.flatnonzero(regions.picture == p)
        here = sorted({n for r in rows for n in regions.names[r] if n in index})
        absent = [w for w in rng.permutation(everyday) if w not in here][:4]
        for word in [*here, *absent]:
            out += [(int(r), index[word], int(word in regions.names[r])) for r in rows]
    return out


def evaluate(regions: Regions, score, words: dict[str, int], present_only: set[str]) -> tuple[float, float, int]:
    """(share of nouns whose best true region is right, ROC area of present against absent, n)."""
    hits, tops, labels = [], [], []
    for p in np.unique(regions.picture):
        rows = np.flatnonzero((regions.picture == p) & regions.is_true)
        here = {n for r in rows for n in regions.names[r]}
        if len(rows) < 3:
            continue
        for word in present_only:
            if word not in words:
                continue
            s = score(rows, words[word])
            labels.append(word in here)
            tops.append(s.max())
            if word in here and len(here) > 1:
                hits.append(word in regions.names[rows[s.argmax()]])
    return float(np.mean(hits)), float(roc_auc_score(labels, tops)), len(hits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("features", "vocabulary", "classifier", "classes", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--leave-out", type=int, choices=(0, 1), help="a half of the pictures, for abstain.py")
    args = parser.parse_args()
    regions = load_regions(args.features, args.leave_out)
    fc = dict(np.load(args.classifier))
    counts = Counter(n for names, t in zip(regions.names, regions.is_true) if t for n in names)
    classes = sorted(n for n, c in counts.items() if c >= FEWEST)
    print(len(regions.names), "regions,", len(classes), "learned classes:", ", ".join(classes))
    Y = np.array([[c in names for c in classes] for names in regions.names], dtype=np.float64)
    weight = class_weights(regions, classes, Y)
    concepts = tomllib.loads((HERE / "concepts.toml").read_text())
    wnids = sorted(w for w, _ in json.loads(args.classes.read_text()).values())
    vocabulary = np.load(args.vocabulary)
    affinities = Affinities(vocabulary, [int(w[1:]) for w in wnids], classes, concepts)
    A, B, known = affinities.tables()
    words = [str(w) for w in vocabulary["words"]]
    index = {w: i for i, w in enumerate(words)}
    out: dict[str, NDArray] = {}
    pairs = np.array(pair_table(regions, words, A, B, set(counts), np.random.default_rng(0)))
    target_whole = regions.whole.astype(np.float64)[:, None]
    for stage in STAGES:
        scores, W, b = fit_heads(regions, Y, weight, stage)
        whole, Ww, bw = fit_heads(regions, target_whole, np.ones(len(Y)), stage)
        P = posteriors(regions, fc, stage)
        prior = np.log(A @ P.mean(0) + 1e-6)
        out |= pack_stage(stage, W, b, Ww, bw, prior)
        fit = fit_pairs(stage, regions, pairs, (A, B, P, prior, scores, whole[:, 0]))
        looks, area = fit_looks(regions, stage)
        out[f"{stage}_looks"] = looks.astype(np.float32)
        print(stage, "apparent man or woman, ROC:", area)
        out[f"{stage}_pair"] = fit.astype(np.float32)

        def score(rows, w, fit=fit, P=P, prior=prior, scores=scores, whole=whole):
            return pair_score(fit, *columns(rows, w, (A, B, P, prior, scores, whole[:, 0])))

        held = {c for c in counts if counts[c] >= 1}
        print(stage, "hit, ROC, n:", evaluate(regions, score, index, held), "fit", fit.round(2).tolist())
    save(args.out, out, (words, aliases(index), A, B, known), classes, fc)


def columns(rows, w, tables):
    """zi, zl and wholeness of some rows for one word, and which kind of word it is."""
    A, B, P, prior, scores, whole = tables
    a, b = A[w].toarray()[0], B[w].toarray()[0]
    has_a, has_b = a.any(), b.any()
    zi = np.log(P[rows] @ a + 1e-6) - prior[w] if has_a else np.zeros(len(rows))
    zl = (scores[rows][:, b > 0] * b[b > 0]).max(1) if has_b else np.zeros(len(rows))
    kind = 2 if has_a and has_b else 1 if has_b else 0
    return zi, zl, whole[rows], kind


def pair_score(fit, zi, zl, whole, kind):
    k = fit[kind]
    return k[0] * zi + k[1] * zl + k[2] * whole + k[3]


def fit_pairs(stage, regions, pairs, tables) -> NDArray:
    """(3, 4) logistic coefficients (zi, zl, whole, 1) for words of ImageNet only, learned only, both."""
    rows, labels, kinds = [], [], []
    for w in np.unique(pairs[:, 1]):
        mine = pairs[pairs[:, 1] == w]
        zi, zl, whole, kind = columns(mine[:, 0], w, tables)
        rows.append(np.stack([zi, zl, whole], 1))
        labels.append(mine[:, 2])
        kinds.append(np.full(len(mine), kind))
    X, y, kind = np.concatenate(rows), np.concatenate(labels), np.concatenate(kinds)
    out = np.zeros((3, 4))
    for k, cols in ((0, [0, 2]), (1, [1, 2]), (2, [0, 1, 2])):
        use = np.isin(kind, (0, 2)) if k == 0 else np.isin(kind, (1, 2)) if k == 1 else kind == 2
        model = LogisticRegression(C=10, max_iter=300).fit(X[use][:, cols], y[use])
        out[k, cols], out[k, 3] = model.coef_[0], model.intercept_[0]
    return out


def pack_stage(stage, W, b, Ww, bw, prior) -> dict[str, NDArray]:
    return {
        f"{stage}_head": np.concatenate([W, Ww], 1).T.astype(np.float16),
        f"{stage}_bias": np.concatenate([b, bw]).astype(np.float32),
        f"{stage}_prior": prior.astype(np.float16),
    }


def lexicon_words() -> list[str]:
    """The canonical nouns of the product's lexicon."""
    rows = tomllib.loads((TABLES / "nouns.toml").read_text())
    return [noun for section in rows.values() for noun in section]


def aliases(index: dict[str, int]) -> str:
    """Other words of the lexicon, English and Chinese -> the row of their canonical noun."""
    rows = tomllib.loads((TABLES / "nouns.toml").read_text())
    lines = [
        f"{word.lower()}\t{index[noun]}"
        for section in rows.values()
        for noun, others in section.items()
        for word in others
    ]
    lines += [f"{plural}\t{index[one]}" for plural, one in IRREGULAR.items() if one in index]
    return "\n".join(lines)


def write_safetensors(path: Path, tables: dict[str, NDArray]) -> None:
    """The safetensors layout: header length, JSON header, arrays in order."""
    kinds = {"float16": "F16", "float32": "F32", "uint8": "U8", "uint16": "U16", "uint32": "U32"}
    header, at = {}, 0
    for name, value in sorted(tables.items()):
        header[name] = {
            "dtype": kinds[value.dtype.name], "shape": list(value.shape), "data_offsets": [at, at + value.nbytes],
        }  # fmt: skip
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(tables[name].tobytes() for name in sorted(tables))
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def save(path, out, vocabulary, classes, fc) -> None:
    """Tables as flat arrays; words joined by newlines; sparse rows as (indptr, columns, weights)."""
    words, other_words, A, B, known = vocabulary
    text = "\n".join(words).encode()
    tables = {
        **out, "words": np.frombuffer(text, np.uint8), "aliases": np.frombuffer(other_words.encode(), np.uint8),
        "known": known.astype(np.uint8),
        "leaning": (leanings(words) + 1).astype(np.uint8),
        "classes": np.frombuffer("\n".join(classes).encode(), np.uint8),
        "fc_weight": fc["weight"].astype(np.float16), "fc_bias": fc["bias"].astype(np.float32),
        "temperature": np.array([TEMPERATURE], np.float32),
    }  # fmt: skip
    for name, table in (("a", A), ("b", B)):
        tables[f"{name}_ptr"] = table.indptr.astype(np.uint32)
        tables[f"{name}_col"] = table.indices.astype(np.uint16)
        tables[f"{name}_val"] = (table.data * 255).round().astype(np.uint8)
    write_safetensors(path, {name: np.ascontiguousarray(value) for name, value in tables.items()})
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()

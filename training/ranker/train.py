"""Fit the ranker's heads on region features and write its tables.

    python training/ranker/train.py --features features.npz --vocabulary vocabulary.npz --classifier fc.npz \
        --classes imagenet_class_index.json --captions captions.npz --out ranker_lite.safetensors

Everything is closed form or convex, so the same inputs give the same file. Decisions (regularisation, temperature,
which features) are made by cross-validation over pictures; the printed figures are out of fold. Pictures of which only
captions are known teach too: of the proposals of such a picture the one that a noun fits best is shown as an example of
it, twice over, each time by heads that are a little wiser; and outlined people are shown as men or women where all
captions say the same. They are never measured on.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affinity import PEOPLE, TABLES, Affinities
from captions import SAID, Captioned, load_captioned
from numpy.typing import NDArray
from pictures import half_of
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
FEWEST_SAID = 8
"""Captioned pictures that must name a thing for it to be learned from them."""
SAID_WEIGHT, SAID_ROUNDS, SAID_SMALLEST, SAME = 0.2, 2, 0.003, 0.6
"""Weight of a captioned region beside a true one; rounds; its least share of the picture; overlap of what is the same."""
UNSEEN = {
    "face", "head", "hair", "hand", "arm", "leg", "foot", "eye", "nose", "mouth", "ear", "picture", "top", "object",
    "team", "room", "kitchen", "office", "park", "street",
}  # fmt: skip
"""Nouns of captions that mean no region, or too many."""
MALE, FEMALE = ("man", "boy"), ("woman", "girl")
LOOKS_SIZE, LOOKS_SHARE = 0.012, 0.5
"""Least share of the picture, and of the largest person's size, of people that captions call a man or a woman."""


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


Taught = tuple[Regions, NDArray, NDArray]
"""Regions with their targets and weights."""


def stacked(regions: Regions, Y: NDArray, stage: str, more: Taught | None) -> tuple[NDArray, NDArray, NDArray]:
    """Features, targets and weights of the regions, and after them of what is taught more."""
    X, weight = rooted(regions, stage), class_weights(Y)
    if more is None:
        return X, Y, weight
    return np.concatenate([X, rooted(more[0], stage)]), np.concatenate([Y, more[1]]), np.concatenate([weight, more[2]])


def folded(X: NDArray, Y: NDArray, weight: NDArray, picture: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """(out-of-fold scores of the rows with a picture, matrix, bias); the rows after those are in every fold."""
    count = len(picture)
    scores, always = np.zeros((count, Y.shape[1])), np.arange(count, len(Y))
    for train, test in GroupKFold(5).split(X[:count], Y[:count], picture):
        train = np.concatenate([train, always])
        W, b = ridge(X[train], Y[train], weight[train])
        scores[test] = X[test] @ W + b
    return scores, *ridge(X, Y, weight)


def fit_heads(regions: Regions, Y: NDArray, stage: str, more: Taught | None = None) -> tuple[NDArray, NDArray, NDArray]:
    """(out-of-fold scores, matrix, bias) of the learned classes."""
    return folded(*stacked(regions, Y, stage, more), regions.picture)


def fit_whole(regions: Regions, stage: str) -> tuple[NDArray, NDArray, NDArray]:
    """The same for how much of one whole thing a region is."""
    y = regions.whole.astype(np.float64)[:, None]
    return folded(rooted(regions, stage), y, np.ones(len(y)), regions.picture)


def said_classes(captioned: list[Captioned]) -> set[str]:
    """Nouns that captions can teach."""
    counts = Counter(noun for c in captioned for noun in c.said)
    return {n for n, c in counts.items() if c >= FEWEST_SAID} - UNSEEN - set(PEOPLE.split())


def rows_of(captioned: list[Captioned]) -> Regions:
    """All regions of the captioned pictures, nameless."""
    picture = np.repeat(np.arange(len(captioned)), [len(c.dense) for c in captioned])
    dense, crop, shape = (np.concatenate([getattr(c, k) for c in captioned]) for k in ("dense", "crop", "shape"))
    none = np.zeros(len(picture))
    return Regions(picture, dense, crop, shape, [set() for _ in picture], none, none.astype(bool), [])


def shown(captioned: list[Captioned], classes: set[str], score) -> list[set[str]]:
    """What each region is an example of: of each noun said the region that it fits best, with all that are much the
    same; outlined people are people."""
    names: list[set[str]] = []
    for c in captioned:
        mine: list[set[str]] = [set() for _ in c.area]
        person = np.arange(len(c.area)) < c.people
        if c.people:
            person |= c.iou[:, : c.people].max(1) >= 0.5
        free = ~person & (c.area >= SAID_SMALLEST)
        rows = np.arange(len(names), len(names) + len(mine))
        for noun in sorted(c.said & classes) if free.any() else ():
            best = int(np.where(free, score(rows, noun), -np.inf).argmax())
            for k in np.flatnonzero(free & (c.iou[best] >= SAME)):
                mine[k].add(noun)
        for k in np.flatnonzero(person):
            mine[k].add("person")
        names += mine
    return names


def part_of(regions: Regions, rows: NDArray) -> Regions:
    """Some of the rows."""
    arrays = (regions.picture, regions.dense, regions.crop, regions.shape)
    place = [regions.place[i] for i in rows] if regions.place else []
    names = [regions.names[i] for i in rows]
    return Regions(*(a[rows] for a in arrays), names, regions.whole[rows], regions.is_true[rows], place)


def targets(regions: Regions, classes: list[str]) -> NDArray:
    return np.array([[c in names for c in classes] for names in regions.names], dtype=np.float64)


def teach(captioned, regions: Regions, Y: NDArray, pairs, tables, classes, index, fc) -> Taught | None:
    """The regions that captions name: heads that are fitted without them name them, are fitted with them, and name
    them again."""
    if not captioned:
        return None
    A, B = tables
    P = posteriors(regions, fc, "both")
    prior = np.log(A @ P.mean(0) + 1e-6)
    scores, whole = fit_heads(regions, Y, "both")[0], fit_whole(regions, "both")[0][:, 0]
    fit = fit_pairs("both", regions, pairs, (A, B, P, prior, scores, whole))
    rows, taught = rows_of(captioned), None
    X, P, none = rooted(rows, "both"), posteriors(rows, fc, "both"), np.zeros(len(rows.names))
    learnable = said_classes(captioned) & set(index)
    for _ in range(SAID_ROUNDS):
        W, b = ridge(*stacked(regions, Y, "both", taught))
        found = (A, B, P, prior, X @ W + b, none)

        def score(chosen, noun, found=found):
            return pair_score(fit, *columns(chosen, index[noun], found))

        rows.names[:] = shown(captioned, learnable, score)
        part = part_of(rows, np.flatnonzero([bool(n) for n in rows.names]))
        Yt = targets(part, classes)
        taught = part, Yt, SAID_WEIGHT * class_weights(np.concatenate([Y, Yt]))[len(Y) :]
    return taught


def learned_classes(counts: Counter[str], captioned: list[Captioned]) -> list[str]:
    """What heads are fitted for: nouns with outlines enough, or that captions can teach."""
    return sorted({n for n, c in counts.items() if c >= FEWEST} | said_classes(captioned))


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


def class_weights(Y: NDArray) -> NDArray:
    """Rare classes count more, regions of none count less."""
    counts = Y.sum(0)
    weight = np.full(len(Y), 0.35)
    for i in np.flatnonzero(Y.any(1)):
        weight[i] = 1 / np.sqrt(min(counts[c] for c in np.flatnonzero(Y[i])))
    named = Y.any(1)
    weight[named] /= weight[named].mean()
    return weight


def fit_looks(regions: Regions, stage: str, captioned: list[Captioned]) -> tuple[NDArray, tuple[float, float]]:
    """(matrix column and bias of the apparent man (+1) or woman (-1) head, out-of-fold ROC areas on the people marked
    in people.json and on those that captions tell of)."""
    notes = json.loads((HERE / "people.json").read_text())
    row_of = {place: i for i, place in enumerate(regions.place)}
    marks = [(f"{key}/{i}", sex) for sex in ("male", "female") for key, found in notes[sex].items() for i in found]
    marked = np.array([row_of[place] for place, _ in marks if place in row_of])
    sexes = [sex for place, sex in marks if place in row_of]
    told, told_sexes = told_people(captioned)
    X, picture = rooted(regions, stage)[marked], regions.picture[marked]
    if captioned:
        rows = rows_of(captioned)
        X = np.concatenate([X, rooted(part_of(rows, told), stage)])
        picture = np.concatenate([picture, rows.picture[told] + regions.picture.max() + 1])
    y = np.array([1.0 if sex == "male" else -1.0 for sex in [*sexes, *told_sexes]])[:, None]
    weight = np.where(y[:, 0] > 0, (y < 0).sum() / (y > 0).sum(), 1.0)
    scores = np.zeros(len(y))
    for train, test in GroupKFold(10).split(X, y, picture):
        W, b = ridge(X[train], y[train], weight[train])
        scores[test] = (X[test] @ W + b)[:, 0]
    W, b = ridge(X, y, weight)
    parts = [np.arange(len(y)) < len(marked), np.arange(len(y)) >= len(marked)]
    areas = [roc_auc_score(y[part, 0] > 0, scores[part]) if part.any() else np.nan for part in parts]
    return np.concatenate([W[:, 0], b]), (float(areas[0]), float(areas[1]))


def told_people(captioned: list[Captioned]) -> tuple[NDArray, list[str]]:
    """Rows of outlined people in pictures whose captions tell of one sex alone, and which."""
    rows, sexes, start = [], [], 0
    for c in captioned:
        male, female = (sum(c.nouns[noun] for noun in nouns) for nouns in (MALE, FEMALE))
        if max(male, female) >= SAID and min(male, female) == 0 and c.people:
            area = c.area[: c.people]
            large = np.flatnonzero((area >= LOOKS_SIZE) & (area >= LOOKS_SHARE * area.max()))
            rows += [start + k for k in large]
            sexes += ["male" if male else "female"] * len(large)
        start += len(c.area)
    return np.array(rows, int), sexes


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
    everyday = sorted(learned_words & set(index))
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
    parser.add_argument("--captions", type=Path, help="made by captions.py")
    parser.add_argument("--leave-out", type=int, choices=(0, 1), help="a half of the pictures, for abstain.py")
    args = parser.parse_args()
    regions = load_regions(args.features, args.leave_out)
    captioned = load_captioned(args.captions) if args.captions else []
    fc = dict(np.load(args.classifier))
    counts = Counter(n for names, t in zip(regions.names, regions.is_true) if t for n in names)
    classes = learned_classes(counts, captioned)
    print(len(regions.names), "regions,", len(classes), "learned classes:", ", ".join(classes))
    Y = targets(regions, classes)
    concepts = tomllib.loads((HERE / "concepts.toml").read_text())
    wnids = sorted(w for w, _ in json.loads(args.classes.read_text()).values())
    vocabulary = np.load(args.vocabulary)
    affinities = Affinities(vocabulary, [int(w[1:]) for w in wnids], classes, concepts)
    A, B, known = affinities.tables()
    words = [str(w) for w in vocabulary["words"]]
    index = {w: i for i, w in enumerate(words)}
    out: dict[str, NDArray] = {}
    pairs = np.array(pair_table(regions, words, A, B, set(counts), np.random.default_rng(0)))
    taught = teach(captioned, regions, Y, pairs, (A, B), classes, index, fc)
    for stage in STAGES:
        scores, W, b = fit_heads(regions, Y, stage, taught)
        whole, Ww, bw = fit_whole(regions, stage)
        P = posteriors(regions, fc, stage)
        prior = np.log(A @ P.mean(0) + 1e-6)
        out |= pack_stage(stage, W, b, Ww, bw, prior)
        fit = fit_pairs(stage, regions, pairs, (A, B, P, prior, scores, whole[:, 0]))
        looks, areas = fit_looks(regions, stage, captioned)
        out[f"{stage}_looks"] = looks.astype(np.float32)
        print(stage, "apparent man or woman, ROC, marked and told:", areas)
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


BROADER = Path(__file__).with_name("broader.toml")


def aliases(index: Mapping[str, int]) -> str:
    """Other words of the lexicon, English and Chinese, and nouns of broader.toml -> the row of what they are taken
    for."""
    broader = tomllib.loads(BROADER.read_text(encoding="utf-8"))
    found = {noun: index[broad] for broad, nouns in broader.items() for noun in nouns if noun not in index}
    for name in ("nouns.toml", "nouns_zh.toml"):
        for nouns in tomllib.loads((TABLES / name).read_text(encoding="utf-8")).values():
            for noun, others in nouns.items():
                row = found.get(noun.lower(), index.get(noun.lower(), -1))
                found |= {word.lower(): row for word in others if row >= 0 and word.lower() not in found}
    plurals = {**IRREGULAR, **{f"{one[:-2]}en": one for one in index if one.endswith("man")}}
    found |= {plural: index[one] for plural, one in plurals.items() if one in index and plural not in index}
    return "\n".join(f"{word}\t{row}" for word, row in found.items())


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

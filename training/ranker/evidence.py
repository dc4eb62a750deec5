"""Out-of-fold noun chances of the true regions of the training pictures, for calibrating what comes after nouns.

python training/ranker/evidence.py --features ... --vocabulary ... --classifier ... --classes ... --captions ... --out evidence.npz
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import train
from affinity import Affinities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("features", "vocabulary", "classifier", "classes", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--captions", type=Path)
    args = parser.parse_args()
    regions = train.load_regions(args.features)
    fc = dict(np.load(args.classifier))
    counts = Counter(n for names, t in zip(regions.names, regions.is_true) if t for n in names)
    captioned = train.load_captioned(args.captions) if args.captions else []
    classes = train.learned_classes(counts, captioned)
    Y = train.targets(regions, classes)
    concepts = tomllib.loads((train.HERE / "concepts.toml").read_text())
    wnids = sorted(w for w, _ in json.loads(args.classes.read_text()).values())
    vocabulary = dict(np.load(args.vocabulary))
    everyday = {*counts, *classes, *train.lexicon_words()}
    keep = np.array([str(w) in everyday for w in vocabulary["words"]])
    vocabulary["words"], vocabulary["embeddings"] = vocabulary["words"][keep], vocabulary["embeddings"][keep]
    A, B, known = Affinities(vocabulary, [int(w[1:]) for w in wnids], classes, concepts).tables()
    words = [str(w) for w in vocabulary["words"]]
    index = {w: i for i, w in enumerate(words)}
    pairs = np.array(train.pair_table(regions, words, A, B, set(counts), np.random.default_rng(0)))
    taught = train.teach(captioned, regions, Y, pairs, (A, B), classes, index, fc)
    scores, _, _ = train.fit_heads(regions, Y, "both", taught)
    whole, _, _ = train.fit_whole(regions, "both")
    P = train.posteriors(regions, fc, "both")
    prior = np.log(A @ P.mean(0) + 1e-6)
    tables = (A, B, P, prior, scores, whole[:, 0])
    fit = train.fit_pairs("both", regions, pairs, tables)
    rows = np.flatnonzero(regions.is_true)
    logits = np.stack([train.pair_score(fit, *train.columns(rows, index[w], tables)) for w in words], 1)
    names = np.array(["|".join(sorted(regions.names[r])) for r in rows])
    np.savez_compressed(args.out, picture=regions.picture[rows], names=names, words=np.array(words),
                        known=known, logits=logits.astype(np.float32))  # fmt: skip


if __name__ == "__main__":
    main()

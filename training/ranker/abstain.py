"""Fit when a phrase counts as answered by nothing, on what `find` really has to choose from.

    python training/ranker/abstain.py --data DIR --shared DIR --pools pools.npz \\
        --tables half0.safetensors half1.safetensors --out src/maskwright/finding/phrases/tables/calibration.toml

Made phrases (calibrate.py), and phrases of the same forms that nothing in the picture answers, are put to the product's
own proposals (pools.py) of photographs and of drawings, by the product's own code, with heads that have not seen the
picture's half of the pictures (`--leave-out`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from calibrate import GROUPS, SALIENT, phrases_of, written
from numpy.typing import NDArray
from pictures import coco_pictures, drawn_pictures, half_of
from pools import BIG
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from train import canonical

from maskwright.finding.phrases import look, parse, score_attributes
from maskwright.finding.phrases.combining import combined, signs, whole_sums
from maskwright.models.rankers.lite import CROPPED, LiteRanker
from maskwright.models.rankers.lite_drawn import Drawn
from maskwright.models.rankers.lite_heads import Heads
from maskwright.models.rankers.lite_kin import Kin
from maskwright.models.rankers.lite_tables import read_tables
from maskwright.models.rankers.lite_wholes import Wholes
from maskwright.models.rankers.lite_words import Vocabulary
from maskwright.values import Embedding, Image

REFUSED = 0.05
"""Share of the made phrases about photographs, and of those about drawings, with an answer, that "none such" may swallow."""
COLOUR_TRUST = 0.75
"""Colour phrases were made by the table that judges them: their say is taken back by this much."""
KINDS = ("relations", "ordinal", "sizes", "extremes", "positions", "parts", "colours")
MOST = 3
"""Phrases of one kind a picture, so that pictures full of things do not outweigh the others."""
NAMES = ("best_noun", "noun", "sum", *(f"has_{g}" for g in GROUPS), *GROUPS)


class StoredRanker(LiteRanker):
    """The product's ranker with other tables, on features that were stored by pools.py."""

    def __init__(self, tables: Path):
        store = read_tables(tables)
        self.name, self.cropped = "lite", CROPPED
        self._heads, self.vocabulary = Heads.of(store), Vocabulary.of(store)
        self._drawn, self._wholes, self._kin = Drawn.of(store), Wholes.of(store), Kin.of(store)

    def wholes(self, looks, facts) -> NDArray[np.float32]:
        return self._wholes.expected(looks, facts)

    def kin(self, dense, masks) -> NDArray[np.float32]:
        return self._kin.chances(dense, masks)

    def _crops(self, regions: Embedding, chosen) -> NDArray[np.float32]:
        return regions.data["crop"][list(chosen)]


def absent_phrases(names: list[str], absent: list[str]) -> list[tuple[str, int | None]]:
    """Phrases that nothing answers: a noun that is not there, alone, at a place, or beside one that is; and a noun
    that is there beside one that is not."""
    here = names[0]
    return [
        (f"the {absent[0]}", None), (f"the {absent[1]}", None), (f"the {absent[2]} on the left", None),
        (f"the {absent[3]} next to the {here}", None), (f"the {absent[4]} on the {here}", None),
        (f"the {absent[5]} in front of the {here}", None), (f"the {here} with the {absent[6]}", None),
    ]  # fmt: skip


def few_of_a_kind(asked, rng):
    kept, seen = [], {}
    for i in rng.permutation(len(asked)):
        phrase = parse(asked[i][0])
        key = (next((kind for kind in KINDS if getattr(phrase, kind)), "noun"), asked[i][1] is None)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= MOST:
            kept.append(asked[i])
    return kept


def named(region, picture) -> str:
    """The noun of a region; drawings are named by the lexicon already."""
    return region.name if picture.source == "drawn" else canonical(region.name)


def facts(ranker: LiteRanker, seen: Embedding, scene, phrase) -> list[float]:
    """What NAMES says; 0 for what the phrase does not say."""
    ranking = ranker.rank(seen, phrase.queries)
    scores = score_attributes(scene, phrase, dict(zip(phrase.queries, ranking.probabilities)), ranking.wholes)
    noun = ranking.logits[0].astype(float)
    found = signs(noun, scores, whole_sums(combined(noun, scores), ranking.wholes))
    return [found.get(name, 0.0) for name in NAMES]


def gather(args) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Facts (R, 9), whether nothing answers (R,), whether it is a photograph (R,), and the picture (R,)."""
    store = np.load(args.pools)
    keys = {k.rsplit("/", 1)[0] for k in store.files}
    rankers = [StoredRanker(path) for path in args.tables]
    pictures = [*coco_pictures(args.data, args.shared), *drawn_pictures(args.data, args.drawn)]
    pictures = [p for p in pictures if p.key in keys]
    here = {p.key: {named(r, p) for r in p.regions} - {""} for p in pictures}
    everyday = {
        s: sorted(set().union(*(here[p.key] for p in pictures if p.source == s))) for s in {p.source for p in pictures}
    }
    rows = []
    for number, picture in enumerate(pictures):
        rng = np.random.default_rng(number)
        things = [r for r in picture.regions if not r.crowd and r.mask.mean() >= BIG]
        names, image = [named(r, picture) for r in things], Image(picture.pixels())
        asked = phrases_of(names, look(image, np.stack([r.mask for r in things])), rng)
        asked = [(text, k) for text, k in asked if k is None or things[k].mask.mean() >= SALIENT]
        absent = [w for w in rng.permutation(everyday[picture.source]) if w not in here[picture.key]]
        asked = few_of_a_kind(asked, rng) + absent_phrases(names, absent)
        part = {k: store[f"{picture.key}/{k}"] for k in ("masks", "size", "dense", "crop", "shape")}
        masks = np.unpackbits(part["masks"], count=int(np.prod(part["size"]))).reshape(part["size"]).view(bool)
        scene, ranker = look(image, masks), rankers[half_of(picture.key)]
        data = {k: part[k].astype(np.float32) for k in ("dense", "crop", "shape")}
        data["kin"] = ranker.kin(data["dense"], masks)
        looks, near = (store[f"{picture.key}/{k}"].astype(np.float32) for k in ("looks", "facts"))
        data["wholes"] = ranker.wholes(looks, near)
        seen = Embedding("ranker:lite", image.sha256, image.size, data)
        for text, right in asked:
            phrase = parse(text)
            if all(ranker.vocabulary.row(q) >= 0 for q in phrase.queries):
                row = facts(ranker, seen, scene, phrase)
                rows.append((row, right is None, picture.source != "drawn", number))
    return tuple(np.array(column) for column in zip(*rows))


def model_of(X: NDArray, y: NDArray) -> LogisticRegression:
    weight = np.where(y, (~y).sum() / y.sum(), 1.0)
    return LogisticRegression(C=1.0).fit(X, y, sample_weight=weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "shared", "pools", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument(
        "--tables", type=Path, nargs=2, required=True, help="of train.py, drawn.py and wholes.py, --leave-out 0 and 1"
    )
    parser.add_argument("--drawn", type=int, default=100)
    X, absent, photo, picture = gather(parser.parse_args())
    chances = np.zeros(len(X))
    for name, mine in (("photographs", photo), ("drawings", ~photo)):
        for fold in range(5):
            test, taught = mine & (picture % 5 == fold), mine & (picture % 5 != fold)
            chances[test] = model_of(X[taught], absent[taught]).predict_proba(X[test])[:, 1]
        cuts = [np.quantile(chances[mine & ~absent], 1 - share) for share in (0.05, 0.1, 0.2)]
        found = [round(float((chances[mine & absent] >= cut).mean()), 3) for cut in cuts]
        area = roc_auc_score(absent[mine], chances[mine])
        print(f"{name}: {mine.sum()} phrases, ROC {area:.3f}, found at 5, 10, 20 % false: {found}")
        model, cut = model_of(X[mine], absent[mine]), float(np.quantile(chances[mine & ~absent], 1 - REFUSED))
        weights = dict(zip(NAMES, map(float, model.coef_[0])))
        weights["looks"] *= COLOUR_TRUST
        table = {**weights, "offset": float(model.intercept_[0]), "cut": cut}
        written(parser.parse_args().out, "none" if name == "photographs" else "none_drawn", table)


if __name__ == "__main__":
    main()

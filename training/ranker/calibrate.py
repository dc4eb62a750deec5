"""Fit what weighs nouns against attributes, on phrases made from the truth of training pictures.

    python training/ranker/calibrate.py --data DIR --shared DIR --features features.npz --evidence evidence.npz \
        --out src/maskwright/finding/phrases/tables/calibration.toml

Phrases are made by template from COCO truth (noun; noun and seen colour; place; extreme; size; ordinal; relation). When
nothing answers a phrase is learned by abstain.py. Noun chances are the out-of-fold ones of evidence.py. Colours have
no truth: a colour phrase is made only where the naming table itself is sure, so colour figures here are optimistic.
"""

from __future__ import annotations

import argparse
import pickle
import tomllib
from pathlib import Path

import numpy as np
from pictures import coco_pictures
from scipy.optimize import minimize
from train import canonical

from maskwright.finding.phrases import look, parse, score_attributes
from maskwright.finding.phrases.colours import NAMES
from maskwright.finding.phrases.places import distinct
from maskwright.finding.phrases.relations import pair_chance
from maskwright.values import Image

RELATIONS = {
    "next to": "near",
    "on": "on",
    "behind": "behind",
    "in front of": "front_of",
    "under": "below",
    "holding": "hold",
}


def phrases_of(names: list[str], scene, rng) -> list[tuple[str, int | None]]:
    """(phrase, index of the right region or None) for one picture."""
    out: list[tuple[str, int | None]] = []
    kinds = {n: [i for i, m in enumerate(names) if m == n] for n in sorted(set(names)) if n}
    for noun, members in kinds.items():
        if len(members) == 1:
            out.append((f"the {noun}", members[0]))
        else:
            out += places(noun, members, scene)
        out += colours(noun, members, scene, rng)
        out += relations(noun, members, names, scene, kinds)
    return out


def places(noun, members, scene):
    out = []
    order = sorted(members, key=lambda i: scene.x[i])
    gaps = np.diff([scene.x[i] for i in order])
    if gaps.min() > 0.04:
        out += [(f"the {noun} on the left", order[0]), (f"the rightmost {noun}", order[-1])]
        if len(order) == 2:
            out.append((f"the {noun} on the right", order[1]))
        elif len(order) <= 6:
            out += [(f"the second {noun} from the left", order[1]), (f"the second {noun} from the right", order[-2])]
        if len(order) == 3:
            out.append((f"the {noun} in the middle", order[1]))
    size = sorted(members, key=lambda i: -scene.areas[i])
    if scene.areas[size[0]] > 1.4 * scene.areas[size[1]]:
        out += [(f"the biggest {noun}", size[0])]
        if scene.boxes[size[0], 3] >= max(scene.boxes[i, 3] for i in members):
            out.append((f"the {noun} closest to the camera", size[0]))
    if scene.areas[size[-1]] < 0.7 * scene.areas[size[-2]]:
        out.append((f"the smallest {noun}", size[-1]))
    return out


def colours(noun, members, scene, rng):
    zone = "upper" if noun == "person" else "whole"
    shares = scene.colours(zone)[:, : len(NAMES)]
    tops = {i: (NAMES[int(shares[i].argmax())], float(shares[i].max())) for i in members}
    out = []
    for i in members:
        name, sure = tops[i]
        if sure > 0.5 and all(shares[j, NAMES.index(name)] < 0.2 for j in members if j != i):
            phrase = f"the person in the {name} shirt" if noun == "person" else f"the {name} {noun}"
            out.append((phrase, i))
    absent = [n for n in ("red", "yellow", "green", "blue", "white", "black", "orange", "purple", "pink")
              if shares[members, NAMES.index(n)].max() < 0.06]  # fmt: skip
    if absent:
        name = str(rng.choice(absent))
        out.append((f"the person in the {name} shirt" if noun == "person" else f"the {name} {noun}", None))
    return out


def relations(noun, members, names, scene, kinds):
    out = []
    for words, kind in RELATIONS.items():
        table = pair_chance(scene, kind)
        for other, partners in kinds.items():
            if other == noun or len(partners) > 3 or (kind == "hold" and noun != "person"):
                continue
            best = table[np.ix_(members, partners)].max(axis=1)
            order = np.argsort(-best)
            clear = len(members) == 1 or best[order[1]] < 0.4 * best[order[0]]
            if best[order[0]] > 0.6 and clear:
                out.append((f"the {noun} {words} the {other}", members[order[0]]))
    return out


def gather(args) -> list[dict]:
    """One row a phrase: the candidates' noun log-odds, attribute logs, and the truth."""
    evidence = dict(np.load(args.evidence))
    keys = sorted({k.rsplit("/", 1)[0] for k in np.load(args.features).files})
    words = {str(w): i for i, w in enumerate(evidence["words"])}
    rows = []
    for number, picture in enumerate(coco_pictures(args.data, args.shared)):
        if picture.key not in keys:
            continue
        rng = np.random.default_rng(number)
        mine = np.flatnonzero(evidence["picture"] == keys.index(picture.key))
        regions = [r for r in picture.regions if r.mask.sum() >= 80 and not r.crowd]
        assert len(regions) == len(mine), picture.key
        big = [i for i, r in enumerate(regions) if r.mask.mean() >= 0.001]
        if len(big) < 2:
            continue
        names = [canonical(regions[i].name) for i in big]
        scene = look(Image(picture.pixels()), np.stack([regions[i].mask for i in big]))
        asked = phrases_of(names, scene, rng)
        areas = [regions[i].mask.mean() for i in big]
        asked = [(text, right) for text, right in asked if right is not None and areas[right] >= SALIENT]
        for text, right in asked:
            phrase = parse(text)
            if any(q not in words for q in phrase.queries):
                continue
            logits = {q: evidence["logits"][mine[big]][:, words[q]] for q in phrase.queries}
            nouns = {q: (1 / (1 + np.exp(-z))).astype(np.float32) for q, z in logits.items()}
            scores = score_attributes(scene, phrase, nouns)
            rows.append({
                "picture": number, "text": text, "right": right, "noun": logits[phrase.queries[0]],
                "attributes": scores.log_chances, "n": len(scores.each),
                "kind": next(iter(scores.each), "noun").split()[0],
                "same": [i for i, m in enumerate(names) if m == names[right]],
                "members": len(distinct(scene, nouns[phrase.queries[0]])),
            })  # fmt: skip
    return rows


SALIENT = 0.006
"""Smallest share of the picture that a made phrase asks for: people seldom ask for less."""
GROUPS = ("looks", "places", "relations")
KIND_GROUP = {"colour": 0, "in": 0, "without": 0, "place": 1, "furthest": 1, "size": 1, "number": 1}
"""Group of an attribute by the first word of its label; relations are the rest."""


def group_of(row) -> int | None:
    return None if row["n"] == 0 else KIND_GROUP.get(row["kind"], 2)


def thinned(rows, most: int = 2):
    """At most so many phrases of one kind a picture, so that pictures full of things do not outweigh the others."""
    seen: dict[tuple, int] = {}
    out = []
    for row in rows:
        key = (row["picture"], row["kind"])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= most * (3 if row["kind"] == "noun" else 1):
            out.append(row)
    return out


def logit_of(row, k):
    """The combined score of each candidate: saturating noun evidence plus weighted attributes."""
    group = group_of(row)
    return score(row["noun"], row["attributes"], 0.0 if group is None else np.exp(k[3 + group]), k)


def score(noun, attributes, weight, k):
    return np.exp(k[2]) * -np.logaddexp(0, -(noun - k[0]) * np.exp(k[1])) + weight * attributes


def padded(rows):
    """(R, K) noun log-odds and attribute logs, very low where a row has fewer candidates; (R,) groups and answers."""
    width = max(len(r["noun"]) for r in rows)
    noun, attributes = np.full((len(rows), width), -60.0), np.full((len(rows), width), -60.0)
    for i, r in enumerate(rows):
        noun[i, : len(r["noun"])], attributes[i, : len(r["noun"])] = r["noun"], r["attributes"]
    groups = np.array([-1 if group_of(r) is None else group_of(r) for r in rows])
    return noun, attributes, groups, np.array([r["right"] for r in rows])


def loss(k, noun, attributes, groups, right):
    weight = np.where(groups < 0, 0.0, np.exp(k[3:])[groups])[:, None]
    z = score(noun, attributes, weight, k)
    chosen = z[np.arange(len(z)), right]
    return float(np.mean(np.logaddexp.reduce(z, axis=1) - chosen) + 0.002 * np.square(k).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "shared", "features", "evidence", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    if args.cache and args.cache.exists():
        rows = pickle.loads(args.cache.read_bytes())
    else:
        rows = gather(args)
    if args.cache:
        args.cache.write_bytes(pickle.dumps(rows))
    fit(rows, args.out)


def fit(rows, out: Path) -> None:
    print(len(rows), "phrases")
    pictures = sorted({r["picture"] for r in rows})
    folds = {p: i % 5 for i, p in enumerate(pictures)}
    start = np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    rows = thinned(rows)
    print(len(rows), "phrases kept")
    hits = []
    for fold in range(5):
        k = fit_once([r for r in rows if folds[r["picture"]] != fold], start)
        mine = [r for r in rows if folds[r["picture"]] == fold]
        hits += [(r["kind"], logit_of(r, k).argmax() == r["right"]) for r in mine]
    print("top-1:", np.mean([h for _, h in hits]))
    for kind in sorted({k for k, _ in hits}):
        mine = [h for k, h in hits if k == kind]
        print("  ", kind, len(mine), round(float(np.mean(mine)), 3))
    k = fit_once(rows, start)
    print("final", k.round(3).tolist())
    fitted = ("noun_offset", "log_noun_slope", "log_noun_weight", *(f"log_{g}_weight" for g in GROUPS))
    written(out, "score", {n: float(v) for n, v in zip(fitted, k)})


def written(out: Path, section: str, values: dict[str, float]) -> None:
    """Puts one section of the table anew and leaves the other."""
    table = tomllib.loads(out.read_text()) if out.exists() else {}
    table[section] = values
    lines = ["# Written by training/ranker/calibrate.py (score) and abstain.py (none); do not edit by hand."]
    for name in sorted(table, reverse=True):
        lines += [f"[{name}]", *(f"{key} = {value:.4f}" for key, value in table[name].items()), ""]
    out.write_text("\n".join(lines[:-1]) + "\n")


def fit_once(rows, start):
    return minimize(loss, start, args=padded(rows), method="Powell", options={"maxiter": 4000}).x


if __name__ == "__main__":
    main()

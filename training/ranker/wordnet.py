"""A small reader of the WordNet 3.0 noun files (Debian package wordnet-base, WordNet licence)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PHYSICAL = 1930  # physical_entity.n.01


@dataclass
class Synset:
    offset: int
    lemmas: list[str]
    parents: list[int]
    gloss: str
    lexfile: int = 0
    children: list[int] = field(default_factory=list)


class WordNet:
    def __init__(self, folder: Path = Path("/usr/share/wordnet")) -> None:
        self.synsets: dict[int, Synset] = {}
        for line in (folder / "data.noun").read_text().splitlines():
            if line.startswith("  "):
                continue
            synset = _parse(line)
            self.synsets[synset.offset] = synset
        for s in self.synsets.values():
            for p in s.parents:
                self.synsets[p].children.append(s.offset)
        self.senses: dict[str, list[int]] = {}
        for line in (folder / "index.noun").read_text().splitlines():
            if not line.startswith("  "):
                parts = line.split()
                n, k = int(parts[2]), int(parts[3])
                self.senses[parts[0]] = [int(o) for o in parts[4 + k + 2 :]][:n]
        self.counts: dict[tuple[str, int], int] = {}
        for line in (folder / "cntlist.rev").read_text().splitlines():
            key, sense, count = line.split()
            lemma, _, rest = key.partition("%")
            if rest.startswith("1:"):
                self.counts[(lemma, int(sense))] = int(count)

    @cached_property
    def physical(self) -> set[int]:
        return self.below(PHYSICAL)

    def below(self, offset: int) -> set[int]:
        out, todo = set(), [offset]
        while todo:
            o = todo.pop()
            if o not in out:
                out.add(o)
                todo += self.synsets[o].children
        return out

    def above(self, offset: int) -> dict[int, int]:
        """Ancestors with the least number of steps to each (itself: 0)."""
        out, todo = {offset: 0}, [offset]
        while todo:
            o = todo.pop(0)
            for p in self.synsets[o].parents:
                if p not in out:
                    out[p] = out[o] + 1
                    todo.append(p)
        return out

    def count(self, lemma: str, sense_index: int) -> int:
        return self.counts.get((lemma, sense_index + 1), 0)


def _parse(line: str) -> Synset:
    head, _, gloss = line.partition(" | ")
    parts = head.split()
    n = int(parts[3], 16)
    lemmas = [parts[4 + 2 * i] for i in range(n)]
    at = 4 + 2 * n
    pointers = int(parts[at])
    parents = []
    for i in range(pointers):
        kind, target, pos, _ = parts[at + 1 + 4 * i : at + 5 + 4 * i]
        if kind in ("@", "@i") and pos == "n":
            parents.append(int(target))
    return Synset(int(parts[0]), lemmas, parents, gloss.strip(), int(parts[1]))

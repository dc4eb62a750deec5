"""Phrases that ask for several, and places beyond the last, on drawn scenes that no setting was chosen on.

    python benchmarks/several.py [--scenes 40]

Writes docs/benchmarks/several.md and .json.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from writing import table, write_page

from maskwright.assemble.finding import Finder
from maskwright.bench.scenes.scene import Placed, Scene, draw_scene
from maskwright.config.find import FindSettings
from maskwright.values import Mask

FIRST = 400
"""Seed of the first scene: those of the sample set and of the settings are lower."""
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
NUMBERS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FAR = 4
"""Places beyond the last that are asked for."""


def groups(scene: Scene) -> Iterator[tuple[str, list[Placed]]]:
    """The things of each kind, from the left."""
    found: dict[str, list[Placed]] = defaultdict(list)
    for thing in scene.things:
        found[thing.kind].append(thing)
    for kind, things in found.items():
        yield kind, sorted(things, key=lambda thing: thing.centre[0])


def plural(kind: str) -> str:
    return f"{kind}{'es' if kind.endswith('x') else 's'}"


def matched(masks: tuple[Mask, ...], things: list[Placed]) -> int:
    """How many things have a mask of their own with an IoU of at least one half."""
    left = list(masks)
    for thing in things:
        best = max(left, key=lambda mask: mask.iou(thing.mask), default=None)
        if best is not None and best.iou(thing.mask) >= 0.5:
            left.remove(best)
    return len(masks) - len(left)


def measure(scenes: int) -> dict[str, dict[str, float]]:
    """By way of asking: phrases, and over phrases the mean share of things found, of answers right, and of both (F1)."""
    finder = Finder(FindSettings(mode="one-shot"))
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    refused: dict[str, list[bool]] = defaultdict(list)
    for seed in range(FIRST, FIRST + scenes):
        scene = draw_scene(seed)
        for kind, things in groups(scene):
            count = len(things)
            ways = {"all of a kind": f"all {plural(kind)}"}
            if count > 1:
                ways["a number of them"] = f"{NUMBERS[count]} {plural(kind)}"
            for way, phrase in ways.items():
                masks = finder.find(scene.image, phrase).masks
                good = matched(masks, things)
                rows[way].append((good / count, good / max(1, len(masks)), 2 * good / (len(masks) + count)))
            for way, place in (("the last from the left", count), ("four places further", count + FAR)):
                found = finder.find(scene.image, f"the {ORDINALS[place - 1]} {kind} from the left")
                refused[way].append(found.abstained)
    out = {
        way: dict(zip(("found", "right", "f1"), map(float, np.mean(values, axis=0)), strict=True))
        | {"phrases": len(values)}
        for way, values in rows.items()
    }
    return out | {way: {"phrases": len(v), "refused": float(np.mean(v))} for way, v in refused.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=40)
    args = parser.parse_args()
    found = measure(args.scenes)
    names = ("found", "right", "f1", "refused")
    lines = [
        [way, int(row["phrases"]), *(f"{100 * row[name]:.0f} %" if name in row else "" for name in names)]
        for way, row in found.items()
    ]
    intro = (
        f"{args.scenes} drawn scenes, one look, models `lite`; means over phrases. Found: of the things asked for, those"
        " with an answer of their own (IoU at least .5); right: of the answers, those that are one. Four places further"
        " there is nothing, so all of those should be refused. Drawn scenes prove the machinery, not accuracy on"
        " photographs."
    )
    body = f"{intro}\n\n{table(('asked for', 'phrases', 'found', 'right', 'F1', 'refused'), lines)}"
    print(write_page("several", "Several things, and places beyond the last", body, found))


if __name__ == "__main__":
    main()

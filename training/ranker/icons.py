"""Drawings of free icon sets: emoji by more hands, and pictograms, whose lines are filled like flat drawings.

A set is the npm package `@iconify-json/NAME`, unpacked as drawings/iconify/NAME (icons.csv).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pictures import sources

from maskwright.finding.phrases.lexicon import lexicon, section_of

with (Path(__file__).parent / "icons.csv").open() as table:
    KINDS = {row["set"]: row["kind"] for row in csv.DictReader(table)}
"""Each set is one of emoji or of pictograms; the table tells versions and licences."""
STYLES = frozenset((
    "outline", "outlined", "filled", "fill", "solid", "bold", "duotone", "light", "thin", "line", "linear", "broken",
    "rounded", "round", "sharp", "alt", "variant", "regular", "twotone", "color", "flat",
))  # fmt: skip
"""Words at the end of a pictogram's name that tell how it is drawn."""
NO_THING = frozenset(("object", "top", "sheet", "remote", "player", "log", "counter", "cable", "line", "dot"))
"""Nouns that pictograms use for something else."""
BRANDS = frozenset(("bi apple", "mdi apple", "tabler apple", "icon-park apple"))
"""Sets and names that show a company's sign."""
VARIANTS = 3
"""Pictograms of one noun taken from one set."""
FILLED = 0.7
"""Share of pictograms of one colour whose inside is filled with another."""
CLOSED = np.ones((3, 3), np.uint8)
"""Gaps between lines of this size do not open a silhouette."""


@dataclass(frozen=True)
class Icon:
    """One drawing: what it shows, its set and name, and its SVG."""

    noun: str
    origin: str
    name: str
    svg: str

    def rgba(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """The picture, sources.DRAWN wide; what has no colour of its own gets one or two."""
        import resvg_py

        ink = rng.integers(0, 90, 3) if rng.random() < 0.5 else rng.integers(0, 256, 3)
        svg = self.svg.replace("currentColor", "#" + bytes(ink.astype(np.uint8)).hex())
        data = np.frombuffer(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=sources.DRAWN)), np.uint8)
        rgba = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA)
        plain = "currentColor" in self.svg
        return _filled(rgba, rng.integers(60, 256, 3)) if plain and rng.random() < FILLED else rgba


def _filled(rgba: NDArray[np.uint8], colour: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The lines laid on their own silhouette, which has the colour."""
    seen = cv2.morphologyEx((rgba[..., 3] > 60).astype(np.uint8), cv2.MORPH_CLOSE, CLOSED)
    rims, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    inside = cv2.drawContours(np.zeros_like(seen), rims, -1, 1, cv2.FILLED)
    share = rgba[..., 3:].astype(np.float32) / 255
    rgb = share * rgba[..., :3] + (1 - share) * colour.astype(np.float32)
    alpha = np.maximum(rgba[..., 3], inside * 255)
    return np.concatenate([rgb.round().astype(np.uint8), alpha[..., None]], axis=2)


def family_of(origin: str) -> str:
    """Sets drawn by one hand, or alike, are one family."""
    if KINDS.get(origin) == "pictograms":
        return "pictograms"
    lead = origin.split("-")[0]
    return lead if lead in ("noto", "fluent", "emojione") else origin


def icons(root: Path, named: Mapping[str, str]) -> Iterator[Icon]:
    """The icons whose names mean a thing; `named`: an emoji's name in words -> noun."""
    for origin in sorted(KINDS):
        table = json.loads((root / origin / "icons.json").read_text())
        taken: dict[str, int] = {}
        for name, entry in sorted(table["icons"].items()):
            is_emoji = KINDS[origin] == "emoji"
            noun = named.get(name.replace("-", " "), "") if is_emoji else _pictured(origin, name)
            if not noun or entry.get("hidden"):
                continue
            taken[noun] = taken.get(noun, 0) + 1
            if is_emoji or taken[noun] <= VARIANTS:
                yield Icon(noun, origin, name, _svg(entry, table))


def _pictured(origin: str, name: str) -> str:
    """The noun of a pictogram whose name is that noun and nothing else: "book-2-outline", not "book-off"."""
    words = [word for word in name.split("-") if not word.isdigit()]
    while len(words) > 1 and words[-1] in STYLES:
        words.pop()
    noun, used, _ = lexicon("en").noun(words, 0) if words else ("", 0, 0)
    alone = bool(noun) and used == len(words) and f"{origin} {' '.join(words)}" not in BRANDS
    return str(noun) if alone and noun not in NO_THING and section_of(noun) not in ("areas", "body") else ""


def _svg(entry: Mapping[str, object], table: Mapping[str, object]) -> str:
    left, top, wide, high = (
        entry.get(key, table.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    )
    box = f'viewBox="{left} {top} {wide} {high}" width="{wide}" height="{high}"'
    links = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {links} {box}>{entry['body']}</svg>"


def named_by(annotations: Mapping[str, str]) -> dict[str, str]:
    """Emoji names in words, as icon sets write them, to nouns; from annotation -> noun."""
    return {re.sub(r"[^a-z0-9]+", " ", text.lower()).strip(): noun for text, noun in annotations.items()}

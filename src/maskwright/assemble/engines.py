"""The models that the settings name, each loaded once and only when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from maskwright.assemble.loading import load
from maskwright.config.settings import Settings, resolve
from maskwright.models.catalogue import find_row


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

    def _load(self, kind: str) -> Any:
        chosen = self._chosen.get(kind)
        if chosen is not None and not isinstance(chosen, str):
            return chosen
        choice = {"name": chosen} if chosen else dict(self.settings.models.get(kind, {}))
        if not choice:
            return None
        name = choice.pop("name")
        needs = find_row(kind, name).needs
        return load(kind, name, **{**{keyword: self.need(needed) for keyword, needed in needs}, **choice})

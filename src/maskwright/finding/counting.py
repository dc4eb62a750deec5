"""How often models are called and how long stages take, counted for the step that runs in this thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.ports import Ranker, Segmenter
from maskwright.values import Candidates, Cost, Embedding, Image, Prompt, Ranking

_TALLY: ContextVar[dict[str, int] | None] = ContextVar("maskwright_find_tally", default=None)


def count(role: str, calls: int = 1) -> None:
    """Adds to the tally of the step under way, if any."""
    tally = _TALLY.get()
    if tally is not None:
        tally[role] = tally.get(role, 0) + calls


class Meter:
    """Gathers the Cost of one round: `with meter.stage("propose"): ...`."""

    def __init__(self) -> None:
        self._calls: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._extra = Cost()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block and counts the model calls in it."""
        token, began = _TALLY.set(self._calls), time.perf_counter()
        try:
            yield
        finally:
            _TALLY.reset(token)
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    def add(self, cost: Cost) -> None:
        self._extra = self._extra + cost

    def take(self) -> Cost:
        """What was spent since the last take."""
        spent = Cost(calls=dict(self._calls), seconds=dict(self._seconds)) + self._extra
        self._calls, self._seconds, self._extra = {}, {}, Cost()
        return spent


class CountedSegmenter:
    """The segmenter given, its calls counted."""

    def __init__(self, inner: Segmenter) -> None:
        self.inner, self.name = inner, inner.name

    def encode(self, image: Image) -> Embedding:
        count("segmenter_encode")
        return self.inner.encode(image)

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        count("segmenter")
        return self.inner.predict(embedding, prompts)

    def __getattr__(self, name: str) -> Any:
        """What a proposer of the segmenter's own family needs beyond the port (its low-resolution answers)."""
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def counted(*args: Any, **kwargs: Any) -> Any:
            count("segmenter")
            return found(*args, **kwargs)

        return counted


class CountedRanker:
    """The ranker given, its calls counted."""

    def __init__(self, inner: Ranker) -> None:
        self.inner, self.name = inner, inner.name

    def encode(self, image: Image, masks: NDArray[np.bool_]) -> Embedding:
        count("ranker_encode")
        return self.inner.encode(image, masks)

    def rank(self, regions: Embedding, phrases: Sequence[str]) -> Ranking:
        count("ranker")
        return self.inner.rank(regions, phrases)

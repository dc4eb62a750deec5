"""Models as the studio shares them: the same ports, every call a step in a lane."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskwright.plumbing.cache import MemoryCache
from maskwright.ports import Segmenter
from maskwright.studio.broker import Broker, Lent
from maskwright.studio.lanes import Lane, SingleLock, Works
from maskwright.values import Candidates, Embedding, Image, Prompt

MOST_POLITE_S = 0.25
_METHODS: Mapping[str, tuple[str, ...]] = {
    "ranker": ("encode", "rank"),
    "proposer": ("propose",),
    "vlm": ("reply",),
    "inpainter": ("inpaint",),
    "captioner": ("caption",),
    "parser": ("parse",),
    "editor": ("edit",),
    "matter": ("matte",),
    "depth": ("depth",),
    "lifter": ("lift",),
}
"""Kind -> methods that are one step each."""

_STREAMS: Mapping[str, tuple[str, ...]] = {"tracker": ("track",), "filler": ("fill",)}
"""Kind -> methods that yield; each item is a step."""


@dataclass(frozen=True)
class Large:
    """What is known of large models: who lends the device's memory, how much a kind's model takes (0: not large), and
    how the last reference to it is dropped."""

    broker: Broker
    size_mib: Callable[[str], int]
    drop: Callable[[str], None]


class LanedSegmenter:
    """A Segmenter whose pictures are encoded in one lane and whose prompts are answered in another, so that encoding a
    new picture does not block clicks on old ones. Embeddings are shared by content and bounded in bytes; prompts on one
    embedding that wait together are answered in one call."""

    def __init__(self, model: Segmenter, encoding: Works, predicting: Works, cache: MemoryCache[Embedding]) -> None:
        self.name = model.name
        self._model, self._encoding, self._predicting, self._cache = model, encoding, predicting, cache

    def encode(self, image: Image) -> Embedding:
        key = (self.name, image.sha256)
        found = self._cache.get(key)
        return found if found is not None else self._encoding.call(self._encode, image, ("encode", key))

    def _encode(self, images: Sequence[Image]) -> list[Embedding]:
        """Merged jobs ask for the same picture: it is encoded once."""
        key = (self.name, images[0].sha256)
        found = self._cache.get(key)
        if found is None:
            found = self._model.encode(images[0])
            self._cache.put(key, found)
        return [found] * len(images)

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        if not prompts:
            return []
        answer: list[Candidates] = self._predicting.call(
            lambda batches: self._predict(embedding, batches), list(prompts), ("predict", id(embedding))
        )
        return answer

    def __getattr__(self, name: str) -> Any:
        """What some segmenters offer beyond the port (the lite one's `coarse`), as a step of the same lane."""
        value = getattr(self._model, name)
        if not callable(value):
            return value
        return lambda *a, **k: self._predicting.call(lambda _: [value(*a, **k)], None)

    def _predict(self, embedding: Embedding, batches: Sequence[list[Prompt]]) -> list[list[Candidates]]:
        flat = self._model.predict(embedding, [prompt for batch in batches for prompt in batch])
        ends = [sum(len(b) for b in batches[: i + 1]) for i in range(len(batches))]
        return [flat[end - len(batch) : end] for end, batch in zip(ends, batches, strict=True)]


class Laned:
    """Any other model: its methods go through its lane, everything else is the model's own."""

    def __init__(self, model: Any, lane: Works, kind: str, let_pass: Callable[[], None]) -> None:
        """`let_pass`: called between the steps of a stream, so that visitors who click go first."""
        self._model, self._lane, self._let_pass = model, lane, let_pass
        self._methods, self._streams = _METHODS.get(kind, ()), _STREAMS.get(kind, ())

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if name in self._streams:
            return lambda *a, **k: self._steps(lambda: iter(value(*a, **k)))
        if name in self._methods:
            return lambda *a, **k: self._lane.call(lambda _: [value(*a, **k)], None)
        return value

    def _steps(self, make: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        for item in self._lane.stream(make):
            yield item
            self._let_pass()


class LanedModels:
    """kind -> the shared model of the settings, each made once, wrapped for its lane."""

    def __init__(
        self,
        load: Callable[[str], Any],
        *,
        single_lock: bool = False,
        limit: int = 256,
        cache_mib: int = 512,
        large: Large | None = None,
    ) -> None:
        """`load`: gives the model of a kind, or None when the settings choose none; `large`: which of them share the
        device's memory."""
        self._load, self._limit, self._large = load, limit, large
        self._single = SingleLock() if single_lock else None
        self._lanes: dict[str, Lane] = {}
        self._models: dict[str, Any] = {}
        self._lock = threading.RLock()
        self.embeddings: MemoryCache[Embedding] = MemoryCache(cache_mib * 2**20, lambda e: e.nbytes)

    def get(self, kind: str) -> Any:
        """The wrapped model; it is loaded once, in its lane, so that the page stays alive meanwhile."""
        if kind not in self._models:
            self.lane(kind).call(lambda _: [self._load_once(kind)], None)
        return self._models[kind]

    def _load_once(self, kind: str) -> Any:
        if kind not in self._models:
            self._models[kind] = self._wrap(kind, self._small_or_lent(kind))
        return self._models[kind]

    def _small_or_lent(self, kind: str) -> Any:
        """The model itself, or for a large one what borrows it from the broker step by step."""
        size = 0 if self._large is None else self._large.size_mib(kind)
        if self._large is None or not size:
            return self._load(kind)
        drop = self._large.drop
        self._large.broker.register(kind, size, lambda: self._load(kind), lambda: drop(kind))
        return Lent(self._large.broker, kind, _STREAMS.get(kind, ()))

    def _wrap(self, kind: str, model: Any) -> Any:
        if model is None:
            return None
        if kind == "segmenter":
            return LanedSegmenter(model, self.lane("encoding"), self.lane(kind), self.embeddings)
        return Laned(model, self.lane(kind), kind, self._let_clicks_pass)

    def _let_clicks_pass(self) -> None:
        """Waits while clicks or new pictures wait, a quarter of a second at most: a person waits for those, and a long
        work on another core still takes its share of memory and of Python's lock."""
        until = time.monotonic() + MOST_POLITE_S
        lanes = [self._lanes[name] for name in ("segmenter", "encoding") if name in self._lanes]
        while any(map(len, lanes)) and time.monotonic() < until:
            time.sleep(0.005)

    def lane(self, name: str) -> Works:
        """The lane of this name, made when first needed."""
        if self._single is not None:
            return self._single
        with self._lock:
            if name not in self._lanes:
                self._lanes[name] = Lane(name, self._limit)
            return self._lanes[name]

    def queues(self) -> dict[str, int]:
        """Lane -> steps that wait or go on."""
        with self._lock:
            return {name: len(lane) + lane.is_working for name, lane in self._lanes.items()}

    def close(self) -> None:
        with self._lock:
            lanes, self._lanes = list(self._lanes.values()), {}
        for lane in lanes:
            lane.close()

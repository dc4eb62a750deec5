"""Device memory shared by large models: one is loaded when a step needs it, and idle ones make room for it."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from maskwright.errors import Busy, OutOfMemory
from maskwright.plumbing.log import get_log

PATIENCE_S, SHARE = 60.0, 0.9
MIB = 2**20
_log = get_log("studio.broker")


@dataclass(eq=False)
class Seat:
    """A large model's claim on the device. `has_room` from before it is loaded until after it is unloaded; `users`:
    steps and streams that need it now."""

    name: str
    size_mib: int
    load: Callable[[], Any]
    unload: Callable[[], None]
    model: Any = None
    has_room: bool = False
    users: int = 0
    used: float = 0.0
    loading: threading.Lock = field(default_factory=threading.Lock)


class Broker:
    """Lends one device's memory to the large models. Nothing is unloaded while it is in use: between the steps of a
    stream it is in use, too. Whoever finds no room waits `patience_s` for a user to finish, then gets Busy."""

    def __init__(self, budget_mib: Callable[[], int], *, patience_s: float = PATIENCE_S) -> None:
        """`budget_mib` is asked once, when the first large model is needed."""
        self._ask, self._patience_s = budget_mib, patience_s
        self._budget: int | None = None
        self._seats: dict[str, Seat] = {}
        self._changed = threading.Condition()

    @property
    def budget_mib(self) -> int:
        if self._budget is None:
            self._budget = self._ask()
        return self._budget

    def register(self, name: str, size_mib: int, load: Callable[[], Any], unload: Callable[[], None]) -> None:
        """Makes a large model known; nothing is loaded yet."""
        with self._changed:
            self._seats[name] = Seat(name, size_mib, load, unload)

    def loaded(self) -> dict[str, int]:
        """Name -> MiB of what holds memory now, the least recently used first."""
        with self._changed:
            return {s.name: s.size_mib for s in sorted(self._seats.values(), key=lambda s: s.used) if s.has_room}

    @contextmanager
    def holding(self, name: str) -> Iterator[Any]:
        """The model, loaded, for as long as the block lasts. Raises OutOfMemory, Busy and what loading raises."""
        seat = self._seats[name]
        with self._changed:
            seat.users += 1  # from here on nobody takes its room away
        try:
            yield self._there(seat)
        finally:
            with self._changed:
                seat.users -= 1
                seat.used = time.monotonic()
                self._changed.notify_all()

    def _there(self, seat: Seat) -> Any:
        with seat.loading:
            if seat.model is None:
                with self._changed:
                    self._make_room(seat)
                    seat.has_room = True
                try:
                    seat.model = seat.load()
                except BaseException:
                    with self._changed:
                        self._leave(seat)
                    raise
            return seat.model

    def _make_room(self, seat: Seat) -> None:
        """Unloads the least recently used idle models until this one fits."""
        if seat.size_mib > self.budget_mib:
            raise OutOfMemory(
                f"{seat.name} does not fit into the device's memory: it needs {seat.size_mib} MiB of"
                f" {self.budget_mib} MiB.",
                "Choose a smaller model, or raise studio.device_mib.",
            )
        until = time.monotonic() + self._patience_s
        while self._taken() + seat.size_mib > self.budget_mib:
            idle = [s for s in self._seats.values() if s.has_room and not s.users]
            if idle:
                self._leave(min(idle, key=lambda s: s.used))
            elif not self._changed.wait(until - time.monotonic()):
                raise Busy("the device's memory is in use.", f"Try again in {self._patience_s:g} s.", self._patience_s)

    def _taken(self) -> int:
        return sum(s.size_mib for s in self._seats.values() if s.has_room)

    def _leave(self, seat: Seat) -> None:
        had, seat.model = seat.model is not None, None
        try:
            if had:
                _log.info("model unloaded", model=seat.name, mib=seat.size_mib)
            seat.unload()
        finally:
            seat.has_room = False
            self._changed.notify_all()


class Lent:
    """A large model as its lane sees it: a call holds it until it answers, a stream (one of `streams`) to its end."""

    def __init__(self, broker: Broker, seat: str, streams: Collection[str] = ()) -> None:
        self._broker, self._seat, self._streams = broker, seat, streams
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name not in self._known:
            with self._broker.holding(self._seat) as model:
                value = getattr(model, name)
            lent = self._stream if name in self._streams else self._call
            self._known[name] = partial(lent, name) if callable(value) else value
        return self._known[name]

    def _call(self, name: str, *args: Any, **named: Any) -> Any:
        with self._broker.holding(self._seat) as model:
            return getattr(model, name)(*args, **named)

    def _stream(self, name: str, *args: Any, **named: Any) -> Iterator[Any]:
        with self._broker.holding(self._seat) as model:
            yield from getattr(model, name)(*args, **named)


def empty_device() -> None:
    """Memory that a model has just left goes back to the device."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def device_mib() -> int:
    """What large models may take together: most of the graphics card's memory, or of this machine's if it has none."""
    try:
        import torch

        if torch.cuda.is_available():
            return int(torch.cuda.mem_get_info()[1] * SHARE) // MIB
    except ImportError:
        pass
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * SHARE) // MIB

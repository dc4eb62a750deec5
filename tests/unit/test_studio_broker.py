"""The broker of device memory: models make room for each other, and none goes in the middle of a step."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maskwright.assemble.engines import Engines
from maskwright.config.settings import resolve
from maskwright.errors import Busy, OutOfMemory, WeightsError
from maskwright.models.segmenters.fake import FakeSegmenter
from maskwright.studio.broker import Broker, Lent, device_mib
from maskwright.studio.laned import LanedModels, Large
from maskwright.values import Image, Mask, Prompt


class Device:
    """What is loaded, and whether a rule was ever broken."""

    def __init__(self, budget: int) -> None:
        self.budget, self.held, self.working = budget, dict[str, int](), dict[str, int]()
        self.log: list[str] = []
        self.broken: list[str] = []
        self._lock = threading.Lock()

    def put(self, broker: Broker, name: str, size: int) -> None:
        broker.register(name, size, lambda: self._load(name, size), lambda: self._unload(name))

    def _load(self, name: str, size: int) -> Model:
        with self._lock:
            self.held[name] = size
            self.log.append(f"+{name}")
            if sum(self.held.values()) > self.budget:
                self.broken.append(f"too much: {self.held}")
        return Model(self, name)

    def _unload(self, name: str) -> None:
        with self._lock:
            if self.working.get(name):
                self.broken.append(f"{name} went in the middle of a step")
            if self.held.pop(name, None) is not None:
                self.log.append(f"-{name}")


class Model:
    name = "fake"

    def __init__(self, device: Device, name: str) -> None:
        self.device, self.key = device, name

    def reply(self, question: int) -> int:
        self.device.working[self.key] = self.device.working.get(self.key, 0) + 1
        if self.key not in self.device.held:
            self.device.broken.append(f"{self.key} works without being loaded")
        threading.Event().wait(0.0005)
        self.device.working[self.key] -= 1
        return question + 1

    def track(self, count: int) -> Iterator[int]:
        for index in range(count):
            yield self.reply(index)


def _made(budget: int, sizes: dict[str, int], patience_s: float = 5.0) -> tuple[Device, Broker]:
    device, broker = Device(budget), Broker(lambda: budget, patience_s=patience_s)
    for name, size in sizes.items():
        device.put(broker, name, size)
    return device, broker


def _use(broker: Broker, *names: str) -> None:
    for name in names:
        with broker.holding(name) as model:
            model.reply(0)


@pytest.mark.parametrize(
    ("used", "log"),
    [
        ("aab", "+a +b"),
        ("abc", "+a +b -a +c"),
        ("abac", "+a +b +a-is-newer"),
        ("abd", "+a +b -a -b +d"),
        ("dd", "+d"),
        ("da", "+d -d +a"),
    ],
)
def test_the_least_recently_used_make_room(used: str, log: str) -> None:
    """Sizes 4, 4, 4 and 8 on a device of 8."""
    device, broker = _made(8, {"a": 4, "b": 4, "c": 4, "d": 8})
    _use(broker, *used)
    expected = "+a +b -b +c" if log.endswith("newer") else log
    assert " ".join(device.log) == expected
    assert broker.loaded() == device.held


def test_only_as_many_go_as_must() -> None:
    device, broker = _made(10, {"a": 2, "b": 4, "c": 4, "d": 3})
    _use(broker, "a", "b", "c", "d")
    assert device.log == ["+a", "+b", "+c", "-a", "-b", "+d"]
    assert sum(broker.loaded().values()) <= 10


def test_a_model_larger_than_the_device_is_refused_and_nothing_is_unloaded_for_it() -> None:
    device, broker = _made(8, {"a": 4, "huge": 9})
    _use(broker, "a")
    with pytest.raises(OutOfMemory, match="9 MiB of 8 MiB"), broker.holding("huge"):
        pass
    assert device.held == {"a": 4}


def test_a_model_in_use_stays_and_the_other_waits_for_it() -> None:
    device, broker = _made(8, {"a": 6, "b": 6})
    began, go = threading.Event(), threading.Event()

    def hold() -> None:
        with broker.holding("a"):
            began.set()
            go.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    began.wait(10)
    waiter = threading.Thread(target=_use, args=(broker, "b"))
    waiter.start()
    waiter.join(timeout=0.05)
    assert waiter.is_alive()
    assert device.held == {"a": 6}
    go.set()
    holder.join(timeout=120)
    waiter.join(timeout=120)
    assert device.log == ["+a", "-a", "+b"]


def test_who_waits_too_long_is_told_when_to_come_back() -> None:
    device, broker = _made(8, {"a": 6, "b": 6}, patience_s=0.01)
    with broker.holding("a"), pytest.raises(Busy, match="in use") as caught, broker.holding("b"):
        pass
    assert caught.value.retry_after_s == 0.01
    assert device.log == ["+a"]
    _use(broker, "b")
    assert device.held == {"b": 6}


def test_a_load_that_fails_gives_its_room_back() -> None:
    device, broker = _made(8, {"a": 6})

    def fail() -> Any:
        raise WeightsError("damaged")

    broker.register("broken", 6, fail, lambda: None)
    with pytest.raises(WeightsError), broker.holding("broken"):
        pass
    assert broker.loaded() == {}
    _use(broker, "a")
    assert device.held == {"a": 6}


def test_a_stream_holds_its_model_to_its_end_also_when_it_is_given_up() -> None:
    device, broker = _made(8, {"a": 6, "b": 6}, patience_s=0.01)
    lent = Lent(broker, "a", streams=("track",))
    stream = lent.track(3)
    assert next(stream) == 1
    with pytest.raises(Busy), broker.holding("b"):
        pass
    assert list(stream) == [2, 3]
    _use(broker, "b")
    again = lent.track(3)
    assert next(again) == 1
    again.close()
    _use(broker, "b")
    assert device.broken == []


def test_reading_a_name_does_not_load_a_model_again() -> None:
    device, broker = _made(8, {"a": 6, "b": 6})
    lent = Lent(broker, "a")
    assert lent.name == "fake"
    assert lent.reply(1) == 2
    _use(broker, "b")
    assert lent.name == "fake"
    assert device.log == ["+a", "-a", "+b"]
    assert lent.reply(1) == 2
    assert device.log[-2:] == ["-b", "+a"]


def test_eight_threads_and_five_models_break_no_rule() -> None:
    """800 steps: never more loaded than fits, never a model away in the middle of a step."""
    sizes = {"a": 3, "b": 3, "c": 4, "d": 5, "e": 2}
    device, broker = _made(9, sizes, patience_s=30.0)
    faults: list[BaseException] = []

    def work(seed: int) -> None:
        choice = random.Random(seed)
        try:
            for _ in range(100):
                with broker.holding(choice.choice("abcde")) as model:
                    model.reply(0)
        except BaseException as error:  # noqa: BLE001 - looked at below
            faults.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert faults == []
    assert device.broken == []
    assert device.log.count("+a") > 1, "the models did change places"
    assert sum(broker.loaded().values()) <= 9


def test_large_models_in_lanes_answer_as_small_ones_do(disc: tuple[Image, Mask]) -> None:
    """Two large kinds on a device for one: every answer is that of a model that was always there."""
    dropped: list[str] = []
    large = Large(Broker(lambda: 10), lambda kind: 8 if kind in ("segmenter", "tracker") else 0, dropped.append)

    class Tracker:
        name = "fake tracker"

        def track(self, frames: Any, prompts: Any) -> Iterator[int]:
            yield from range(3)

    models = LanedModels(lambda kind: FakeSegmenter() if kind == "segmenter" else Tracker(), large=large)
    plain, image = FakeSegmenter(), disc[0]
    wanted = plain.predict(plain.encode(image), [Prompt([(50, 45)])])[0]
    for _ in range(3):
        shared = models.get("segmenter")
        [found] = shared.predict(shared.encode(image), [Prompt([(50, 45)])])
        assert (found.masks == wanted.masks).all()
        assert list(models.get("tracker").track([], {})) == [0, 1, 2]
    assert dropped == ["segmenter", "tracker"] * 2 + ["segmenter"]
    models.close()


def test_small_models_never_go_through_the_broker() -> None:
    engines = Engines(resolve({}, environment={}))
    kinds = ("segmenter", "ranker", "tracker", "filler", "lifter", "inpainter", "parser")
    assert {kind: engines.device_mib(kind) for kind in kinds} == dict.fromkeys(kinds, 0)


def test_the_size_of_a_large_model_is_that_of_its_weights_and_a_fifth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWRIGHT_WEIGHTS", str(tmp_path))
    (tmp_path / "sam2-tiny").mkdir()
    for name, mib in (("a.safetensors", 10), ("b.safetensors", 5), ("README.md", 50)):
        (tmp_path / "sam2-tiny" / name).write_bytes(bytes(mib * 2**20))
    for chosen, size in (("sam2-tiny", 18), ("sam2-large", 0)):
        engines = Engines(resolve({"models": {"segmenter": {"name": chosen}}}, environment={}))
        assert engines.device_mib("segmenter") == size
    elsewhere = {"name": "sam2-large", "weights": str(tmp_path / "sam2-tiny")}
    assert Engines(resolve({"models": {"segmenter": elsewhere}}, environment={})).device_mib("segmenter") == 18


def test_a_dropped_model_and_what_is_built_on_it_are_made_again() -> None:
    engines = Engines(resolve({}, environment={}), {"segmenter": "fake", "proposer": "grid"})
    first, built = engines.get("segmenter"), engines.get("proposer")
    engines.drop("segmenter")
    assert engines.get("segmenter") is not first
    assert engines.get("proposer") is not built
    engines.drop("vlm")


def test_a_device_has_memory() -> None:
    assert device_mib() > 256

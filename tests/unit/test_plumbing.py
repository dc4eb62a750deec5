"""Files, caches, retries, budgets, log: each promise of plumbing/, one case each."""

from __future__ import annotations

import errno
import logging
import threading
from pathlib import Path

import pytest

from maskwright.errors import BudgetSpent, Cancelled, EngineDown, EngineRefused, InputError, StorageError
from maskwright.plumbing import cache as cache_module
from maskwright.plumbing import retry as retry_module
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cache import DiskCache, MemoryCache
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import (
    atomic_path,
    check_space,
    read_json,
    remove_leftovers,
    storage_errors,
    write_bytes,
    write_json,
)
from maskwright.plumbing.hashes import hash_value
from maskwright.plumbing.log import HIDDEN, get_log, redact
from maskwright.plumbing.retry import retry
from maskwright.values import Cost


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_bytes(target, b"old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "read-only"),
        (errno.EROFS, "read-only"),
        (errno.EEXIST, "file stands"),
        (errno.ENOTDIR, "file stands"),
        (errno.EIO, "Check"),
    ],
)
def test_storage_faults_say_what_to_do(number: int, advice: str) -> None:
    with pytest.raises(StorageError) as caught, storage_errors("x.png"):
        raise OSError(number, "boom")
    assert "x.png" in caught.value.message
    assert advice in caught.value.hint


def test_space_is_checked_before(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "there", 1)
    with pytest.raises(StorageError, match="MiB free"):
        check_space(tmp_path, 2**60)


@pytest.mark.parametrize("text", ["{", "\xff\xfe", "[" * 100_000])
def test_damaged_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"x\.json"):
        read_json(path)


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert not list(tmp_path.iterdir())


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".part-1234.png").write_bytes(b"half")
    (tmp_path / "whole.png").write_bytes(b"whole")
    assert remove_leftovers(tmp_path) == 1
    assert [p.name for p in tmp_path.rglob("*.png")] == ["whole.png"]


def test_memory_cache_is_bounded_in_bytes_and_drops_the_oldest() -> None:
    cache = MemoryCache[bytes](10, len)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a") == b"1234"
    cache.put("c", b"1234")
    assert (cache.get("b"), cache.get("a"), cache.used_bytes) == (None, b"1234", 8)
    cache.put("huge", b"x" * 11)
    assert cache.get("huge") is None
    cache.put("a", b"1")
    assert cache.used_bytes == 5


def test_memory_cache_lets_go_of_what_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(cache_module.time, "monotonic", lambda: now)
    cache = MemoryCache[bytes](10, len)
    for key in "abc":
        cache.put(key, b"12")
        now += 10
    assert cache.get("a") == b"12"  # used at 130
    assert cache.expire(15.0) == 1, "b was put at 110 and c at 120"
    assert [cache.get(key) is not None for key in "abc"] == [True, False, True]
    assert (len(cache), cache.used_bytes) == (2, 4)
    now += 1
    assert cache.expire(0.0) == 2
    assert (cache.expire(0.0), len(cache), cache.used_bytes) == (0, 0, 0)


def test_disk_cache_survives_reopening_and_is_bounded(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "c.sqlite", max_bytes=100)
    for i in range(30):
        cache.put(str(i), bytes(10))
    cache.close()
    again = DiskCache(tmp_path / "c.sqlite", max_bytes=100)
    kept = [i for i in range(30) if again.get(str(i)) is not None]
    assert kept == list(range(20, 30))
    again.close()


def test_disk_cache_serves_threads(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "c.sqlite")
    failed: list[Exception] = []

    def work(name: int) -> None:
        try:
            for i in range(20):
                cache.put(f"{name}-{i}", f"{name}-{i}".encode())
                assert cache.get(f"{name}-{i}") == f"{name}-{i}".encode()
        except Exception as error:  # noqa: BLE001 - carried to the main thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


class _Flaky:
    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "answer"


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_module, "waiting", False)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("failures", "error", "calls", "answer"),
    [
        (0, EngineDown("x"), 1, "answer"),
        (2, EngineDown("x"), 3, "answer"),
        (3, EngineDown("x"), 3, EngineDown),
        (1, EngineRefused("401"), 1, EngineRefused),
    ],
)
def test_retries(failures: int, error: Exception, calls: int, answer: object) -> None:
    flaky = _Flaky(failures, error)
    if isinstance(answer, str):
        assert retry(flaky) == answer
    else:
        with pytest.raises(type(error)):
            retry(flaky)
    assert flaky.calls == calls


@pytest.mark.usefixtures("no_waiting")
def test_a_pause_longer_than_the_time_left_is_not_waited_for() -> None:
    error = EngineDown("busy")
    error.retry_after_s = 120.0  # type: ignore[attr-defined]
    flaky = _Flaky(1, error)
    with pytest.raises(EngineDown):
        retry(flaky, total_s=60)
    assert flaky.calls == 1


def test_cancel_interrupts_a_pause() -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        retry(_Flaky(1, EngineDown("x")), cancel=cancel)
    with pytest.raises(Cancelled):
        cancel.check()


@pytest.mark.parametrize(
    ("limits", "cost"),
    [
        ({"calls": 2}, Cost(calls={"vlm": 2})),
        ({"tokens": 100}, Cost(tokens_in=60, tokens_out=40)),
        ({"usd": 0.5}, Cost(usd=0.5)),
        ({"seconds": 0.0}, Cost()),
    ],
)
def test_a_spent_budget_names_its_limit(limits: dict[str, float], cost: Cost) -> None:
    budget = Budget(**limits)  # type: ignore[arg-type]
    budget.spend(cost)
    with pytest.raises(BudgetSpent, match=next(iter(limits))):
        budget.check()
    Budget().check()


def test_secrets_stay_out_of_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SOME_API_KEY", "planted-key-123456")
    value = {
        "api_key": "abc",
        "url": "http://x?k=planted-key-123456",
        "head": ["Bearer abcdefghijk", "sk-abcdefghijkl"],
    }
    assert redact(value) == {"api_key": HIDDEN, "url": f"http://x?k={HIDDEN}", "head": [HIDDEN, HIDDEN]}
    with caplog.at_level(logging.INFO, logger="maskwright"):
        get_log("test").info("asked", **value)
    assert "planted" not in caplog.text
    assert "asked" in caplog.text


def test_ordinary_paths_are_no_secrets() -> None:
    paths = ["task-pictures/mask-00000001.jpg", "disk-cache-of-runs", "half_of_something_long"]
    assert redact(paths) == paths
    assert redact("sk-abcdefgh12345678 and hf_abcdefgh1234") == "[hidden] and [hidden]"


def test_json_of_names_that_are_no_unicode(tmp_path: Path) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    write_json(tmp_path / "a.json", {"name": name, "dog": "狗"})
    assert read_json(tmp_path / "a.json") == {"name": name, "dog": "狗"}
    assert hash_value({"name": name}) != hash_value({"name": "caf.png"})

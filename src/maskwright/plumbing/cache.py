"""Two caches, both bounded in bytes: one in memory, one on disk shared by processes."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from maskwright.errors import StorageError

T = TypeVar("T")


class MemoryCache(Generic[T]):
    """Least recently used values out first; thread-safe. A value larger than the whole cache is not kept."""

    def __init__(self, max_bytes: int, size_of: Callable[[T], int]) -> None:
        self.max_bytes, self._size_of = max_bytes, size_of
        self._values: OrderedDict[Hashable, tuple[T, int, float]] = OrderedDict()
        self._used = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            if key not in self._values:
                return None
            value, size, _ = self._values[key]
            self._values[key] = (value, size, time.monotonic())
            self._values.move_to_end(key)
            return value

    def put(self, key: Hashable, value: T) -> None:
        size = self._size_of(value)
        with self._lock:
            self._forget(key)
            if size > self.max_bytes:
                return
            self._values[key] = (value, size, time.monotonic())
            self._used += size
            while self._used > self.max_bytes:
                self._forget(next(iter(self._values)))

    def expire(self, unused_s: float) -> int:
        """Lets go of what nobody asked for in the last `unused_s` seconds; returns how many values."""
        until, count = time.monotonic() - unused_s, 0
        with self._lock:
            while self._values and (oldest := next(iter(self._values.items())))[1][2] < until:
                self._forget(oldest[0])
                count += 1
        return count

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self._used = 0

    @property
    def used_bytes(self) -> int:
        return self._used

    def __len__(self) -> int:
        return len(self._values)

    def _forget(self, key: Hashable) -> None:
        if key in self._values:
            self._used -= self._values.pop(key)[1]


_CACHE_SCHEMA = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "CREATE TABLE IF NOT EXISTS entries"
    " (key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, used REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_use ON entries (used)",
)


class DiskCache:
    """Bytes by text key in one SQLite file (WAL), least recently used out first."""

    def __init__(self, path: str | Path, max_bytes: int = 512 * 2**20) -> None:
        self.path, self.max_bytes = Path(path), max_bytes
        self._lock = threading.Lock()
        with self._usable():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            self._closing = weakref.finalize(self, self._db.close)
            for statement in _CACHE_SCHEMA:
                self._db.execute(statement)

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Raises StorageError for a file that is damaged or no cache, and for a full disk."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"the cache {self.path} cannot be used: {error}.", "Make room, remove it, or choose another."
            ) from error

    def get(self, key: str) -> bytes | None:
        with self._lock, self._usable():
            row = self._db.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            self._db.execute("UPDATE entries SET used = ? WHERE key = ?", (time.time(), key))
            return bytes(row[0])

    def put(self, key: str, value: bytes) -> None:
        if len(value) > self.max_bytes:
            return
        with self._lock, self._usable():
            self._db.execute(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", (key, value, len(value), time.time())
            )
            self._shrink()

    def _shrink(self) -> None:
        used = self._db.execute("SELECT COALESCE(SUM(size), 0) FROM entries").fetchone()[0]
        while used > self.max_bytes:
            key, size = self._db.execute("SELECT key, size FROM entries ORDER BY used LIMIT 1").fetchone()
            self._db.execute("DELETE FROM entries WHERE key = ?", (key,))
            used -= size

    def close(self) -> None:
        """Closes the file; happens by itself when the cache is no longer used."""
        with self._lock:
            self._closing()

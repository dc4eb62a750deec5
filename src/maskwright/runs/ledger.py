"""What happened to every item and step of a run, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.errors import StorageError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS steps (
  item TEXT NOT NULL, step TEXT NOT NULL, state TEXT NOT NULL, attempt INTEGER NOT NULL,
  began REAL NOT NULL, ended REAL, counters TEXT NOT NULL, error TEXT,
  PRIMARY KEY (item, step)
)
"""


@dataclass(frozen=True)
class Entry:
    """One item's step: state is running | done | abstained | failed."""

    item: str
    step: str
    state: str
    attempt: int
    began: float
    ended: float | None
    counters: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


class Ledger:
    """One row an item and step; safe against kills (WAL) and readable while a run goes on."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StorageError(
                f"the ledger {path} cannot be opened: {error}.", "Check the folder's permissions."
            ) from error

    def begin(self, item: str, step: str) -> int:
        """Notes that work begins; returns which attempt this is."""
        [(attempt,)] = self._execute(
            "INSERT INTO steps VALUES (?, ?, 'running', 1, ?, NULL, '{}', NULL) ON CONFLICT (item, step) DO UPDATE"
            " SET state = 'running', attempt = attempt + 1, began = excluded.began, ended = NULL, error = NULL"
            " RETURNING attempt",
            (item, step, time.time()),
        )
        return int(attempt)

    def end(
        self, item: str, step: str, state: str, *, counters: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        self._execute(
            "UPDATE steps SET state = ?, ended = ?, counters = ?, error = ? WHERE item = ? AND step = ?",
            (state, time.time(), json.dumps(dict(counters or {})), error, item, step),
        )

    def note(
        self, item: str, step: str, state: str, *, counters: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        """Like `end`, also for work that this process did not see begin (it is left uncounted)."""
        now = time.time()
        self._execute(
            "INSERT INTO steps VALUES (?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT (item, step) DO UPDATE"
            " SET state = excluded.state, ended = excluded.ended, counters = excluded.counters, error = excluded.error",
            (item, step, state, now, now, json.dumps(dict(counters or {})), error),
        )

    def get(self, item: str, step: str) -> Entry | None:
        rows = self._execute("SELECT * FROM steps WHERE item = ? AND step = ?", (item, step))
        return _entry(rows[0]) if rows else None

    def __iter__(self) -> Iterator[Entry]:
        return (_entry(row) for row in self._execute("SELECT * FROM steps ORDER BY item, step"))

    def counts(self) -> dict[str, int]:
        """State -> number of rows."""
        return dict(self._execute("SELECT state, COUNT(*) FROM steps GROUP BY state"))

    def close(self) -> None:
        self._db.close()

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of the answer: a statement that returns some takes effect only with the last of them."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StorageError(
                f"the ledger {self.path} cannot be used: {error}.",
                "Make room on its disk, then run the same command again.",
            ) from error


def _entry(row: tuple[Any, ...]) -> Entry:
    item, step, state, attempt, began, ended, counters, error = row
    return Entry(item, step, state, attempt, began, ended, json.loads(counters), error)

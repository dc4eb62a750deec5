"""A run's folder: what was asked, the ledger, one folder an item, the events; one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from maskwright import __version__
from maskwright.errors import InputError, RunLocked, RunMismatch
from maskwright.plumbing.files import read_json, remove_leftovers, storage_errors, write_json
from maskwright.plumbing.hashes import hash_value
from maskwright.plumbing.log import redact
from maskwright.runs.ledger import Ledger

_ID = re.compile(r"[^A-Za-z0-9._一-鿿-]+")


def safe_id(text: str) -> str:
    """A name that is safe as a folder on every system: no separators, no leading dots, at most 120 characters."""
    name = _ID.sub("_", text).strip("._ ")[:120]
    if not name:
        raise InputError(f"{text!r} is not usable as an id.", "Give letters, digits, - or _.")
    return name


class RunFolder:
    """`run.json`, `ledger.sqlite`, `items/<id>/`, `events.jsonl`. Open it with `with`: that takes the lock."""

    def __init__(self, path: str | Path, kind: str, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.kind, self.settings = kind, dict(settings)
        self._lock: IO[str] | None = None

    def __enter__(self) -> RunFolder:
        with storage_errors(self.path):
            (self.path / "items").mkdir(parents=True, exist_ok=True)
            self._take_lock()
        try:
            remove_leftovers(self.path)
            self._write_about()
            self.ledger = Ledger(self.path / "ledger.sqlite")
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()
        self._release()

    def item(self, id_: str) -> Path:
        """The folder of one item, made if it is not there."""
        path = self.path / "items" / safe_id(id_)
        with storage_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def event(self, name: str, **fields: Any) -> None:
        """Appends one line to events.jsonl."""
        line = json.dumps({"at": time.time(), "event": name, **redact(fields)}, ensure_ascii=False, default=str)
        with storage_errors(self.path), (self.path / "events.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def _write_about(self) -> None:
        about = self.path / "run.json"
        if about.exists():
            found = read_json(about)
            if not isinstance(found, dict) or found.get("kind") != self.kind:
                kind = found.get("kind") if isinstance(found, dict) else "unknown"
                raise RunMismatch(
                    f"{self.path} holds a run of kind {kind}, not {self.kind}.", "Choose another folder with -o."
                )
        write_json(
            about,
            {
                "kind": self.kind,
                "maskwright": __version__,
                "settings": redact(self.settings),
                "settings_sha256": hash_value(self.settings),
            },
        )

    def _take_lock(self) -> None:
        stream = (self.path / ".lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.seek(0)
            owner = stream.read().strip() or "another process"
            stream.close()
            raise RunLocked(f"{self.path} is in use by process {owner}.", "Wait for it, or stop it first.") from error
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        self._lock = stream

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

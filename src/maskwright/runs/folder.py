"""A run's folder: what was asked, the ledger, one folder an item, the events; one process at a time."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import time
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from maskwright import __version__
from maskwright.errors import InputError, RunLocked, RunMismatch
from maskwright.plumbing.files import json_text, read_json, remove_leftovers, storage_errors, write_json
from maskwright.plumbing.hashes import hash_value
from maskwright.plumbing.log import redact
from maskwright.plumbing.store import is_url
from maskwright.runs.ledger import Ledger
from maskwright.runs.mirror import ABOUT, LOCK, Mirror
from maskwright.runs.steps import remove_scratch

_SPOILT_URL = re.compile(r"[a-z][a-z0-9+.\-]+:/[^/]")
_ID = re.compile(r"[^\w.-]+")
_LONGEST, _MOST_BYTES = 120, 200


def safe_id(text: str) -> str:
    """A name that is safe as a folder on every system: letters of any script, digits, no separators, no leading dots;
    at most 120 characters and 200 bytes."""
    name = _ID.sub("_", unicodedata.normalize("NFC", text)).strip("._ ")[:_LONGEST]
    name = name.encode("utf-8", "ignore")[:_MOST_BYTES].decode("utf-8", "ignore").strip("._ ")
    if not name:
        raise InputError(f"{text!r} is not usable as an id.", "Give letters, digits, - or _.")
    return name


def versions() -> dict[str, str]:
    """What results depend on: Python and the libraries that work on pixels."""
    found = {"python": platform.python_version()}
    for name in ("numpy", "opencv-python-headless", "pillow", "onnxruntime", "av", "torch"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def revision() -> str | None:
    """The git revision of the working folder, read without running git; None outside a repository."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        head = folder / ".git" / "HEAD"
        if not head.is_file():
            continue
        with suppress(OSError, UnicodeDecodeError):
            text = head.read_text(encoding="utf-8").strip()
            if not text.startswith("ref: "):
                return text
            ref = folder / ".git" / text.removeprefix("ref: ")
            return ref.read_text(encoding="utf-8").strip() if ref.is_file() else None
        return None
    return None


class RunFolder:
    """`run.json`, `ledger.sqlite`, `items/<id>/`, `events.jsonl`. Open it with `with`: that takes the lock."""

    def __init__(
        self,
        path: str | Path,
        kind: str,
        settings: Mapping[str, Any],
        *,
        about: Mapping[str, Any] | None = None,
        wait_s: float = 0.0,
        url: str | None = None,
    ) -> None:
        """`about`: more to write into run.json; `wait_s`: how long to wait for a process that uses the folder; `url`:
        where the folder really is, `path` then being this machine's working copy of it."""
        self.path = Path(path)
        if is_url(path) or _SPOILT_URL.match(str(path)):
            raise InputError(f"{path}: this run folder has to be a path here.", "Only batches are kept at a URL.")
        self.mirror = None if url is None else Mirror(url, self.path)
        self.kind, self.settings = kind, dict(settings)
        self._about, self._wait_s = dict(about or {}), wait_s
        self._lock: IO[str] | None = None

    def __enter__(self) -> RunFolder:
        with storage_errors(self.path):
            (self.path / "items").mkdir(parents=True, exist_ok=True)
            self._take_lock()
        try:
            remove_leftovers(self.path)
            remove_scratch(self.path / "items")
            if self.mirror is not None:
                self.mirror.open(self._wait_s)
            self._begin()
        except BaseException:
            self._release()
            raise
        return self

    def _begin(self) -> None:
        try:
            self._write_about()
            self.ledger = Ledger(self.path / "ledger.sqlite")
        except BaseException:
            if self.mirror is not None:
                self.mirror.abandon()
            raise

    def __exit__(self, *_: object) -> None:
        self.ledger.close()
        try:
            if self.mirror is not None:
                self.mirror.close()
        finally:
            self._release()

    def settled(self, id_: str, *, worked: bool = True) -> None:
        """An item has ended (`worked`: now, not before): of a run folder at a URL, it is sent there."""
        if self.mirror is None:
            return
        self.mirror.note(id_, worked=worked)
        trouble = self.mirror.send_if_due()
        if trouble is not None:
            self.event("unsent", why=trouble)

    def item(self, id_: str) -> Path:
        """The folder of one item, made if it is not there."""
        path = self.path / "items" / safe_id(id_)
        with storage_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def event(self, name: str, **fields: Any) -> None:
        """Appends one line to events.jsonl."""
        line = json_text({"at": time.time(), "event": name, **redact(fields)}, default=str)
        with storage_errors(self.path), (self.path / "events.jsonl").open("ab", buffering=0) as stream:
            stream.write(line.encode() + b"\n")

    def _write_about(self) -> None:
        about = self.path / ABOUT
        began: Any = time.time()
        if about.exists():
            found = read_json(about)
            kind = found.get("kind") if isinstance(found, dict) else "unknown"
            if kind != self.kind:
                raise RunMismatch(
                    f"{self.path} holds a run of kind {kind}, not {self.kind}.", "Choose another folder with -o."
                )
            began = found.get("began", began)
        value = {
            "kind": self.kind,
            "began": began,
            "maskwright": __version__,
            "versions": versions(),
            "revision": revision(),
            "settings": redact(self.settings),
            "settings_sha256": hash_value(self.settings),
        }
        write_json(about, {**value, **redact(self._about)})

    def _take_lock(self) -> None:
        stream = (self.path / LOCK).open("a+", encoding="utf-8")
        until = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                stream.seek(0)
                owner = stream.read().strip() or "another process"
                stream.close()
                raise RunLocked(
                    f"{self.path} is in use by process {owner}.", "Wait until it has ended, or stop it first."
                ) from error
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        self._lock = stream

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

"""A run folder at a URL: worked in a copy on this machine, sent there item by item, taken up from there.

An item's files go first and its manifest last, so that what is there is finished or it is not; a whole copy stays here,
so that nothing waits for the network and every reader finds plain files. See docs/design/remote-runs.md.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from maskwright.errors import InputError, RunLocked, StorageError
from maskwright.plumbing.files import cache_folder, storage_errors
from maskwright.plumbing.hashes import hash_value
from maskwright.plumbing.store import Store, is_url, shown
from maskwright.runs.steps import MANIFEST

ABOUT, LOCK, ITEMS = "run.json", ".lock", "items"
_LOT_ITEMS, _LOT_S = 64, 5.0
_PASSING = ("-wal", "-shm", "-journal")


def working_copy(url: str) -> Path:
    """Where this machine works on the run folder at a URL."""
    plain = shown(url).rstrip("/")
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in plain.rpartition("/")[2])[:40]
    return cache_folder("runs") / f"{name}-{hash_value(plain)[:12]}"


@contextmanager
def at_hand(folder: str | Path, *item_files: str) -> Iterator[Path]:
    """The folder; of a run folder at a URL a copy for a while, with its own files and the named ones of its items."""
    if not is_url(folder):
        yield Path(folder)
        return
    store = Store(str(folder))
    names = store.names()
    if ABOUT not in names:
        raise InputError(f"{store.url} is no run folder.", f"Give a URL with a {ABOUT} below it.")
    wanted = [n for n in names if _is_own(n) or (n.startswith(f"{ITEMS}/") and n.rpartition("/")[2] in item_files)]
    with tempfile.TemporaryDirectory() as text:
        store.get({name: Path(text) / name for name in wanted})
        yield Path(text)


def run_urls(url: str) -> list[str]:
    """Run folders at a URL and directly below it."""
    plain = url.rstrip("/")
    found = (name.rpartition("/") for name in sorted(Store(url).names(2)))
    return [f"{plain}/{folder}" if folder else plain for folder, _, name in found if name == ABOUT]


class Mirror:
    """What lies at the URL, and what of the working copy has still to go there. One process at a time."""

    def __init__(self, url: str, folder: Path) -> None:
        """Raises MissingPackage, InputError."""
        self._store, self._folder = Store(url), folder
        self.url = self._store.url
        self._own = {"host": platform.node(), "folder": str(folder.absolute())}
        self._there: dict[str, set[str]] = {}
        self._manifests: dict[str, bytes] = {}
        self._waiting: dict[str, None] = {}
        self._due = 0.0
        self._was_stopped = False

    def open(self, wait_s: float = 0.0) -> None:
        """Takes the lock there; brings the run's own files here, unless this machine was stopped with newer ones.

        Raises RunLocked, StorageError.
        """
        self._was_stopped = self._take_lock(wait_s)
        try:
            self._look_and_bring()
        except BaseException:
            self.abandon()
            raise
        self._due = time.monotonic() + _LOT_S

    def _look_and_bring(self) -> None:
        names = self._store.names()
        for name in names:
            id_, _, rest = name.removeprefix(f"{ITEMS}/").partition("/")
            if rest and name.startswith(f"{ITEMS}/"):
                self._there.setdefault(id_, set()).add(rest)
        there = self._store.read(_manifest(id_) for id_, files in self._there.items() if MANIFEST in files)
        self._manifests = {name.split("/")[1]: data for name, data in there.items()}
        if not (self._was_stopped and (self._folder / ABOUT).is_file()):
            self._bring_own(names)

    def bring(self, keys: Iterable[tuple[str, str]]) -> list[str]:
        """(id, key) -> the ids whose items there are finished under that key and were not here; now they are."""
        wanted = [id_ for id_, key in keys if self._has(id_, key) and not self._is_here(id_)]
        files = {f"{ITEMS}/{id_}/{name}": id_ for id_ in wanted for name in self._there[id_]}
        scratch = self._folder / ITEMS / f".brought-{os.getpid():08d}"
        with storage_errors(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                self._store.get({name: scratch / name for name in files})
                for id_ in wanted:
                    shutil.rmtree(self._folder / ITEMS / id_, ignore_errors=True)
                    (scratch / ITEMS / id_).replace(self._folder / ITEMS / id_)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return wanted

    def note(self, id_: str, *, worked: bool) -> None:
        """An item has ended here: it goes there with the next lot, unless it was finished and is there."""
        if worked or not self._is_here(id_):
            self._waiting[id_] = None

    def send_if_due(self) -> str | None:
        """Sends what waits when it is enough or some time has gone; what went wrong, if it did: it is tried again."""
        if len(self._waiting) < _LOT_ITEMS and time.monotonic() < self._due:
            return None
        try:
            self._send()
        except StorageError as error:
            return error.message
        finally:
            self._due = time.monotonic() + _LOT_S
        return None

    def close(self) -> None:
        """Sends all that is left, the run's own files last, and gives the lock back. Raises StorageError."""
        try:
            self._send()
            self._store.put({path.name: path for path in self._own_files()})
            self._store.remove([LOCK])
        except StorageError as error:
            said = f"{error.message} {len(self._waiting)} items wait in {self._folder}."
            raise StorageError(said, "Run the same command again: what is finished is kept and sent.") from error

    def abandon(self) -> None:
        """Gives the lock back as it was found, no more."""
        if not self._was_stopped:
            with suppress(StorageError):
                self._store.remove([LOCK])

    def _send(self) -> None:
        """Manifests of what is replaced go first, new files follow, new manifests come last."""
        lot = [id_ for id_ in self._waiting if (self._folder / ITEMS / id_).is_dir()]
        here = {id_: {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file()}
                for id_ in lot for root in [self._folder / ITEMS / id_]}  # fmt: skip
        self._store.remove(_manifest(id_) for id_ in lot if self._manifests.pop(id_, None) is not None)
        gone = {id_: self._there.get(id_, set()) - here[id_].keys() - {MANIFEST} for id_ in lot}
        self._store.remove(f"{ITEMS}/{id_}/{name}" for id_ in lot for name in gone[id_])
        whole = {f"{ITEMS}/{id_}/{name}": path for id_ in lot for name, path in here[id_].items()}
        self._store.put({name: path for name, path in whole.items() if not name.endswith(f"/{MANIFEST}")})
        self._store.put({name: path for name, path in whole.items() if name.endswith(f"/{MANIFEST}")})
        for id_ in lot:
            self._there[id_] = set(here[id_])
            if MANIFEST in here[id_]:
                self._manifests[id_] = here[id_][MANIFEST].read_bytes()
        self._waiting.clear()

    def _has(self, id_: str, key: str) -> bool:
        try:
            return bool(json.loads(self._manifests[id_])["key"] == key)
        except (KeyError, ValueError, TypeError):
            return False

    def _is_here(self, id_: str) -> bool:
        """Whether the finished item here is the one there."""
        try:
            return self._manifests.get(id_) == (self._folder / _manifest(id_)).read_bytes()
        except OSError:
            return False

    def _bring_own(self, names: Iterable[str]) -> None:
        for path in self._own_files():
            path.unlink()
        for path in self._folder.glob("*.sqlite-*"):
            path.unlink()
        with storage_errors(self._folder):
            self._store.get({name: self._folder / name for name in names if _is_own(name)})

    def _own_files(self) -> list[Path]:
        """The run's own files, its databases whole."""
        found = [path for path in sorted(self._folder.iterdir()) if path.is_file() and _is_own(path.name)]
        for path in found:
            if path.suffix == ".sqlite":
                with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as database:
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return found

    def _take_lock(self, wait_s: float) -> bool:
        """True when the lock there is this machine's own, left by a process that was killed."""
        until = time.monotonic() + wait_s
        mine = json.dumps({**self._own, "pid": os.getpid()}, sort_keys=True).encode()
        while (found := self._store.read([LOCK]).get(LOCK)) is not None:
            owner = _owner(found)
            if {name: owner.get(name) for name in self._own} == self._own:
                self._store.write(LOCK, mine)
                return True
            if time.monotonic() >= until:
                raise self._locked(owner)
            time.sleep(0.5)
        self._store.write(LOCK, mine)
        if self._store.read([LOCK]).get(LOCK) != mine:
            raise self._locked(_owner(self._store.read([LOCK]).get(LOCK, b"{}")))
        return False

    def _locked(self, owner: Mapping[str, object]) -> RunLocked:
        return RunLocked(
            f"{self.url} is in use by {owner.get('host', 'another machine')}, process {owner.get('pid', '?')}.",
            f"Wait for it (--wait), or, if that process has ended, remove {self.url}/{LOCK}.",
        )


def _manifest(id_: str) -> str:
    return f"{ITEMS}/{id_}/{MANIFEST}"


def _is_own(name: str) -> bool:
    return "/" not in name and not name.startswith(".") and not name.endswith(_PASSING)


def _owner(data: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

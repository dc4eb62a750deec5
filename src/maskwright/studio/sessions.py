"""Sessions: one visitor's picture, things, history and files; nothing of one is visible to another."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskwright.errors import Busy, InputError
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import storage_errors
from maskwright.studio.boards import Board, History
from maskwright.values import Image, Mask

SHELF = "page"
"""The folder, beside the sessions', of files on their way to or from a browser."""
_ID = re.compile(r"[A-Za-z0-9_-]{24}")


def newest(folder: Path) -> float:
    """When anything directly in the folder was last changed."""
    times = []
    with contextlib.suppress(FileNotFoundError):  # another thread may be removing it
        times = [folder.stat().st_mtime]
        for path in folder.iterdir():
            times.append(path.stat().st_mtime)
    return max(times, default=0.0)


def other_picture() -> InputError:
    """What an act gets that began on a picture which is gone."""
    return InputError("another picture was opened meanwhile.", "Do it again on this one.")


@dataclass
class Session:
    """One visitor. `lock` guards short changes only and is never held while a model works."""

    id: str
    folder: Path
    picture: Image | None = None
    history: History = field(default_factory=History)
    extras: dict[str, Any] = field(default_factory=dict)
    """Results of the later tabs by name (cut-out, parts, edit, mesh, clip)."""
    touched: float = field(default_factory=time.monotonic)
    cancel: Cancel = field(default_factory=Cancel)
    lock: threading.RLock = field(default_factory=threading.RLock)
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held by the act that makes the next board."""
    acts: int = 0
    """Acts that go on now."""

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """An act of the visitor: the session is in use to its end, however long that takes."""
        with self.lock:
            self.acts += 1
        try:
            yield
        finally:
            with self.lock:
                self.acts -= 1
                self.touched = time.monotonic()

    @property
    def board(self) -> Board:
        return self.history.board

    def need_picture(self) -> Image:
        """The picture; raises InputError when there is none yet."""
        if self.picture is None:
            raise InputError("there is no picture yet.", "Upload one, paste one or choose a sample.")
        return self.picture

    def need_mask(self) -> Mask:
        """The active thing's mask; raises InputError when nothing is marked."""
        mask = self.board.thing.mask
        if mask is None or not mask:
            raise InputError("nothing is marked yet.", "Click the thing, draw a box or name it.")
        return mask

    def check_still(self, picture: Image) -> None:
        """Raises InputError when the picture is another one by now."""
        if self.picture is not picture:
            raise other_picture()

    def show(self, picture: Image) -> None:
        """A new picture: everything about the old one is forgotten."""
        with self.lock:
            self.picture, self.history = picture, History()
            self.extras = {k: v for k, v in self.extras.items() if k.startswith(("clip", "cost"))}

    def push(self, board: Board, limit: int, history: History | None = None) -> None:
        """A new step; what was undone is dropped, and the oldest beyond `limit`. Raises InputError when it belongs to
        another history than there is: another picture was opened meanwhile."""
        with self.lock:
            if history is not None and history is not self.history:
                raise other_picture()
            self.history.push(board, limit)

    def step(self, by: int) -> None:
        """Undo (-1), redo (+1) as far as there is history."""
        with self.lock:
            self.history.step(by)

    def path(self, name: str) -> Path:
        """A file of this session; raises InputError for a name that would leave its folder."""
        target = (self.folder / name).resolve()
        if not target.is_relative_to(self.folder.resolve()) or target == self.folder.resolve():
            raise InputError("that is not a file of this session.", "Use the links of the page.")
        return target


class Sessions:
    """Opens, finds and ends sessions; a quiet thread removes those unused for too long."""

    def __init__(self, root: str | Path, *, idle_s: float = 3600.0, most: int = 256) -> None:
        self.root, self.idle_s, self.most = Path(root), idle_s, most
        self._sessions: dict[str, Session] = {}
        self._lock = threading.RLock()
        self.ended = 0
        """How many have gone so far."""
        self.on_end: list[Callable[[Session], None]] = []
        self.on_missing: Callable[[Session], bool] | None = None
        """Fills a session whose folder is there but which is not in memory (after a restart)."""
        self.is_working: Callable[[Session], bool] = lambda _: False
        """True while an act or long work of the session goes on: it is not swept then, even when its page is closed."""
        with storage_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)

    def open(self) -> Session:
        """A new session with a folder of its own and a name that cannot be guessed; raises Busy when full."""
        self.sweep()
        with self._lock:
            if len(self._sessions) >= self.most:
                raise Busy("the studio is full.", "Try again in a few minutes.", 60.0)
            id_ = secrets.token_urlsafe(18)
            folder = self.root / id_
            with storage_errors(folder):
                folder.mkdir()
            self._sessions[id_] = Session(id_, folder)
            return self._sessions[id_]

    def find(self, id_: str | None) -> Session | None:
        """The session of this name if it lives; finding it counts as use."""
        with self._lock:
            session = self._sessions.get(id_ or "") or self._found_on_disk(id_ or "")
            if session is not None:
                session.touched = time.monotonic()
            return session

    def _found_on_disk(self, id_: str) -> Session | None:
        folder = self.root / id_
        if not _ID.fullmatch(id_) or self.on_missing is None or not folder.is_dir():
            return None
        session = Session(id_, folder)
        if not self.on_missing(session):
            return None
        self._sessions[id_] = session
        return session

    def find_or_open(self, id_: str | None) -> Session:
        return self.find(id_) or self.open()

    def end(self, id_: str) -> None:
        """Stops its work and removes its files."""
        with self._lock:
            session = self._sessions.pop(id_, None)
        if session is not None:
            session.cancel.set()
            for act in self.on_end:
                act(session)
            session.extras.clear()
            shutil.rmtree(session.folder, ignore_errors=True)
            with self._lock:
                self.ended += 1

    def sweep(self) -> int:
        """Ends sessions unused for `idle_s`; returns how many."""
        limit = time.monotonic() - self.idle_s
        with self._lock:
            old = [s for s in self._sessions.values() if s.touched < limit]
        for session in old:
            if self.is_working(session):
                session.touched = time.monotonic()
            else:
                self.end(session.id)
        return len(old) + self._sweep_disk()

    def _sweep_disk(self) -> int:
        """Removes what an earlier run of the studio left and nobody came back to, and files handed out long ago."""
        limit = time.time() - self.idle_s
        shelf = self.root / SHELF
        for path in [p for p in shelf.iterdir() if p.is_dir() and newest(p) < limit] if shelf.is_dir() else []:
            shutil.rmtree(path, ignore_errors=True)
        old = [p for p in self.root.iterdir() if p.is_dir() and p.name not in self._sessions
               and _ID.fullmatch(p.name) and newest(p) < limit]  # fmt: skip
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        return len(old)

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """The sessions in memory now."""
        with self._lock:
            return iter(list(self._sessions.values()))

    def close(self) -> None:
        for id_ in list(self._sessions):
            self.end(id_)

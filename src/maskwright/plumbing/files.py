"""Files that are either whole or not there: written beside their place, flushed, renamed."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from maskwright.errors import InputError, StorageError

_TEMPORARY = ".part-"


def cache_folder(name: str) -> Path:
    """A folder of ours in the user's cache folder (XDG_CACHE_HOME, else ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "maskwright" / name


_in_the_making: set[Path] = set()


@contextmanager
def made_whole(folder: Path) -> Iterator[None]:
    """For a new folder that will take its place in one rename: what is written below it need not be renamed itself, and
    is flushed all together at the end."""
    _in_the_making.add(folder)
    try:
        yield
        with storage_errors(folder):
            for place, _, names in os.walk(folder):
                for name in (*names, ""):
                    _flush(os.path.join(place, name))  # noqa: PTH118 - a batch comes here for every item
    finally:
        _in_the_making.discard(folder)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary Path beside `path` with its suffix; renamed to it on success, removed on failure. In a folder that is
    `made_whole`, the path itself.

    Raises StorageError when the disk is full, read-only or gone.
    """
    path = Path(path)
    if not _in_the_making.isdisjoint(path.parents):
        with _straight(path):
            yield path
        return
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, suffix=path.suffix, dir=path.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with storage_errors(path):
            yield temporary
            _flush(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _straight(path: Path) -> Iterator[None]:
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def write_bytes(path: str | Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Readable JSON with sorted keys, UTF-8; NaN is refused because other readers refuse it."""
    write_text(path, json_text(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def json_text(value: Any, **how: Any) -> str:
    """JSON as people read it; escaped where it holds what is no Unicode, as names of files may."""
    text = json.dumps(value, ensure_ascii=False, **how)
    return text if is_unicode(text) else json.dumps(value, **how)


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_json(path: str | Path) -> Any:
    """The value in a JSON file; raises InputError naming the file and the place."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.", missing_hint(path)) from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not readable JSON: {error}.", "Mend or remove the file.") from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error


def missing_hint(path: str | Path) -> str:
    """What to do about a file that is not there."""
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(path)):
        return "Files are read from disk: download this one first."
    return "Check the path."


@contextmanager
def storage_errors(path: str | Path) -> Iterator[None]:
    """Maps OSError to StorageError with what to do."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.", _advice(error)) from error


def check_space(folder: str | Path, needed_bytes: int) -> None:
    """Raises StorageError when the disk of `folder` has less than `needed_bytes` free."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed_bytes:
        raise StorageError(
            f"{folder} needs {needed_bytes / 2**20:.0f} MiB, its disk has {free / 2**20:.0f} MiB free.",
            "Make room or choose another folder with -o.",
        )


def remove_leftovers(folder: str | Path) -> int:
    """Removes temporary files that a killed process left in `folder`; returns how many."""
    found = [p for p in Path(folder).rglob(_TEMPORARY + "*") if p.is_file()]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: make room or choose another folder with -o, then run the same command again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "The place is read-only for you: choose another folder with -o."
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "A file stands where a folder is wanted: choose another folder with -o."
    return "Check the path, then run the same command again."


def _flush(path: Path | str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

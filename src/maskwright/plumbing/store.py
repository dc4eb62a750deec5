"""Folders and files behind a URL (s3://, gs://, abfs://, sftp://, file://): whatever fsspec speaks, its errors ours.

Keys and passwords are the business of the file system's own package (its environment variables and files).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from maskwright.errors import InputError, MissingPackage, StorageError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_PASSWORD = re.compile(r"(?<=://)[^/@]*@")
_LOT = 256


def is_url(place: object) -> bool:
    """Whether a place is named as a URL, not as a path of this machine."""
    return isinstance(place, str) and _URL.match(place) is not None


def shown(url: str) -> str:
    """The URL without a user's name and password."""
    return _PASSWORD.sub("", url)


def read_url(url: str) -> bytes:
    """The bytes of one file; raises InputError when it is not there, MissingPackage, StorageError."""
    system, path = _opened(url)
    with _store_errors(shown(url), "read"):
        try:
            data: bytes = system.cat_file(path)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise InputError(f"{shown(url)} is not there.", "Check the address.") from error
    return data


class Store:
    """One folder at a URL; its files are named relative to it, with slashes.

    Raises MissingPackage (fsspec, or what it needs for this protocol) and StorageError.
    """

    def __init__(self, url: str) -> None:
        self.url = shown(url).rstrip("/")
        self._system, root = _opened(url)
        self._root = root.rstrip("/")

    def names(self, depth: int | None = None) -> set[str]:
        """Every file, at most `depth` names deep; none where there is no such folder."""
        with _store_errors(self.url, "read"):
            self._system.invalidate_cache()
            try:
                found = self._system.find(self._root, maxdepth=depth)
            except FileNotFoundError:
                return set()
        names = {str(path).removeprefix(self._root).lstrip("/") for path in found}
        return {name for name in names if name and ".." not in name.split("/")}

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """Name -> bytes, for those that are there."""
        found: dict[str, bytes] = {}
        for lot in _lots(sorted(names)):
            with _store_errors(self.url, "read"):
                answers = self._system.cat([self._path(name) for name in lot], on_error="return")
                found |= self._by_name(lot, answers)
        return found

    def get(self, files: Mapping[str, Path]) -> None:
        """Name -> the path here that it is copied to; folders are made."""
        for lot in _lots(sorted(files)):
            for name in lot:
                files[name].parent.mkdir(parents=True, exist_ok=True)
            with _store_errors(self.url, "read"):
                self._system.get([self._path(name) for name in lot], [str(files[name]) for name in lot])

    def put(self, files: Mapping[str, Path]) -> None:
        """Name -> the path here that is copied there, over what is there."""
        for lot in _lots(sorted(files)):
            with _store_errors(self.url, "written"):
                self._make_folders(lot)
                self._system.put([str(files[name]) for name in lot], [self._path(name) for name in lot])

    def write(self, name: str, data: bytes) -> None:
        with _store_errors(self.url, "written"):
            self._make_folders([name])
            self._system.pipe_file(self._path(name), data)

    def remove(self, names: Iterable[str]) -> None:
        """Those that are there go."""
        for lot in _lots(sorted(names)):
            with _store_errors(self.url, "written"):
                try:
                    self._system.rm([self._path(name) for name in lot])
                except FileNotFoundError:  # one that is gone already must not keep the others
                    for name in lot:
                        with suppress(FileNotFoundError):
                            self._system.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _by_name(self, lot: list[str], answers: Mapping[str, Any]) -> dict[str, bytes]:
        """Answers by our names; raises what is no mere absence."""
        for error in answers.values():
            if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
                raise error
        whole = {self._system._strip_protocol(path): data for path, data in answers.items()}
        paths = {name: self._system._strip_protocol(self._path(name)) for name in lot}
        return {name: whole[path] for name, path in paths.items() if isinstance(whole.get(path), bytes)}

    def _make_folders(self, names: Iterable[str]) -> None:
        """Object stores (the asynchronous ones) have none to make."""
        if not self._system.async_impl:
            for folder in {self._path(name).rpartition("/")[0] for name in names}:
                self._system.makedirs(folder, exist_ok=True)


def _lots(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + _LOT] for start in range(0, len(names), _LOT))


def _opened(url: str) -> tuple[Any, str]:
    """fsspec's file system and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"{shown(url)} needs the package fsspec.", "Type: pip install 'maskwright[remote]'"
        ) from error
    try:
        system, root = url_to_fs(url)
    except ImportError as error:
        raise MissingPackage(f"{shown(url)} needs one more package ({error}).", _advice(url)) from error
    except ValueError as error:
        raise InputError(f"{shown(url)}: {error}.", "Give a URL that fsspec knows, such as s3://bucket/run.") from error
    except Exception as error:  # each protocol has errors of its own; all mean the same here
        raise _unusable(shown(url), "read", error) from error
    return system, str(root)


def _advice(url: str) -> str:
    """What to install for the protocol of a URL."""
    from fsspec.registry import known_implementations

    home = str(known_implementations.get(url.partition("://")[0], {}).get("class", "fsspec")).partition(".")[0]
    return "Install what it names." if home == "fsspec" else f"Type: pip install {home.replace('_', '-')}"


@contextmanager
def _store_errors(url: str, verb: str) -> Iterator[None]:
    """Whatever a file system's package raises, as StorageError."""
    try:
        yield
    except (InputError, StorageError):
        raise
    except Exception as error:  # each protocol has errors of its own; all mean the same here
        raise _unusable(url, verb, error) from error


def _unusable(url: str, verb: str, error: Exception) -> StorageError:
    said = shown(" ".join(str(error).split())[:200]) or "no reason given"
    return StorageError(
        f"{url} cannot be {verb}: {type(error).__name__}: {said}.",
        "Check the address, the network and your keys, then run the same command again.",
    )

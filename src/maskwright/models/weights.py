"""Weights: where they come from, whether they are what they should be, and how they are opened.

The only room that opens a weights file. A name is a row of weights.toml; a path is a folder or file of the user's own.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from maskwright.errors import InputError, MissingWeights, WeightsError
from maskwright.models.inspection import inspect_file
from maskwright.models.onnx_pool import sharing
from maskwright.plumbing.files import cache_folder, read_json, write_json
from maskwright.plumbing.hashes import hash_file

FOLDER_VARIABLE = "MASKWRIGHT_WEIGHTS"
OFFLINE_VARIABLE = "MASKWRIGHT_OFFLINE"
RECORD = "maskwright.json"


@dataclass(frozen=True)
class WeightsFile:
    """One file: its name inside the source, and what it must be (None: not known from public documentation)."""

    name: str
    sha256: str | None = None
    size: int | None = None
    url: str | None = None


@dataclass(frozen=True)
class WeightsCard:
    """Where one set of weights comes from: `source` is wheel (inside a package), hub, url or local."""

    name: str
    source: str
    files: tuple[WeightsFile, ...]
    licence: str
    format: str
    repo: str = ""
    revision: str = "main"
    package: str = "maskwright"
    gated: str = ""
    note: str = ""

    @property
    def size(self) -> int | None:
        """Bytes in all, or None when not known."""
        sizes = [f.size for f in self.files]
        return None if not sizes or None in sizes else sum(s for s in sizes if s is not None)

    @property
    def unverified(self) -> bool:
        """True when a file's hash is not known: what is pulled first is trusted and recorded."""
        return self.source != "local" and (not self.files or any(f.sha256 is None for f in self.files))


@cache
def cards() -> Mapping[str, WeightsCard]:
    """Every row of weights.toml, by name."""
    text = resources.files("maskwright.models").joinpath("weights.toml").read_text(encoding="utf-8")
    return {name: _card(name, row) for name, row in tomllib.loads(text).items()}


def _card(name: str, row: Mapping[str, Any]) -> WeightsCard:
    row = dict(row)
    files = tuple(WeightsFile(**entry) for entry in row.pop("files", ()))
    return WeightsCard(name=name, files=files, **row)


def card(name: str) -> WeightsCard:
    """The row; raises MissingWeights when there is none."""
    try:
        return cards()[name]
    except KeyError as error:
        raise MissingWeights(
            f"there are no weights named {name!r}.", "See `maskwright models list`, or give a folder that holds them."
        ) from error


def weights_folder(chosen: str | Path | None = None) -> Path:
    """Where pulled weights are kept: the argument, MASKWRIGHT_WEIGHTS, or the user's cache folder."""
    named = chosen or os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    return cache_folder("weights")


def is_offline() -> bool:
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")


def locate(name: str | Path, *, folder: str | Path | None = None, allow_pickle: bool = False) -> Path:
    """A verified place on disk for a name of weights.toml or a path of the user's own: a file when the card has one
    file inside a wheel, else a folder. Never downloads.

    Raises MissingWeights (with what to type, size and licence) and WeightsError (not what it should be).
    """
    path = Path(name).expanduser()
    if str(name) not in cards():
        if not path.exists():
            raise MissingWeights(
                f"{name} is neither a name of weights nor a folder.", "See `maskwright models list` for the names."
            )
        check_local(path, allow_pickle=allow_pickle)
        return path
    known = card(str(name))
    if known.source == "wheel":
        return _in_wheel(known)
    place = weights_folder(folder) / known.name
    if not (place / RECORD).exists():
        raise missing(known)
    check_record(known, place)
    return place


def check_local(path: Path, *, allow_pickle: bool = False) -> None:
    """Raises WeightsError when a file of the user's own is of a kind that can run code or is damaged."""
    files = [path] if path.is_file() else [p for p in sorted(path.rglob("*")) if p.is_file()]
    for file in files:
        inspect_file(file, allow_pickle=allow_pickle)


def _in_wheel(known: WeightsCard) -> Path:
    base = Path(str(resources.files(known.package)))
    for file in known.files:
        path = base / file.name
        if not path.exists():
            raise MissingWeights(
                f"{known.name}: {file.name} is not in the package {known.package}.", "Install it again."
            )
        if file.sha256 is not None and hash_file(path) != file.sha256:
            raise WeightsError(f"{path} is not the file it should be.", "Install the package again.")
    return base / known.files[0].name if len(known.files) == 1 else base / Path(known.files[0].name).parent


def check_record(known: WeightsCard, place: Path, *, thorough: bool = False) -> None:
    """Raises WeightsError unless every file is what was recorded when it was pulled; a file whose size and time are
    unchanged is read again only when `thorough`."""
    try:
        record = read_json(place / RECORD)
        entries = dict(record["files"])
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{place / RECORD} is damaged.", f"Type: maskwright models pull {known.name}") from error
    for name, entry in entries.items():
        file = place / name
        state = file.stat() if file.is_file() else None
        if state is None or state.st_size != entry["size"]:
            raise WeightsError(f"{file} is not whole.", f"Type: maskwright models pull {known.name}")
        unchanged = state.st_mtime_ns == entry["mtime_ns"]
        if (thorough or not unchanged) and hash_file(file) != entry["sha256"]:
            raise WeightsError(f"{file} has changed since it was pulled.", f"Type: maskwright models pull {known.name}")


def write_record(known: WeightsCard, place: Path) -> None:
    """Notes what was pulled; written last, so that its absence means an unfinished pull."""
    entries = {}
    for file in sorted(p for p in place.rglob("*") if p.is_file() and p.name != RECORD):
        state = file.stat()
        entries[file.relative_to(place).as_posix()] = {
            "sha256": hash_file(file), "size": state.st_size, "mtime_ns": state.st_mtime_ns,
        }  # fmt: skip
    write_json(place / RECORD, {"name": known.name, "revision": known.revision, "files": entries})


def missing(known: WeightsCard) -> MissingWeights:
    """The error that says what to type, how large it is and under which licence."""
    size = "size not known" if known.size is None else f"{known.size / 2**20:.0f} MiB"
    gate = f"; {known.gated}" if known.gated else ""
    return MissingWeights(
        f"the weights {known.name} are not here ({size}, licence {known.licence}{gate}).",
        f"Type: maskwright models pull {known.name}",
    )


def onnx_session(path: str | Path, *, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU with `threads` threads, after the file was inspected; raises WeightsError."""
    import onnxruntime

    inspect_file(Path(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # sizes differ from picture to picture: a plan for each would only be kept
    try:
        return onnxruntime.InferenceSession(str(path), sharing(options), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsError(f"{path} cannot be loaded: {str(error)[:200]}", "Pull or install it again.") from error


def describe(known: WeightsCard) -> dict[str, Any]:
    """The card as JSON for `maskwright models show`."""
    return json.loads(json.dumps({**known.__dict__, "files": [f.__dict__ for f in known.files], "size": known.size}))  # type: ignore[no-any-return]

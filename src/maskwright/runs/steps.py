"""Resumable steps: finished means that a manifest, written last, still matches."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskwright.errors import InputError
from maskwright.plumbing.files import read_json, storage_errors, write_json

MANIFEST = "manifest.json"


def hash_file(path: str | Path) -> str:
    """sha256 of a file's bytes; of a folder, of its sorted names and files."""
    path = Path(path)
    if path.is_dir():
        return hash_value(
            {p.relative_to(path).as_posix(): hash_file(p) for p in sorted(path.rglob("*")) if p.is_file()}
        )
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_value(value: Any) -> str:
    """sha256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


class Step:
    """One step's folder `folder/name`: done when its manifest names these inputs, these settings and the outputs that
    are really there."""

    def __init__(
        self, folder: str | Path, name: str, inputs: Mapping[str, str], settings: Mapping[str, Any] | None = None
    ) -> None:
        self.path = Path(folder) / name
        self.name = name
        self.key = hash_value({"inputs": dict(inputs), "settings": dict(settings or {})})
        self._about = {"step": name, "inputs": dict(inputs), "settings": dict(settings or {}), "key": self.key}

    @property
    def outputs(self) -> dict[str, str]:
        """Relative name -> sha256 of what the finished step wrote; {} when it is not finished."""
        try:
            manifest = read_json(self.path / MANIFEST)
            return dict(manifest["outputs"]) if manifest["key"] == self.key else {}
        except (InputError, KeyError, TypeError):
            return {}

    def is_done(self) -> bool:
        """True when the manifest matches and every output still has its hash."""
        outputs = self.outputs
        return bool(outputs) and all(
            (self.path / name).is_file() and hash_file(self.path / name) == digest for name, digest in outputs.items()
        )

    @contextmanager
    def work(self) -> Iterator[Path]:
        """A scratch folder to write into; on success it takes the step's place and the manifest is written, on failure
        it is removed and the place is left as it was."""
        scratch = self.path.with_name(f".{self.path.name}-{uuid.uuid4().hex[:8]}")
        with storage_errors(scratch):
            scratch.mkdir(parents=True)
        try:
            yield scratch
            outputs = {p.relative_to(scratch).as_posix(): hash_file(p) for p in _files(scratch)}
            write_json(scratch / MANIFEST, {**self._about, "outputs": outputs})
            with storage_errors(self.path):
                if self.path.exists():
                    shutil.rmtree(self.path)
                scratch.replace(self.path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def forget(self) -> None:
        """Removes what the step wrote, so that it is done again."""
        shutil.rmtree(self.path, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def remove_scratch(folder: str | Path) -> int:
    """Removes scratch folders that a killed process left beside its steps; returns how many."""
    found = [p for p in Path(folder).glob(".*-????????") if p.is_dir()]
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return len(found)

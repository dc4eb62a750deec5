"""Resumable steps: finished means that a manifest, written last, still matches."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskwright.errors import InputError
from maskwright.plumbing.files import made_whole, read_json, storage_errors, write_json
from maskwright.plumbing.hashes import hash_file, hash_value

__all__ = ["MANIFEST", "Step", "hash_file", "hash_value", "remove_scratch"]

MANIFEST = "manifest.json"


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
            with made_whole(scratch):
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

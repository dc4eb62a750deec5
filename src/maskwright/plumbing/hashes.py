"""Names by content: sha256 of files, folders and values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


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
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

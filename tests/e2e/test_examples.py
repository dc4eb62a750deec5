"""Every example runs as it stands, the notebook too (without Jupyter)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.name)
def test_example(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(path), str(tmp_path)], capture_output=True, text=True, timeout=600, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda p: p.name)
def test_notebook(path: Path, tmp_path: Path) -> None:
    """The code cells, in order, as one program; stored without outputs."""
    cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert not [c for c in cells if c["outputs"] or c["execution_count"]], "strip the outputs"
    program = tmp_path / "cells.py"
    program.write_text("\n\n".join("".join(cell["source"]) for cell in cells), encoding="utf-8")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "0 pixels outside the mask changed; closed mesh: True" in done.stdout


def test_the_table_names_every_example() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(path.name in text for path in FOLDER.iterdir() if path.suffix in (".py", ".ipynb"))

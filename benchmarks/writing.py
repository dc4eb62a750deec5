"""How every benchmark writes its page: the machine, the date, the commit, then its tables and its JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGES = HERE.parent / "docs" / "benchmarks"


def machine() -> str:
    """Processor, cores and Python in one line."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """The short name of the commit that was measured, with + when files had changed."""
    try:
        done = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=HERE, capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; floats with three digits."""
    cells = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row] for row in rows]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells])


def write_page(name: str, title: str, body: str, values: Any) -> Path:
    """docs/benchmarks/<name>.md and .json; the page says which command wrote it, where and when."""
    PAGES.mkdir(parents=True, exist_ok=True)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    about = f"Written by `python benchmarks/{name}.py` on {when}, commit {commit()}, {machine()}."
    (PAGES / f"{name}.md").write_text(f"# {title}\n\n{about}\n\n{body.strip()}\n", encoding="utf-8")
    (PAGES / f"{name}.json").write_text(
        json.dumps({"date": when, "commit": commit(), "machine": machine(), "values": values}, indent=1) + "\n",
        encoding="utf-8",
    )
    return PAGES / f"{name}.md"

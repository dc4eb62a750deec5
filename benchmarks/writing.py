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
PAGES = Path(os.environ.get("BENCHMARK_PAGES", HERE.parent / "docs" / "benchmarks"))
READERS = ("all", "goals", "beside", "writing")
"""Scripts of this folder that only read figures, or write them down."""
ALONE = ("faults_erase", "faults_runs", "find", "fuzz", "metrics", "models", "several", "startup")
"""Scripts of this folder that no other benchmark uses."""
PAGED = ("startup", "studio")
"""Benchmarks that the studio's code can change: it is the outermost room, nothing but the command imports it."""


def measured(name: str = "") -> list[str]:
    """What a page's figures depend on, as git names it; without a name, what any page's do."""
    apart = {*READERS, *(ALONE if name else ())} - {name}
    away = [f":!benchmarks/{other}.py" for other in sorted(apart)]
    if name and name not in PAGED:
        away.append(":!src/maskwright/studio")
    return ["src", "benchmarks", "pyproject.toml", *away]


def machine() -> str:
    """Processor, cores and Python in one line."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """The short name of the commit that was measured, with + when other files than the pages had changed."""
    name = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *measured())
    return f"{name or 'unknown'}{'+' * bool(changed)}"


def is_current(name: str) -> bool:
    """True when a page was written and nothing that its figures depend on has changed since its commit."""
    page = PAGES / f"{name}.json"
    if not page.exists():
        return False
    at = str(json.loads(page.read_text()).get("commit", "")).rpartition(", ")[2]
    if not at or at.endswith("+") or commit().endswith("+"):
        return False
    return bool(_git("cat-file", "-t", at)) and not _git("diff", "--name-only", at, "HEAD", "--", *measured(name))


def provenance() -> dict[str, str]:
    """Where, when and at which commit: the head of every page's JSON."""
    return {"machine": machine(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "commit": commit()}


def _git(*words: str) -> str:
    try:
        return subprocess.run(["git", *words], cwd=HERE.parent, capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; floats with three digits."""
    cells = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row] for row in rows]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells])


def write_page(name: str, title: str, body: str, values: Any) -> Path:
    """docs/benchmarks/<name>.md and .json; the page says which command wrote it, where and when."""
    PAGES.mkdir(parents=True, exist_ok=True)
    at = provenance()
    about = f"Written by `python benchmarks/{name}.py` on {at['date']}, commit {at['commit']}, {at['machine']}."
    (PAGES / f"{name}.md").write_text(f"# {title}\n\n{about}\n\n{body.strip()}\n", encoding="utf-8")
    (PAGES / f"{name}.json").write_text(json.dumps({**at, "values": values}, indent=1) + "\n", encoding="utf-8")
    return PAGES / f"{name}.md"

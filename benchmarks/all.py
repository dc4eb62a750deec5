"""Every figure in docs/benchmarks.md, one benchmark after another; what was measured since the last change of
the code is not measured again.

    python benchmarks/all.py [--data FOLDER] [--only clicks find ...] [--gather] [--again]

--gather only puts the pages together. A benchmark that needs the development pictures is left out without --data.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import beside
import goals
from writing import HERE, PAGES, is_current

NEEDS_DATA = ("clicks", "proposals", "phrases_oracle", "find", "sculpt", "erase", "shape")
PLAIN = ("startup", "embedded", "metrics", "fuzz", "batch", "models", "studio", "faults_runs", "faults_erase")
INDEX = HERE.parent / "docs" / "benchmarks.md"


def run(name: str, data: str | None) -> bool:
    """One benchmark in a process of its own; False when it failed."""
    command = [sys.executable, str(HERE / f"{name}.py")] + (["--data", data] if data and name in NEEDS_DATA else [])
    began = time.perf_counter()
    done = subprocess.run(command)
    print(f"{name}: {'ok' if done.returncode == 0 else 'failed'} in {time.perf_counter() - began:.0f} s", flush=True)
    return done.returncode == 0


def gather() -> Path:
    """docs/benchmarks.md from the pages of docs/benchmarks/."""
    intro = (
        "Each part was written by the command named in it, on the machine named in it; ratios were measured side by"
        " side in one run. `make bench` writes all of them again.\n"
    )
    parts = ["# Benchmarks\n", intro, goals.table(), beside.table()]
    for page in sorted(PAGES.glob("*.md")):
        parts.append(page.read_text(encoding="utf-8").replace("\n# ", "\n## ").replace("# ", "## ", 1))
    INDEX.write_text("\n".join(parts), encoding="utf-8")
    return INDEX


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--gather", action="store_true")
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    wanted = [n for n in (*PLAIN, *NEEDS_DATA) if (HERE / f"{n}.py").exists() and (not args.only or n in args.only)]
    if not args.data:
        wanted = [n for n in wanted if n not in NEEDS_DATA]
    failed = [] if args.gather else [n for n in wanted if (args.again or not is_current(n)) and not run(n, args.data)]
    print(gather())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Every figure in docs/benchmarks.md, one benchmark after another; what was measured since the last change of
the code is not measured again.

    python benchmarks/all.py [--data FOLDER] [--davis FILE] [--gltf FOLDER] [--only clicks find ...] [--gather] [--again]

--gather only puts the pages together. A benchmark that needs the development pictures is left out without --data, the
comparison with davis2017-evaluation without its metrics.py, and Khronos's validator without its folder.
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
TURNS = {"startup": (["--install"],), "studio": (["--soak"], [])}
"""Further words of a benchmark's command, one list a run."""
INDEX = HERE.parent / "docs" / "benchmarks.md"


def run(name: str, words: list[str]) -> bool:
    """One benchmark in processes of its own; False when one failed."""
    began = time.perf_counter()
    commands = [[sys.executable, str(HERE / f"{name}.py"), *words, *turn] for turn in TURNS.get(name, ([],))]
    good = all(subprocess.run(command).returncode == 0 for command in commands)
    print(f"{name}: {'ok' if good else 'failed'} in {time.perf_counter() - began:.0f} s", flush=True)
    return good


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
    parser.add_argument("--davis")
    parser.add_argument("--gltf")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--gather", action="store_true")
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    wanted = [n for n in (*PLAIN, *NEEDS_DATA) if (HERE / f"{n}.py").exists() and (not args.only or n in args.only)]
    if not args.data:
        wanted = [n for n in wanted if n not in NEEDS_DATA]
    given = {name: ["--data", args.data] for name in NEEDS_DATA if args.data}
    given["metrics"] = ["--davis", args.davis] if args.davis else []
    given["shape"] = given.get("shape", []) + (["--gltf", args.gltf] if args.gltf else [])
    due = [] if args.gather else [name for name in wanted if args.again or not is_current(name)]
    failed = [name for name in due if not run(name, given.get(name, []))]
    print(gather())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

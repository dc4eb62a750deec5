"""Every figure in docs/benchmarks.md, one benchmark after another; what was measured since the last change of
the code is not measured again.

    python benchmarks/all.py [--data FOLDER] [--davis FILE] [--gltf FOLDER] [--lemur FOLDER] [--only clicks find ...]
                             [--gather] [--again]
    python benchmarks/all.py --quick

--gather only puts the pages together. --quick runs the short ones without keeping their figures, and fails when one does,
when a promised figure or a comparison stands on no page, or when docs/benchmarks.md is not what the pages say. A
benchmark that needs the development pictures is left out without --data, the comparison with davis2017-evaluation
without its metrics.py, Khronos's validator without its folder, and the matte of a photograph without pymatting's lemur.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import beside
import goals
from writing import ALONE, HERE, PAGES, is_current

NEEDS_DATA = ("clicks", "proposals", "phrases_oracle", "find", "sculpt", "erase", "shape")
PLAIN = (
    "startup",
    "embedded",
    "metrics",
    "several",
    "fuzz",
    "batch",
    "models",
    "studio",
    "faults_runs",
    "faults_erase",
)
TURNS = {"startup": (["--install"],), "studio": (["--soak"], [])}
"""Further words of a benchmark's command, one list a run."""
QUICK = {"startup": [], "embedded": [], "metrics": [], "find": ["--only", "plain"]}
"""Benchmarks of a few seconds, with their words."""
INDEX = HERE.parent / "docs" / "benchmarks.md"


def run(name: str, words: list[str]) -> bool:
    """One benchmark in processes of its own; False when one failed."""
    began = time.perf_counter()
    commands = [[sys.executable, str(HERE / f"{name}.py"), *words, *turn] for turn in TURNS.get(name, ([],))]
    good = all(subprocess.run(command).returncode == 0 for command in commands)
    print(f"{name}: {'ok' if good else 'failed'} in {time.perf_counter() - began:.0f} s", flush=True)
    return good


def gathered() -> str:
    """The text of docs/benchmarks.md, from the pages of docs/benchmarks/."""
    intro = (
        "Each part was written by the command named in it, on the machine named in it; ratios were measured side by"
        " side in one run. `make bench` writes all of them again.\n"
    )
    parts = ["# Benchmarks\n", intro, goals.table(), beside.table()]
    for page in sorted(PAGES.glob("*.md")):
        parts.append(page.read_text(encoding="utf-8").replace("\n# ", "\n## ").replace("# ", "## ", 1))
    return "\n".join(parts)


def check() -> int:
    """The quick form: 0 when the short benchmarks run and every figure stands where it should."""
    bad = [line for line in (goals.table() + beside.table()).splitlines() if "| missing |" in line]
    if INDEX.read_text(encoding="utf-8") != gathered():
        bad.append(f"{INDEX.name} is not what the pages say: run benchmarks/all.py --gather")
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in HERE.glob("*.py")}
    uses = re.compile(rf"^ *(?:from|import) ({'|'.join(ALONE)})\b", re.MULTILINE)
    bad += [
        f"{who}.py uses {used}.py: ALONE must not name it"
        for who, text in scripts.items()
        for used in uses.findall(text)
    ]
    for name, words in QUICK.items():
        with tempfile.TemporaryDirectory() as pages:
            command = [sys.executable, str(HERE / f"{name}.py"), *words]
            done = subprocess.run(command, env=os.environ | {"BENCHMARK_PAGES": pages}, capture_output=True, text=True)
            if done.returncode or not (Path(pages) / f"{name}.json").exists():
                bad.append(f"{name} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    print(
        "\n".join(bad)
        or f"{len(QUICK)} benchmarks run; {len(goals.GOALS)} figures, {len(beside.PAIRS)} comparisons, all there"
    )
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--davis")
    parser.add_argument("--gltf")
    parser.add_argument("--lemur")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--gather", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    if args.quick:
        return check()
    wanted = [n for n in (*PLAIN, *NEEDS_DATA) if (HERE / f"{n}.py").exists() and (not args.only or n in args.only)]
    if not args.data:
        wanted = [n for n in wanted if n not in NEEDS_DATA]
    given = {name: ["--data", args.data] for name in NEEDS_DATA if args.data}
    given["metrics"] = ["--davis", args.davis] if args.davis else []
    for name in ("gltf", "lemur"):
        if folder := getattr(args, name):
            given["shape"] = [*given.get("shape", []), f"--{name}", folder]
    due = [] if args.gather else [name for name in wanted if args.again or not is_current(name)]
    failed = [name for name in due if not run(name, given.get(name, []))]
    INDEX.write_text(gathered(), encoding="utf-8")
    print(INDEX)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Sizes of the house at commits, into docs/design/house.md: python docs/make_house_sizes.py BEFORE [AFTER]

AFTER is the working tree when it is not given.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "design" / "house.md"
START, END = "<!-- sizes: written by docs/make_house_sizes.py -->", "<!-- end of sizes -->"
FOLDER = "src/maskwright/"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def texts(commit: str | None) -> dict[str, str]:
    """Every Python file of the product, at a commit or as it is now; workers are programs of their own."""
    if commit is None:
        found = {p.relative_to(ROOT).as_posix(): p for p in (ROOT / FOLDER).rglob("*.py")}
        return {n: p.read_text(encoding="utf-8") for n, p in sorted(found.items()) if "/workers/" not in n}
    names = [n for n in _git("ls-tree", "-r", "--name-only", commit, FOLDER).splitlines() if n.endswith(".py")]
    return {n: _git("show", f"{commit}:{n}") for n in names if "/workers/" not in n}


def measure(files: Mapping[str, str]) -> dict[str, str]:
    """What the size test measures, and the totals."""
    lines = {name.removeprefix(FOLDER): len(text.splitlines()) for name, text in files.items()}
    functions = {
        f"{name.removeprefix(FOLDER)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    ordered = sorted(functions.values())
    largest, longest = max(lines, key=lambda n: lines[n]), max(functions, key=lambda n: functions[n])
    return {
        "files": str(len(lines)),
        "lines": str(sum(lines.values())),
        "largest file (at most 400)": f"{lines[largest]} ({largest})",
        "functions": str(len(ordered)),
        "median function (at most 12)": f"{statistics.median(ordered):g}",
        "nine in ten (at most 35)": str(ordered[int(0.9 * len(ordered))]),
        "longest function (at most 80)": f"{functions[longest]} ({longest})",
    }


def main() -> None:
    """Measures both and replaces the table of the page."""
    before = sys.argv[1]
    after = sys.argv[2] if len(sys.argv) > 2 else None
    old, new = measure(texts(before)), measure(texts(after))
    rows = [f"| {name} | {old[name]} | {new[name]} |" for name in old]
    heads = [f"| lines of code and their homes | before ({before}) | after ({after or 'now'}) |", "|---|---|---|"]
    text = PAGE.read_text(encoding="utf-8")
    if START not in text:
        text = f"{text.rstrip()}\n\n{START}\n{END}\n"
    kept, _, rest = text.partition(START)
    rest = rest.partition(END)[2]
    PAGE.write_text("\n".join([kept + START, "", *heads, *rows, "", END + rest]), encoding="utf-8")


if __name__ == "__main__":
    main()

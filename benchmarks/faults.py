"""Every row of the reliability table with the tests that prove it, run and written into docs/reliability.md.

python benchmarks/faults.py [--quick]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from writing import HERE, commit, machine, table

ROWS: tuple[tuple[str, str, str], ...] = (
    (
        "malicious or rotten weights",
        "12 of 12 refused, 1 000 of 1 000 flipped bits seen",
        "tests/faults/test_weights.py",
    ),
    ("hostile pictures", "no untyped error, none over 2 s, under 512 MiB; 8 of 8 orientations", "tests/fuzz -k image"),
    ("hostile clips", "no hang over 30 s, no silent shortfall", "tests/fuzz -k clip"),
    ("replies of a model", "200 hostile replies: no crash, no invented field", "tests/faults -k repl"),
    ("text in the picture", "nothing but a mask can change", "tests/faults -k inject"),
    ("trouble with an endpoint", "a table of faults against a loopback server", "tests/faults -k endpoint"),
    ("crash anywhere", "no bad file accepted, result as undisturbed", "tests/faults -k kill"),
    ("disk full", "clear error, earlier results whole", "tests -k 'full_disk or disk_full or storage'"),
    ("worker processes", "no orphan after a cancel", "tests/faults -k 'cancel or orphan'"),
    ("many users", "8 threads bit-equal to serial; quick refusal", "tests/unit/test_studio.py -k 'threads or queue'"),
    ("growth", "every cache bounded in bytes", "tests/unit/test_plumbing.py -k cache"),
    ("the page", "40 traversal payloads at every route: no leak", "tests/e2e -k path_leaks"),
    ("secrets", "a planted key: 0 hits", "tests -k secret"),
    ("wrong numbers", "metrics and adapters equal their references", "tests/golden tests/contract"),
)
"""(threat, figure to reach, what to give pytest)"""

_COUNT = re.compile(r"(\d+) (passed|failed|skipped|error|deselected)")


def run(selection: str) -> dict[str, int]:
    """pytest's own counts for a selection."""
    words = re.findall(r"'[^']*'|\S+", selection)
    command = [sys.executable, "-m", "pytest", "-q", *(w.strip("'") for w in words)]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    return {word: int(count) for count, word in _COUNT.findall(last)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="accepted for symmetry: the tests are the quick forms")
    parser.parse_args()
    rows, bad = [], 0
    for threat, figure, selection in ROWS:
        counts = run(selection)
        proven = counts.get("passed", 0) > 0 and not counts.get("failed") and not counts.get("error")
        bad += not proven
        said = ", ".join(f"{n} {w}" for w, n in counts.items() if w != "deselected") or "no test ran"
        rows.append([threat, figure, f"`pytest {selection}`", said, "yes" if proven else "no"])
        print(f"{threat}: {said}", flush=True)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    about = f"Written by `python benchmarks/faults.py` on {when}, commit {commit()}, {machine()}."
    long_forms = "The long forms (10 000 files, 200 kills) are in [benchmarks](benchmarks.md)."
    rows_table = table(("threat", "figure to reach", "tests", "outcome", "holds"), rows)
    text = f"# Reliability\n\n{about} {long_forms}\n\n{rows_table}\n"
    page = HERE.parent / "docs" / "reliability.md"
    Path(page).write_text(text, encoding="utf-8")
    print(page)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

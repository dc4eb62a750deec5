"""Every row of the reliability table with the tests that prove it, run and written into docs/reliability.md.

    python benchmarks/faults.py [--only WORDS ...] [--again] [--keep] [--python PLACE ...] [--quick]

A row that holds at this commit is not run again (--again: it is; --keep: nor is one that held at an earlier commit);
each row is written down as soon as it is done, so that an interrupted run goes on where it stopped. --python names
environments with further extras: a row is run in the first one that has what it needs. --quick runs nothing: it
fails when a row names no test, or when the page lacks a row. The figures are printed by the tests themselves, or come from
the benchmarks that drive the same code for longer.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from writing import HERE, PAGES, commit, machine, table

ROOT = HERE.parent
PAGE = ROOT / "docs" / "reliability.md"
KEPT = PAGE.with_suffix(".json")
Long = Callable[[Any], str]


@dataclass(frozen=True)
class Row:
    """A threat, the figure to reach, what to give pytest, the module the tests need, and the longer benchmark:
    its page's name and what to read from its JSON."""

    threat: str
    goal: str
    tests: tuple[str, ...]
    words: str = ""
    needs: str = ""
    long: tuple[tuple[str, Long], ...] = ()

    def selection(self) -> list[str]:
        return [*self.tests, *(["-k", self.words] if self.words else [])]


def _figures(*whats: str) -> Long:
    """Reads named figures of a page that lists them one by one."""
    return lambda data: "; ".join(f"{w}: {f['found']}" for w in whats for f in data["figures"] if f["what"] == w)


def _erase_kills(data: Any) -> str:
    found = data["values"][0]
    return f"{found['kills']} kills of erase, {found['different']} results unlike the undisturbed one"


def _erase_cancels(data: Any) -> str:
    found = data["values"][1]
    return f"{found['cancels']} cancels of erase, {found['orphans']} processes left"


FAULTS, UNIT = "tests/faults", "tests/unit"
ROWS: tuple[Row, ...] = (
    Row("malicious or rotten weights", "12 of 12 malicious files rejected before a byte is executed; 1 000 of 1 000"
        " single-bit flips caught", (f"{FAULTS}/test_weights.py",)),
    Row("hostile images", "10 000 mutated files: no untyped error, none over 2 s, RSS under 512 MiB; 8 of 8 orientations",
        ("tests/fuzz/test_media_fuzz.py", f"{UNIT}/test_media_images.py"), "not clips",
        long=(("fuzz", _figures("pictures mutated", "pictures: untyped errors or crashes", "pictures: slowest, CPU s",
                               "pictures: peak RSS, MiB", "EXIF orientations (of 8) not turned")),)),
    Row("hostile video", "500 mutated clips: no hang over 30 s, no silent shortfall; frames, rate and audio out = in",
        ("tests/fuzz/test_media_fuzz.py", f"{UNIT}/test_media_videos.py"), "not pictures and not orientations",
        long=(("fuzz", _figures("clips mutated", "clips: untyped errors or crashes", "clips: slowest, wall s",
                               "clips: fewer frames than announced, no error")),)),
    Row("VLM replies", "200 hostile replies: no crash, no invented field; 95 % of merely wrapped ones recovered",
        (f"{FAULTS}/test_hostile_replies.py",)),
    Row("text in the picture that commands the VLM", "30 such images: nothing but a mask can change, by at most 5 IoU"
        " points", (f"{FAULTS}/test_text_injection.py",)),
    Row("API trouble", "a 20-row table of faults against a loopback server", (f"{FAULTS}/test_api_faults.py",)),
    Row("crash anywhere", "200 kills at random moments: no bad file accepted, result equals the undisturbed one, at most"
        " one step redone", (FAULTS, f"{UNIT}/test_plumbing.py"), "kill",
        long=(("faults_runs", _figures("kills", "items lost", "finished items worked again",
                                      "items unlike the undisturbed run's", "exports not byte-identical")), ("faults_erase", _erase_kills))),
    Row("disk full", "10 of 10: clear error, earlier results whole",
        (FAULTS, f"{UNIT}/test_plumbing.py", f"{UNIT}/test_erase_loop.py"),
        "full_disk or test_storage_faults or space_is_checked or failed_write or read_only_place or small_clip_fits"),
    Row("worker processes", "50 cancels: no orphan", (f"{UNIT}/test_workers.py", FAULTS),
        "cancel or interrupted or leaves_no_process", long=(("faults_erase", _erase_cancels),)),
    Row("many users", "8 threads x 200 requests bit-equal to serial; refusal in under 100 ms; cancel takes effect in 2 s"
        " (p95)", (f"{UNIT}/test_studio.py", "tests/contract/test_catalogue.py"),
        "threads or queue or separate or stopped or full_studio or single_lock or let"),
    Row("out of memory on a device", "20 of 20 next requests succeed", ("tests/contract/test_torch_segmenters.py",),
        "full_device", needs="torch"),
    Row("growth", "the second identical batch adds nothing; 1 MiB a frame at most over 300 frames",
        (f"{FAULTS}/test_growth.py", f"{UNIT}/test_plumbing.py"), "growth or cache"),
    Row("the page", "40 traversal payloads x every route: no leak", ("tests/e2e/test_studio_page.py",
        f"{UNIT}/test_studio.py"), "path_leaks or no_path", needs="gradio"),
    Row("secrets", "a planted key: 0 hits", (UNIT,), "secrets or planted_key"),
    Row("wrong numbers", "metrics equal their references to 1e-9, coordinates to half a pixel, adapters to their"
        " reference models (fp32 1e-4)", ("tests/golden", f"{UNIT}/test_values.py", f"{UNIT}/test_overlap.py",
        "tests/contract/test_catalogue.py"), needs="torch"),
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What pytest said: counts of passed, failed, skipped; passed tests by function; lines the tests printed."""

    counts: dict[str, int]
    functions: dict[str, int]
    printed: list[str]


def run(row: Row, python: str) -> Outcome:
    """One row's tests in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.xml"
        command = [python, "-m", "pytest", "-q", f"--junitxml={file}", "-o", "junit_logging=system-out"]
        done = subprocess.run([*command, *row.selection()], cwd=ROOT, capture_output=True, text=True)
        if not file.exists():
            print(done.stdout[-2000:], done.stderr[-2000:])
            return Outcome({"error": 1}, {}, [])
        return _read(ElementTree.parse(file).getroot())


def _read(tree: ElementTree.Element) -> Outcome:
    counts: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    printed: list[str] = []
    for case in tree.iter("testcase"):
        inner = {child.tag for child in case}
        state = next((s for s in ("failure", "error", "skipped") if s in inner), "passed")
        counts[state] += 1
        if state == "passed":
            functions[str(case.get("name")).partition("[")[0]] += 1
            said = "\n".join(child.text or "" for child in case if child.tag == "system-out")
            printed += [line.strip() for line in said.splitlines() if re.search(r"\d", line)]
    return Outcome(dict(counts), dict(functions), [p for p in printed if not p.startswith("-")][:6])


def figure_of(row: Row, outcome: Outcome) -> str:
    """The figures that the tests printed, then those of the longer benchmark."""
    said = [re.sub(r"[{}']", "", line) for line in outcome.printed]
    said += [f"{_words(name)}: {n} of {n}" for name, n in outcome.functions.items() if n > 1 and not outcome.printed]
    for name, read in row.long:
        page = PAGES / f"{name}.json"
        if page.exists():
            data = json.loads(page.read_text(encoding="utf-8"))
            said.append(f"{read(data)} ([{name}](benchmarks/{name}.md), commit {data['commit']})")
    return "; ".join(said) or "each passed test is one case"


def _words(function: str) -> str:
    return function.removeprefix("test_").replace("_", " ")


def proven(counts: dict[str, int]) -> bool:
    """Something passed and nothing failed."""
    return counts.get("passed", 0) > 0 and not counts.get("failure") and not counts.get("error")


def python_for(row: Row, places: list[str]) -> str | None:
    """The first interpreter that has the module the row's tests need."""
    for place in places:
        if not row.needs or subprocess.run([place, "-c", f"import {row.needs}"], capture_output=True).returncode == 0:
            return place
    return None


def measure(row: Row, places: list[str]) -> dict[str, Any]:
    """One row's entry of the page."""
    python = python_for(row, places)
    if python is None:
        return {"holds": False, "figure": f"not measured: no environment with {row.needs} was given", "counts": {}}
    outcome = run(row, python)
    entry = {"counts": outcome.counts, "functions": outcome.functions, "figure": figure_of(row, outcome)}
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    return {"holds": proven(outcome.counts), "commit": commit(), "date": when, **entry}


def write(entries: dict[str, Any]) -> None:
    """The page and what it was made from."""
    rows = []
    for row in ROWS:
        entry = entries.get(row.threat, {"holds": False, "figure": "not measured", "counts": {}})
        said = ", ".join(f"{n} {w}" for w, n in sorted(entry["counts"].items()))
        command = " ".join(f"'{w}'" if " " in w else w for w in ["pytest", *row.selection()])
        tests = f"`{command}`" + (f" (needs {row.needs})" if row.needs else "")
        holds = f"{'yes' if entry['holds'] else 'no'} {entry.get('commit', '')}".strip()
        rows.append([row.threat, row.goal, entry["figure"].replace("|", "/"), tests, said, holds])
    heads = ("threat", "figure to reach", "found", "tests", "outcome", "holds, at commit")
    about = (
        f"Written by `python benchmarks/faults.py` (`make faults`) on {machine()}. The suite runs the short forms; the"
        " long forms (thousands of files, many kills) are the [benchmarks](benchmarks.md) named beside their figures."
        " `holds` says that every case that was run came out well; `found` says how many were."
    )
    PAGE.write_text(f"# Reliability\n\n{about}\n\n{table(heads, rows)}\n", encoding="utf-8")
    KEPT.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def check() -> int:
    """Every row names tests that exist, and stands on the page."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    bad = [f"{row.threat}: not on the page" for row in ROWS if f"| {row.threat} |" not in page]
    for row in ROWS:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.chdir(ROOT):  # one process: modules are read once
            code = pytest.main(["-q", "--collect-only", "-p", "no:cacheprovider", *row.selection()])
        if code and not row.needs:
            bad.append(f"{row.threat}: no test\n{said.getvalue()[-500:]}")
    print("\n".join(bad) or f"{len(ROWS)} rows, each with its tests and on the page")
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--python", nargs="*", default=[])
    args = parser.parse_args()
    if args.quick:
        return check()
    entries = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for row in ROWS:
        old = entries.get(row.threat, {})
        is_done = old.get("holds") and (args.keep or old.get("commit") == commit()) and not args.again
        if is_done or (args.only and not any(w in row.threat for w in args.only)):
            continue
        entries[row.threat] = measure(row, [sys.executable, *args.python])
        write(entries)
        print(f"{row.threat}: {entries[row.threat]['figure']} {entries[row.threat]['counts']}", flush=True)
    write(entries)
    return 0 if all(entries.get(row.threat, {}).get("holds") for row in ROWS) else 1


if __name__ == "__main__":
    sys.exit(main())

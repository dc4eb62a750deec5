"""Kills batches at random moments and resumes them: `python benchmarks/faults_runs.py [--kills 200] [--add]`.

Each kill hits the whole process group of a real `maskwright batch` (kinds: segment in two processes, sculpt in threads,
find in threads); then the same command runs to its end. Counted: items lost, finished items worked again, results or
exports unlike the undisturbed run's, leftovers. `--add` keeps the kills that the page tells of and runs those that are
missing. Writes docs/benchmarks/faults_runs.md and .json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from writing import provenance

from maskwright.media.exports import export
from maskwright.media.images import save_image, save_mask
from maskwright.runs.reading import labelled, results
from maskwright.values import Image, Mask

ROOT = Path(__file__).resolve().parents[1]
ITEMS = 10
_FAKE = ["--set", "models.segmenter.name=fake"]
KINDS: dict[str, list[str]] = {
    "segment": ["--workers", "2", *_FAKE],
    "sculpt": ["--workers", "0", "--set", "sculpt.rounds=1", *_FAKE],
    "find": ["--workers", "0", "--set", "find.mode=one-shot", "--set", "models.ranker.name=fake"],
}
"""Kind -> options: two processes, threads, and threads with the embedded models."""


@dataclass
class Kill:
    """What one kill did."""

    kind: str
    after_s: float
    was_running: bool
    finished_before: int
    redone: int
    lost: int
    different: int
    same_export: bool
    leftovers: int


def make_input(folder: Path) -> Path:
    """Pictures of a bright square each, and a jobs.jsonl that serves every kind."""
    rows = []
    for index in range(ITEMS):
        rng = np.random.default_rng(index)
        pixels = rng.integers(0, 60, (48, 64, 3), dtype=np.uint8)
        left = 4 + 3 * index
        pixels[10:34, left : left + 24] += np.array([180, 120, 40], np.uint8)
        mask = np.zeros((48, 64), bool)
        mask[12:30, left + 2 : left + 20] = True
        image = save_image(folder / f"p{index:02d}.png", Image(pixels))
        save_mask(folder / f"m{index:02d}.png", Mask(mask))
        box = [left, 10, left + 24, 34]
        rows.append(
            {"id": f"p{index:02d}", "image": image.name, "box": box, "mask": f"m{index:02d}.png", "phrase": "orange"}
        )
    path = folder / "jobs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def start(jobs: Path, out: Path, kind: str) -> subprocess.Popen[bytes]:
    """A real batch in a process group of its own."""
    command = [sys.executable, "-m", "maskwright.cli.main", "batch", str(jobs), "-o", str(out), "--do", kind, "--json"]
    command += KINDS[kind]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=environment
    )


def undisturbed(jobs: Path, out: Path, kind: str) -> float:
    """The reference: runs to its end; returns the seconds it took."""
    began = time.perf_counter()
    _to_the_end(jobs, out, kind)
    return time.perf_counter() - began


def _to_the_end(jobs: Path, out: Path, kind: str) -> None:
    process = start(jobs, out, kind)
    told, complaint = process.communicate(timeout=300)
    if process.returncode != 0:
        raise SystemExit(f"{kind}: exit {process.returncode}\n{told.decode()}\n{complaint.decode()}")


def one_kill(jobs: Path, out: Path, reference: Path, kind: str, after_s: float) -> Kill:
    """Starts a batch, kills it after a while, resumes it, and compares with the reference."""
    shutil.rmtree(out, ignore_errors=True)
    process = start(jobs, out, kind)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=after_s)
    was_running = process.poll() is None
    if was_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = _manifests(out)
    _to_the_end(jobs, out, kind)
    after = _manifests(out)
    redone = sum(after.get(id_) != stamp for id_, stamp in before.items())
    rows, wanted = ({r["id"]: r for r in results(folder)} for folder in (out, reference))
    different = sum(not _equal(out, reference, rows.get(id_), row) for id_, row in wanted.items())
    leftovers = len([p for p in out.rglob(".*") if p.name != ".lock"])
    lost = len(wanted.keys() - rows.keys())
    return Kill(
        kind, after_s, was_running, len(before), redone, lost, different, _same_export(out, reference), leftovers
    )


def _manifests(out: Path) -> dict[str, int]:
    """Finished item -> when its manifest was written."""
    return {p.parent.name: p.stat().st_mtime_ns for p in out.glob("items/[!.]*/manifest.json")}


def _equal(out: Path, reference: Path, row: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    if row is None or any(row[name] != wanted[name] for name in ("status", "score", "engines", "label")):
        return False
    masks = [folder / "items" / wanted["id"] / "mask.png" for folder in (out, reference)]
    return masks[0].exists() == masks[1].exists() and (
        not masks[1].exists() or masks[0].read_bytes() == masks[1].read_bytes()
    )


def _same_export(out: Path, reference: Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        files = [export(labelled(run), "coco", Path(folder) / f"{i}.json") for i, run in enumerate((out, reference))]
        return files[0].read_bytes() == files[1].read_bytes()


def figures(kills: list[Kill]) -> list[tuple[str, Any, Any]]:
    """(what, found, at most)"""
    return [
        ("kills", len(kills), None),
        ("kills that hit a running batch", sum(k.was_running for k in kills), None),
        ("kills with some items finished, some not", sum(0 < k.finished_before < ITEMS for k in kills), None),
        ("items lost", sum(k.lost for k in kills), 0),
        ("finished items worked again", sum(k.redone for k in kills), 0),
        ("items unlike the undisturbed run's", sum(k.different for k in kills), 0),
        ("exports not byte-identical", sum(not k.same_export for k in kills), 0),
        ("temporary files left after resuming", sum(k.leftovers for k in kills), 0),
    ]


def earlier(page: Path) -> tuple[list[Kill], list[str]]:
    """The kills of an earlier page, and the commits they were run on."""
    found = json.loads(page.read_text())
    return [Kill(**row) for row in found["kills"]], found["commit"].split(", ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--add", action="store_true", help="to the kills that the page already tells of")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    args = parser.parse_args()
    kills, commits = earlier(args.out / "faults_runs.json") if args.add else ([], [])
    rng = random.Random(7 + len(kills))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        jobs = make_input(folder / "in")
        took = {kind: undisturbed(jobs, folder / f"reference-{kind}", kind) for kind in KINDS}
        for number in range(len(kills), args.kills):
            kind = list(KINDS)[number % len(KINDS)]
            after_s = rng.uniform(0.2, 0.8) * took[kind]
            kills.append(one_kill(jobs, folder / "run", folder / f"reference-{kind}", kind, after_s))
            print(f"{number + 1}/{args.kills} {kills[-1]}", file=sys.stderr)
    rows = figures(kills)
    about = provenance()
    about["commit"] = ", ".join(dict.fromkeys([*commits, about["commit"]]))
    args.out.mkdir(parents=True, exist_ok=True)
    value = {
        **about,
        "figures": [{"what": w, "found": f, "most": m} for w, f, m in rows],
        "kills": [vars(k) for k in kills],
    }
    (args.out / "faults_runs.json").write_text(json.dumps(value, indent=1) + "\n")
    lines = "".join(f"| {w} | {f} | {'-' if m is None else m} |\n" for w, f, m in rows)
    (args.out / "faults_runs.md").write_text(
        f"# Batches killed at random moments\n\n`python benchmarks/faults_runs.py --kills {args.kills}{' --add' * args.add}` on "
        f"{about['machine']}, {about['date']}, commit {about['commit']}. Each batch has {ITEMS} items; kinds in turn: "
        f"{', '.join(KINDS)}.\n\n| figure | found | at most |\n|---|---|---|\n{lines}"
    )
    print((args.out / "faults_runs.md").read_text())
    return 0 if all(most is None or found <= most for _, found, most in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Kills and cancels `maskwright erase` at random moments: `python benchmarks/faults_erase.py [--kills 30]`.

A kill ends the whole process group while a step of one of the three phases is at work; the same command then runs to
its end. Counted: final frames unlike the undisturbed run's, steps done again that were done before, leftovers. A cancel
is Ctrl-C; counted: processes left. Writes docs/benchmarks/faults_erase.md and .json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from erase_clips import write_ball  # noqa: E402
from maskwright.assemble.erasing import erase  # noqa: E402
from maskwright.media.videos import open_clip  # noqa: E402
from maskwright.runs.steps import MANIFEST  # noqa: E402

STEPS = ("coarse", "caption", "anchor", "refine", "output")
FILES = ("coarse/coarse.mkv", "refine/final.mkv", "output/erased.mp4")
LIMIT_S = 300.0


def command(folder: Path, out: Path) -> list[str]:
    masks = folder / "ball_masks"
    given = ["erase", str(folder / "ball.mkv"), "--mask", str(masks), "-o", str(out), "--no-comparison", "--text"]
    return [sys.executable, "-m", "maskwright.cli.main", *given]


def start(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command(folder, out), start_new_session=True, env=environment, **quiet)  # type: ignore[call-overload]


def wait_for(out: Path, step: str, process: subprocess.Popen[bytes]) -> bool:
    """True once `step` is at work (or is done already); False when the run ended first."""
    began = time.monotonic()
    while time.monotonic() - began < LIMIT_S:
        item = out / "items" / "ball"
        if any(item.glob(f".{step}-*")) or (item / step).exists():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    raise TimeoutError(step)


def manifests(out: Path) -> dict[str, int]:
    """Finished step -> when its manifest was written."""
    return {p.parent.name: p.stat().st_mtime_ns for p in out.glob(f"items/*/*/{MANIFEST}")}


def results(out: Path) -> dict[str, Any]:
    """The final frames, and the bytes of the files that hold them."""
    item = out / "items" / "ball"
    with open_clip(item / "refine" / "final.mkv", trusted=True) as clip:
        frames = np.stack([clip.frames[i] for i in range(len(clip))])
    return {"frames": frames, **{name: (item / name).read_bytes() for name in FILES}}


def group(pgid: int) -> list[int]:
    """Processes of a group that are still there (not zombies)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[2]) == pgid and rest[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def kills(folder: Path, count: int, seed: int = 0, *, frames: int = 8, chain: int = 1) -> dict[str, Any]:
    """Kills over the phases, in turn; after every `chain` of them, each of a run gone on with, one run goes to its
    end."""
    write_ball(folder, frames, suffix=".mkv")
    erase(folder / "ball.mkv", folder / "ball_masks", out=folder / "whole", comparison=False, use_text=True)
    wanted = results(folder / "whole")
    rng = random.Random(seed)
    phases = STEPS if count >= len(STEPS) else ("coarse", "anchor", "refine")
    steps = [phases[number % len(phases)] for number in range(count)]
    rows, ends = [], []
    for first in range(0, count, chain):
        killed, end = one_run(folder, folder / f"kill-{first}", steps[first : first + chain], rng, wanted)
        rows += killed
        ends.append(end)
    return {
        "kills": sum(row["killed"] for row in rows),
        "different": sum(end["different"] for end in ends),
        "other_bytes": sum(end["other_bytes"] for end in ends),
        "most_steps_redone": max(row["redone"] for row in rows),
        "leftovers": sum(end["leftovers"] for end in ends),
        "by_step": {step: sum(row["killed"] for row in rows if row["step"] == step) for step in STEPS},
    }


def one_run(
    folder: Path, out: Path, steps: Sequence[str], rng: random.Random, wanted: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row a kill, and what the run that was not killed any more left. `redone`: finished steps that were done again
    after the kill."""
    rows = []
    for step in steps:
        process = start(folder, out)
        running = wait_for(out, step, process)
        time.sleep(rng.random() * 0.08)
        killed = running and process.poll() is None
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        rows.append({"step": step, "killed": killed, "before": manifests(out)})
    code = start(folder, out).wait(LIMIT_S)
    after = manifests(out)
    for row in rows:
        row["redone"] = sum(after.get(name) != when for name, when in row.pop("before").items())
    made = results(out) if code == 0 else {}
    leftovers = [p for p in out.rglob(".*") if p.name.startswith(".part-") or (p.is_dir() and "-" in p.name)]
    return rows, {
        "different": not made or not np.array_equal(made["frames"], wanted["frames"]),
        "other_bytes": not made or any(made[name] != wanted[name] for name in FILES),
        "leftovers": len(leftovers),
    }


def cancels(folder: Path, count: int, seed: int = 0) -> dict[str, Any]:
    """Ctrl-C at random moments of a run; then the processes of its group are counted."""
    if not (folder / "ball.mkv").exists():
        write_ball(folder, 8, suffix=".mkv")
    rng, orphans, stopped, slowest = random.Random(seed), 0, 0, 0.0
    for number in range(count):
        out = folder / f"cancel-{number}"
        process = start(folder, out)
        running = wait_for(out, rng.choice(STEPS), process)
        time.sleep(rng.random() * 0.05)
        began = time.monotonic()
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
        process.wait(LIMIT_S)
        slowest = max(slowest, time.monotonic() - began)
        stopped += running
        orphans += left(process.pid)
    return {"cancels": stopped, "orphans": orphans, "slowest_s": round(slowest, 2)}


def left(pgid: int) -> int:
    """Processes of the group one second after its leader ended."""
    deadline = time.monotonic() + 1.0
    while group(pgid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return len(group(pgid))


def main() -> None:
    from writing import table, write_page

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--cancels", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        killed = kills(Path(place), args.kills)
        stopped = cancels(Path(place), args.cancels)
    print(json.dumps({"kills": killed, "cancels": stopped}, indent=1))
    rows = [
        ["kills during a step", killed["kills"]],
        ["finals unlike the undisturbed run's", killed["different"]],
        ["files unlike the undisturbed run's, byte for byte", killed["other_bytes"]],
        ["most finished steps redone after one kill", killed["most_steps_redone"]],
        ["temporary files left", killed["leftovers"]],
        ["cancels", stopped["cancels"]],
        ["processes left after a cancel", stopped["orphans"]],
        ["slowest cancel, s", stopped["slowest_s"]],
    ]
    write_page("faults_erase", "Erase under kills and cancels", table(["what", "count"], rows), [killed, stopped])


if __name__ == "__main__":
    main()

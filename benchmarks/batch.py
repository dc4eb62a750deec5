"""How fast and how steady batches are: `python benchmarks/batch.py [--items 500] [--quick]`.

Throughput: `Batch` as the command sets it up on this machine against the plain sequential loop over the same
public functions (open_image, load("segmenter").encode/predict, save_mask, overlay, save_image), in turns, so that other
work on the machine hits both alike; and the processor time of both, which other work does not change much. Memory:
peak resident set of parent and workers together at n and 10 n items.
Waiting: see batch_asking.py. Writes docs/benchmarks/batch.md and batch.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from batch_asking import AT_ONCE, LATENCY_S
from batch_asking import measure as measure_asking
from writing import provenance

import maskwright as mw
from maskwright.assemble.batching import make_spec
from maskwright.config.settings import resolve
from maskwright.media.images import open_image, save_image, save_mask
from maskwright.media.pictures import overlay
from maskwright.media.samples import sample, sample_names
from maskwright.runs.batch import Batch
from maskwright.runs.jobs import Job
from maskwright.runs.pool import Conduct
from maskwright.values import Image, Mask

ROOT = Path(__file__).resolve().parents[1]
SIDE = 256


def make_jobs(folder: Path, count: int) -> list[Job]:
    """Different crops of the bundled pictures, SIDE pixels wide, with a box each."""
    rng = np.random.default_rng(0)
    names = sample_names()
    jobs = []
    for index in range(count):
        image = sample(names[index % len(names)])
        x, y = (int(rng.integers(0, max(1, side - SIDE))) for side in image.size)
        part = Image(np.ascontiguousarray(image.pixels[y : y + SIDE, x : x + SIDE]))
        path = save_image(folder / f"p{index:04d}.jpg", part)
        w, h = part.size
        jobs.append(Job(path.stem, str(path), box=(w * 0.2, h * 0.2, w * 0.8, h * 0.8)))
    return jobs


def sequential(jobs: list[Job], out: Path, segmenter: Any) -> float:
    """Seconds of the plain loop."""
    began = time.perf_counter()
    for job in jobs:
        image = open_image(job.image)
        [found] = segmenter.predict(segmenter.encode(image), [job.prompt()])
        mask = Mask(found.masks[0])
        save_mask(out / f"{job.id}.png", mask)
        save_image(out / f"{job.id}-overlay.png", overlay(image, mask))
    return time.perf_counter() - began


def batched(jobs: list[Job], out: Path) -> float:
    """Seconds of the batch, starting its processes included."""
    batch = Batch(out, make_spec("segment", resolve(), {"overlays": True}), list(jobs), Conduct.suited(asking=False))
    began = time.perf_counter()
    summary = batch.run()
    assert summary["done"] + summary["abstained"] == len(jobs), summary
    return time.perf_counter() - began


def peak_mib(jobs: list[Job], out: Path) -> float:
    """The most memory that this process's children held together while a batch ran in one of them."""
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import batch; from pathlib import Path; "
        "from maskwright.runs.jobs import Job; "
        "jobs = [Job.from_json(json.loads(line)) for line in Path(sys.argv[2]).read_text().splitlines()]; "
        "batch.batched(jobs, Path(sys.argv[3]))"
    )
    rows = out.with_suffix(".jobs")
    rows.write_text("".join(json.dumps(job.to_json()) + "\n" for job in jobs))
    command = [sys.executable, "-c", code, str(ROOT / "benchmarks"), str(rows), str(out)]
    process = subprocess.Popen(command)
    most, ended = 0.0, threading.Event()
    while not ended.wait(0.2) and process.poll() is None:
        most = max(most, sum(_rss_mib(pid) for pid in _family(process.pid)))
    assert process.wait() == 0
    return most


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(p for child in children for p in _family(int(child)))]


def _rss_mib(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


def cpu_s() -> float:
    """Processor seconds of this process and of those it started that have ended."""
    return sum(os.times()[:4])


def measure(folder: Path, items: int, turns: int, memory: tuple[int, int]) -> dict[str, Any]:
    jobs = make_jobs(folder / "in", items)
    segmenter = mw.load("segmenter")
    sequential(jobs[:2], folder / "warm", segmenter)
    times: dict[str, list[float]] = {"sequential": [], "batch": []}
    spent: dict[str, list[float]] = {"sequential": [], "batch": []}
    for turn in range(turns):
        marks = [cpu_s()]
        times["sequential"].append(sequential(jobs, folder / "plain", segmenter))
        marks.append(cpu_s())
        times["batch"].append(batched(jobs, folder / f"batch{turn}"))
        marks.append(cpu_s())
        spent["sequential"].append(marks[1] - marks[0])
        spent["batch"].append(marks[2] - marks[1])
        print({k: [round(v, 1) for v in row] for k, row in times.items()}, file=sys.stderr)
    ratios = [a / b for a, b in zip(times["sequential"], times["batch"], strict=True)]
    peaks = {}
    for count in memory:
        peaks[count] = round(peak_mib(_many(jobs, count), folder / f"m{count}"), 1)
    return {
        "items": items,
        "turns": turns,
        "seconds": times,
        "cpu_seconds": spent,
        "cpu_ratio": sum(spent["batch"]) / sum(spent["sequential"]),
        "speedup": statistics.median(ratios),
        "ratios": ratios,
        "peak_mib": peaks,
    }


def _many(jobs: list[Job], count: int) -> list[Job]:
    """As many jobs as wanted, ids their own."""
    return [
        Job(f"{jobs[i % len(jobs)].id}-{i}", jobs[i % len(jobs)].image, box=jobs[i % len(jobs)].box)
        for i in range(count)
    ]


def about_now() -> dict[str, Any]:
    """Where and when something was measured."""
    return {**provenance(), "load": os.getloadavg()[1]}


def said_of(found: dict[str, Any]) -> str:
    return f"{found['machine']} (load {found['load']:.1f} while measuring), {found['date']}, commit {found['commit']}"


def throughput_page(found: dict[str, Any]) -> str:
    """The part of the page about speed and memory."""
    (few, small), (many, large) = sorted(((int(n), mib) for n, mib in found["peak_mib"].items()))
    return (
        f"`python benchmarks/batch.py --items {found['items']}` on {said_of(found)}. Segmenter `lite`, {SIDE}-pixel "
        "pictures, masks and overlays written.\n\n| figure | found | wanted |\n|---|---|---|\n"
        f"| throughput over the plain loop (median of {found['turns']} turns) | {found['speedup']:.2f}x | 1.7x |\n"
        f"| processor time, batch over loop (processes' start included) | {found['cpu_ratio']:.2f} | - |\n"
        f"| peak memory of all processes at {few} items | {small:.0f} MiB | - |\n"
        f"| peak memory of all processes at {many} items | {large:.0f} MiB | within 20 % |\n"
        f"| growth | {100 * (large / small - 1):.1f} % | 20 % |\n"
    )


def asking_page(found: dict[str, Any]) -> str:
    """The part of the page about waiting for answers."""
    bounds = found["bounds_s"]
    return (
        f"\n## Waiting for answers\n\n`python benchmarks/batch.py --only asking` on {said_of(found)}. "
        f"{found['items']} items of sculpt, a judge on this machine that answers after {LATENCY_S:g} s, at most {AT_ONCE} "
        "questions under way. The critical path is the longest of: all latencies over "
        f"{AT_ONCE} (served: {bounds['latency']:.1f} s), the longest item ({bounds['item']:.1f} s), all own work over "
        f"the cores ({bounds['work']:.1f} s).\n\n| figure | found | wanted |\n|---|---|---|\n"
        f"| questions | {found['calls']} | - |\n"
        f"| seconds | {found['wall_s']:.1f} | - |\n"
        f"| seconds an item | {found['per_item_s']:.3f} | - |\n"
        f"| over the critical path | {found['ratio']:.2f}x | 1.3x |\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs=2, default=(100, 1000))
    parser.add_argument("--quick", action="store_true", help="60 items, memory at 20 and 60")
    parser.add_argument("--only", choices=["throughput", "asking"], help="measure this; the rest of the page stays")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks")
    args = parser.parse_args()
    if args.quick:
        args.items, args.memory = 60, (20, 60)
    page = args.out / "batch.json"
    found: dict[str, Any] = json.loads(page.read_text()) if page.exists() else {}
    with tempfile.TemporaryDirectory() as text:
        if args.only != "asking":
            measured = measure(Path(text), args.items, args.turns, tuple(args.memory))
            found = {**about_now(), **measured, "asking": found.get("asking")}
        if args.only != "throughput":
            found["asking"] = {**measure_asking(Path(text) / "asking"), **about_now()}
    args.out.mkdir(parents=True, exist_ok=True)
    page.write_text(json.dumps(found, indent=1) + "\n")
    parts = [
        throughput_page(found) if "speedup" in found else "",
        asking_page(found["asking"]) if found["asking"] else "",
    ]
    (args.out / "batch.md").write_text("# Batches\n\n" + "".join(parts))
    print((args.out / "batch.md").read_text())
    return 0 if holds(found) else 1


def holds(found: dict[str, Any]) -> bool:
    """Whether every figure on the page is as wanted."""
    if found.get("asking") and found["asking"]["ratio"] > 1.3:
        return False
    small, large = (mib for _, mib in sorted((int(n), mib) for n, mib in found.get("peak_mib", {1: 1, 2: 1}).items()))
    return bool(found.get("speedup", 1.7) >= 1.7 and large <= 1.2 * small)


if __name__ == "__main__":
    sys.exit(main())

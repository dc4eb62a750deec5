"""Nothing grows without bounds: identical batches add nothing, long clips take bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from maskwright.runs.batch import Batch
from maskwright.runs.pool import Conduct
from maskwright.runs.task import TaskSpec
from run_tasks import TARGET, jobs_of, make_pictures

FRAMES, MOST_MIB = 300, 1.0


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time of change; the ledger's journal and the lock come and go."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith((".lock", "-wal", "-shm"))]
    return {p.relative_to(folder).as_posix(): (p.stat().st_size, p.stat().st_mtime_ns) for p in files}


def test_growth_of_a_second_identical_batch(tmp_path: Path) -> None:
    files = make_pictures(tmp_path / "in", 6)

    def run() -> dict[str, tuple[int, int]]:
        made = Batch(tmp_path / "out", TaskSpec("find", {}, {}, target=TARGET), list(jobs_of(files)), Conduct(0, 1))
        assert made.run()["done"] == 6
        return contents(tmp_path / "out/items")

    first, second = run(), run()
    print(f"\nsecond identical batch: {len(set(second) - set(first))} new files, {len(first)} as they were")
    assert second == first


CHILD = """
import json, resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from maskwright.media.videos import open_clip
from maskwright.media.writing import write_clip

folder, count = Path(sys.argv[1]), int(sys.argv[2])
ground = np.random.default_rng(0).integers(0, 255, (360, 640, 3), dtype=np.uint8)

def frames():
    for n in range(count):
        yield np.roll(ground, n, axis=1)

write_clip(folder / "in.mp4", frames(), rate=Fraction(25))
with open_clip(folder / "in.mp4") as clip:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_clip(folder / "out.mp4", (frame[::-1] for frame in clip.frames), rate=Fraction(25))
    seen = len(clip)
print(json.dumps({"frames": seen, "grown": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024}))
"""


@pytest.mark.slow
def test_growth_over_three_hundred_frames(tmp_path: Path) -> None:
    """Reading and writing 300 frames of 640x360 holds a few of them, not all (which would be 198 MiB)."""
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(FRAMES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"\n{found['frames']} frames read and written: {found['grown']:.0f} MiB more at the peak")
    assert found["frames"] == FRAMES
    assert found["grown"] <= MOST_MIB * FRAMES / 4

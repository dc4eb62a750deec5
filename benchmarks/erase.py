"""Measures the embedded eraser: `python benchmarks/erase.py --data FOLDER [--only quality speed memory]`.

quality: the completion protocol on FOLDER/clips; speed: frames a second on one core; memory: the largest resident size
after 60 and after all (600) frames of 1280x720. Writes docs/benchmarks/erase.md and .json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from writing import PAGES, table, write_page

from maskwright.assemble.loading import load
from maskwright.bench.erase import bench_erase
from maskwright.ports import FillOptions

cv2.setNumThreads(1)
EARLY_FRAMES = 60
PARTS = ("quality", "speed", "memory")


class Panned(Sequence[Any]):
    """A made clip of any length: a textured ground that pans, an ellipse that moves over it. Frames or masks."""

    def __init__(self, count: int, size: tuple[int, int], *, masks: bool) -> None:
        self.count, self.size, self.masks = count, size, masks
        ground = np.random.default_rng(0).integers(0, 255, (size[1] + 64, size[0] + 256, 3)).astype(np.uint8)
        blurred = cv2.GaussianBlur(ground, (0, 0), 4)
        self.ground = cv2.normalize(blurred, None, 10, 245, cv2.NORM_MINMAX)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: Any) -> Any:
        width, height = self.size
        if self.masks:
            mask = np.zeros((height, width), np.uint8)
            x = round(width * (0.5 + 0.3 * np.sin(index / 15)))
            cv2.ellipse(mask, (x, height // 2), (width // 9, height // 4), 0, 0, 360, 1, -1)
            return mask > 0
        shift = round(64 + 60 * np.sin(index / 30))
        return self.ground[32 : 32 + height, shift : shift + width].copy()


def fill(count: int, size: tuple[int, int]) -> dict[str, float]:
    """Seconds (wall and processor) and the largest resident size of one fill, in this process."""
    frames, masks = (Panned(count, size, masks=m) for m in (False, True))
    filler = load("filler", "lite")
    wall, cpu = time.perf_counter(), time.process_time()
    given, early = 0, 0.0
    for given, _ in enumerate(filler.fill(frames, masks, FillOptions()), 1):
        if given == EARLY_FRAMES:
            early = resident_mib()
    seconds = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return {**seconds, "frames": given, "early_mib": early, "rss_mib": resident_mib()}


def resident_mib() -> float:
    """The largest resident size of this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(count: int, size: tuple[int, int]) -> dict[str, float]:
    """The same in a process of its own, so that nothing else is in its memory."""
    code = f"import erase, json; print(json.dumps(erase.fill({count}, {size})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def quality(data: Path) -> dict[str, Any]:
    return bench_erase(data / "clips", load("filler", "lite"), tell=lambda row: print(row["case"], row["gain_db"]))


def speed() -> list[dict[str, Any]]:
    rows = []
    for size in ((432, 240), (854, 480), (1280, 720)):
        found = apart(60, size)
        rows.append({"size": f"{size[0]}x{size[1]}", "frames_per_cpu_s": round(found["frames"] / found["cpu_s"], 2)})
        print(rows[-1], flush=True)
    return rows


def memory(frames: int) -> list[dict[str, Any]]:
    """The largest size after 60 frames of a long clip, and after all of them."""
    found = apart(frames, (1280, 720))
    rows = [{"frames": EARLY_FRAMES, "rss_mib": round(found["early_mib"], 1)}]
    rows.append({"frames": frames, "rss_mib": round(found["rss_mib"], 1)})
    print(rows, flush=True)
    return rows


def page(values: dict[str, Any]) -> str:
    parts = []
    if "quality" in values:
        keys = ("hole_psnr", "opencv_hole_psnr", "gain_db", "ssim", "warping", "opencv_warping", "warping_drop")
        heads = ["clip under masks of", "hole PSNR", "OpenCV", "gain dB", "SSIM (65)", "warping", "OpenCV", "less"]
        rows = [[row["case"], *(row[k] for k in keys)] for row in values["quality"]["rows"]]
        mean = values["quality"]["mean"]
        parts.append(
            "Completion protocol at 432x240: another clip's masks (mean share 6 % at most, drifting once around an"
            " ellipse in 48 frames) are laid over a clip whose truth is known and painted grey. OpenCV: the better of"
            " Telea and Navier-Stokes, frame by frame. Clips of 5 spaced frames are hard for anything that follows"
            " motion.\n\n" + table(heads, rows) + f"\n\nMean gain {mean['gain_db']:.2f} dB; flow-warping error"
            f" {mean['warping_drop']:.0%} lower."
        )
    if "speed" in values:
        rows = [[row["size"], row["frames_per_cpu_s"]] for row in values["speed"]]
        text = "A made clip of 60 frames, 9 % masked; frames for each second of one core's time.\n\n"
        parts.append("## Speed\n\n" + text + table(["size", "frames/s"], rows))
    if "memory" in values:
        rows = [[row["frames"], row["rss_mib"]] for row in values["memory"]]
        parts.append(
            "## Memory\n\n1280x720, largest resident size after so many frames of one clip.\n\n"
            + table(["frames", "MiB"], rows)
        )
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=[])
    parser.add_argument("--frames", type=int, default=600, help="Length of the clip that memory is measured on.")
    args = parser.parse_args()
    for part in args.only or PARTS:
        if part == "quality" and args.data is None:
            continue
        found = {"quality": lambda: quality(args.data), "speed": speed, "memory": lambda: memory(args.frames)}[part]()
        old = PAGES / "erase.json"
        values = {**(json.loads(old.read_text())["values"] if old.exists() else {}), part: found}
        write_page("erase", "Erase", page(values), values)


if __name__ == "__main__":
    main()

"""Measures the eraser: `python benchmarks/erase.py --data FOLDER [--only quality speed memory ablation still tiny]`.

quality: the completion protocol on FOLDER/clips; speed: frames a second on one core; memory: the largest resident size
after 60 and after all (600) frames of 1280x720; ablation: anchor x text x scale and caption sources with the embedded
filler; still: the same under masks that stand still; tiny: the same with a DiffuEraser of random weights (--tiny, needs torch). Writes docs/benchmarks/erase.md and
.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from writing import PAGES, table, write_page

from maskwright.assemble.loading import load
from maskwright.bench.erase import bench_erase
from maskwright.bench.erase_ablation import Parts, ablate
from maskwright.bench.erase_cases import GREY, Case, completion_cases
from maskwright.media.videos import open_clip
from maskwright.ports import FillOptions

cv2.setNumThreads(1)
EARLY_FRAMES = 60
TINY_FRAMES = 22
ABLATION = (
    "## What each part is worth: the embedded filler\n\nMeans over the cases of the completion protocol. The last column"
    " is the mean difference inside the holes from the table's first row, in grey levels: 0 says that a setting did"
    " nothing. The embedded filler understands no words, so text, scale and caption must show 0 there; only the anchor"
    " can act, where no frame shows what is behind the hole. Hole PSNR is the mean over frames (above, it is that of all"
    " pixels together). Manual captions exist for two clips only: that row has fewer cases, so only its last column can be"
    " compared. In this protocol the anchor costs the embedded filler a little PSNR."
)
STILL = (
    "## The same under masks that stand still\n\nTwo clips, one mask held on every frame, so that the filler must invent"
    " more. Here the anchor acts, and it does not help: one painted frame, carried along, is no nearer to the truth than"
    " what the filler paints by itself."
)
TINY = (
    "## The same machinery on a tiny DiffuEraser\n\nRandom weights: the numbers say only that anchor, words and scale"
    " reach the model and change its frames, and that settings which must not act do not. They say nothing about"
    " quality; what the real model gains from an anchor or from text has not been measured here."
)
PARTS = ("quality", "speed", "memory", "ablation", "still", "tiny")
MANUAL = {
    "car-shadow": "a paved street with patches of shade along a stone wall and parked cars",
    "judo": "a sports hall with green and yellow mats and plain walls under even light",
    "tiny": "a sunny park",
}
"""Backgrounds in a person's words; other clips have none and are left out of that row."""


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


def ablation(data: Path) -> dict[str, Any]:
    lite = load("filler", "lite")
    parts = Parts(lite, load("inpainter", "lite"), load("captioner", "lite"), words=MANUAL)
    return ablate(completion_cases(data / "clips"), parts, scales=(2.0,), tell=print)


def still(data: Path) -> dict[str, Any]:
    """The longer clips, the first of the laid masks held on every frame: much of what it hides is never seen."""
    lite = load("filler", "lite")
    parts = Parts(lite, load("inpainter", "lite"), load("captioner", "lite"), words=MANUAL)
    cases = []
    for case in completion_cases(data / "clips"):
        if len(case.truth) > 8 and case.name.endswith("under ytvos_f99d535567_3"):
            masks = [case.masks[0]] * len(case.truth)
            given = [np.where(m[:, :, None], np.uint8(GREY), f) for f, m in zip(case.truth, masks, strict=True)]
            cases.append(Case(case.name, given, masks, case.truth))
    return ablate(cases, parts, scales=(2.0,), tell=print)


def tiny(folder: Path) -> dict[str, Any]:
    """The machinery at every setting, on the first frames of the clip that lies beside the tiny weights."""
    with open_clip(folder / "video.mp4") as clip, open_clip(folder / "mask.mp4") as marks:
        truth = [clip.frames[i].copy() for i in range(TINY_FRAMES)]
        masks = [marks.frames[i].max(axis=2) > 127 for i in range(TINY_FRAMES)]
    given = [np.where(mask[:, :, None], np.uint8(GREY), frame) for frame, mask in zip(truth, masks, strict=True)]
    filler = load("filler", "diffueraser", weights=folder / "weights", device="cpu")
    parts = Parts(filler, load("inpainter", "lite"), load("captioner", "lite"), load("filler", "lite"), MANUAL)
    return ablate([Case("tiny", given, masks, truth)], parts, scales=(1.5, 3.0), tell=print)


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
        rows = [[row["frames"], round(row["rss_mib"])] for row in values["memory"]]
        parts.append(
            "## Memory\n\n1280x720, largest resident size after so many frames of one clip.\n\n"
            + table(["frames", "MiB"], rows)
        )
    for name, text in (("ablation", ABLATION), ("still", STILL), ("tiny", TINY)):
        if name in values:
            parts.append(text + "\n\n" + ablation_tables(values[name]))
    return "\n\n".join(parts)


def ablation_tables(found: dict[str, Any]) -> str:
    def on(value: bool) -> str:
        return "on" if value else "off"

    keys = ("hole_psnr", "warping", "unlike")
    heads = ["anchor", "text", "scale", "hole PSNR", "warping", "unlike the first row"]
    rows = [[on(r["anchor"]), on(r["text"]), r["scale"] or "-", *(r[k] for k in keys)] for r in found["modes"]]
    more = [
        [r["source"], r.get("cases", 0), *(r.get(k, r.get("skipped", "")) for k in keys)] for r in found["captions"]
    ]
    sources = table(["caption", "cases", "hole PSNR", "warping", "unlike the first row"], more)
    return table(heads, rows) + "\n\nAnchor and text on, scale 2, by who wrote the caption:\n\n" + sources


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=[])
    parser.add_argument("--tiny", type=Path, help="A folder like diffueraser_tiny [DATA/../diffueraser_tiny].")
    parser.add_argument("--frames", type=int, default=600, help="Length of the clip that memory is measured on.")
    args = parser.parse_args()
    for part in args.only or PARTS:
        small = args.tiny or (args.data or Path()).parent / "diffueraser_tiny"
        if part in ("quality", "ablation", "still") and args.data is None:
            continue
        if part == "tiny" and not (small.is_dir() and importlib.util.find_spec("torch")):
            print("tiny: left out, needs torch and the weights (--tiny)")
            continue
        found = {"quality": lambda: quality(args.data), "speed": speed, "memory": lambda: memory(args.frames),
                 "ablation": lambda: ablation(args.data), "still": lambda: still(args.data),
                 "tiny": partial(tiny, small)}[part]()  # fmt: skip
        old = PAGES / "erase.json"
        values = {**(json.loads(old.read_text())["values"] if old.exists() else {}), part: found}
        write_page("erase", "Erase", page(values), values)


if __name__ == "__main__":
    main()

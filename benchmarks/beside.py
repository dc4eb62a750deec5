"""Ours beside others, each pair measured in one run on one machine: read from the pages' JSON, never typed in.

`table()` goes to the head of docs/benchmarks.md, under the goals. Where another is better, the row says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from goals import Values, asked, metric, row
from writing import PAGES
from writing import table as markdown


@dataclass(frozen=True)
class Pair:
    """`ours` and `theirs` read the two figures; `more` is better, or less; `form` prints one."""

    what: str
    other: str
    page: str
    ours: Callable[[Values], float]
    theirs: Callable[[Values], float]
    more: bool = False
    form: str = "{:.3g}"
    spread: Callable[[Values], list[float]] | None = None
    """Ratios of single turns, where several were made."""


def clicks(key: str, method: str) -> Callable[[Values], float]:
    return lambda v: v["all"][method][key]


def load(way: str, place: int, key: str) -> Callable[[Values], float]:
    return lambda v: v["values"]["load"][way][place][key]


def ranked(way: str) -> Callable[[Values], float]:
    return lambda v: row(v["values"]["ranking"], way=way)["seconds"]


def masks(key: str) -> Callable[[Values], float]:
    return lambda v: v["values"]["proposals"][key]


def filled(key: str) -> Callable[[Values], float]:
    return lambda v: sum(r[key] for r in v["values"]["quality"]["rows"]) / len(v["values"]["quality"]["rows"])


def middle(key: str) -> Callable[[Values], float]:
    return lambda v: sorted(v["seconds"][key])[len(v["seconds"][key]) // 2]


def against(method: str) -> tuple[Pair, ...]:
    return (
        Pair("a box, mean IoU", method, "clicks", clicks("box", "lite"), clicks("box", method), True),
        Pair("5 clicks, mean IoU", method, "clicks", clicks("clicks_5", "lite"), clicks("clicks_5", method), True),
        Pair("a click, ms", method, "clicks", clicks("prompt_ms", "lite"), clicks("prompt_ms", method)),
    )


LOCK = "one global lock"
PAIRS = (
    Pair("1024 automatic clicks at ViT-B's size, s", "segment-anything's SamAutomaticMaskGenerator", "models",
         masks("ours_s"), masks("generator_s")),
    Pair("150 regions ranked by CLIP's ViT-B/32, s", "open_clip, one crop at a time", "models",
         ranked("pooled (fast path)"), ranked("one crop at a time")),
    Pair("the same from exact crops in batches, s", "open_clip, one crop at a time", "models",
         ranked("crops in batches"), ranked("one crop at a time")),
    Pair("a phrase, ten on a picture, s", "the older closed-loop way", "find",
         lambda v: asked("plain")(v)["ours_s"], lambda v: asked("plain")(v)["plain_s"]),
    *against("grabCut at 320 px"), *against("random walker"), *against("merge tree"),
    Pair("IoU of 200 x 200 masks, ms", "pycocotools", "metrics",
         metric("IoU matrix, 200 x 200 masks of 640x480"), metric("the same by pycocotools, from its run lengths")),
    Pair("IoU of 200 x 200 masks, ms", "faster-coco-eval", "metrics",
         metric("IoU matrix, 200 x 200 masks of 640x480"),
         metric("the same by faster-coco-eval, from its run lengths")),
    Pair("200 masks run-length encoded, ms", "pycocotools", "metrics",
         metric("run-length encode 200 masks"), metric("the same by pycocotools, from the same bool masks")),
    Pair("200 masks run-length encoded, ms", "faster-coco-eval", "metrics",
         metric("run-length encode 200 masks"), metric("the same by faster-coco-eval, from the same bool masks")),
    Pair("boundary F of a 640x480 pair, ms", "davis2017-evaluation", "metrics",
         metric("boundary F, slowest of 40 pairs of 640x480"), metric("the same by davis2017-evaluation")),
    Pair("a video's hole filled, PSNR dB", "OpenCV's inpainting, frame by frame", "erase",
         filled("hole_psnr"), filled("opencv_hole_psnr"), True),
    Pair("the same, flow-warping error", "OpenCV's inpainting, frame by frame", "erase",
         filled("warping"), filled("opencv_warping")),
    Pair("500 pictures, s", "a plain loop over the same functions", "batch", middle("batch"), middle("sequential"),
         spread=lambda v: v["ratios"]),
    Pair("asking a judge, s of waiting", "one patch a call", "sculpt",
         lambda v: v["values"]["latency"]["sheets"][1], lambda v: v["values"]["latency"]["single"][1]),
    Pair("studio, 32 visitors and one tracking: p95 of a click, ms", LOCK, "studio",
         load("lanes", -1, "p95_ms"), load("single-lock", -1, "p95_ms")),
    Pair("studio, 8 visitors: p95 of a click, ms", LOCK, "studio",
         load("lanes", 1, "p95_ms"), load("single-lock", 1, "p95_ms")),
    Pair("studio, 32 visitors and one tracking: frames tracked a second", LOCK, "studio",
         load("lanes", -1, "frames_per_s"), load("single-lock", -1, "frames_per_s"), True),
)  # fmt: skip


def table() -> str:
    """All pairs as a Markdown section; what no page holds is said to be missing."""
    rows = []
    for pair in PAIRS:
        command = f"`benchmarks/{pair.page}.py`"
        try:
            values = json.loads((PAGES / f"{pair.page}.json").read_text(encoding="utf-8"))
            ours, theirs = pair.ours(values), pair.theirs(values)
        except (OSError, KeyError, TypeError, StopIteration):
            rows.append((pair.what, pair.other, "missing", "", "", command))
            continue
        rows.append((pair.what, pair.other, pair.form.format(ours), pair.form.format(theirs),
                     _verdict(pair, ours, theirs, values), command))  # fmt: skip
    behind = sum("behind" in r[4] for r in rows)
    intro = (
        f"Each pair was measured in one run on the machine its page names, with the same input. In {behind} of "
        f"{len(rows)} rows we are behind. A click on the merge tree costs next to nothing and gives half as much; the lanes"
        " of the studio give every click its turn, for which the tracking pays."
    )
    return (
        f"## Beside others\n\n{intro}\n\n{markdown(('what', 'other', 'ours', 'other', 'ours is', 'command'), rows)}\n"
    )


def _verdict(pair: Pair, ours: float, theirs: float, values: Any) -> str:
    good = ours > theirs if pair.more else ours < theirs
    if pair.more and "IoU" in pair.what:
        return f"{100 * (ours - theirs):+.0f} points"
    if "dB" in pair.what:
        return f"{ours - theirs:+.1f} dB"
    times = ours / theirs if pair.more else theirs / ours
    turns = pair.spread(values) if pair.spread else []
    spread = f" ({min(turns):.2f} to {max(turns):.2f})" if turns else ""
    return f"{times:.3g}x{spread}" if good else f"**behind**, {times:.2g}x"


if __name__ == "__main__":
    print(table())

"""Every figure that was promised, beside what was reached: read from the pages' JSON, never typed in.

A goal names the page its figure stands in and how to read it there. `table()` goes to the head of docs/benchmarks.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from writing import PAGES
from writing import table as markdown

Values = Any
"""What a page's JSON holds."""


@dataclass(frozen=True)
class Goal:
    """`read` gives the figure, `holds` whether it is enough, `shown` how it is printed."""

    area: str
    what: str
    wanted: str
    page: str
    read: Callable[[Values], Any]
    holds: Callable[[Any], bool]
    shown: Callable[[Any], str]


def least(area: str, what: str, limit: float, page: str, read: Callable[[Values], Any], form: str = "{:.3g}") -> Goal:
    return Goal(area, what, f">= {form.format(limit)}", page, read, lambda v: v >= limit, form.format)


def most(area: str, what: str, limit: float, page: str, read: Callable[[Values], Any], form: str = "{:.3g}") -> Goal:
    return Goal(area, what, f"<= {form.format(limit)}", page, read, lambda v: v <= limit, form.format)


def yes(area: str, what: str, page: str, read: Callable[[Values], Any]) -> Goal:
    return Goal(area, what, "yes", page, read, bool, lambda v: "yes" if v else "no")


def interval(area: str, what: str, page: str, read: Callable[[Values], Any]) -> Goal:
    """A difference in IoU points whose whole interval must lie above 0."""

    def shown(v: Any) -> str:
        return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * v[k] for k in ("value", "low", "high")))

    return Goal(area, what, "CI above 0", page, read, lambda v: v["low"] > 0, shown)


def row(rows: Sequence[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    """The row that has these values."""
    return next(r for r in rows if all(r.get(k) == v for k, v in wanted.items()))


def lite(key: str) -> Callable[[Values], float]:
    return lambda v: v["all"]["lite"][key]


def metric(what: str) -> Callable[[Values], float]:
    return lambda v: row(v["values"], what=what)["ms"]


def figure(what: str) -> Callable[[Values], Any]:
    return lambda v: row(v["figures"], what=what)["found"]


def cost(what: str) -> Callable[[Values], float]:
    return lambda v: v["values"][what]


def asked(part: str) -> Callable[[Values], Any]:
    """A part of the find page."""
    return lambda v: v["values"][part]["found"]


def on_dev(key: str, mode: str = "one-shot") -> Callable[[Values], float]:
    return lambda v: asked("quality")(v)["dev"]["table"][mode][key]["value"]


def on_both(key: str, mode: str) -> Callable[[Values], float]:
    """Over the phrases of the embedded scenes and of the development pictures together."""

    def read(v: Values) -> float:
        cells = [asked("quality")(v)[data]["table"][mode][key] for data in ("sample", "dev")]
        return sum(c["value"] * c["n"] for c in cells) / sum(c["n"] for c in cells)

    return read


def gained(mode: str) -> Callable[[Values], Any]:
    return lambda v: row(asked("quality")(v)["pooled"], b=mode)["iou"]


def worth(strategy: str, error: float, against: str) -> Callable[[Values], float]:
    """IoU points below the ceiling, or gained, over all starts."""

    def read(v: Values) -> float:
        found = v["values"]["worth"]
        rows = [r for r in found["rows"] if r["strategy"] == strategy and r["error"] == error]
        after, before = (sum(r[k] for r in rows) / len(rows) for k in ("after", "before"))
        return 100 * ((found["ceiling"] - after) if against == "ceiling" else (after - before))

    return read


def alike(found: dict[str, int]) -> bool:
    """Whether each wanted mask of 640x480 is there, up to logits that are a rounding error away from zero."""
    return found["matched"] == found["wanted"] and found["pixels"] <= 1e-6 * found["wanted"] * 640 * 480


def lower(row: dict[str, Any]) -> float:
    """By how many percent a cut is nearer the truth than its mask."""
    return 100 * (1 - row["SAD cut"] / row["SAD mask"])


GOALS = (
    most("Foundation", "`import maskwright`, ms", 100, "startup", cost("import maskwright")),
    most("Foundation", "`maskwright --help`, ms", 200, "startup", cost("maskwright --help")),
    most("Foundation", "install and first mask, s", 180, "startup",
         lambda v: v["values"]["install_s"] + v["values"]["first_mask_s"]),
    most("Foundation", "wheels downloaded, MB", 300, "startup", cost("wheels_mb")),
    most("Foundation", "mutated pictures: untyped errors or crashes", 0, "fuzz",
         figure("pictures: untyped errors or crashes")),
    most("Foundation", "mutated clips: untyped errors or crashes", 0, "fuzz",
         figure("clips: untyped errors or crashes")),
    most("Foundation", "IoU matrix, 200 x 200 masks of 640x480, ms", 50, "metrics",
         metric("IoU matrix, 200 x 200 masks of 640x480")),
    most("Foundation", "200 masks run-length encoded, share of pycocotools' time", 1, "metrics",
         lambda v: metric("run-length encode 200 masks")(v)
         / metric("the same by pycocotools, from the same bool masks")(v)),
    least("Embedded", "a box, mean IoU", 0.82, "clicks", lite("box"), "{:.3f}"),
    least("Embedded", "1 click, mean IoU", 0.70, "clicks", lite("clicks_1"), "{:.3f}"),
    least("Embedded", "3 clicks, mean IoU", 0.83, "clicks", lite("clicks_3"), "{:.3f}"),
    least("Embedded", "5 clicks, mean IoU", 0.87, "clicks", lite("clicks_5"), "{:.3f}"),
    least("Embedded", "10 clicks, mean IoU", 0.91, "clicks", lite("clicks_10"), "{:.3f}"),
    yes("Embedded", "the same bytes on 1 and 2 threads", "clicks", lambda v: v["same_on_threads"]),
    least("Embedded", "phrases end to end, hit@0.5", 0.55, "find", on_dev("P@0.5"), "{:.2f}"),
    least("Embedded", "phrases among true regions", 0.85, "phrases_oracle",
          lambda v: v["values"]["top1"]["all"]["both"], "{:.2f}"),
    least("Embedded", "none-such found", 0.80, "find", on_dev("N-acc"), "{:.2f}"),
    most("Embedded", "false abstention", 0.10, "find", on_dev("false abstention"), "{:.2f}"),
    most("Embedded", "encode 640x480, ms", 60, "embedded", cost("encode")),
    most("Embedded", "a prompt, ms", 10, "embedded", cost("prompt")),
    most("Embedded", "finish at full size, ms", 40, "embedded", cost("finish")),
    most("Embedded", "150 regions ranked after encoding, ms", 150, "embedded",
         cost("150 regions ranked after encoding")),
    most("Embedded", "load of every role, s", 1.5, "embedded", cost("load")),
    most("Embedded", "memory of the whole preset, MiB", 600, "embedded", cost("memory of the whole preset")),
    most("Embedded", "weights, MB", 60, "embedded", cost("weights, all files")),
    yes("Models", "automatic masks: every one of segment-anything's, but for one pixel in a million", "models",
        lambda v: alike(v["values"]["proposals"]["alike"])),
    least("Models", "times faster than SamAutomaticMaskGenerator", 2, "models",
          lambda v: v["values"]["proposals"]["ratio"]),
    least("Models", "150 regions ranked, pooled, times faster than one crop at a time", 3, "models",
          lambda v: row(v["values"]["ranking"], way="pooled (fast path)")["ratio"]),
    least("Runs", "batch, times the plain loop's throughput", 1.7, "batch", lambda v: v["speedup"]),
    most("Runs", "a judge that waits 0.4 s: time over the critical path", 1.3, "batch", lambda v: v["asking"]["ratio"]),
    most("Runs", "memory at 1000 items over 100 items", 1.2, "batch",
         lambda v: v["peak_mib"]["1000"] / v["peak_mib"]["100"]),
    least("Runs", "kills", 200, "faults_runs", figure("kills"), "{:.0f}"),
    most("Runs", "items lost, done twice or different", 0, "faults_runs",
         lambda v: sum(figure(w)(v) for w in ("items lost", "finished items worked again",
                                              "items unlike the undisturbed run's"))),
    most("Sculpt", "points, no errors: IoU points below ten perfect clicks", 3, "sculpt",
         worth("points", 0.0, "ceiling"), "{:.1f}"),
    most("Sculpt", "anchors, no errors: IoU points below ten perfect clicks", 3, "sculpt",
         worth("anchors", 0.0, "ceiling"), "{:.1f}"),
    least("Sculpt", "points, 20 % errors: IoU points gained", -1, "sculpt", worth("points", 0.2, "start"), "{:+.1f}"),
    least("Sculpt", "anchors, 20 % errors: IoU points gained", -1, "sculpt", worth("anchors", 0.2, "start"), "{:+.1f}"),
    least("Sculpt", "times fewer calls than one patch a call", 20, "sculpt",
          lambda v: v["values"]["latency"]["single"][0] / v["values"]["latency"]["sheets"][0]),
    least("Sculpt", "times less waiting", 15, "sculpt",
          lambda v: v["values"]["latency"]["single"][1] / v["values"]["latency"]["sheets"][1]),
    most("Sculpt", "own cost of a round, most of the medians, ms", 60, "sculpt",
         lambda v: max(r["cpu_ms"] for r in v["values"]["own"])),
    most("Sculpt", "own extra memory, MiB", 150, "sculpt", lambda v: max(r["extra_mib"] for r in v["values"]["own"])),
    interval("Find", "loop without a judge over one look, IoU points", "find", gained("loop")),
    *(interval("Find", f"judge that errs in {e:.0%} over one look, IoU points", "find", gained(f"oracle {e:g}"))
      for e in (0, 0.1, 0.2, 0.3)),
    *(goal for said, mode in (("alone", "one-shot"), ("with a judge that errs in 10%", "oracle 0.1")) for goal in (
        least("Find", f"none-such found, {said}", 0.80, "find", on_both("N-acc", mode), "{:.2f}"),
        most("Find", f"false abstention, {said}", 0.05, "find", on_both("false abstention", mode), "{:.3f}"))),
    most("Find", "one phrase, nothing cached, s", 1.5, "find", lambda v: asked("speed")(v)["first_s"]),
    most("Find", "the tenth phrase on a picture, s", 0.2, "find", lambda v: asked("speed")(v)["tenth_s"]),
    least("Find", "times faster a phrase than the plain way", 5, "find", lambda v: asked("plain")(v)["times"]),
    yes("Find", "with equal candidates, order and scores", "find", lambda v: asked("plain")(v)["same"]),
    yes("Find", "killed ten times: reports byte-identical", "find", lambda v: asked("kills")(v)["equal"]),
    most("Find", "boundary F of one 640x480 pair, ms", 4, "metrics",
         metric("boundary F, slowest of 40 pairs of 640x480")),
    most("Find", "bootstrap of 1 000 samples, B = 2000, ms", 300, "metrics",
         metric("bootstrap of 1 000 samples, B = 2000")),
    least("Erase", "hole PSNR over per-frame inpainting, dB", 3, "erase",
          lambda v: v["values"]["quality"]["mean"]["gain_db"], "{:.1f}"),
    least("Erase", "flow-warping error, share lower", 0.40, "erase",
          lambda v: v["values"]["quality"]["mean"]["warping_drop"], "{:.2f}"),
    least("Erase", "432x240 on one core, frames/s", 8, "erase",
          lambda v: row(v["values"]["speed"], size="432x240")["frames_per_cpu_s"]),
    most("Erase", "1280x720: memory at 600 frames over 60 frames", 1.1, "erase",
         lambda v: row(v["values"]["memory"], frames=600)["rss_mib"]
         / row(v["values"]["memory"], frames=60)["rss_mib"]),
    most("Erase", "1280x720: memory at 600 frames, MiB", 1536, "erase",
         lambda v: row(v["values"]["memory"], frames=600)["rss_mib"], "{:.0f}"),
    most("Erase", "30 kills: final frames that differ", 0, "faults_erase", lambda v: v["values"][0]["different"]),
    most("Erase", "30 kills: most steps redone", 1, "faults_erase", lambda v: v["values"][0]["most_steps_redone"]),
    most("Erase", "50 cancels: processes left", 0, "faults_erase", lambda v: v["values"][1]["orphans"]),
    least("Shape", "cut: SAD lower than the mask's by, %, least of the first five", 60, "shape",
          lambda v: min(lower(r) for r in v["Cut"] if r["set"] != "held out"), "{:.1f}"),
    least("Shape", "cut: the same, mean of ten held-out kinds of edge", 60, "shape",
          lambda v: mean(lower(r) for r in v["Cut"] if r["set"] == "held out")),
    most("Shape", "cut: seconds, most", 1.5, "shape", lambda v: max(r["CPU s"] for r in v["Cut"])),
    most("Shape", "pixels that differ outside the mask, 50 edits", 0, "shape",
         lambda v: row(v["Edit"], what="pixels that differ outside the mask, 50 edits")["value"]),
    least("Shape", "recolour: luminance correlation, least of 20", 0.98, "shape",
          lambda v: row(v["Edit"], what="luminance correlation inside, 20 recolours, least")["value"], "{:.3f}"),
    least("Shape", "closed meshes of 100", 100, "shape",
          lambda v: row(v["Lift"], what="closed meshes of 100")["value"], "{:.0f}"),
    most("Shape", "lift: seconds, most", 3, "shape", lambda v: row(v["Lift"], what="CPU seconds, most")["value"]),
    least("Shape", "lift: front render's IoU with the mask, least", 0.98, "shape",
          lambda v: next(r["value"] for r in v["Lift"] if "IoU" in r["what"]), "{:.3f}"),
    least("Shape", "parts: mean IoU over k-means with true names", 0.1, "shape",
          lambda v: row(v["Parts: IoU on the development pictures"], method="lite")["mean"]
          - row(v["Parts: IoU on the development pictures"], method="k-means with true names")["mean"], "{:+.2f}"),
    least("Studio", "p95 of clicks, 32 visitors and one tracking: times lower than one lock's", 10, "studio",
          lambda v: v["values"]["load"]["ratio"]),
    most("Studio", "soak: memory at the end over the start", 1.05, "studio",
         lambda v: v["values"]["soak"]["end_mib"] / v["values"]["soak"]["start_mib"]),
    most("Studio", "soak: folders and processes left", 0, "studio",
         lambda v: sum(max(0, v["values"]["soak"][f"end_{k}"] - v["values"]["soak"][f"start_{k}"])
                       for k in ("folders", "children"))),
)  # fmt: skip


def table() -> str:
    """All goals as a Markdown section; what no page holds is said to be missing."""
    rows, met = [], 0
    for goal in GOALS:
        page = PAGES / f"{goal.page}.json"
        try:
            value = goal.read(json.loads(page.read_text(encoding="utf-8")))
        except (OSError, KeyError, TypeError, StopIteration):
            rows.append((goal.area, goal.what, goal.wanted, "missing", "", f"`benchmarks/{goal.page}.py`"))
            continue
        good = bool(goal.holds(value))
        met += good
        verdict = "yes" if good else "**no**"
        rows.append((goal.area, goal.what, goal.wanted, goal.shown(value), verdict, f"`benchmarks/{goal.page}.py`"))
    heads = ("part", "figure", "goal", "reached", "met", "command")
    intro = f"{met} of {len(GOALS)} goals are met. Each figure is read from the page that its command wrote."
    return f"## Goals\n\n{intro}\n\n{markdown(heads, rows)}\n"


if __name__ == "__main__":
    print(table())

"""What sculpt is worth and what it costs: the loop with an oracle that errs, calls, latency, own time and memory.

    python benchmarks/sculpt.py --data DEV_FOLDER [--segmenter lite] [--limit 22] [--parts worth,latency,own]

Writes docs/benchmarks/sculpt.md and .json. "Own" is everything but calls of models. Every part is also kept in the
JSON, so that parts may be measured one at a time (--parts).
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from writing import HERE, PAGES, table, write_page

from maskwright.assemble import load
from maskwright.assemble.sculpting import sculpt, sculpt_rounds
from maskwright.media.images import open_image, open_mask
from maskwright.models.vlms.endpoint import EndpointVlm
from maskwright.models.vlms.transport import HttpReply
from maskwright.values import Image, Mask, Prompt

sys.path.insert(0, str(HERE.parent / "tests"))
from loopback import Endpoint, Scripted, completion, serve

Bools = NDArray[np.bool_]
ERRORS = (0.0, 0.1, 0.2, 0.3)
STARTS = ("eroded", "dilated", "half-covered")
STRATEGIES = ("points", "anchors")
CLICKS = 10
LATENCY_S = 0.5
LEFT = 0.6
"""IoU with the truth that eroded and dilated starts are made for."""


@dataclass(frozen=True, eq=False)
class Case:
    """One object: picture, truth, and pixels that do not count."""

    name: str
    image: Image
    truth: Bools
    ignore: Bools

    def iou(self, mask: Bools) -> float:
        counted = ~self.ignore
        union = np.count_nonzero((mask | self.truth) & counted)
        return float(np.count_nonzero(mask & self.truth & counted) / max(1, union))


def cases(data: Path, limit: int) -> Iterator[Case]:
    """Every n-th object with one true mask, over all sources."""
    items = [i for i in json.loads((data / "manifest.json").read_text())["items"] if i["kind"] == "object_mask"]
    for item in items[:: max(1, len(items) // limit)][:limit]:
        truth = open_mask(data / item["mask"]).array
        ignored = item.get("ignore_mask")
        ignore = open_mask(data / ignored).array if ignored else np.zeros_like(truth)
        yield Case(item["id"], open_image(data / item["image"]), truth & ~ignore, ignore)


def degraded(truth: Bools, how: str, seed: int) -> Bools:
    """A start of IoU about LEFT (eroded, dilated) or a half (one side of a line through the middle)."""
    if how == "eroded":
        depth = cv2.distanceTransform(np.pad(truth, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        return np.asarray(depth > np.quantile(depth[truth], 1 - LEFT))
    if how == "dilated":
        away = cv2.distanceTransform((~truth).astype(np.uint8), cv2.DIST_L2, 5)
        nearest = np.sort(away[~truth])
        return truth | (away <= nearest[min(int(truth.sum() * (1 / LEFT - 1)), len(nearest) - 1)])
    rows, columns = np.nonzero(truth)
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    kept = along <= np.median(along)
    out = np.zeros_like(truth)
    out[rows[kept], columns[kept]] = True
    return out


def ceiling(segmenter: Any, embedding: Any, case: Case) -> float:
    """IoU after the box and ten perfect clicks, each on the deepest pixel of the largest error."""
    box, points, labels = Mask(case.truth).box, [], []
    mask = segmenter.predict(embedding, [Prompt(box=box)])[0].masks[0]
    for _ in range(CLICKS):
        errors = [(case.truth & ~mask & ~case.ignore, 1), (mask & ~case.truth & ~case.ignore, 0)]
        depths = [(cv2.distanceTransform(np.pad(e, 1).astype(np.uint8), cv2.DIST_L2, 3), label) for e, label in errors]
        depth, label = max(depths, key=lambda pair: float(pair[0].max()))
        if not depth.any():
            break
        y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
        points.append((x - 0.5, y - 0.5))
        labels.append(label)
        mask = segmenter.predict(embedding, [Prompt(points, labels, box)])[0].masks[0]
    return case.iou(mask)


class Encoded:
    """A segmenter that has already encoded the one picture asked about."""

    def __init__(self, segmenter: Any, embedding: Any) -> None:
        self.name, self._segmenter, self._embedding = segmenter.name, segmenter, embedding

    def encode(self, _image: Image) -> Any:
        return self._embedding

    def predict(self, embedding: Any, prompts: Any) -> Any:
        return self._segmenter.predict(embedding, prompts)


def measure_worth(data: Path, name: str, limit: int) -> dict[str, Any]:
    """Mean IoU before and after, by strategy, error rate and kind of start; and the segmenter's ceiling."""
    segmenter = load("segmenter", name)
    ceilings: list[float] = []
    runs: dict[tuple[str, float, str], list[tuple[float, float, int]]] = {}
    for number, case in enumerate(cases(data, limit)):
        embedding = segmenter.encode(case.image)
        ready = Encoded(segmenter, embedding)
        ceilings.append(ceiling(segmenter, embedding, case))
        for start_name in STARTS:
            start = degraded(case.truth, start_name, number)
            for strategy in STRATEGIES:
                for error in ERRORS:
                    result = sculpt(case.image, box=Mask(case.truth).box, mask=start, target="the object",
                                    segmenter=ready, judge="oracle", truth=case.truth, oracle_error=error,
                                    strategy=strategy)  # fmt: skip
                    row = (case.iou(start), case.iou(result.mask.array), result.rounds)
                    runs.setdefault((strategy, error, start_name), []).append(row)
        print(f"{case.name}: ceiling {ceilings[-1]:.3f}", file=sys.stderr, flush=True)
    rows = []
    for (strategy, error, start_name), values in runs.items():
        before, after, rounds = (float(v) for v in np.mean(values, axis=0))
        rows.append({"strategy": strategy, "error": error, "start": start_name, "before": before, "after": after,
                     "rounds": rounds, "worst_loss": float(max(b - a for b, a, _ in values))})  # fmt: skip
    return {"segmenter": segmenter.name, "objects": len(ceilings), "ceiling": float(np.mean(ceilings)), "rows": rows}


def show_worth(values: dict[str, Any]) -> str:
    heads = ("strategy", "oracle errs", "start", "IoU before", "IoU after", "gain", "below ceiling", "rounds")
    rows = []
    for strategy in STRATEGIES:
        for error in ERRORS:
            own = [r for r in values["rows"] if r["strategy"] == strategy and r["error"] == error]
            everything = {k: float(np.mean([r[k] for r in own])) for k in ("before", "after", "rounds")}
            for row in (*own, {**everything, "start": "**all**"}):
                points = [100 * (row["after"] - row["before"]), 100 * (values["ceiling"] - row["after"])]
                rows.append([strategy, f"{error:.0%}", row["start"], f"{100 * row['before']:.1f}",
                             f"{100 * row['after']:.1f}", f"{points[0]:+.1f}", f"{points[1]:.1f}",
                             f"{row['rounds']:.1f}"])  # fmt: skip
    intro = (
        f"Segmenter `{values['segmenter']}` on {values['objects']} objects of the development pictures; IoU in points"
        f" of 100. Its ceiling (box, {CLICKS} perfect clicks) is {100 * values['ceiling']:.1f}. The oracle answers"
        " from the truth and errs at the rate given, at a place in all its scales at once; the loop is not told it."
    )
    return f"## Worth of the loop\n\n{intro}\n\n{table(heads, rows)}"


def scene() -> tuple[Image, Mask]:
    """A 1024x768 picture with a textured blob, and the blob."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:768, :1024]
    angle = np.arctan2(y - 400, x - 520)
    inside = np.hypot(x - 520, (y - 400) * 1.2) < 220 + 40 * np.sin(5 * angle)
    pixels = np.where(inside[..., None], (150, 90, 60), (90, 120, 70)) + rng.integers(-30, 30, (768, 1024, 3))
    return Image(cv2.GaussianBlur(np.clip(pixels, 0, 255).astype(np.uint8), (0, 0), 1.2)), Mask(inside)


class Still:
    """A segmenter of no cost: the truth with a wavy rim, another wave every time."""

    name = "still"

    def __init__(self, truth: Bools) -> None:
        self._answers = [np.roll(truth, (3 * n, -2 * n), axis=(0, 1)) for n in range(8)]
        self._calls = 0

    def encode(self, _image: Image) -> Any:
        return None

    def predict(self, _embedding: Any, prompts: Any) -> Any:
        from maskwright.values import Candidates

        self._calls += 1
        mask = self._answers[self._calls % len(self._answers)][None]
        return [Candidates(mask, np.ones(1, np.float32), np.zeros((1, 256, 256), np.float32)) for _ in prompts]


def slow_answer(request: dict[str, Any], _count: int) -> Scripted:
    time.sleep(LATENCY_S)
    return fitting_answer(request)


def fitting_answer(request: dict[str, Any]) -> Scripted:
    """Fills in the form that is asked for."""
    wanted = request["response_format"]["json_schema"]["schema"]["properties"]
    said: Any = {"missing_parts": ["left"], "over_segments": [], "boundary_quality": "soft", "key_cues": ["brown"]}
    if "cells" in wanted:
        ids = wanted["cells"]["items"]["properties"]["cell"]["enum"]
        said = {"cells": [{"cell": c, "is_target": n % 3 == 0, "conf": 0.9} for n, c in enumerate(ids)]}
    elif "anchors" in wanted:
        ids = wanted["anchors"]["items"]["properties"]["number"]["enum"]
        said = {"anchors": [{"number": n, "reason": "cut off"} for n in ids[:8]]}
    elif "is_target" in wanted:
        said = {"is_target": True, "conf": 0.9}
    elif "better" in wanted:
        said = {"better": "same"}
    return Scripted(body=completion(json.dumps(said)))


def one_round(endpoint: Endpoint, *, one_patch: bool) -> tuple[int, float]:
    """Calls and wall seconds of the first round: sheets four at a time, or single patches one after another."""
    image, truth = scene()
    vlm = EndpointVlm("vllm", model="loopback", base_url=endpoint.url, concurrency=1 if one_patch else 4)
    rounds = sculpt_rounds(image, box=truth.box, mask=truth, target="blob", segmenter=Still(truth.array), judge=vlm,
                           one_patch_per_call=one_patch, rounds=1)  # fmt: skip
    next(rounds)
    before, began = len(endpoint.requests), time.perf_counter()
    next(rounds)
    return len(endpoint.requests) - before, time.perf_counter() - began


def measure_latency() -> dict[str, Any]:
    with serve(slow_answer) as endpoint:
        sheets = one_round(endpoint, one_patch=False)
        single = one_round(endpoint, one_patch=True)
    return {"latency_s": LATENCY_S, "sheets": sheets, "single": single}


def show_latency(values: dict[str, Any]) -> str:
    (calls, seconds), (many, long) = values["sheets"], values["single"]
    rows = [("contact sheets (default)", calls, seconds), ("one patch a call, one after another", many, long),
            ("ratio", f"{many / calls:.0f}x", f"{long / seconds:.1f}x")]  # fmt: skip
    return (
        f"## Calls and latency\n\nOne round of `points` against an OpenAI-compatible server on this machine that takes"
        f" {values['latency_s'] * 1000:.0f} ms an answer, the same candidates and controls.\n\n"
        + table(("way", "calls a round", "wall seconds a round"), rows)
    )


def resident_mib() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


class Peak:
    """The most memory of this process while it is open, above what it had at the start."""

    def __enter__(self) -> Peak:
        self.start = self.most = resident_mib()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._ended.wait(0.001):
            self.most = max(self.most, resident_mib())

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def extra_mib(self) -> float:
        return self.most - self.start


class Instant:
    """A transport that answers at once: what is left is drawing the sheets and encoding the pictures."""

    def post(self, _url: str, _headers: Any, value: dict[str, Any], _timeout_s: float) -> HttpReply:
        return HttpReply(200, {}, fitting_answer(value).data)


def own_judges(truth: Mask) -> dict[str, Any]:
    vlm = EndpointVlm("vllm", model="instant", base_url="http://localhost:1/v1", concurrency=1, transport=Instant())
    return {"oracle": {"judge": "oracle", "truth": truth}, "rules": {"judge": "rules"}, "vlm": {"judge": vlm}}


def own_rounds(strategy: str, options: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """(processor, wall) milliseconds of every round of five runs."""
    image, truth = scene()
    for seed in range(5):
        rounds = sculpt_rounds(image, box=truth.box, mask=degraded(truth.array, "half-covered", seed), target="blob",
                               segmenter=Still(truth.array), seed=seed, strategy=strategy, rounds=4, stop_change=0.0,
                               **options)  # fmt: skip
        next(rounds)
        while True:
            cpu, wall = time.thread_time(), time.perf_counter()
            step = next(rounds)
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
            if step.detail["phase"] != "round":
                break
            yield 1000 * cpu, 1000 * wall


def measure_own() -> list[dict[str, Any]]:
    """Milliseconds a round and peak extra MiB, by strategy and judge."""
    found = []
    for strategy in STRATEGIES:
        for name, options in own_judges(scene()[1]).items():
            with Peak() as peak:
                times = np.array(list(own_rounds(strategy, options)))
            cpu, wall = np.median(times, axis=0)
            found.append({"strategy": strategy, "judge": name, "rounds": len(times), "cpu_ms": float(cpu),
                          "cpu_worst_ms": float(times[:, 0].max()), "wall_ms": float(wall),
                          "extra_mib": peak.extra_mib})  # fmt: skip
    return found


def show_own(values: list[dict[str, Any]]) -> str:
    rows = [
        (v["strategy"], v["judge"], v["rounds"], f"{v['cpu_ms']:.1f}", f"{v['cpu_worst_ms']:.1f}",
         f"{v['wall_ms']:.1f}", f"{v['extra_mib']:.0f}")
        for v in values
    ]  # fmt: skip
    heads = ("strategy", "judge", "rounds", "processor ms (median)", "worst", "wall ms (median)", "peak extra MiB")
    return (
        "## Own cost\n\nEverything but calls of models, a round, on a 1024x768 picture, in one thread: the segmenter"
        " costs nothing here and the endpoint (`vlm`) answers at once, so that drawing sheets and encoding pictures is"
        " counted. Memory is what the process had above its start.\n\n" + table(heads, rows)
    )


SHOW = {"worth": show_worth, "latency": show_latency, "own": show_own}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--segmenter", default="lite")
    parser.add_argument("--limit", type=int, default=22)
    parser.add_argument("--parts", default="own,latency,worth")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    kept = PAGES / "sculpt.json"
    values = json.loads(kept.read_text())["values"] if kept.exists() else {}
    for part in args.parts.split(","):
        if part == "worth":
            if args.data is None:
                sys.exit("--data is needed for the worth of the loop")
            values[part] = measure_worth(args.data, args.segmenter, args.limit)
        else:
            values[part] = measure_own() if part == "own" else measure_latency()
        print(SHOW[part](values[part]), flush=True)
    body = "\n\n".join(SHOW[part](values[part]) for part in SHOW if part in values)
    write_page("sculpt", "Sculpt", body, values)


if __name__ == "__main__":
    main()

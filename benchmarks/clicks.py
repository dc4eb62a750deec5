"""Clicks and boxes to masks: segmenter lite beside GrabCut, the random walker and the merge tree, in one run.

    python benchmarks/clicks.py --data DEV_FOLDER [--methods lite,grabcut,walker,tree] [--limit N]

Boxes are loosened by 10 %; each click falls on the centre of the largest error region. Writes docs/benchmarks/clicks.md
and .json beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from writing import provenance

from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Image, Prompt

Bools = NDArray[np.bool_]
CLICKS = (1, 3, 5, 10)
TARGET = 0.85
NAMES = ("lite", "lite, no logits handed back", "merge tree", "grabCut at 320 px", "random walker")


@dataclass(frozen=True, eq=False)
class Case:
    """One object: its picture, truth, and pixels that do not count."""

    name: str
    source: str
    image: Image
    truth: Bools
    ignore: Bools | None = None


@dataclass
class Outcome:
    """One method on one object: IoU by number of clicks, IoU of the box, seconds by stage."""

    clicks: list[float] = field(default_factory=list)
    box: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def timed(self, stage: str, call: Callable[[], Any]) -> Any:
        """The call's value; its processor time is noted."""
        start = time.process_time()
        value = call()
        self.seconds.setdefault(stage, []).append(time.process_time() - start)
        return value


def cases(folder: Path) -> Iterator[Case]:
    """The object masks of a development folder."""
    opened: dict[str, Image] = {}
    for item in json.loads((folder / "manifest.json").read_text())["items"]:
        if item["kind"] not in ("object_mask", "character_mask"):
            continue
        if item["image"] not in opened:
            opened = {item["image"]: Image(cv2.imread(str(folder / item["image"]))[..., ::-1])}
        truth = cv2.imread(str(folder / item["mask"]), cv2.IMREAD_GRAYSCALE) > 127
        ignore = item.get("ignore_mask")
        band = cv2.imread(str(folder / ignore), cv2.IMREAD_GRAYSCALE) > 127 if ignore else None
        yield Case(item["id"], item["id"].split("_")[0], opened[item["image"]], truth, band)


def iou(mask: Bools, case: Case) -> float:
    """Intersection over union outside the ignored band."""
    counted = slice(None) if case.ignore is None else ~case.ignore
    a, b = mask[counted], case.truth[counted]
    return float((a & b).sum() / max(1, (a | b).sum()))


def next_click(mask: Bools, case: Case) -> tuple[float, float, int] | None:
    """The centre of the largest error region and whether it lies inside the object."""
    wrong = mask != case.truth
    if case.ignore is not None:
        wrong &= ~case.ignore
    best: tuple[int, Bools, int] | None = None
    for label, region in ((1, wrong & case.truth), (0, wrong & ~case.truth)):
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=4)
        if count > 1:
            k = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
            area = int(stats[k, cv2.CC_STAT_AREA])
            if best is None or area > best[0]:
                best = area, pieces == k, label
    if best is None:
        return None
    far = cv2.distanceTransform(np.pad(best[1].astype(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(far)), far.shape)
    return float(x), float(y), best[2]


def loose_box(truth: Bools) -> tuple[float, float, float, float]:
    """The truth's box, 10 % larger."""
    ys, xs = np.nonzero(truth)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    dx, dy = (x1 - x0) * 0.05, (y1 - y0) * 0.05
    return max(0.0, x0 - dx), max(0.0, y0 - dy), min(truth.shape[1], x1 + dx), min(truth.shape[0], y1 + dy)


Ask = Callable[[Outcome, Prompt, Any], tuple[Bools, Any]]
"""(outcome to note times in, prompt, what the last answer left) -> (mask, what to hand to the next)."""


def simulated(case: Case, open_picture: Callable[[Outcome, Image], Ask], most: int = 10) -> Outcome:
    """The outcome of one method on one object."""
    outcome = Outcome()
    ask = open_picture(outcome, case.image)
    mask, _ = ask(outcome, Prompt(box=loose_box(case.truth)), None)
    outcome.box = iou(mask, case)
    mask, left = np.zeros_like(case.truth), None
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    for _ in range(most):
        click = next_click(mask, case)
        if click is not None:
            points.append(click[:2])
            labels.append(click[2])
            mask, left = ask(outcome, Prompt(points, labels), left)
        outcome.clicks.append(iou(mask, case))
    return outcome


def lite(segmenter: LiteSegmenter, feed_back: bool = True) -> Callable[[Outcome, Image], Ask]:
    """The embedded segmenter as a method; `feed_back`: earlier logits are handed back."""

    def open_picture(outcome: Outcome, image: Image) -> Ask:
        embedding = outcome.timed("encode", lambda: segmenter.encode(image))

        def ask(outcome: Outcome, prompt: Prompt, left: Any) -> tuple[Bools, Any]:
            full = Prompt(prompt.points, prompt.labels, prompt.box, left if feed_back else None)
            [found] = outcome.timed("prompt", lambda: segmenter.predict(embedding, [full]))
            return found.masks[0], None if found.logits is None else found.logits[0]

        return ask

    return open_picture


def grabcut(outcome: Outcome, image: Image) -> Ask:
    """OpenCV's GrabCut, five rounds on the picture at 320 pixels (at full size it takes four times as long); a click
    is a small disc, and what lies near a click inside may be inside."""
    scale = 320 / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    small = Image(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA))

    def solve(prompt: Prompt) -> Bools:
        box = None if prompt.box is None else [v * scale for v in prompt.box]
        cut = _cut(small, Prompt(prompt.points * scale, prompt.labels, box))
        return cv2.resize(cut.astype(np.float32), image.size, interpolation=cv2.INTER_LINEAR) > 0.5

    def ask(outcome: Outcome, prompt: Prompt, left: Any) -> tuple[Bools, Any]:
        return outcome.timed("prompt", lambda: solve(prompt)), None

    return ask


def _cut(image: Image, prompt: Prompt) -> Bools:
    height, width = image.height, image.width
    marks = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box.clip(width, height).pixels()
        marks[:] = cv2.GC_BGD
        marks[y0:y1, x0:x1] = cv2.GC_PR_FGD
    radius = max(3, round(0.012 * max(height, width)))
    for (x, y), label in zip(prompt.points, prompt.labels):
        if label and prompt.box is None:
            soft = np.zeros_like(marks)
            cv2.circle(soft, (int(x), int(y)), radius * 8, 1, -1)
            marks[(soft > 0) & (marks == cv2.GC_PR_BGD)] = cv2.GC_PR_FGD
    for (x, y), label in zip(prompt.points, prompt.labels):
        cv2.circle(marks, (int(x), int(y)), radius, int(cv2.GC_FGD if label else cv2.GC_BGD), -1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.setRNGSeed(1)
        cv2.grabCut(np.ascontiguousarray(image.pixels[..., ::-1]), marks, None, *models, 5, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return marks == cv2.GC_FGD
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)


def walker(outcome: Outcome, image: Image) -> Ask:
    """scikit-image's random walker at 160 pixels; without clicks outside, the border of the picture is outside."""
    from skimage.segmentation import random_walker

    scale = 160 / max(image.size)
    small = cv2.resize(image.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

    def solve(prompt: Prompt) -> Bools:
        marks = np.zeros(small.shape[:2], np.int32)
        if prompt.box is not None:
            x0, y0, x1, y1 = (round(v * scale) for v in prompt.box)
            marks[:] = 2
            marks[y0:y1, x0:x1] = 0
            marks[(2 * y0 + y1) // 3 : (y0 + 2 * y1) // 3 + 1, (2 * x0 + x1) // 3 : (x0 + 2 * x1) // 3 + 1] = 1
        elif not (prompt.labels == 0).any():
            marks[[0, -1], :] = 2
            marks[:, [0, -1]] = 2
        for (x, y), label in zip(prompt.points, prompt.labels):
            cv2.circle(marks, (int(x * scale), int(y * scale)), 2, 1 if label else 2, -1)
        if not (marks == 1).any() or not (marks == 2).any():
            return np.zeros(image.pixels.shape[:2], bool)
        chance = random_walker(small, marks, beta=130, mode="cg_j", channel_axis=-1, return_full_prob=True, tol=1e-3)
        return cv2.resize(chance[0].astype(np.float32), image.size) > 0.5

    def ask(outcome: Outcome, prompt: Prompt, left: Any) -> tuple[Bools, Any]:
        return outcome.timed("prompt", lambda: solve(prompt)), None

    return ask


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Mean IoU by prompt, clicks to 85 %, and milliseconds of a stage."""
    curves = np.array([o.clicks for o in outcomes])
    needed = [next((k + 1 for k, v in enumerate(c) if v >= TARGET), len(c)) for c in curves.tolist()]
    row = {"objects": float(len(outcomes)), "box": float(np.mean([o.box for o in outcomes]))}
    row |= {f"clicks_{k}": float(curves[:, k - 1].mean()) for k in CLICKS}
    row |= {"noc85": float(np.mean(needed)), "worse_share": float((np.diff(curves, axis=1) < -0.02).mean())}
    for stage in sorted({s for o in outcomes for s in o.seconds}):
        row[f"{stage}_ms"] = 1000 * float(np.median([t for o in outcomes for t in o.seconds.get(stage, [])]))
    return row


def same_on_threads(folder: Path, weights: Path | None) -> bool:
    """Whether one and two threads give the same bytes on one picture of the folder."""
    case = next(cases(folder))
    answers = []
    for threads in (1, 2):
        segmenter = LiteSegmenter(threads=threads, weights=weights)
        [found] = segmenter.predict(segmenter.encode(case.image), [Prompt(box=loose_box(case.truth))])
        answers.append(found.masks.tobytes() + found.scores.tobytes() + np.asarray(found.logits).tobytes())
    return answers[0] == answers[1]


def methods(names: Sequence[str], weights: Path | None) -> dict[str, Callable[[Outcome, Image], Ask]]:
    """The methods asked for, by name."""
    from tree_clicks import tree_method

    segmenter = LiteSegmenter(weights=weights)
    table = {
        "lite": lite(segmenter),
        "lite, no logits handed back": lite(segmenter, feed_back=False),
        "merge tree": tree_method(segmenter),
        "grabCut at 320 px": grabcut,
        "random walker": walker,
    }
    return {name: table[name] for name in names or table}


def table_of(rows: dict[str, dict[str, float]]) -> str:
    """A Markdown table."""
    columns = ["objects", "box", *(f"clicks_{k}" for k in CLICKS), "noc85", "worse_share", "encode_ms", "prompt_ms"]
    titles = ["objects", "box", *(f"{k} clicks" for k in CLICKS), "NoC@85", "cost > .02", "encode ms", "click ms"]
    if any("commit" in row for row in rows.values()):
        columns, titles = [*columns, "commit"], [*titles, "commit"]
    lines = ["| method | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for name, row in rows.items():
        cells = [_cell(c, row.get(c)) for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(column: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if column == "objects" or column.endswith("_ms"):
        return f"{value:.0f}"
    return f"{value:.1%}" if column == "worse_share" else f"{value:.2f}" if column == "noc85" else f"{value:.3f}"


def written(out: Path, result: dict[str, Any]) -> None:
    """The JSON and the page."""
    out.mkdir(parents=True, exist_ok=True)
    if (out / "clicks.json").exists():
        earlier = json.loads((out / "clicks.json").read_text())
        result["all"] |= {name: row for name, row in earlier["all"].items() if name not in result["all"]}
        for part in ("by_source", "same_on_threads"):
            result[part] = result.get(part) or earlier.get(part)
    result["all"] = {name: result["all"][name] for name in NAMES if name in result["all"]}
    (out / "clicks.json").write_text(json.dumps(result, indent=1) + "\n")
    by_source = ["", "## `lite` by source", "", table_of(result["by_source"])] if result.get("by_source") else []
    parts = [
        "# Clicks and boxes", "",
        f"`python benchmarks/clicks.py --data DEV`, {result['machine']}, {result['date']}, commit {result['commit']}.",
        "Mean IoU at full size; boxes 10 % larger than the object, each click at the centre of the largest error.",
        "Times: processor milliseconds, median, one thread; a click of `lite` includes closer look and finish.",
        "\"cost > .02\": share of further clicks that lower the IoU by more than 0.02. Each row says at which commit",
        "it was measured; a run replaces the rows of the methods it is asked for.",
        "", table_of(result["all"]), *by_source, "",
        f"Same bytes on one and two threads: {'yes' if result.get('same_on_threads') else 'no'}.", "",
    ]  # fmt: skip
    (out / "clicks.md").write_text("\n".join(parts))


def main() -> None:
    """Runs the methods over the folder and writes the page."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--data", type=Path, required=True)
    ask.add_argument("--methods", default="")
    ask.add_argument("--limit", type=int, default=0)
    ask.add_argument("--weights", type=Path)
    ask.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "benchmarks")
    a = ask.parse_args()
    cv2.setNumThreads(1)
    asked = [name for name in a.methods.split(",") if name]
    chosen = methods(asked, a.weights)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in chosen}
    sources: list[str] = []
    for case in list(cases(a.data))[: a.limit or None]:
        sources.append(case.source)
        for name, open_picture in chosen.items():
            outcomes[name].append(simulated(case, open_picture))
        print(
            case.name,
            {n: f"{o[-1].box:.2f} " + " ".join(f"{v:.2f}" for v in o[-1].clicks) for n, o in outcomes.items()},
            flush=True,
        )
    first = outcomes[next(iter(outcomes))]
    by_source = {s: summary([o for o, t in zip(first, sources) if t == s]) for s in dict.fromkeys(sources)}
    here = provenance()
    rows = {n: summary(o) | {"commit": here["commit"]} for n, o in outcomes.items()}
    result: dict[str, Any] = {**here, "all": rows}
    if "lite" in outcomes:
        result |= {"by_source": by_source, "same_on_threads": same_on_threads(a.data, a.weights)}
    print(table_of(rows))
    print(table_of(by_source))
    if not a.limit and not a.weights:
        written(a.out, result)


if __name__ == "__main__":
    main()

"""Speed and exactness of masks and measures: IoU matrices, run lengths, boundary F, bootstrap.

    python benchmarks/metrics.py [--davis PATH/davis2017/metrics.py]

Times are the best of several runs by the clock. The IoU matrix uses all cores, everything else one.
With --davis the boundary F is compared with that file's own; the tests compare it with recorded values.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from writing import table, write_page  # noqa: E402

from maskwright.bench.metrics import boundary_f  # noqa: E402
from maskwright.bench.uncertainty import bootstrap_mean  # noqa: E402
from maskwright.values import MaskStack, rle  # noqa: E402

HEIGHT, WIDTH, COUNT = 480, 640, 200


def blobs(count: int, seed: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Ellipses with ragged edges, as proposals have them: (count, 480, 640) bool."""
    rng = np.random.default_rng(seed)
    out = np.zeros((count, HEIGHT, WIDTH), dtype=bool)
    for mask in out:
        canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
        for _ in range(rng.integers(1, 4)):
            centre = (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)))
            axes = (int(rng.integers(10, 160)), int(rng.integers(10, 120)))
            cv2.ellipse(canvas, centre, axes, float(rng.integers(180)), 0, 360, 1, -1)
        noise = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH)).astype(np.float32), (0, 0), 4)
        mask[:] = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 6) + 2 * noise > 0.5
    return out


def best_ms(call: Callable[[], Any], times: int = 7) -> tuple[float, Any]:
    """(best milliseconds by the clock, the call's value)."""
    best, value = float("inf"), None
    for _ in range(times):
        began = time.perf_counter()
        value = call()
        best = min(best, time.perf_counter() - began)
    return best * 1e3, value


def overlaps(first: Any, second: Any) -> list[list[Any]]:
    a, b = MaskStack.of(first), MaskStack.of(second)
    ours, found = best_ms(lambda: a.iou(b))
    rows = [["IoU matrix, 200 x 200 masks of 640x480", ours, "< 50", ""]]
    ours, texts = best_ms(lambda: [rle.encode(mask) for mask in first], 3)
    encoding = [["run-length encode 200 masks", ours, "<= pycocotools", ""]]
    for name, module in (("pycocotools", "pycocotools.mask"), ("faster-coco-eval", "faster_coco_eval.core.mask")):
        try:
            coco = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        theirs, away = _their_overlaps(coco, first, second, found)
        rows.append([f"the same by {name}, from its run lengths", theirs, "", f"difference {away:g}"])
        theirs, same = _their_texts(coco, first, [text["counts"] for text in texts])
        encoding.append([f"the same by {name}, from the same bool masks", theirs, "", f"same text: {same}"])
    return rows + encoding


def _their_overlaps(coco: Any, first: Any, second: Any, ours: Any) -> tuple[float, float]:
    left, right = (coco.encode(np.asfortranarray(m.transpose(1, 2, 0).astype(np.uint8))) for m in (first, second))
    ms, found = best_ms(lambda: coco.iou(left, right, [0] * len(right)))
    return ms, float(abs(found - ours).max())


def _their_texts(coco: Any, masks: Any, ours: list[str]) -> tuple[float, bool]:
    ms, codes = best_ms(lambda: [coco.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks], 3)
    return ms, ours == [_text(code["counts"]) for code in codes]


def _text(counts: str | bytes) -> str:
    return counts.decode() if isinstance(counts, bytes) else counts


def boundaries(masks: Any, davis: str | None) -> list[list[Any]]:
    cv2.setNumThreads(1)
    pairs = list(zip(masks[:40], np.roll(masks[:40], (3, 5), (1, 2))))
    ours = max(best_ms(lambda pair=pair: boundary_f(*pair))[0] for pair in pairs)
    rows = [["boundary F, slowest of 40 pairs of 640x480", ours, "< 4", ""]]
    if davis:
        module = _module(davis)
        away = max(abs(boundary_f(a, b) - float(module.f_measure(a, b))) for a, b in pairs)
        theirs = max(best_ms(lambda pair=pair: module.f_measure(*pair), 3)[0] for pair in pairs)
        rows.append(["the same by davis2017-evaluation", theirs, "", f"difference {away:g}"])
    return rows


def _module(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("davis_metrics", Path(path))
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["davis_metrics"] = module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


def resampling() -> list[list[Any]]:
    values = np.random.default_rng(0).random(1000)
    names = [str(i // 2) for i in range(1000)]
    rows = []
    for title, clusters in (("", None), (" in 500 clusters", names)):
        ms, _ = best_ms(lambda clusters=clusters: bootstrap_mean(values, clusters, resamples=2000))
        rows.append([f"bootstrap of 1 000 samples{title}, B = 2000", ms, "< 300", ""])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--davis", help="metrics.py of davis2017-evaluation, to compare with")
    args = parser.parse_args()
    first, second = blobs(COUNT, 0), blobs(COUNT, 1)
    rows = [*overlaps(first, second), *boundaries(first, args.davis), *resampling()]
    heads = ["what", "ms", "goal", "check"]
    values = [dict(zip(("what", "ms", "goal", "check"), row)) for row in rows]
    body = table(heads, rows)
    print(body)
    print(write_page("metrics", "Masks and measures", body, values))


if __name__ == "__main__":
    main()

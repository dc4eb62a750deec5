"""From rows to the numbers of a report: one JSON value, the same whenever the results are the same.

Timings and memory, which never repeat, are kept apart under "timings".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.bench.metrics import summarise
from maskwright.bench.rows import Results, Row, clusters, ious
from maskwright.bench.uncertainty import Interval, bootstrap_difference, bootstrap_mean, bootstrap_ratio, paired_tests
from maskwright.values import Cost

BINS = 10
SAME = 0.02
"""IoU differences below this count as unchanged among the cases."""

CASES = 8


def summarise_run(results: Results) -> dict[str, Any]:
    """The whole report as JSON."""
    experiment = results.experiment
    clean = experiment.conditions[0]
    names = [v.name for v in experiment.variants]
    return {
        "title": experiment.title,
        "data": {"name": results.about["name"], "about": results.about["about"]},
        "samples": len(results.about["samples"]),
        "pictures": len({s["cluster"] for s in results.about["samples"]}),
        "missing": results.missing,
        "failed": sum(row.status == "failed" for row in results.rows),
        "first_failure": next((row.more.get("error") for row in results.rows if row.status == "failed"), None),
        "degraded": sum("degraded" in row.more for row in results.rows),
        "resamples": experiment.resamples,
        "seed": experiment.seed,
        "conditions": list(experiment.conditions),
        "variants": {v.name: v.model_dump(mode="json", exclude_none=True) for v in experiment.variants},
        "table": {name: _measures(results, results.of(name, clean)) for name in names},
        "comparisons": [compare(results, names[0], name, clean) for name in names[1:]],
        "sizes": _sizes(results, names, clean),
        "kinds": _kinds(results, names, clean),
        "reliability": _reliability(results, names),
        "calibration": {name: calibration(results.of(name, clean)) for name in names},
        "oracle": _oracle(results, clean),
        "effort": {name: _effort(results.of(name, clean)) for name in names},
        "cases": cases(results, names[0], names[-1], clean) if len(names) > 1 else {},
        "timings": {name: _timings(results.of(name, clean)) for name in names},
    }


# -- quality


def _measures(results: Results, rows: Sequence[Row]) -> dict[str, Any]:
    """Each measure with its interval where it is a mean or a ratio of sums."""
    if not rows:
        return {}
    some = [r for r in rows if not r.none_such]
    none = [r for r in rows if r.none_such]
    found: dict[str, Any] = {
        "gIoU": _mean(results, rows, ious(rows)),
        "mIoU": _mean(results, some, ious(some)),
        "cIoU": _overall(results, rows),
        "boundary F": _mean(results, some if results.experiment.boundary else [], _each(some, "boundary")),
        "N-acc": _mean(results, none, np.array([float(r.overlap.answer == 0) for r in none])),
        "false abstention": _mean(results, some, np.array([float(r.status == "abstained") for r in some])),
    }
    plain = summarise([r.overlap for r in rows])
    found |= {
        key: _mean(results, some, (ious(some) > float(key[2:])).astype(np.float64)) for key in plain if key[:2] == "P@"
    }
    for key in ("S", "E", "wF", "MAE"):
        if any(key in r.more for r in rows):
            found[key] = _mean(results, rows, _each(rows, key))
    return {key: value for key, value in found.items() if value is not None}


def _each(rows: Sequence[Row], key: str) -> NDArray[np.float64]:
    """A measure of every row; the worst there is where a failure left none."""
    return np.array([r.more.get(key, 1.0 if key == "MAE" else 0.0) for r in rows], dtype=np.float64)


def _mean(results: Results, rows: Sequence[Row], values: Any) -> dict[str, Any] | None:
    if not len(rows):
        return None
    settings = results.experiment
    return bootstrap_mean(values, clusters(rows), resamples=settings.resamples, seed=settings.seed).to_json()


def _overall(results: Results, rows: Sequence[Row]) -> dict[str, Any] | None:
    tops = np.array([r.overlap.inter for r in rows], dtype=np.float64)
    bottoms = np.array([r.overlap.union for r in rows], dtype=np.float64)
    if not bottoms.sum():
        return None
    settings = results.experiment
    return bootstrap_ratio(tops, bottoms, clusters(rows), resamples=settings.resamples, seed=settings.seed).to_json()


def compare(results: Results, a: str, b: str, condition: str = "clean") -> dict[str, Any]:
    """How much better b is than a, over the same samples."""
    left, right = results.pairs(a, b, condition)
    return {"a": a, "b": b, **compare_rows(left, right, results.experiment.resamples, results.experiment.seed)}


def compare_rows(left: Sequence[Row], right: Sequence[Row], resamples: int, seed: int) -> dict[str, Any]:
    """Paired difference of IoU (1 for a right abstention) and of hits at 0.5, with tests."""
    if not left:
        return {"n": 0}
    a, b = ious(left), ious(right)
    names = clusters(left)
    hits: Interval = bootstrap_difference(
        (a > 0.5).astype(np.float64), (b > 0.5).astype(np.float64), names, resamples=resamples, seed=seed
    )
    return {
        "n": len(left),
        "iou": bootstrap_difference(a, b, names, resamples=resamples, seed=seed).to_json(),
        "hits": hits.to_json(),
        **paired_tests(a, b).to_json(),
    }


# -- groups


def _sizes(results: Results, names: Sequence[str], condition: str) -> dict[str, Any]:
    """mIoU by the share of the picture that the target covers, and paired gains over the first variant."""
    edges = (0.0, *results.experiment.size_edges, 1.0)
    labels = ("small", "medium", "large") if len(edges) == 4 else tuple(f"size {i + 1}" for i in range(len(edges) - 1))
    found: dict[str, Any] = {"edges": list(results.experiment.size_edges), "groups": {}, "gains": {}}
    for label, low, high in zip(labels, edges, edges[1:]):
        some = {name: [r for r in results.of(name, condition) if _is_of(r, low, high)] for name in names}
        found["groups"][label] = {name: _mean(results, rows, ious(rows)) for name, rows in some.items()}
        found["gains"][label] = {name: _gain(results, some[names[0]], some[name]) for name in names[1:]}
    return found


def _is_of(row: Row, low: float, high: float) -> bool:
    return not row.none_such and low <= row.share and (row.share < high or high == 1.0)


def _gain(results: Results, left: Sequence[Row], right: Sequence[Row]) -> dict[str, Any] | None:
    there = {r.sample: r for r in right}
    pairs = [(r, there[r.sample]) for r in left if r.sample in there]
    if not pairs:
        return None
    settings = results.experiment
    a, b = ious([l for l, _ in pairs]), ious([r for _, r in pairs])
    names = clusters([l for l, _ in pairs])
    return bootstrap_difference(a, b, names, resamples=settings.resamples, seed=settings.seed).to_json()


def _kinds(results: Results, names: Sequence[str], condition: str) -> dict[str, Any]:
    kinds = sorted({tag for row in results.rows for tag in row.tags})
    found: dict[str, Any] = {}
    for kind in kinds:
        rows = {name: [r for r in results.of(name, condition) if kind in r.tags] for name in names}
        found[kind] = {name: _mean(results, some, ious(some)) for name, some in rows.items()}
    return found


def _reliability(results: Results, names: Sequence[str]) -> dict[str, Any]:
    """IoU under each condition and its drop relative to the first condition."""
    conditions = results.experiment.conditions
    found: dict[str, Any] = {}
    for name in names if len(conditions) > 1 else ():
        base = results.of(name, conditions[0])
        if not base:
            continue
        level = float(ious(base).mean())
        found[name] = {}
        for condition in conditions:
            rows = results.of(name, condition)
            value = _mean(results, rows, ious(rows))
            if value is not None:
                drop = (level - value["value"]) / level if level else 0.0
                found[name][condition] = {**value, "relative drop": drop}
    return found


def _oracle(results: Results, condition: str) -> list[dict[str, Any]]:
    """Gain over the first variant against the judge's error, where there are variants with an oracle."""
    first = results.experiment.variants[0].name
    found = []
    for variant in results.experiment.variants:
        if variant.oracle_error is not None:
            found.append({"error": variant.oracle_error, **compare(results, first, variant.name, condition)})
    return sorted(found, key=lambda point: float(point["error"]))


def calibration(rows: Sequence[Row]) -> dict[str, Any]:
    """Confidence against being right (IoU above 0.5, or rightly silent), in ten bins; ece is the expected error."""
    bins = []
    total = 0.0
    for i in range(BINS):
        low, high = i / BINS, (i + 1) / BINS
        some = [r for r in rows if r.overlap.answer and low <= r.score < (high + (i == BINS - 1))]
        if some:
            conf, right = float(np.mean([r.score for r in some])), float(np.mean([r.iou > 0.5 for r in some]))
            bins.append({"low": low, "high": high, "n": len(some), "conf": conf, "right": right})
            total += len(some) * abs(conf - right)
    answered = sum(b["n"] for b in bins)
    return {"bins": bins, "ece": total / answered if answered else None}


# -- effort and time


def _effort(rows: Sequence[Row]) -> dict[str, Any]:
    """Mean rounds, questions, tokens and money: the same in every run."""
    if not rows:
        return {}
    cost = sum((r.cost for r in rows), Cost())
    return {
        "rounds": float(np.mean([r.rounds for r in rows])),
        "questions": cost.calls.get("vlm", 0) / len(rows),
        "tokens_in": cost.tokens_in / len(rows),
        "tokens_out": cost.tokens_out / len(rows),
        "usd": cost.usd / len(rows),
    }


def _timings(rows: Sequence[Row]) -> dict[str, Any]:
    """Seconds, memory, and calls of models: these depend on what was still in the caches."""
    if not rows:
        return {}
    cost = sum((r.cost for r in rows), Cost())
    pictures = len({r.cluster for r in rows})
    total = sum(r.wall_s for r in rows)
    return {
        "total_s": total,
        "per_phrase_s": total / len(rows),
        "per_picture_s": total / pictures,
        "stages_s": {stage: s / len(rows) for stage, s in sorted(cost.seconds.items())},
        "calls": {role: n / len(rows) for role, n in sorted(cost.calls.items())},
        "peak_mib": max(r.peak_mib for r in rows),
        "peak_device_mib": max((r.more.get("peak_device_mib", 0.0) for r in rows), default=0.0) or None,
    }


# -- cases


def cases(results: Results, a: str, b: str, condition: str = "clean", *, most: int = CASES) -> dict[str, Any]:
    """Samples worth a look: where b gained most over a, lost most, did not change, and where it abstained."""
    left, right = results.pairs(a, b, condition)
    gains = [(r.iou - l.iou, l, r) for l, r in zip(left, right)]
    gains.sort(key=lambda g: (-g[0], g[1].sample))
    groups = {
        "improved": [g for g in gains if g[0] > SAME][:most],
        "degraded": [g for g in reversed(gains) if g[0] < -SAME][:most],
        "unchanged": [g for g in gains if abs(g[0]) <= SAME and g[2].status == "done"][:most],
        "abstained": [g for g in gains if g[2].status == "abstained"][:most],
    }
    shown = {kind: [_case(gain, l, r) for gain, l, r in found] for kind, found in groups.items()}
    return {"a": a, "b": b, "condition": condition, "groups": shown}


def _case(gain: float, left: Row, right: Row) -> dict[str, Any]:
    return {
        "sample": left.sample,
        "phrase": left.phrase,
        "gain": gain,
        "a_iou": left.iou,
        "b_iou": right.iou,
        "none_such": left.none_such,
        "reason": right.reason,
    }

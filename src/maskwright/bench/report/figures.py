"""The figures of a report, each from the numbers of summary.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskwright.bench.report.plots import Axis, Chart, grouped_bars
from maskwright.bench.rows import Results, ious


def iou_distribution(results: Results, names: list[str], condition: str) -> str:
    """Share of samples with at least each IoU: higher and further right is better."""
    chart = Chart(Axis(0, 1, "IoU"), Axis(0, 1, "samples", percent=True), "Samples with at least this IoU")
    chart.legend = names
    levels = np.linspace(0, 1, 101)
    for i, name in enumerate(names):
        values = ious(results.of(name, condition))
        if len(values):
            chart.line([(float(t), float((values >= t - 1e-12).mean())) for t in levels], i)
    return chart.svg()


def sizes(report: dict[str, Any]) -> str:
    """Quality by the size of what is sought."""
    groups = report["sizes"]["groups"]
    labels = [f"{label} (n {_n(found)})" for label, found in groups.items()]
    series = {name: [found[name] for found in groups.values()] for name in report["variants"]}
    return grouped_bars("mIoU by size of the target", labels, series, "mIoU")


def kinds(report: dict[str, Any]) -> str:
    """Quality by kind of phrase."""
    groups = report["kinds"]
    if not groups:
        return ""
    labels = [f"{label} ({_n(found)})" for label, found in groups.items()]
    series = {name: [found[name] for found in groups.values()] for name in report["variants"]}
    return grouped_bars("IoU by kind of phrase", labels, series, "IoU")


def gain_by_size(report: dict[str, Any]) -> str:
    """How much each variant gains over the first, by size, in pairs."""
    gains = report["sizes"]["gains"]
    first, *others = report["variants"]
    series = {name: [found[name] for found in gains.values()] for name in others}
    return grouped_bars(f"Gain over {first} by size", list(gains), series, "mIoU gained", 1) if others else ""


def reliability(report: dict[str, Any]) -> str:
    """IoU under each condition, the variants side by side."""
    found = report["reliability"]
    if not found:
        return ""
    series = {name: [rows.get(c) for c in report["conditions"]] for name, rows in found.items()}
    return grouped_bars("IoU under disturbance", report["conditions"], series, "IoU")


def cost_against_quality(report: dict[str, Any]) -> str:
    """Seconds a phrase against IoU; nothing in a report without timings."""
    points = []
    for name, timing in report.get("timings", {}).items():
        if timing and report["table"].get(name):
            points.append((name, timing["per_phrase_s"], report["table"][name]["gIoU"]))
    if len(points) < 2:
        return ""
    most = max(seconds for _, seconds, _ in points)
    low = min(v["low"] for _, _, v in points)
    high = max(v["high"] for _, _, v in points)
    chart = Chart(Axis(0, most * 1.15, "seconds a phrase"), Axis(low, high, "IoU"), "Cost against quality")
    for i, (name, seconds, value) in enumerate(points):
        chart.whisker(seconds, value["low"], value["high"])
        chart.dot(seconds, value["value"], i, radius=5, note=f"{name}: {value['value']:.3f} at {seconds:.2f} s")
        chart.label(seconds, value["value"], name)
    return chart.svg()


def calibration(report: dict[str, Any]) -> str:
    """Stated confidence against how often it was right; on the diagonal it means what it says."""
    chart = Chart(
        Axis(0, 1, "stated confidence", percent=True), Axis(0, 1, "right", percent=True), "Is the confidence honest?"
    )
    chart.parts.append(_diagonal(chart))
    chart.legend = list(report["calibration"])
    for i, (name, found) in enumerate(report["calibration"].items()):
        chart.line([(b["conf"], b["right"]) for b in found["bins"]], i)
        for b in found["bins"]:
            chart.dot(b["conf"], b["right"], i, radius=2 + min(5, b["n"] ** 0.5 / 3), note=f"{name}: n {b['n']}")
    return chart.svg()


def _diagonal(chart: Chart) -> str:
    (x0, y0), (x1, y1) = chart.at(0, 0), chart.at(1, 1)
    return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" class="grid" stroke-dasharray="4 4"/>'


def oracle_curve(report: dict[str, Any]) -> str:
    """Gain over the first variant against how often the judge errs."""
    points = [p for p in report["oracle"] if p["n"]]
    if len(points) < 2:
        return ""
    low = min(0.0, *(p["iou"]["low"] for p in points))
    high = max(p["iou"]["high"] for p in points)
    most = max(p["error"] for p in points)
    chart = Chart(
        Axis(0, most * 1.08, "the judge's error", percent=True), Axis(low, high, "IoU gained"), "Gain against error"
    )
    chart.line([(p["error"], p["iou"]["value"]) for p in points], 0)
    for p in points:
        chart.whisker(p["error"], p["iou"]["low"], p["iou"]["high"])
        chart.dot(p["error"], p["iou"]["value"], 0, note=f"{p['iou']['value']:+.3f} at {p['error']:.0%}")
    return chart.svg()


def _n(found: dict[str, Any]) -> int:
    return max((v["n"] for v in found.values() if v), default=0)

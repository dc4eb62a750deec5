"""Finished and unfinished runs, read without touching them: list, show, what to export, differences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maskwright.errors import InputError, MaskwrightError
from maskwright.media.exports import LabelledMask
from maskwright.media.images import open_mask
from maskwright.plumbing.files import read_json
from maskwright.plumbing.store import is_url, shown
from maskwright.runs.batch import JOBS, SUMMARY, read_about
from maskwright.runs.items import MASK, RESULT
from maskwright.runs.mirror import ABOUT, at_hand, run_urls


def list_runs(folder: str | Path) -> list[dict[str, Any]]:
    """Every run in or directly below a folder or URL: path, kind, when, items, counts."""
    if is_url(folder):
        return [row for url in run_urls(str(folder)) for row in _listed_there(url)]
    folder = Path(folder)
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())] if folder.is_dir() else []
    found = []
    for place in places:
        if (place / ABOUT).is_file():
            try:
                about = read_about(place)
            except InputError:
                about = {"kind": "damaged"}
            row = {"path": str(place), "kind": about.get("kind"), "began": about.get("began")}
            found.append({**row, "items": about.get("items"), **_counts(place)})
    return found


def _listed_there(url: str) -> list[dict[str, Any]]:
    with at_hand(url, RESULT) as here:
        return [{**row, "path": shown(url)} for row in list_runs(here)]


def show_run(folder: str | Path) -> dict[str, Any]:
    """About a run, its summary if it ended, its counts now, and what failed."""
    with at_hand(folder, RESULT) as here:
        about, counts = read_about(here), _counts(here)
        summary = read_json(here / SUMMARY) if (here / SUMMARY).is_file() else None
        failures = [{"id": r["id"], "error": r.get("error")} for r in results(here) if r["status"] == "failed"]
    return {"path": shown(str(folder)), "about": about, "summary": summary, "counts": counts, "failures": failures}


def results(folder: str | Path) -> Iterator[dict[str, Any]]:
    """result.json of every item that has one, in the order of the batch; damaged ones are left out."""
    folder = Path(folder)
    for id_ in _ids(folder):
        try:
            value = read_json(folder / "items" / id_ / RESULT)
        except MaskwrightError:
            continue
        if isinstance(value, dict) and "status" in value and "id" in value:
            yield value


def labelled(folder: str | Path) -> Iterator[LabelledMask]:
    """The masks of a run for media.exports.export, in the order of the batch."""
    with at_hand(folder, RESULT, MASK) as here:
        for row in results(here):
            if row["status"] != "done" or not row.get("mask"):
                continue
            if "image" not in row:
                raise InputError(f"{folder} keeps no pictures' names: it is no batch.", "Export a batch's folder.")
            mask = open_mask(here / "items" / row["id"] / row["mask"])
            yield LabelledMask(row["id"], row["image"], mask, row.get("label") or "object", row.get("score"))


def compare(first: str | Path, second: str | Path) -> dict[str, Any]:
    """What differs between two runs: settings, items only in one, and items whose status or mask differ (with IoU)."""
    with at_hand(first, RESULT, MASK) as one, at_hand(second, RESULT, MASK) as two:
        return _compared(one, two)


def _compared(one: Path, two: Path) -> dict[str, Any]:
    about = read_about(one), read_about(two)
    rows = {r["id"]: r for r in results(one)}, {r["id"]: r for r in results(two)}
    both = [id_ for id_ in rows[0] if id_ in rows[1]]
    changed = [c for id_ in both if (c := _change(one, two, rows[0][id_], rows[1][id_])) is not None]
    return {
        "settings": _differences(about[0].get("settings"), about[1].get("settings")),
        "only_first": [id_ for id_ in rows[0] if id_ not in rows[1]],
        "only_second": [id_ for id_ in rows[1] if id_ not in rows[0]],
        "same": len(both) - len(changed),
        "changed": changed,
    }


def _change(one: Path, two: Path, a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any] | None:
    ious = None
    if a.get("mask") and b.get("mask"):
        masks = [open_mask(folder / "items" / row["id"] / row["mask"]) for folder, row in ((one, a), (two, b))]
        if masks[0].size != masks[1].size:
            ious = 0.0
        elif masks[0] != masks[1]:
            ious = masks[0].iou(masks[1])
    if a["status"] == b["status"] and ious is None:
        return None
    return {"id": a["id"], "first": a["status"], "second": b["status"], "iou": ious}


def _differences(a: Any, b: Any, place: str = "") -> dict[str, list[Any]]:
    """Dotted name -> [first, second] of every leaf that differs."""
    if isinstance(a, dict) and isinstance(b, dict):
        found: dict[str, list[Any]] = {}
        for key in sorted({*a, *b}):
            found |= _differences(a.get(key), b.get(key), f"{place}.{key}" if place else key)
        return found
    return {} if a == b else {place: [a, b]}


def _ids(folder: Path) -> list[str]:
    """The items' ids in the order of the batch (of their names where there is no batch)."""
    jobs = folder / JOBS
    if jobs.is_file():
        try:
            return [json.loads(line)["id"] for line in jobs.read_text(encoding="utf-8").splitlines()]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{jobs} is damaged.", "Run the batch again with its original input.") from error
    items = folder / "items"
    return sorted(p.name for p in items.iterdir() if not p.name.startswith(".")) if items.is_dir() else []


def _counts(folder: Path) -> dict[str, int]:
    return dict(Counter(row["status"] for row in results(folder)))

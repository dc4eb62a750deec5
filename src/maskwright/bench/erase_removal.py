"""Real removals, where no truth is known: what stayed outside, flicker, and whether the thing is still seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.bench.erase_cases import Bools, Frame
from maskwright.bench.metrics.video import flows, psnr, warping_error
from maskwright.config.erase import EraseSettings
from maskwright.erasing.candidates import find_candidates, with_candidates
from maskwright.erasing.job import Find
from maskwright.erasing.preparing import Mapped, described_frames, grown, mended
from maskwright.errors import InputError, MaskwrightError
from maskwright.media.images import open_mask
from maskwright.media.videos import open_clip, picture_files
from maskwright.plumbing.files import read_json
from maskwright.runs.folder import safe_id
from maskwright.values import Image

LOOKS = 5
"""Frames in which the phrase is looked for, before and after."""
HELD = 0.5
"""What is found counts as the object when so much of it lies in the object's mask, or covers so much of it."""


def flicker(frames: Sequence[Frame], masks: Sequence[Bools]) -> float:
    """Flow-warping error inside the masks on the clip's own motion; two frames are in memory at a time."""
    total = count = 0.0
    for index in range(len(frames) - 1):
        pair, motion = [frames[index], frames[index + 1]], flows([frames[index], frames[index + 1]])
        held = float(np.count_nonzero(motion[0][1] & masks[index]))
        total, count = total + held * warping_error(pair, [masks[index]], motion), count + held
    return total / count if count else 0.0


def outside(before: Sequence[Frame], after: Sequence[Frame], wide: Sequence[Bools]) -> dict[str, float]:
    """Values beyond the (grown, feathered) masks that differ, and PSNR there (99: equal)."""
    changed, levels = 0, []
    for index in range(len(after)):
        kept = ~wide[index]
        changed += int(np.count_nonzero((before[index] != after[index])[kept]))
        levels.append(min(psnr(after[index], before[index], kept), 99.0) if kept.any() else 99.0)
    return {"values_changed": changed, "psnr": round(float(np.mean(levels)), 3)}


def residue(
    before: Sequence[Frame], after: Sequence[Frame], masks: Sequence[Bools], phrase: str, find: Find
) -> dict[str, Any]:
    """In how many of a few frames `find` sees the object by its phrase where it is (was): `seen_before`, `seen_after`
    of `looked`, and `share`, the part of the sights that is left (None when it was not seen before either)."""
    held = [i for i in range(len(after)) if masks[i].any()]
    places = [held[i] for i in described_frames([0.0] * len(held), "multi", min(LOOKS, len(held)))] if held else []
    first, second = (sum(_seen(clip[i], masks[i], phrase, find) for i in places) for clip in (before, after))
    share = round(second / first, 4) if first else None
    return {"looked": len(places), "seen_before": first, "seen_after": second, "share": share}


def _seen(frame: Frame, mask: Bools, phrase: str, find: Find) -> bool:
    found, _ = find(Image(np.ascontiguousarray(frame)), phrase)
    if found is None or not found.area:
        return False
    common = float(np.count_nonzero(found.array & mask))
    return common >= HELD * found.area and common >= 0.1 * float(mask.sum())


def bench_removals(out: str | Path, *, phrase: str | None = None, find: Find | None = None) -> dict[str, Any]:
    """A row for each finished clip of an erase run. `phrase`: what was removed, where masks were given; without words
    or `find` the residue is skipped, and the row says so. Raises InputError."""
    out = Path(out)
    about = read_json(out / "run.json")
    if not isinstance(about, dict) or about.get("kind") != "erase":
        raise InputError(f"{out} holds no erase run.", "Give the folder that -o named.")
    rows = []
    for spec in about["settings"]["clips"]:
        item = out / "items" / safe_id(str(spec["name"]))
        if not (item / "output" / "report.json").exists():
            rows.append({"clip": spec["name"], "error": "not finished"})
            continue
        try:
            rows.append({"clip": spec["name"], **_removal(spec, item, spec.get("phrase") or phrase, find)})
        except MaskwrightError as error:
            rows.append({"clip": spec["name"], "error": error.message})
    return {"protocol": "removal", "rows": rows}


def _removal(spec: dict[str, Any], item: Path, phrase: str | None, find: Find | None) -> dict[str, Any]:
    report = read_json(item / "output" / "report.json")
    settings = EraseSettings.model_validate(report["settings"])
    beside = [kind for kind, told in report.get("shadows", {}).items() if isinstance(told, dict) and told.get("erased")]
    files = picture_files(item / "masks")
    raw = Mapped(len(files), lambda i: open_mask(files[i]).array, keep=2 * settings.union + 3)
    kept = "keep" if spec.get("damaged") else "refuse"
    rate = spec.get("rate") if Path(spec["video"]).is_dir() else None
    with (
        open_clip(spec["video"], rate=rate, damaged=kept) as clip,  # type: ignore[arg-type]
        open_clip(item / "refine" / "final.mkv", trusted=True) as final,
    ):
        if beside:  # shadows that were erased with the object
            raw = with_candidates(raw, find_candidates(clip.frames, raw), beside)
        inner = mended(raw, union=settings.union, dilate=settings.dilate)
        wide = Mapped(len(files), lambda i: grown(inner[i], settings.feather))
        row: dict[str, Any] = {"frames": len(final), "outside": outside(clip.frames, final.frames, wide)}
        row["flicker"] = round(flicker(final.frames, inner), 7)
        if phrase is None or find is None:
            row["residue_skipped"] = "no words for what was removed: give --phrase"
        else:
            row["residue"] = residue(clip.frames, final.frames, inner, phrase, find)
        return row

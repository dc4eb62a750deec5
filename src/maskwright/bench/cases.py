"""Picture grids of single cases: first variant | last variant | truth, with the phrase and IoU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.bench.conditions import apply_condition
from maskwright.bench.rows import Results
from maskwright.bench.running import item_name
from maskwright.bench.samples import Dataset, Sample
from maskwright.media.images import open_mask, save_image
from maskwright.media.pictures import overlay, side_by_side
from maskwright.values import Image, Mask

KINDS = ("improved", "degraded", "unchanged", "abstained")
HEIGHT_PX = 240


@dataclass(frozen=True, eq=False)
class Case:
    """One case as a picture; `file` lies in the run folder."""

    kind: str
    phrase: str
    caption: str
    file: Path
    image: Image


def draw_cases(results: Results, dataset: Dataset, report: dict[str, Any]) -> Iterator[Case]:
    """Writes cases/<kind>-<n>.jpg and gives them in order."""
    found = report.get("cases") or {}
    samples = {sample.id: sample for sample in dataset.samples}
    for old in (results.folder / "cases").glob("*.jpg"):
        old.unlink()
    for kind in KINDS:
        for number, case in enumerate(found.get("groups", {}).get(kind, []), 1):
            sample = samples.get(case["sample"])
            if sample is None:
                continue
            image = _panel(results, sample, found)
            path = save_image(results.folder / "cases" / f"{kind}-{number:02d}.jpg", image, quality=85)
            yield Case(kind, case["phrase"], _caption(case, found), path, image)


def _panel(results: Results, sample: Sample, found: dict[str, Any]) -> Image:
    image = sample.open_image()
    seed = results.experiment.seed
    shown, _ = apply_condition(found["condition"], image, sample.phrase, seed=seed, sample=sample.id)
    truth = sample.open_truth()
    masks = [_answer(results, sample.id, found[which], found["condition"]) for which in ("a", "b")]
    pictures = [_marked(shown, mask) for mask in (*masks, truth)]
    return side_by_side(
        pictures, [found["a"], found["b"], "truth" if truth else "truth: no such thing"], height=HEIGHT_PX
    )


def _answer(results: Results, sample: str, variant: str, condition: str) -> Mask | None:
    path = results.folder / "items" / item_name(sample, variant, condition) / "mask.png"
    return open_mask(path) if path.exists() else None


def _marked(image: Image, mask: Mask | None) -> Image:
    return overlay(image, mask) if mask else image


def _caption(case: dict[str, Any], found: dict[str, Any]) -> str:
    return (
        f"{found['a']} {case['a_iou']:.2f} → {found['b']} {case['b_iou']:.2f} ({case['gain']:+.2f}); {case['reason']}"
    )

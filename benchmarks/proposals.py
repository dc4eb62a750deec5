"""How many objects the proposals of `lite` hold: python benchmarks/proposals.py --data DEV_FOLDER

Writes docs/benchmarks/proposals.md and .json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from clicks import cases
from writing import provenance

from maskwright.models.proposers.lite import LiteProposer
from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Proposals


def measured(folder: Path, proposer: LiteProposer) -> list[dict[str, Any]]:
    """One row an object: the best IoU of all proposals and of each source, its place in the order, seconds."""
    rows: list[dict[str, Any]] = []
    shown: tuple[str, Proposals, float] | None = None
    for case in cases(folder):
        if shown is None or shown[0] != case.image.sha256:
            start = time.process_time()
            shown = case.image.sha256, proposer.propose(case.image), time.process_time() - start
        found = shown[1]
        shared = (found.masks & case.truth).sum((1, 2)) / np.maximum((found.masks | case.truth).sum((1, 2)), 1)
        sources = np.array(found.sources)
        row: dict[str, Any] = {"name": case.name, "source": case.source, "best": float(shared.max(initial=0))}
        for source in ("network", "merge tree"):
            row[source] = float(shared[sources == source].max(initial=0))
        rows.append(row | {"count": len(found), "seconds": shown[2]})
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Recall at 0.5 and 0.75, mean best IoU, proposals and seconds a picture."""
    best = np.array([r["best"] for r in rows])
    out = {
        "objects": float(len(rows)),
        "recall_50": float((best >= 0.5).mean()),
        "recall_75": float((best >= 0.75).mean()),
    }
    out["mean_best"] = float(best.mean())
    for source in ("network", "merge tree"):
        out[f"{source} recall_50"] = float(np.mean([r[source] >= 0.5 for r in rows]))
    return out | {k: float(np.mean([r[k] for r in rows])) for k in ("count", "seconds")}


def page(result: dict[str, Any]) -> str:
    """The Markdown page."""
    rows = result["rows"]
    columns = list(next(iter(rows.values())))
    lines = [
        "| source | " + " | ".join(c.replace("_", " @.") for c in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, row in rows.items():
        lines.append(
            f"| {name} | "
            + " | ".join(f"{row[c]:.0f}" if c in ("objects", "count") else f"{row[c]:.2f}" for c in columns)
            + " |"
        )
    head = f"`python benchmarks/proposals.py --data DEV`, {result['machine']}, {result['date']}, commit {result['commit']}."
    return "\n".join(
        ["# Proposals of `lite`", "", head, "Share of objects with a proposal of at least that IoU.", "", *lines, ""]
    )


def main() -> None:
    """Measures and writes the page."""
    ask = argparse.ArgumentParser()
    ask.add_argument("--data", type=Path, required=True)
    ask.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs" / "benchmarks")
    a = ask.parse_args()
    cv2.setNumThreads(1)
    rows = measured(a.data, LiteProposer(LiteSegmenter()))
    groups = {"all": rows} | {
        s: [r for r in rows if r["source"] == s] for s in dict.fromkeys(r["source"] for r in rows)
    }
    result = {**provenance(), "rows": {name: summary(group) for name, group in groups.items()}}
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / "proposals.json").write_text(json.dumps(result, indent=1) + "\n")
    (a.out / "proposals.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()

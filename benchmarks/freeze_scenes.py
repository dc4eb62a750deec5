"""Writes src/maskwright/bench/frozen: the first scenes of the generator as files, so that a change of it is noticed.

python benchmarks/freeze_scenes.py
"""

from __future__ import annotations

import json
from pathlib import Path

from maskwright.bench.datasets import open_dataset
from maskwright.media.images import save_image
from maskwright.plumbing.files import write_text

FOLDER = Path(__file__).resolve().parents[1] / "src" / "maskwright" / "bench" / "frozen"
SCENES = 4


def main() -> None:
    rows = []
    for sample in open_dataset("sample", None, str(SCENES)).samples:
        save_image(FOLDER / f"{sample.cluster}.png", sample.open_image())
        truth = sample.open_truth()
        rows.append(
            {
                "id": sample.id,
                "image": f"{sample.cluster}.png",
                "phrase": sample.phrase,
                "mask": None if truth is None else truth.to_rle(),
                "tags": list(sample.tags),
            }
        )
    write_text(FOLDER / "phrases.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    print(f"{len(rows)} phrases on {SCENES} scenes in {FOLDER}")


if __name__ == "__main__":
    main()

"""Results of a run, read back as rows, and kept as Parquet and NumPy files for other programs."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.bench.experiment import read_experiment
from maskwright.bench.metrics import Overlap
from maskwright.bench.running import RESULT, item_name
from maskwright.config.bench import Experiment
from maskwright.errors import InputError
from maskwright.plumbing.files import atomic_path, read_json, write_bytes
from maskwright.runs.folder import safe_id
from maskwright.values import Cost


@dataclass(frozen=True)
class Row:
    """One answer of one variant. iou is 1 for a right abstention."""

    sample: str
    variant: str
    condition: str
    cluster: str
    phrase: str
    tags: tuple[str, ...]
    none_such: bool
    status: str
    reason: str
    score: float
    rounds: int
    overlap: Overlap
    iou: float
    share: float
    """Of the picture that the truth covers; NaN where it could not be read."""
    cost: Cost
    wall_s: float
    peak_mib: float
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The folder of its files."""
        return item_name(self.sample, self.variant, self.condition)


@dataclass(frozen=True)
class Results:
    """Everything a run has so far. `missing` counts answers that are still wanted."""

    folder: Path
    experiment: Experiment
    about: dict[str, Any]
    rows: tuple[Row, ...]
    missing: int

    def of(self, variant: str, condition: str = "clean") -> list[Row]:
        """The rows of one variant in the data set's order."""
        return [row for row in self.rows if row.variant == variant and row.condition == condition]

    def pairs(self, a: str, b: str, condition: str = "clean") -> tuple[list[Row], list[Row]]:
        """The rows of two variants over the samples that both have."""
        left, right = ({r.sample: r for r in self.of(v, condition)} for v in (a, b))
        shared = [name for name in left if name in right]
        return [left[name] for name in shared], [right[name] for name in shared]


def read_results(folder: str | Path) -> Results:
    """The results in a run folder; raises InputError when it is none, or holds nothing yet."""
    folder = Path(folder)
    if not (folder / "experiment.toml").exists() or not (folder / "dataset.json").exists():
        raise InputError(f"{folder} is not the folder of a bench run.", "Give one that holds experiment.toml.")
    experiment, about = read_experiment(folder / "experiment.toml"), read_json(folder / "dataset.json")
    rows = []
    wanted = 0
    for condition in experiment.conditions:
        for variant in experiment.variants:
            for sample in about["samples"]:
                wanted += 1
                path = folder / "items" / item_name(sample["id"], variant.name, condition) / RESULT
                value = read_json(path) if path.exists() else None
                if isinstance(value, dict) and _is_of(value, sample["id"], variant.name, condition):
                    rows.append(_row(value))
    if not rows:
        raise InputError(f"{folder} holds no results yet.", "Run it: maskwright bench run experiment.toml -o FOLDER")
    return Results(folder, experiment, about, tuple(rows), wanted - len(rows))


def _is_of(value: dict[str, Any], sample: str, variant: str, condition: str) -> bool:
    return (value.get("sample"), value.get("variant"), value.get("condition")) == (sample, variant, condition)


def _row(value: dict[str, Any]) -> Row:
    overlap = Overlap(value["inter"], value["union"], value["truth_px"], value["answer_px"])
    known = ("boundary", "S", "E", "wF", "MAE", "first_conf", "first_gap", "error", "degraded", "peak_device_mib")
    return Row(
        sample=value["sample"],
        variant=value["variant"],
        condition=value["condition"],
        cluster=value["cluster"],
        phrase=value["phrase"],
        tags=tuple(value["tags"]),
        none_such=value["none_such"],
        status=value["status"],
        reason=value["reason"],
        score=float(value["score"]),
        rounds=int(value["rounds"]),
        overlap=overlap,
        iou=float(value["iou"]),
        share=value["truth_px"] / value["image_px"] if value["image_px"] else math.nan,
        cost=Cost.from_json(value.get("cost", {})),
        wall_s=float(value.get("wall_s", 0.0)),
        peak_mib=float(value.get("peak_mib", 0.0)),
        more={k: value[k] for k in known if value.get(k) not in (None, [])},
    )


def ious(rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array([row.iou for row in rows], dtype=np.float64)


def clusters(rows: Sequence[Row]) -> list[str]:
    return [row.cluster for row in rows]


# -- files for other programs


def write_tables(results: Results) -> list[Path]:
    """samples.parquet (samples.jsonl where pyarrow is not installed), and ious/<variant>[--<condition>].npy: a value
    for each sample of the data set, NaN for what is not done yet."""
    written = [_write_rows(results)]
    for condition in results.experiment.conditions:
        for variant in results.experiment.variants:
            found = {row.sample: row.iou for row in results.of(variant.name, condition)}
            values = [found.get(sample["id"], math.nan) for sample in results.about["samples"]]
            name = variant.name if condition == "clean" else f"{variant.name}--{condition}"
            stream = io.BytesIO()
            np.save(stream, np.array(values, dtype=np.float64))
            path = results.folder / "ious" / f"{safe_id(name)}.npy"
            write_bytes(path, stream.getvalue())
            written.append(path)
    return written


def _write_rows(results: Results) -> Path:
    flat = [_flat(row) for row in results.rows]
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError:
        path = results.folder / "samples.jsonl"
        write_bytes(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in flat).encode())
        return path
    path = results.folder / "samples.parquet"
    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.Table.from_pylist(flat), temporary)
    return path


def _flat(row: Row) -> dict[str, Any]:
    return {
        "sample": row.sample,
        "variant": row.variant,
        "condition": row.condition,
        "cluster": row.cluster,
        "phrase": row.phrase,
        "tags": list(row.tags),
        "none_such": row.none_such,
        "status": row.status,
        "reason": row.reason,
        "score": row.score,
        "rounds": row.rounds,
        "iou": row.iou,
        "inter": row.overlap.inter,
        "union": row.overlap.union,
        "truth_px": row.overlap.truth,
        "answer_px": row.overlap.answer,
        "share": row.share,
        **{key: row.more.get(key) for key in ("boundary", "S", "E", "wF", "MAE", "error")},
        "tokens_in": row.cost.tokens_in,
        "tokens_out": row.cost.tokens_out,
        "usd": row.cost.usd,
        "wall_s": row.wall_s,
    }

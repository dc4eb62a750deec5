"""From a data set's name to its samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from maskwright.bench.datasets.camouflage import open_camouflage
from maskwright.bench.datasets.drawn import open_drawn
from maskwright.bench.datasets.listed import open_listed
from maskwright.bench.datasets.refcoco_m import open_refcoco_m
from maskwright.bench.datasets.refer import FILES, open_refer
from maskwright.bench.samples import Dataset
from maskwright.errors import InputError

Opener = Callable[[str | None, str | None], Dataset]

DATASETS: Mapping[str, Opener] = {
    "sample": open_drawn,
    "listed": open_listed,
    "refcoco-m": open_refcoco_m,
    **{name: partial(open_refer, name) for name in FILES},
    "camouflage": open_camouflage,
}
"""Name -> how it is opened, given where it lies (None: its usual place) and which split."""


def open_dataset(name: str, root: str | None = None, split: str | None = None) -> Dataset:
    """The data set; raises InputError for an unknown name, MissingData saying what to fetch."""
    if name not in DATASETS:
        raise InputError(f"there is no data set {name!r}.", f"Choose one of: {', '.join(DATASETS)}.")
    if name == "sample" and root is not None:
        raise InputError("the sample set is drawn, it lies nowhere.", "Leave out --data, or give --dataset listed.")
    if name == "listed" and split is not None:
        raise InputError("a listed data set has no splits.", "Leave out --split, or list what you want in a file.")
    return DATASETS[name](root, split)

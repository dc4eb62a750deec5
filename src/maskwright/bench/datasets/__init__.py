"""Data sets: each from where people have it on disk, none downloaded without being asked for."""

from maskwright.bench.datasets.opening import DATASETS, open_dataset

__all__ = ["DATASETS", "open_dataset"]

"""Settings of a bench experiment: one TOML file says everything that was measured."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from pydantic import Field, field_validator

from maskwright.config.find import FindMode
from maskwright.config.frozen import Frozen


class DataSettings(Frozen):
    """What is measured on."""

    name: str = "sample"
    root: str | None = None
    split: str | None = None
    n: int | None = Field(default=None, ge=1)


class Variant(Frozen):
    """One way of finding, under a name of its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._=+,-]{0,79}$")
    mode: FindMode = "one-shot"
    max_iter: int = Field(3, ge=1, le=20)
    segmenter: str = "lite"
    ranker: str = "lite"
    proposers: tuple[str, ...] = ("lite",)
    vlm: str | None = None
    oracle_error: float | None = Field(default=None, ge=0, le=1)
    """Asks a judge that knows the truth and errs this often, instead of a vlm."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Further settings of find."""

    @field_validator("settings")
    @classmethod
    def _own_fields(cls, value: dict[str, Any]) -> dict[str, Any]:
        own = sorted({"mode", "max_iter", "proposers"} & set(value))
        if own:
            raise ValueError(f"write {own[0]} beside settings, not in it")
        odd = sorted(name for name, one in value.items() if isinstance(one, float) and not math.isfinite(one))
        if odd:
            raise ValueError(f"{odd[0]} is no number")
        return value


class Price(Frozen):
    """US dollars for a million tokens."""

    tokens_in: float = Field(default=0.0, ge=0)
    tokens_out: float = Field(default=0.0, ge=0)


class Experiment(Frozen):
    """Variants x conditions over the samples of one data set."""

    title: str = "find"
    data: DataSettings = DataSettings()
    variants: tuple[Variant, ...] = Field(min_length=1)
    conditions: tuple[str, ...] = Field(("clean",), min_length=1)
    """clean, noise-10, blur-5, jpeg-30, ...; see maskwright bench reliability --help."""
    seed: int = Field(0, ge=0)
    resamples: int = Field(2000, ge=100, le=100_000)
    size_edges: tuple[float, ...] = (0.02, 0.1)
    """Borders between small, medium and large, as shares of the picture's area."""
    prices: dict[str, Price] = Field(default_factory=dict)
    """Engine name -> price; used where the engine itself reports no money."""
    boundary: bool = True
    share_sessions: bool = False
    """Let variants with the same engines share what was made of a picture: much quicker, but then seconds and calls
    are those of whoever came first."""
    keep_traces: bool = True

    @field_validator("conditions")
    @classmethod
    def _once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a condition is named twice")
        return value

    @field_validator("size_edges")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        edges = (0.0, *value, 1.0)
        if not all(low < high for low, high in pairwise(edges)):
            raise ValueError("give shares between 0 and 1, each larger than the one before")
        return value

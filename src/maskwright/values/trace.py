"""The record of a loop: rounds, costs, and the trace that is written to disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from maskwright.errors import InputError
from maskwright.values.mask import Mask

TRACE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent: calls by role ("segmenter", "ranker", "vlm", ...), tokens, money, seconds by stage."""

    calls: Mapping[str, int] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            calls=_sum(self.calls, other.calls),
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            usd=self.usd + other.usd,
            seconds=_sum(self.seconds, other.seconds),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "calls": dict(self.calls),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "usd": self.usd,
            "seconds": dict(self.seconds),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Cost:
        return cls(
            calls=dict(value.get("calls", {})),
            tokens_in=int(value.get("tokens_in", 0)),
            tokens_out=int(value.get("tokens_out", 0)),
            usd=float(value.get("usd", 0.0)),
            seconds=dict(value.get("seconds", {})),
        )


def _sum(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in {**a, **b}}


@dataclass(frozen=True)
class Round:
    """One turn of a loop. `detail` is JSON-able and holds everything a reader needs to understand it;
    `stop` says why the loop ended here, or is None when it goes on."""

    index: int
    mask: Mask | None
    score: float | None = None
    change: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    stop: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "mask": None if self.mask is None else self.mask.to_rle(),
            "score": self.score,
            "change": self.change,
            "detail": dict(self.detail),
            "cost": self.cost.to_json(),
            "stop": self.stop,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Round:
        mask = value.get("mask")
        return cls(
            index=int(value["index"]),
            mask=None if mask is None else Mask.from_rle(mask),
            score=value.get("score"),
            change=value.get("change"),
            detail=dict(value.get("detail", {})),
            cost=Cost.from_json(value.get("cost", {})),
            stop=value.get("stop"),
        )


@dataclass(frozen=True)
class Trace:
    """The whole record of one task: which picture, which engines and settings, every round, the result."""

    task: str
    image_sha256: str
    size: tuple[int, int]
    engines: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    rounds: tuple[Round, ...] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    version: int = TRACE_VERSION

    def add(self, round_: Round) -> Trace:
        return replace(self, rounds=(*self.rounds, round_))

    @property
    def cost(self) -> Cost:
        return sum((r.cost for r in self.rounds), Cost())

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "task": self.task,
            "image_sha256": self.image_sha256,
            "size": list(self.size),
            "engines": dict(self.engines),
            "settings": dict(self.settings),
            "rounds": [r.to_json() for r in self.rounds],
            "result": dict(self.result),
            "cost": self.cost.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | str) -> Trace:
        """A Trace from its JSON; raises InputError when it is of another version or shape."""
        try:
            data: Mapping[str, Any] = json.loads(value) if isinstance(value, str) else value
            if data["version"] != TRACE_VERSION:
                raise InputError(
                    f"the trace is of version {data['version']}, this maskwright reads {TRACE_VERSION}.",
                    "Make it again, or read it with the maskwright that wrote it.",
                )
            width, height = data["size"]
            return cls(
                task=data["task"],
                image_sha256=data["image_sha256"],
                size=(int(width), int(height)),
                engines=dict(data["engines"]),
                settings=dict(data["settings"]),
                rounds=tuple(Round.from_json(r) for r in data["rounds"]),
                result=dict(data["result"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"not a maskwright trace ({error!r}).", "Give a trace.json that maskwright wrote."
            ) from error

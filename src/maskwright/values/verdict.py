"""What a judge says, or that it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement about one id: `is_target` with `confidence` 0..1, by `engine`."""

    id: str
    is_target: bool
    confidence: float
    engine: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Abstain:
    """No judgement, and why: a value that is counted and shown, never a default number."""

    reason: str
    engine: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

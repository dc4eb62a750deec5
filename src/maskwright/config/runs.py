"""Settings of batches and runs."""

from __future__ import annotations

from pydantic import Field

from maskwright.config.frozen import Frozen


class RunsSettings(Frozen):
    """How many things happen at once, and what may be spent. None means no limit."""

    workers: int = Field(0, ge=0, le=256)
    """Processes; 0: one for every two cores, or one alone where a vision-language model is asked."""
    in_flight: int = Field(0, ge=0, le=256)
    """Items in hand at once in each process; 0: three, or what the vision-language model takes."""
    tries: int = Field(2, ge=1, le=5)
    """How often an item is begun when the process that works on it dies."""
    strict: bool = False
    """A fallback is a failure."""
    cache: str | None = None
    """SQLite file of answers of vision-language models, shared by runs."""
    cache_mib: int = Field(512, ge=1)
    per_minute: float | None = Field(None, gt=0)
    """Questions a minute."""
    max_calls: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    max_usd: float | None = Field(None, gt=0)
    max_seconds: float | None = Field(None, gt=0)
    item_calls: int | None = Field(None, ge=1)
    item_usd: float | None = Field(None, gt=0)
    item_seconds: float | None = Field(None, gt=0)
    overlays: bool = True
    """Write overlay.png beside each mask."""

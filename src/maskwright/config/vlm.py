"""Settings of vision-language engines."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AskSettings(BaseModel):
    """How questions leave: the chain of engines (first to last), limits and the shared cache of answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engines: tuple[str, ...] = Field((), description="names of vlms, asked in this order when one is down")
    per_minute: float | None = Field(None, gt=0)
    cache: str | None = Field(None, description="SQLite file of answers, shared by runs; None: no cache")
    cache_bytes: int = Field(512 * 2**20, ge=0)
    calls: int | None = Field(None, ge=1)
    tokens: int | None = Field(None, ge=1)
    usd: float | None = Field(None, gt=0)
    seconds: float | None = Field(None, gt=0)

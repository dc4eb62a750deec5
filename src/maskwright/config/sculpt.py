"""Settings of sculpt."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SculptSettings(BaseModel):
    """How a mask is refined. Lengths are shares of the box (diagonal) or of the ROI (short side) unless named _px."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Literal["points", "anchors"] = "points"
    rounds: int = Field(6, ge=1, le=50)
    seed: int = 0
    grow: float = Field(0.2, ge=0, le=2, description="the ROI is the box grown by this share of itself")

    per_sampler: int = Field(30, ge=20, le=40, description="candidates of each of the three samplers")
    max_candidates: int = Field(30, ge=4, le=120)
    apart: float = Field(0.06, gt=0, le=0.5, description="least distance of candidates, of the box diagonal")
    scales: tuple[float, ...] = Field((0.08, 0.12, 0.18), min_length=1, max_length=4)
    min_patch_px: int = Field(32, ge=8)
    flips: bool = False
    jitter: bool = Field(False, description="+-10 % brightness and contrast")
    controls: int = Field(20, ge=4, le=64)
    fusion: float = Field(0.7, ge=0, le=1, description="weight of the judge beside the ranker")
    t_pos_low: float = 0.55
    t_pos_high: float = 0.70
    t_neg: float = 0.45
    points_most: int = Field(8, ge=1)
    one_patch_per_call: bool = False
    sheet_cells: int = Field(16, ge=1, le=25)
    sheets_per_call: int = Field(2, ge=1, le=4)
    reasks: int = Field(4, ge=0, description="missing cells asked again alone, a round")

    anchors: int | Literal["auto"] = "auto"
    anchors_per_round: int = Field(8, ge=1, le=32)
    ratio: float = Field(0.6, gt=0, le=2, description="side of an anchor's square, of the ROI's short side")
    narrow: float = Field(0.6, gt=0, le=1, description="each later round's squares are so much smaller")
    cells: Literal[2, 4] = 4
    on_silence: Literal["skip", "first-anchor"] = "skip"

    vlm_max_side: int = Field(720, ge=64, le=4096)
    cues: str = Field("", max_length=2000)
    prompts: str | None = Field(None, description="a folder whose *.md replace the built-in prompts")
    stop_change: float = 0.005
    stop_boundary: float = 0.003
    oscillation: float = 0.005
    max_calls: int | None = Field(None, ge=1, description="vlm calls in all")
    max_seconds: float | None = Field(None, gt=0)
    max_usd: float | None = Field(None, gt=0)
    oracle_error: float = Field(0.0, ge=0, le=0.5, description="how often the oracle errs (tests and measuring)")
    per_minute: float | None = Field(None, gt=0, description="questions a minute")
    cache: str | None = Field(None, description="SQLite file of answers, shared by runs")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.t_pos_low > self.t_pos_high or self.t_neg >= self.t_pos_low:
            raise ValueError("t_neg < t_pos_low <= t_pos_high must hold")
        if isinstance(self.anchors, int) and not 1 <= self.anchors <= 64:
            raise ValueError("anchors must be auto or 1 to 64")
        return self

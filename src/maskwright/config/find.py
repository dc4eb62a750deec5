"""Settings of find."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FindMode = Literal["one-shot", "loop", "loop+vlm", "loop+text"]
SURE, SURE_UNASKED = 0.9, 0.97
"""Confidence from which an answer is accepted: alone, and where a model could be asked, which mends more than a closer
look does."""


class FindSettings(BaseModel):
    """How a phrase is found. Thresholds are probabilities 0..1; sides are pixels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: FindMode = "loop"
    """one-shot: rank once. loop: look closer once, and again with other words while unsure. loop+vlm: ask a model that
    sees the candidates. loop+text: ask a model that sees only scores and positions."""
    all: bool = False
    """Every instance instead of the best one."""
    max_iter: int = Field(3, ge=1, le=20)
    tau_conf: float | None = Field(None, ge=0, le=1)
    """Sure from this confidence on (by default 0.9, and 0.97 where a model can be asked) ..."""
    tau_gap: float = Field(0.4, ge=0, le=1)
    """... when the runner-up is at least this much behind."""
    tau_none: float = Field(0.5, ge=0, le=1)
    """Below this confidence the answer is: no such thing."""
    tau_all: float = Field(0.05, ge=0, le=1)
    """Where several are asked for: an instance needs this confidence ..."""
    share_all: float = Field(0.3, ge=0, le=1)
    """... and this share of the best one's; a third of both where the phrase says how many there are."""
    distinct_iou: float = Field(0.7, gt=0, le=1)
    """Proposals that overlap more than this are the same thing."""
    top_k: int = Field(5, ge=2, le=12)
    """Candidates shown to the vision-language model."""
    agreement: int = Field(2, ge=1, le=5)
    """Votes a candidate needs where a model is asked; the look's own best has one already."""
    original_share: float = Field(0.5, ge=0, le=1)
    """What the phrase as it was asked keeps of the score when it is rewritten."""
    proposers: tuple[str, ...] = ("lite",)
    cap: int = Field(150, ge=1, le=1000)
    """Most proposals kept of one look."""
    min_area_share: float = Field(0.0004, ge=0, le=1)
    """Smaller regions are dust."""
    max_area_share: float = Field(0.95, gt=0, le=1)
    work_side: int = Field(1280, ge=64, le=8192)
    """Larger pictures are searched at this longer side; the answer is given at full size."""
    finer_regions: int = Field(1, ge=0, le=9)
    """Places looked at closer in one round without a model to ask."""
    finer_side: int = Field(640, ge=64, le=4096)
    """A closer look is enlarged to at least this longer side."""
    prompts: str | None = None
    """A folder whose choose.md, describe.md and confirm.md replace ours."""
    redraw: bool = True
    """Draw the answer's outline anew with the segmenter, told its box."""
    sculpt: bool = False
    """Hand the winner to sculpt."""

    @property
    def sure_from(self) -> float:
        """The confidence from which nothing more is done."""
        if self.tau_conf is not None:
            return self.tau_conf
        return SURE_UNASKED if self.mode in ("loop+vlm", "loop+text") else SURE

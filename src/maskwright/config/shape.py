"""Settings of cut, parts, edit and lift."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ShapeSettings(BaseModel):
    """How masks become cut-outs, parts, edits and meshes. Widths are pixels, sizes metres."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    matte: bool = True
    """A soft edge; else the plain mask."""
    band_px: int | None = Field(None, ge=1, le=200)
    """Half width of the band whose alpha is solved; unset: by the picture's size."""
    frame: Literal["full", "tight", "square"] = "full"
    pad_px: int = Field(0, ge=0, le=4096)
    complete_garments: bool = True
    """Paint garments behind small things that cover them, with their own cloth."""
    edit_feather_px: float = Field(2.0, ge=0, le=64)
    """Soft border, inside the mask, of pictures that an endpoint or a diffusion model drew."""
    edit_align: bool = True
    """Bring such pictures back into place before they are laid in."""
    faces: int = Field(40_000, ge=200, le=2_000_000)
    height_m: float | None = Field(None, gt=0, le=10_000)
    """Height of the mesh; unset: one metre in its longer side."""
    largest_only: bool = False
    """Keep only the largest connected piece of a mesh."""
    mesh_mib: float = Field(600, gt=0)
    """A mesh that would need more memory is refused."""
    preview_frames: int = Field(48, ge=2, le=720)
    preview_side: int = Field(480, ge=64, le=2048)

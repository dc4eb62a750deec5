"""Settings of erase."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from maskwright.config.frozen import Frozen

Align = Literal["refuse", "repeat-last", "crop"]
Shadows = Literal["off", "show", "erase", "judge"]
FrameStrategy = Literal["best", "middle", "multi"]


class EraseSettings(Frozen):
    """How something is removed from a clip. Lengths are pixels of the clip, unless they say frames."""

    dilate: int = Field(4, ge=0, le=128)
    """The mask grows by this much, so that the object's soft edge goes too."""
    union: int = Field(1, ge=0, le=12)
    """Each mask also holds its neighbours' of so many frames, so that a mask lost for a moment does no harm."""
    feather: int = Field(3, ge=0, le=64)
    """Over so many pixels outside the mask the fill fades into the clip."""
    align: Align = "refuse"
    """Another number of masks than of frames: an error, or the last one repeated, or the surplus dropped."""
    downscale: tuple[int, int] | None = None
    """Width and height of the coarse fill; none: the clip's own."""
    coarse: str = "lite"
    """The filler of phase 1."""
    filler: str | None = None
    """The filler of phase 3; none: the one under models.filler, with its options."""
    inpainter: str | None = None
    """What paints the anchor frame; none: the one under models.inpainter."""
    captioner: str | None = None
    """What says what the background is; `vlm` asks the vision-language model of the settings, `worker` the one under
    models.captioner (weights, environment) in a process and environment of its own."""
    frames: FrameStrategy = "best"
    """The frames that are described."""
    sample_frames: int = Field(3, ge=1, le=16)
    """How many with frames = multi."""
    use_anchor: bool = True
    use_text: bool = False
    anchor_frame: int = Field(-1, ge=-1)
    """The frame that is painted first; -1: where most of the background shows."""
    prompt: str | None = None
    """What the background is, in place of a caption."""
    n_prompt: str | None = None
    text_guidance_scale: float | None = Field(None, gt=1, le=20)
    """How strongly words steer, above 1 (2 when nothing is said; 1.5 to 3 are sensible)."""
    refine_size: tuple[int, int] | None = None
    """Width and height that phase 3 works within; the result has the clip's own size all the same."""
    shadows: Shadows = "off"
    """What may be the object's soft shadow or reflection: not looked for, shown in the pictures for review, erased with
    the object, or erased when the vision-language model says that it is the object's."""
    vlm: str | None = None
    """The vision-language model that is asked (shadows = judge, captioner = vlm); none: the one under models.vlm."""
    seed: int = Field(0, ge=0)
    lossless: bool = False
    """The result without loss too (.mkv)."""
    comparison: bool = True
    """A clip of input, mask, coarse and final side by side."""

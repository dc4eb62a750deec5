"""Flags of the older pipeline: what they mean here, and which of those given have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskwright.errors import BadSettings

Flags = Mapping[str, Any]
PROPAINTER = "propainter-worker"
TUNING = ("ref_stride", "neighbor_length", "subvideo_length")
"""What only ProPainter's worker takes."""


def propainter_tuning(flags: Flags) -> dict[str, int]:
    """The flags that go into the request of ProPainter's worker."""
    return {name: int(flags[name]) for name in TUNING if flags.get(name) is not None}


def refine_size(flags: Flags) -> tuple[int, int] | None:
    """--width and --height as the size that phase 3 works within; one alone limits that side, 0 or less none."""
    sides = [flags.get(name) or 0 for name in ("width", "height")]
    if max(sides) <= 0:
        return None
    if any(0 < side < 16 for side in sides):
        raise BadSettings("--width and --height below 16 are too small.", "Give 16 or more, or leave them out.")
    wide, high = (side if side > 0 else 1_000_000 for side in sides)
    return wide, high


def without_effect(flags: Flags, *, filler: str, captioner: str | None, inpainter: str | None) -> list[str]:
    """A line for each flag that was given and does nothing here, with the reason; the names are those in force."""
    only_filler = f"only the filler {PROPAINTER} takes it, here it is {filler}"
    idle = {name: only_filler for name in TUNING if filler != PROPAINTER}
    idle["propainter_model_dir"] = "ProPainter's own script reads its weights below its checkout"
    if captioner != "worker":
        idle["caption_env"] = "no model runs there without --caption_model_path"
    if inpainter != "sd15":
        idle["anchor_steps"] = "only --anchor_method sd-inpaint has steps"
        idle["anchor_model_path"] = "only --anchor_method sd-inpaint has a model"
    if not flags.get("use_anchor"):
        reason = "there is no anchor without --use_anchor"
        idle |= dict.fromkeys(("anchor_method", "anchor_frame_idx", "anchor_model_path", "anchor_steps"), reason)
    if not flags.get("use_text"):
        idle |= dict.fromkeys(("n_prompt", "text_guidance_scale"), "words do not steer the video without --use_text")
    if not flags.get("save_comparison"):
        idle["comparison_fps"] = "there is no comparison without --save_comparison"
    if flags.get("gt_root") is None:
        idle["no_metrics"] = "without --gt_root nothing is measured"
    idle["skip_vfid"] = "VFID is never computed here: see maskwright bench erase"
    idle["skip_phase1_if_exists"] = "a finished phase 1 is always kept"
    given = [name for name in idle if flags.get(name) not in (None, False)]
    return [f"--{name} has no effect: {idle[name]}." for name in given]

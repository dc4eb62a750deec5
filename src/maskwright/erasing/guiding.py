"""Which words reach the anchor and the video model: anchor on or off, text on or off."""

from __future__ import annotations

from dataclasses import dataclass

from maskwright.erasing.prompt_file import PromptFile
from maskwright.errors import BadSettings

DEFAULT_SCALE = 2.0
ADVICE = "Give a number above 1; 1.5 to 3 are sensible."


@dataclass(frozen=True)
class Guidance:
    """What steers phase 3: `anchor_words` for the painted frame, `words`/`avoid` for the video, `scale` or None."""

    anchor_words: str
    words: str
    avoid: str
    scale: float | None


def check_scale(scale: float | None) -> None:
    """Raises BadSettings for a text scale that could have no effect."""
    if scale is not None and not scale > 1:
        raise BadSettings(f"text_guidance_scale {scale:g} has no effect: guidance only acts above 1.", ADVICE)


def guide(
    caption: PromptFile | None, *, anchor: bool, text: bool, prompt: str | None = None, n_prompt: str | None = None,
    scale: float | None = None,
) -> Guidance:  # fmt: skip
    """The four modes. What is given here (the command line) goes before the caption file, then comes empty."""
    check_scale(scale)
    said = caption or PromptFile()
    words = said.words if prompt is None else prompt
    avoid = said.avoid if n_prompt is None else n_prompt
    strength = scale or said.text_guidance_scale or DEFAULT_SCALE
    check_scale(strength if text else None)
    return Guidance(
        anchor_words=words if anchor else "",
        words=words if text else "",
        avoid=avoid if text else "",
        scale=strength if text else None,
    )

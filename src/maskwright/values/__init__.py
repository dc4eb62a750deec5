"""Nouns of the product, all frozen: pictures, masks, boxes, prompts, windows, verdicts, traces."""

from maskwright.values.box import Box
from maskwright.values.image import Image
from maskwright.values.mask import Mask, MaskStack, PackedMask, PackedMasks
from maskwright.values.prompt import Candidates, Embedding, Prompt, Proposals, Ranking
from maskwright.values.trace import Cost, Round, Trace
from maskwright.values.verdict import Abstain, Verdict
from maskwright.values.window import Window

__all__ = [
    "Abstain",
    "Box",
    "Candidates",
    "Cost",
    "Embedding",
    "Image",
    "Mask",
    "MaskStack",
    "PackedMask",
    "PackedMasks",
    "Prompt",
    "Proposals",
    "Ranking",
    "Round",
    "Trace",
    "Verdict",
    "Window",
]

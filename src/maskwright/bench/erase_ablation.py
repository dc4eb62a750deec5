"""What each part of the refine is worth: anchor on or off, text on or off, how strong; and whose caption it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskwright.bench.erase_cases import Case, Frame
from maskwright.bench.metrics.video import flows, psnr, warping_error
from maskwright.erasing.guiding import guide
from maskwright.erasing.preparing import best_frame
from maskwright.erasing.prompt_file import PromptFile
from maskwright.ports import Captioner, FillOptions, Inpainter, VideoFiller
from maskwright.values import Image, Mask

SCALES = (1.5, 2.0, 3.0)
SOURCES = ("empty", "auto", "manual")


@dataclass(frozen=True)
class Parts:
    """The models at work; `prior`: what makes the coarse fill that the filler starts from (none: no prior); `words`:
    the clip's name -> its background in a person's words."""

    filler: VideoFiller
    inpainter: Inpainter
    captioner: Captioner
    prior: VideoFiller | None = None
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mode:
    anchor: bool
    text: bool
    scale: float | None = None
    source: str = "auto"


def modes(scales: Sequence[float] = SCALES) -> list[Mode]:
    """The four modes, those with text at every scale."""
    return [Mode(anchor, text, scale) for anchor in (False, True) for text in (False, True)
            for scale in (scales if text else [None])]  # fmt: skip


def ablate(
    cases: Sequence[Case], parts: Parts, *, scales: Sequence[float] = SCALES, tell: Callable[[Any], None] | None = None
) -> dict[str, Any]:
    """Two tables over the cases: `modes`, and `captions` (anchor and text on, scale 2). Each row holds the means of
    hole_psnr and warping, and how far the fill is from that of its table's first row inside the holes: `unlike`, the
    mean difference in grey levels. 0 says that the setting had no effect."""
    by_source = [Mode(True, True, 2.0, source) for source in SOURCES]
    return {
        "cases": [case.name for case in cases],
        "filler": parts.filler.name,
        "modes": _table(cases, parts, modes(scales), tell),
        "captions": _table(cases, parts, by_source, tell),
    }


def _table(
    cases: Sequence[Case], parts: Parts, wanted: Sequence[Mode], tell: Callable[[Any], None] | None
) -> list[dict[str, Any]]:
    found: list[list[dict[str, float]]] = [[] for _ in wanted]
    for case in cases:
        for place, scores in enumerate(_scored(case, parts, wanted)):
            found[place].append(scores)
            if tell is not None:
                tell({"case": case.name, **vars(wanted[place]), **scores})
    return [{**vars(mode), **_means(rows)} for mode, rows in zip(wanted, found, strict=True)]


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    done = [row for row in rows if row]
    if not done:
        return {"skipped": "there are no manual words"}
    return {"cases": len(done), **{key: round(float(np.mean([r[key] for r in done])), 6) for key in done[0]}}


def _scored(case: Case, parts: Parts, wanted: Sequence[Mode]) -> Iterator[dict[str, float]]:
    """One row a mode, in order; empty for a source that has no words."""
    motion, index = flows(case.truth), _best(case)
    prior = None if parts.prior is None else list(parts.prior.fill(case.given, case.masks, FillOptions()))
    auto = parts.captioner.caption([Image(case.given[index])], [Mask(case.masks[index])])
    said = {"empty": "", "auto": auto, "manual": parts.words.get(case.name.partition(" under ")[0])}
    first: list[Frame] | None = None
    for mode in wanted:
        words = said[mode.source]
        if words is None:
            yield {}
            continue
        guidance = guide(PromptFile((words,)), anchor=mode.anchor, text=mode.text, scale=mode.scale)
        anchor = _anchor(case, parts.inpainter, guidance.anchor_words) if mode.anchor else None
        options = FillOptions(prior, anchor, guidance.words, guidance.avoid, guidance.scale)
        made = list(parts.filler.fill(case.given, case.masks, options))
        first = first or made
        held = [i for i, mask in enumerate(case.masks) if mask.any()]
        gaps = [np.abs(made[i].astype(np.int16) - first[i])[case.masks[i]].mean() for i in held]
        yield {
            "hole_psnr": float(np.mean([min(psnr(made[i], case.truth[i], case.masks[i]), 99.0) for i in held])),
            "warping": warping_error(made, case.masks, motion),
            "unlike": float(np.mean(gaps)),
        }


def _anchor(case: Case, inpainter: Inpainter, words: str) -> tuple[int, Frame]:
    index = _best(case)
    return index, inpainter.inpaint(Image(case.given[index]), Mask(case.masks[index]), words=words).pixels


def _best(case: Case) -> int:
    return best_frame([float(mask.mean()) for mask in case.masks])

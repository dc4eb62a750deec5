"""The files that a person gets: the clip, comparisons, a contact sheet; and how true the rest stayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.config.erase import EraseSettings
from maskwright.erasing.candidates import Candidate
from maskwright.erasing.job import Bools, Frames
from maskwright.erasing.preparing import Mapped
from maskwright.erasing.showing import marked, sheet, side_by_side
from maskwright.media.images import save_image
from maskwright.media.videos import Clip, write_clip
from maskwright.values import Image

COMPARISON_WIDTH = 480
_RUNS_NAMED = 12


def write_results(out: Path, clip: Clip, columns: Mapping[str, Frames], settings: EraseSettings) -> Iterator[str]:
    """Writes each file and gives its name: erased.mp4 (with the clip's rate and sound), erased.mkv when asked for
    without loss, comparison.mp4, sheet.png."""
    final = columns["final"]
    write_clip(out / "erased.mp4", final, like=clip)
    yield "erased.mp4"
    if settings.lossless:
        write_clip(out / "erased.mkv", final, like=clip, lossless=True)
        yield "erased.mkv"
    if settings.comparison:
        rows = side_by_side(columns, width=COMPARISON_WIDTH)
        write_clip(out / "comparison.mp4", rows, rate=clip.rate, crf=20)
        yield "comparison.mp4"
    save_image(out / "sheet.png", Image(sheet(columns)))
    yield "sheet.png"


def marked_frames(frames: Frames, masks: Mapped[Bools], candidates: Sequence[Candidate] = ()) -> Mapped[Any]:
    """The frames with their masks tinted red, candidates in their colours."""
    return Mapped(len(frames), lambda i: marked(frames[i], masks[i], {c.kind: c.masks[i] for c in candidates}))


def candidate_report(candidate: Candidate, *, erased: bool) -> dict[str, Any]:
    """Whether a candidate was erased, in how many frames there is one, and what it covers."""
    shares = [float(candidate.masks[i].mean()) for i in range(len(candidate.masks))]
    there = sum(share > 0 for share in shares)
    return {"erased": erased and there > 0, "frames": there, "mean_share": round(float(np.mean(shares)), 5)}


def warnings_of(runs: Sequence[tuple[int, int]]) -> list[str]:
    """What a person should look at: frames without a mask though later ones have one."""
    if not runs:
        return []
    numbers = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs[:_RUNS_NAMED])
    more = f" and {len(runs) - _RUNS_NAMED} more runs" if len(runs) > _RUNS_NAMED else ""
    one = len(runs) == 1 and runs[0][0] == runs[0][1]
    return [
        f"no mask in frame{'' if one else 's'} {numbers}{more}, though later frames have one: "
        "an object seen there was not erased; give masks for them with --mask"
    ]


def warnings_of_full(frames: Sequence[int]) -> list[str]:
    """Frames of which nothing is left to fill from."""
    if not frames:
        return []
    return [
        f"the mask, with what it grew by, covers all of {len(frames)} frames (the first is {frames[0]}): "
        "what is shown there is made up; give smaller masks, or a smaller --dilate"
    ]


def fidelity(frames: Frames, final: Frames, masks: Mapped[Bools]) -> dict[str, int]:
    """How many values outside the (feathered) mask differ before encoding: it must be 0."""
    changed = 0
    for index in range(len(frames)):
        changed += int(np.count_nonzero((frames[index] != final[index])[~masks[index]]))
    return {"frames": len(frames), "values_changed_outside_mask": changed}

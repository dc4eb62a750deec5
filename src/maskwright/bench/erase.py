"""How well holes in clips are filled, measured against the truth and against OpenCV's inpainting of each frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.bench.erase_cases import Bools, Case, Frame, completion_cases
from maskwright.bench.erase_perceptual import Distance, Features, frechet, open_i3d, open_lpips
from maskwright.bench.metrics.video import flows, psnr, ssim, warping_error
from maskwright.errors import BadVideo, MissingError
from maskwright.ports import FillOptions, VideoFiller


@dataclass(frozen=True)
class Weights:
    """Where the weights of the learned measures lie: `lpips` a folder, `i3d` (for VFID) a file."""

    lpips: Path | None = None
    i3d: Path | None = None


OPENCV = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}


def bench_erase(
    clips: str | Path,
    filler: VideoFiller,
    *,
    size: tuple[int, int] = (432, 240),
    weights: Weights | None = None,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """The completion protocol over a folder of clips: a row a case and their means. Raises MissingData.

    Rows: hole_psnr, psnr, ssim, warping (flow-warping error), frames_per_s, the best of OpenCV's per-frame
    inpaintings of the same, gain_db and warping_drop (a share) against it; lpips, where its weights are there. `mean`
    has vfid too, over all cases; `skipped` says why one is missing.
    """
    eye = _Eye(weights or Weights())
    rows = []
    for case in completion_cases(Path(clips), size):
        made, row = _row(case, filler)
        rows.append({**row, **eye.look(made, case.truth)})
        if tell is not None:
            tell(rows[-1])
    keys = ("hole_psnr", "ssim", "warping", "gain_db", "warping_drop", "frames_per_s")
    means = {key: round(float(np.mean([row[key] for row in rows])), 6) for key in keys}
    about = {"protocol": "completion", "filler": filler.name, "size": list(size)}
    return {**about, "rows": rows, "mean": {**means, **eye.means()}, "skipped": eye.skipped}


class _Eye:
    """LPIPS and VFID as far as their weights are there."""

    def __init__(self, weights: Weights) -> None:
        self.skipped: dict[str, str] = {}
        self.distance: Distance | None = self._opened("lpips", open_lpips, weights.lpips)
        self.features: Features | None = self._opened("vfid", open_i3d, weights.i3d)
        self.distances: list[float] = []
        self.seen: list[tuple[Any, Any]] = []

    def _opened(self, name: str, opening: Callable[[Path], Any], path: Path | None) -> Any:
        try:
            if path is not None:
                return opening(path)
            self.skipped[name] = "no weights were named"
        except MissingError as error:
            self.skipped[name] = error.message
        return None

    def look(self, made: Sequence[Frame], truth: Sequence[Frame]) -> dict[str, float]:
        if self.features is not None:
            self.seen.append((self.features(truth), self.features(made)))
        if self.distance is None:
            return {}
        self.distances.append(float(np.mean([self.distance(m, t) for m, t in zip(made, truth, strict=True)])))
        return {"lpips": round(self.distances[-1], 5)}

    def means(self) -> dict[str, float]:
        out = {"lpips": round(float(np.mean(self.distances)), 5)} if self.distances else {}
        if len(self.seen) > 1:
            real, made = (np.stack(values) for values in zip(*self.seen, strict=True))
            out["vfid"] = round(frechet(real, made), 4)
        elif self.seen:
            self.skipped["vfid"] = "it compares sets of clips: two at least"
        return out


def _row(case: Case, filler: VideoFiller) -> tuple[list[Frame], dict[str, Any]]:
    motion = flows(case.truth)
    began = time.perf_counter()
    made = list(filler.fill(case.given, case.masks, FillOptions()))
    seconds = time.perf_counter() - began
    ours = _scores(made, case, motion)
    plain = [_scores(per_frame(case.given, case.masks, how), case, motion) for how in OPENCV]
    best_psnr, best_warping = max(p["hole_psnr"] for p in plain), min(p["warping"] for p in plain)
    return made, {
        "case": case.name,
        "frames": len(made),
        **ours,
        "opencv_hole_psnr": best_psnr,
        "opencv_warping": best_warping,
        "gain_db": round(ours["hole_psnr"] - best_psnr, 3),
        "warping_drop": round(1 - ours["warping"] / best_warping, 4) if best_warping else 0.0,
        "frames_per_s": round(len(made) / seconds, 2),
    }


def _scores(made: Sequence[Frame], case: Case, motion: Any) -> dict[str, float]:
    held = [(m, t, mask) for m, t, mask in zip(made, case.truth, case.masks, strict=True) if mask.any()]
    errors = np.concatenate([((m.astype(np.float64) - t) ** 2)[mask].ravel() for m, t, mask in held])
    return {
        "hole_psnr": round(float(10 * np.log10(255**2 / max(float(errors.mean()), 1e-9))), 3),
        "psnr": round(float(np.mean([min(psnr(m, t), 99.0) for m, t, _ in held])), 3),
        "ssim": round(float(np.mean([ssim(m, t) for m, t, _ in held])), 5),
        "warping": round(warping_error(made, case.masks, motion), 7),
    }


def per_frame(frames: Sequence[Frame], masks: Sequence[Bools], how: str) -> list[Frame]:
    """Each frame inpainted on its own by OpenCV."""
    return [
        cv2.inpaint(frame, mask.astype(np.uint8), 3, OPENCV[how]) for frame, mask in zip(frames, masks, strict=True)
    ]


def completion_scores(made: Sequence[Frame], truth: Sequence[Frame]) -> dict[str, float]:
    """Mean PSNR and SSIM over two clips; raises BadVideo when they do not go together."""
    if len(made) != len(truth) or made[0].shape != truth[0].shape:
        raise BadVideo(
            f"{len(made)} frames were made, the truth has {len(truth)} (or another size).", "Give the clip's own truth."
        )
    pairs = [(made[i], truth[i]) for i in range(len(made))]
    return {
        "psnr": round(float(np.mean([min(psnr(m, t), 99.0) for m, t in pairs])), 3),
        "ssim": round(float(np.mean([ssim(m, t) for m, t in pairs])), 5),
    }

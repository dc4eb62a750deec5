"""Measures of filled clips and the completion protocol."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from erase_clips import ball_clip
from maskwright.assemble.loading import load
from maskwright.bench.erase import bench_erase, completion_scores
from maskwright.bench.erase_cases import HOLE_SHARE, lay
from maskwright.bench.metrics.video import flows, psnr, ssim, warping_error
from maskwright.errors import BadVideo, MissingData
from maskwright.media.images import save_image, save_mask
from maskwright.values import Image, Mask


def noisy(size: tuple[int, int] = (90, 70), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = cv2.GaussianBlur(rng.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8), (0, 0), 2)
    second = np.clip(first.astype(int) + rng.integers(-20, 20, first.shape), 0, 255).astype(np.uint8)
    return first, second


def plain_ssim(a: np.ndarray, b: np.ndarray, side: int) -> float:
    """The definition, window by window."""
    scores = []
    for channel in range(3):
        x, y = a[..., channel].astype(float), b[..., channel].astype(float)
        for top in range(x.shape[0] - side + 1):
            for left in range(x.shape[1] - side + 1):
                u, v = (p[top : top + side, left : left + side].ravel() for p in (x, y))
                cov = np.cov(u, v)
                c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
                top_part = (2 * u.mean() * v.mean() + c1) * (2 * cov[0, 1] + c2)
                scores.append(top_part / ((u.mean() ** 2 + v.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2)))
    return float(np.mean(scores))


@pytest.mark.parametrize("window", [65, 11])
def test_ssim_is_what_its_definition_says(window: int) -> None:
    first, second = noisy((76, 68))
    assert ssim(first, second, window) == pytest.approx(plain_ssim(first, second, window), abs=1e-9)
    assert ssim(first, first) == 1.0


def test_ssim_of_a_frame_smaller_than_the_window() -> None:
    first, second = noisy((40, 30))
    assert ssim(first, second) == pytest.approx(plain_ssim(first, second, 29), abs=1e-9)


def test_psnr_inside_a_mask() -> None:
    first = np.zeros((8, 8, 3), np.uint8)
    second = first.copy()
    second[:4] = 10
    upper = np.zeros((8, 8), np.bool_)
    upper[:4] = True
    assert psnr(first, second, upper) == pytest.approx(20 * np.log10(25.5))
    assert psnr(first, second) == pytest.approx(20 * np.log10(25.5) + 10 * np.log10(2))
    assert psnr(first, first) == float("inf")


def test_a_flickering_fill_warps_worse() -> None:
    _, masks, truth = ball_clip(6)
    motion = flows(truth)
    flickering = [np.clip(f.astype(int) + (25 if i % 2 else 0), 0, 255).astype(np.uint8) for i, f in enumerate(truth)]
    steady = warping_error(truth, masks, motion)
    assert warping_error(flickering, masks, motion) > 4 * steady
    assert warping_error(truth, [np.zeros_like(m) for m in masks], motion) == 0.0


def test_laid_masks_are_small_and_move() -> None:
    mask = np.zeros((60, 100), np.bool_)
    mask[10:50, 20:80] = True
    laid = lay([mask, mask], 12, (100, 60))
    assert max(m.mean() for m in laid) <= HOLE_SHARE * 1.2
    assert not np.array_equal(laid[0], laid[11])


def test_the_protocol_on_made_clips(tmp_path: Path) -> None:
    for name, pan in (("slow", 1), ("quick", 2)):
        _, masks, truth = ball_clip(8, (128, 80), pan=pan)
        for i in range(8):
            save_image(tmp_path / name / "frames" / f"{i:03d}.png", Image(truth[i]))
            save_mask(tmp_path / name / "masks" / f"{i:03d}.png", Mask(masks[i]))
    found = bench_erase(tmp_path, load("filler", "lite"), size=(128, 80))
    assert [row["case"] for row in found["rows"]] == ["quick under slow", "slow under quick"]
    assert found["mean"]["gain_db"] > 3
    assert found["mean"]["warping_drop"] > 0.4
    with pytest.raises(MissingData):
        bench_erase(tmp_path / "nothing", load("filler", "fake"))


def test_a_truth_of_another_length_is_refused() -> None:
    frames, _, truth = ball_clip(4)
    assert completion_scores(truth, truth) == {"psnr": 99.0, "ssim": 1.0}
    with pytest.raises(BadVideo):
        completion_scores(frames, truth[:3])

"""The embedded filler, inpainter, tracker and captioner."""

from __future__ import annotations

import numpy as np
import pytest

from erase_clips import ball_clip
from maskwright.assemble.loading import load
from maskwright.bench.metrics.video import psnr
from maskwright.errors import BadMask, BadPrompt
from maskwright.models.fillers.lite import LiteFiller
from maskwright.models.inpainters.fake import FakeInpainter
from maskwright.models.inpainters.lite import LiteInpainter
from maskwright.ports import FillOptions
from maskwright.values import Image, Mask, Prompt

OPTIONS = FillOptions()


def hole_psnr(made: list[np.ndarray], truth: list[np.ndarray], masks: list[np.ndarray]) -> float:
    return float(np.mean([min(psnr(a, b, m), 60.0) for a, b, m in zip(made, truth, masks) if m.any()]))


@pytest.mark.parametrize(("pan", "roll"), [(0, 6), (1, 5), (2, 6)])
def test_what_other_frames_saw_comes_back(pan: int, roll: int) -> None:
    frames, masks, truth = ball_clip(12, pan=pan, roll=roll)
    made = list(load("filler", "lite").fill(frames, masks, OPTIONS))
    plain = list(load("filler", "fake").fill(frames, masks, OPTIONS))
    assert hole_psnr(made, truth, masks) > hole_psnr(plain, truth, masks) + 6


@pytest.mark.parametrize("name", ["lite", "fake"])
def test_pixels_outside_the_masks_are_untouched(name: str) -> None:
    frames, masks, _ = ball_clip(6)
    for frame, mask, made in zip(frames, masks, load("filler", name).fill(frames, masks, OPTIONS), strict=True):
        assert np.array_equal(frame[~mask], made[~mask])


def test_windows_do_not_show() -> None:
    """The same clip in windows of 6 and in one: nearly the same pictures."""
    frames, masks, truth = ball_clip(18)
    whole = list(LiteFiller(FakeInpainter()).fill(frames, masks, OPTIONS))
    pieces = list(LiteFiller(FakeInpainter(), window=6, ahead=4).fill(frames, masks, OPTIONS))
    assert hole_psnr(pieces, truth, masks) > hole_psnr(whole, truth, masks) - 3
    assert len(pieces) == 18


def test_a_still_camera_and_a_still_object_are_painted_once() -> None:
    frames, masks, _ = ball_clip(8, pan=0, roll=0)
    made = list(LiteFiller(LiteInpainter()).fill(frames, masks, OPTIONS))
    assert all(np.array_equal(made[0][m], f[m]) for f, m in zip(made, masks, strict=True))
    assert not np.array_equal(made[0][masks[0]], frames[0][masks[0]])


def test_the_fill_does_not_know_what_was_under_the_mask() -> None:
    frames, masks, _ = ball_clip(8)
    other = [np.where(m[..., None], 7, f).astype(np.uint8) for f, m in zip(frames, masks, strict=True)]
    filler = LiteFiller(FakeInpainter())
    for a, b in zip(filler.fill(frames, masks, OPTIONS), filler.fill(other, masks, OPTIONS), strict=True):
        assert np.array_equal(a, b)


def test_the_anchor_is_carried_along() -> None:
    frames, masks, _ = ball_clip(8, pan=0, roll=0)
    painted = frames[3].copy()
    painted[masks[3]] = (10, 200, 10)
    made = list(LiteFiller(LiteInpainter()).fill(frames, masks, FillOptions(anchor=(3, painted))))
    assert np.abs(made[7][masks[7]].astype(int) - (10, 200, 10)).max() <= 2


@pytest.mark.parametrize("count", [0, 1, 2, 21])
@pytest.mark.parametrize("cover", ["none", "some", "all"])
def test_short_clips_and_odd_masks(count: int, cover: str) -> None:
    frames, masks, _ = ball_clip(max(count, 1), (49, 37))
    frames, masks = frames[:count], masks[:count]
    if cover != "some":
        masks = [np.full_like(m, cover == "all") for m in masks]
    made = list(LiteFiller(FakeInpainter()).fill(frames, masks, OPTIONS))
    assert [f.shape for f in made] == [f.shape for f in frames]
    if cover == "none":
        assert all(np.array_equal(a, b) for a, b in zip(made, frames, strict=True))


@pytest.mark.parametrize("name", ["lite", "fake"])
def test_frames_and_masks_must_belong_together(name: str) -> None:
    frames, masks, _ = ball_clip(4)
    filler = load("filler", name)
    with pytest.raises(BadMask, match="4 frames, but 3 masks"):
        list(filler.fill(frames, masks[:3], OPTIONS))
    with pytest.raises(BadMask):
        list(filler.fill(frames, [m[:-2] for m in masks], OPTIONS))


def test_the_inpainter_goes_on_with_a_pattern() -> None:
    y, x = np.mgrid[:120, :160]
    stripes = np.where((x // 8 + y // 8) % 2, 200, 60).astype(np.uint8)
    image = Image(np.repeat(stripes[..., None], 3, axis=2))
    hole = (x - 80) ** 2 + (y - 60) ** 2 < 24**2
    given = image.pixels.copy()
    given[hole] = 255
    made = LiteInpainter().inpaint(Image(given), Mask(hole))
    smooth = FakeInpainter().inpaint(Image(given), Mask(hole))
    assert np.array_equal(made.pixels[~hole], given[~hole])
    assert psnr(made.pixels, image.pixels, hole) > psnr(smooth.pixels, image.pixels, hole) + 2


@pytest.mark.parametrize("name", ["lite", "fake"])
@pytest.mark.parametrize("cover", ["none", "all", "corner", "line"])
def test_inpainters_take_any_mask(name: str, cover: str) -> None:
    image = Image(np.random.default_rng(0).integers(0, 255, (33, 47, 3)).astype(np.uint8))
    mask = np.zeros((33, 47), np.bool_)
    mask[{"none": np.s_[:0], "all": np.s_[:], "corner": np.s_[:9, :9], "line": np.s_[16:17]}[cover]] = True
    made = load("inpainter", name).inpaint(image, Mask(mask))
    assert made.size == image.size
    assert np.array_equal(made.pixels[~mask], image.pixels[~mask])


class _Colours:
    """A segmenter that takes what is red."""

    name = "red"

    def encode(self, image: Image) -> Image:
        return image

    def predict(self, embedding: Image, prompts: list[Prompt]) -> list[object]:
        red = (embedding.pixels[..., 0] > 180) & (embedding.pixels[..., 1] < 90)
        return [type("Found", (), {"masks": red[None], "scores": np.ones(1)})() for _ in prompts]


def test_the_tracker_follows_both_ways() -> None:
    from maskwright.models.trackers.lite import LiteTracker

    frames, masks, _ = ball_clip(12)
    found = list(LiteTracker(_Colours()).track(frames, {5: {1: Mask(masks[5])}}))  # type: ignore[arg-type]
    assert [index for index, _ in found] == list(range(12))
    assert min(held[1].iou(Mask(m)) for (_, held), m in zip(found, masks, strict=True)) > 0.7


@pytest.mark.parametrize("prompts", [{}, {99: {1: Prompt(points=[(1, 1)])}}])
def test_the_tracker_needs_a_mark(prompts: dict) -> None:
    from maskwright.models.trackers.lite import LiteTracker

    with pytest.raises(BadPrompt):
        list(LiteTracker(_Colours()).track(ball_clip(3)[0], prompts))  # type: ignore[arg-type]


def test_the_captioner_leaves_the_mask_out() -> None:
    from maskwright.erasing.captioning import fault

    dark = np.full((64, 64, 3), (20, 60, 25), np.uint8)
    mask = np.zeros((64, 64), np.bool_)
    mask[16:48, 16:48] = True
    bright = dark.copy()
    bright[mask] = 255
    captioner = load("captioner", "lite")
    said = captioner.caption([Image(bright)], [Mask(mask)])
    assert said == captioner.caption([Image(dark)], [Mask(mask)])
    assert "dark green" in said
    assert fault(said) is None

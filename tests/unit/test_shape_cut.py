"""cut: soft edges, clean colours, frames, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

import maskwright as mw
from maskwright.errors import BadMask, BadSettings, MaskwrightError, MissingModel
from maskwright.media.images import open_image
from maskwright.models.matters.lite import LiteMatter
from maskwright.shaping.rim import fine_distance, rim_alpha, with_rim
from maskwright.shaping.softness import edge_softness, signed_distance
from maskwright.shaping.trimap import fitted_trimap, make_trimap
from maskwright.values import Image, Mask


@pytest.fixture(scope="module")
def soft() -> tuple[Image, np.ndarray, np.ndarray]:
    """A blurred orange disc on a blue ground with mild noise: picture, true alpha, true colours."""
    y, x = np.mgrid[:160, :200]
    alpha = cv2.GaussianBlur((((x - 100) ** 2 + (y - 80) ** 2) < 45**2).astype(np.float32), (0, 0), 3)
    rng = np.random.default_rng(0)
    front = np.full((160, 200, 3), (230, 120, 30), np.float32) + rng.normal(0, 4, (160, 200, 3))
    back = np.full((160, 200, 3), (30, 60, 160), np.float32) + rng.normal(0, 4, (160, 200, 3))
    mixed = front * alpha[:, :, None] + back * (1 - alpha[:, :, None])
    return Image(np.clip(mixed, 0, 255).astype(np.uint8)), alpha, front


def test_the_matte_is_far_nearer_the_truth_than_the_mask(soft: Any) -> None:
    image, alpha, _ = soft
    mask = Mask(alpha > 0.5)
    found = mw.cut(image, mask)
    plain = np.abs(mask.array - alpha).sum()
    assert np.abs(found.alpha - alpha).sum() < 0.4 * plain
    assert found.image.size == image.size
    assert found.offset == (0, 0)


def test_no_halo_of_the_old_ground_stays(soft: Any) -> None:
    image, alpha, front = soft
    found = mw.cut(image, Mask(alpha > 0.5))
    rim = (alpha > 0.2) & (alpha < 0.8)
    before = np.abs(image.pixels[rim].astype(float) - front[rim]).mean()
    after = np.abs(found.image.pixels[rim].astype(float) - front[rim]).mean()
    assert after < 0.45 * before


def test_holes_and_pieces_survive() -> None:
    mask = np.zeros((120, 160), bool)
    mask[20:100, 20:90] = True
    mask[50:60, 45:60] = False
    mask[30:34, 110:150] = True
    pixels = np.where(mask[:, :, None], (220, 200, 40), (20, 30, 90)).astype(np.uint8)
    found = mw.cut(Image(pixels), Mask(mask))
    assert found.alpha[55, 52] < 0.1
    assert found.alpha[32, 130] > 0.9
    assert found.alpha[70, 50] == 1


@pytest.mark.parametrize(("frame", "size"), [("full", (120, 90)), ("tight", (55, 55)), ("square", (55, 55))])
def test_frames(disc: tuple[Image, Mask], frame: str, size: tuple[int, int]) -> None:
    found = mw.cut(*disc, matte=False, frame=frame, pad_px=0 if frame == "full" else 4)
    assert found.image.size == size


def test_a_square_frame_reaches_outside_the_picture() -> None:
    mask = np.zeros((40, 100), bool)
    mask[10:20, 5:95] = True
    found = mw.cut(Image(np.zeros((40, 100, 3), np.uint8)), mask, matte=False, frame="square")
    assert found.image.size == (90, 90)
    assert found.offset == (5, -30)
    assert found.image.alpha is not None
    assert int((found.image.alpha > 0).sum()) == 900


@pytest.mark.parametrize("background", [(10, 20, 30), "#0a141e", Image(np.full((5, 9, 3), (10, 20, 30), np.uint8))])
def test_backgrounds_replace_transparency(disc: tuple[Image, Mask], background: Any) -> None:
    found = mw.cut(*disc, matte=False, background=background)
    assert found.image.alpha is None
    assert tuple(found.image.pixels[0, 0]) == (10, 20, 30)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_files_keep_alpha(disc: tuple[Image, Mask], tmp_path: Path, suffix: str) -> None:
    path = mw.cut(*disc).save(tmp_path / f"c{suffix}")
    assert open_image(path).alpha is not None
    with pytest.raises(BadSettings, match="transparency"):
        mw.cut(*disc).save(tmp_path / "c.jpg")


BAD = [
    ({"mask": np.zeros((90, 120), bool)}, BadMask),
    ({"mask": np.ones((9, 12), bool)}, BadMask),
    ({"mask": None}, BadMask),
    ({"frame": "round"}, BadSettings),
    ({"band_px": 0}, BadSettings),
    ({"background": (1, 2, 300)}, MaskwrightError),
    ({"nonsense": 1}, BadSettings),
    ({"complete": True}, MissingModel),
]


@pytest.mark.parametrize(("change", "error"), BAD)
def test_what_is_refused(disc: tuple[Image, Mask], change: dict[str, Any], error: type[Exception]) -> None:
    options = {"mask": disc[1], **change}
    with pytest.raises(error):
        mw.cut(disc[0], options.pop("mask"), **options)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("full", [True, False])
def test_tiny_pictures(size: tuple[int, int], full: bool) -> None:
    mask = np.ones(size, bool)
    if not full and mask.size > 1:
        mask.flat[0] = False
    found = mw.cut(Image(np.full((*size, 3), 7, np.uint8)), mask)
    assert found.alpha.shape == size
    assert found.alpha.max() > 0


def test_a_mask_at_every_border_and_a_flat_picture() -> None:
    mask = np.ones((80, 90), bool)
    mask[30:40, 30:50] = False
    found = mw.cut(Image(np.full((80, 90, 3), 128, np.uint8)), mask)
    assert found.alpha[0, 0] == 1
    assert found.alpha[35, 40] < 0.5


def test_a_very_long_picture() -> None:
    pixels = np.zeros((40, 20_000, 3), np.uint8)
    pixels[10:30, 9_000:9_100] = 200
    mask = pixels[:, :, 0] > 0
    assert mw.cut(Image(pixels), mask).alpha[20, 9_050] == 1


def test_cmyk_and_animated_files(tmp_path: Path, disc: tuple[Image, Mask]) -> None:
    picture = PIL.Image.fromarray(disc[0].pixels)
    picture.convert("CMYK").save(tmp_path / "c.jpg")
    picture.save(tmp_path / "a.webp", save_all=True, append_images=[picture, picture])
    for name in ("c.jpg", "a.webp"):
        assert mw.cut(str(tmp_path / name), disc[1]).image.size == disc[0].size


def test_thin_parts_are_sure_somewhere() -> None:
    mask = np.zeros((60, 60), bool)
    mask[28:32, 5:55] = True
    trimap = make_trimap(mask, 8)
    assert (trimap == 255).sum() > 20
    assert (trimap[:5] == 0).any()


def test_the_matter_refuses_odd_trimaps(disc: tuple[Image, Mask]) -> None:
    with pytest.raises(BadMask, match="77"):
        LiteMatter().matte(disc[0], np.full((90, 120), 77, np.uint8))


@pytest.mark.timeout(2400)  # the library's first import compiles it: a minute, and many on a busy machine
def test_pymatting_agrees(soft: Any) -> None:
    pytest.importorskip("pymatting")
    image, alpha, _ = soft
    trimap = make_trimap(alpha > 0.5, 8)
    ours = LiteMatter().matte(image, trimap)
    theirs = mw.load("matter", "pymatting").matte(image, trimap)
    assert np.abs(ours - theirs).mean() < 0.01


def textured(seed: int, middle: tuple[int, int, int]) -> np.ndarray:
    """Smooth random texture about a colour."""
    noise = np.random.default_rng(seed).normal(0, 1, (192, 256, 3)).astype(np.float32)
    return np.float32(middle) + 18 * cv2.GaussianBlur(noise, (0, 0), 2) / cv2.GaussianBlur(noise, (0, 0), 2).std()


def composite(alpha: np.ndarray) -> np.ndarray:
    front, back, a = textured(1, (190, 120, 70)), textured(2, (80, 110, 140)), alpha[:, :, None]
    return np.clip(np.rint(front * a + back * (1 - a)), 0, 255).astype(np.uint8)


def ellipse() -> np.ndarray:
    """Drawn four times as large, so that the edge is as sharp as pixels can be."""
    canvas = np.zeros((768, 1024), np.uint8)
    cv2.ellipse(canvas, (512, 384), (340, 230), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return cv2.resize(canvas, (256, 192), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


@pytest.mark.parametrize("sigma", [1.5, 3.0, 5.0])
def test_the_softness_of_an_edge_is_measured_through_texture(sigma: float) -> None:
    alpha = cv2.GaussianBlur(ellipse(), (0, 0), sigma)
    signed = signed_distance(alpha > 0.5)
    found = edge_softness(composite(alpha), signed, unit=0.5)
    assert np.median(found[np.abs(signed) < 2]) == pytest.approx(sigma, rel=0.25)


def test_a_sharp_edge_gets_a_narrow_band_and_is_not_made_worse() -> None:
    alpha = ellipse()
    mask = alpha > 0.5
    image = Image(composite(alpha))
    signed = signed_distance(mask)
    band = fitted_trimap(signed, edge_softness(image.pixels, signed, unit=0.5)) == 128
    assert np.abs(signed[band]).max() < 4
    found = mw.cut(image, Mask(mask))
    assert np.abs(found.alpha - alpha).sum() < 0.7 * np.abs(mask - alpha).sum()
    assert found.report["softness_px"] < 1


@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_soft_edges_in_texture_come_at_least_sixty_percent_nearer(sigma: float) -> None:
    alpha = cv2.GaussianBlur(ellipse(), (0, 0), sigma)
    mask = alpha > 0.5
    found = mw.cut(Image(composite(alpha)), Mask(mask)).alpha
    assert np.abs(found - alpha).sum() < 0.4 * np.abs(mask - alpha).sum()


def test_a_mask_drawn_roughly_is_not_believed() -> None:
    alpha = cv2.GaussianBlur(ellipse(), (0, 0), 2)
    rough = cv2.dilate((alpha > 0.5).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    found = mw.cut(Image(composite(alpha)), Mask(rough)).alpha
    assert np.abs(found - alpha).sum() < 0.6 * np.abs(rough - alpha).sum()


def test_thin_wires_keep_their_middle() -> None:
    signed = signed_distance(np.pad(np.ones((3, 60), bool), 20))
    trimap = fitted_trimap(signed, np.full(signed.shape, 0.35, np.float32))
    assert (trimap[21, 25:75] == 255).all()


def leaf(size: int = 256) -> np.ndarray:
    """A slanted lens, drawn eight times as large: alpha is each pixel's covered share."""
    canvas = np.zeros((size * 8, size * 8), np.uint8)
    cv2.ellipse(canvas, (size * 4, size * 4), (size * 3, round(size * 1.3)), 33, 0, 360, 255, -1)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def grainy(seed: int, middle: tuple[int, int, int], size: int = 256) -> np.ndarray:
    """Coloured texture nearly as fine as pixels."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (size, size, 3)).astype(np.float32), (0, 0), 1.2)
    return np.float32(middle) + 25 * noise / noise.std()


def as_file(picture: np.ndarray, quality: int) -> np.ndarray:
    """The RGB picture as a JPEG file keeps it, chroma at half the size."""
    kept = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(kept, cv2.IMREAD_COLOR)[:, :, ::-1])


def test_the_line_behind_a_masks_steps_is_found_between_pixels() -> None:
    alpha = leaf()
    mask = alpha > 0.5
    distance, lined = fine_distance(mask)
    rim = (alpha > 0.02) & (alpha < 0.98)
    assert np.abs(np.clip(0.5 + distance, 0, 1) - alpha)[rim].mean() < 0.4 * np.abs(mask - alpha)[rim].mean()
    assert lined[rim].mean() > 0.9
    assert ((distance > 0) <= mask).all()
    hair = np.zeros((40, 40), bool)
    hair[:, ::3] = True
    assert fine_distance(hair)[1][5:-5, 5:-5].mean() < 0.1
    for whole in (np.ones((9, 9), bool), np.zeros((9, 9), bool)):
        assert (np.abs(fine_distance(whole)[0]) > 100).all()


@pytest.mark.parametrize("jpeg", [None, 90])
def test_a_rim_between_two_grains_is_solved_where_matting_strays(jpeg: int | None) -> None:
    alpha = leaf()
    front, back = grainy(1, (190, 140, 90)), grainy(2, (70, 100, 120))
    picture = np.clip(np.rint(front * alpha[:, :, None] + back * (1 - alpha[:, :, None])), 0, 255).astype(np.uint8)
    if jpeg:
        picture = as_file(picture, jpeg)
    mask = alpha > 0.5
    plain = np.abs(mask - alpha).sum()
    signed = signed_distance(mask)
    softness = edge_softness(picture, signed, unit=0.3)
    trimap = fitted_trimap(signed, softness)
    assert np.median(softness[np.abs(signed) <= 1]) < 0.6
    matte = LiteMatter().matte(Image(picture), trimap)
    found = mw.cut(Image(picture), Mask(mask)).alpha
    assert np.abs(matte - alpha).sum() > 0.6 * plain
    assert np.abs(found - alpha).sum() < 0.6 * plain


def test_colours_move_the_rim_only_where_they_tell() -> None:
    line = np.tile(np.clip(np.arange(40, dtype=np.float32) - 19.3, 0, 1), (40, 1))
    true = np.tile(np.clip(np.arange(40, dtype=np.float32) - 19.5, 0, 1), (40, 1))
    colours = np.rint(true[:, :, None] * (200, 180, 40) + (1 - true[:, :, None]) * (20, 40, 90)).astype(np.uint8)
    assert np.abs(rim_alpha(colours, line) - true).max() < 0.05
    alike = np.full((40, 40, 3), 90, np.uint8)
    assert np.abs(rim_alpha(alike, line) - line).max() < 1e-3


def test_a_matte_of_a_soft_edge_or_one_that_does_not_stray_is_kept() -> None:
    alpha = leaf()
    mask, pixels = alpha > 0.5, np.zeros((256, 256, 3), np.uint8)
    unknown = np.abs(signed_distance(mask)) < 3
    soft = np.full(alpha.shape, 3, np.float32)
    hazy = np.where(unknown, 0.5, mask).astype(np.float32)
    assert with_rim(pixels, mask, unknown, hazy, soft) is hazy
    sharp = np.full(alpha.shape, 0.35, np.float32)
    assert np.abs(with_rim(pixels, mask, unknown, alpha, sharp) - alpha).max() < 1e-6
    solved = with_rim(pixels, mask, unknown, hazy, sharp)
    assert np.abs(solved - alpha).sum() < 0.1 * np.abs(hazy - alpha).sum()

"""Pictures in and out: formats, modes, orientation, caps, damage."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from maskwright.errors import BadImage, BadMask, StorageError
from maskwright.media.images import image_size, open_image, open_mask, save_image, save_mask
from maskwright.media.limits import Limits
from maskwright.values import Image, Mask

LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "TIFF": {}, "BMP": {}, "WEBP": {"lossless": True}}


def picture(width: int = 12, height: int = 8) -> np.ndarray:
    """Every pixel different enough to see any turn or flip."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 20, y * 30, (x + y) * 10], axis=2).astype(np.uint8)


def as_bytes(value: np.ndarray | PIL.Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image = PIL.Image.fromarray(value) if isinstance(value, np.ndarray) else value
    image.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", LOSSLESS)
def test_a_lossless_file_gives_its_own_pixels(form: str) -> None:
    opened = open_image(as_bytes(picture(), form, **LOSSLESS[form]))
    assert np.array_equal(opened.pixels, picture()) and opened.alpha is None


def test_a_jpeg_is_near_its_pixels() -> None:
    smooth = np.repeat(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    assert np.abs(open_image(as_bytes(smooth, "JPEG", quality=95)).pixels.astype(int) - smooth).max() <= 4


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}
"""EXIF 2.3, tag 0x0112: what a viewer does to the stored pixels."""


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", TURNS)
def test_all_eight_orientations_are_turned(form: str, turn: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    blocks = np.kron(picture(6, 4), np.ones((16, 16, 1), np.uint8))
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else LOSSLESS.get(form, {})
    data = as_bytes(blocks, form, exif=exif, **options)
    wanted = TURNS[turn](blocks)
    opened = open_image(data)
    assert opened.pixels.shape == wanted.shape
    assert np.abs(opened.pixels.astype(int) - wanted).max() <= (8 if form == "JPEG" else 0)
    assert image_size(data) == opened.size


def test_masks_are_turned_like_their_pictures() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    array = np.zeros((8, 12), np.uint8)
    array[:2, :5] = 255
    assert np.array_equal(open_mask(as_bytes(array, "PNG", exif=exif)).array, np.rot90(array, -1) > 0)


MODES = [
    ("1", 1, (255, 255, 255), None),
    ("L", 77, (77, 77, 77), None),
    ("LA", (77, 30), (77, 77, 77), 30),
    ("RGB", (1, 2, 3), (1, 2, 3), None),
    ("RGBA", (1, 2, 3, 4), (1, 2, 3), 4),
    ("I;16", 0x8123, (0x81, 0x81, 0x81), None),
]


@pytest.mark.parametrize(("mode", "colour", "rgb", "alpha"), MODES)
def test_modes(mode: str, colour: Any, rgb: tuple[int, int, int], alpha: int | None) -> None:
    opened = open_image(as_bytes(PIL.Image.new(mode, (5, 4), colour), "PNG"))
    assert opened.pixels[0, 0].tolist() == list(rgb)
    assert (None if opened.alpha is None else int(opened.alpha[0, 0])) == alpha


def test_a_palette_with_a_transparent_colour() -> None:
    image = PIL.Image.new("P", (4, 3), 1)
    image.putpalette([9, 9, 9, 200, 100, 50])
    image.putpixel((0, 0), 0)
    opened = open_image(as_bytes(image, "PNG", transparency=0))
    assert opened.pixels[1, 1].tolist() == [200, 100, 50]
    assert opened.alpha is not None and opened.alpha[0, 0] == 0 and opened.alpha[1, 1] == 255


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 300).astype(np.uint16)[None, :].repeat(2, 0)
    for form in ("PNG", "TIFF"):
        grey = open_image(as_bytes(ramp, form)).pixels[0, :, 0]
        assert np.abs(grey.astype(float) - ramp[0] / 257).max() <= 1


def test_floats_in_a_tiff() -> None:
    values = np.array([[0.0, 0.5, 1.0]], np.float32)
    assert open_image(as_bytes(values, "TIFF")).pixels[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(BadImage, match=r"outside 0\.\.1"):
        open_image(as_bytes(values * 400, "TIFF"))


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_is_ink_on_white(form: str) -> None:
    for ink, rgb in (((0, 0, 0, 0), (255, 255, 255)), ((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0))):
        opened = open_image(as_bytes(PIL.Image.new("CMYK", (16, 16), ink), form))
        assert np.abs(opened.pixels[8, 8].astype(int) - rgb).max() <= 3


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_the_first_frame_of_an_animation(form: str) -> None:
    frames = [PIL.Image.new("RGB", (6, 5), c) for c in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if form == "WEBP" else {}
    data = as_bytes(frames[0], form, save_all=True, append_images=frames[1:], **options)
    assert open_image(data).pixels[2, 2].tolist() == [255, 0, 0]


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(as_bytes(picture(), "PNG"))
    assert np.array_equal(open_image(tmp_path / "photo.jpg").pixels, picture())


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 70}])
def test_large_webps_take_another_way_to_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch, mode: str, options: dict[str, Any]
) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (40, 56, len(mode)), dtype=np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = as_bytes(noise, "WEBP", exif=exif, **options)
    usual = open_image(data)
    monkeypatch.setattr("maskwright.media.images._LARGE_WEBP", 0)
    assert open_image(data) == usual and usual.size == (40, 56)
    with pytest.raises(BadImage, match="damaged"):
        open_image(data[: len(data) // 2])


HOSTILE = {
    "empty": b"",
    "text": b"hello there, this is not a picture at all",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7\n1 0 obj",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "heic": b"\x00\x00\x00\x18ftypheic" + bytes(40),
    "only a signature": b"\x89PNG\r\n\x1a\n",
    "ppm": b"P6 1 1 255 abc",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_allowed_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadImage):
        open_image(data)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
def test_a_truncated_file_is_refused(form: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = as_bytes(noise, form)
    with pytest.raises(BadImage, match=r"damaged|cannot"):
        open_image(data[: int(len(data) * share)])


def huge_png() -> bytes:
    """A PNG whose header names 100 000 x 100 000 pixels."""
    data = bytearray(as_bytes(picture(), "PNG"))
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    import zlib

    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


@pytest.mark.parametrize("data", [huge_png(), as_bytes(picture(40, 40), "JPEG"), as_bytes(picture(40, 40), "GIF")])
def test_the_cap_is_read_from_the_header(data: bytes) -> None:
    with pytest.raises(BadImage, match="megapixels"):
        open_image(data, limits=Limits(pixels=1000))


def test_the_byte_cap(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(as_bytes(picture(), "PNG"))
    with pytest.raises(BadImage, match="MiB"):
        open_image(tmp_path / "a.png", limits=Limits(image_bytes=10))


@pytest.mark.parametrize("path", ["no/such.png", ".", "a\0b.png"])
def test_paths_that_are_no_files(path: str) -> None:
    with pytest.raises(BadImage):
        open_image(path)


def test_a_web_address_is_told_to_be_downloaded() -> None:
    with pytest.raises(BadImage) as caught:
        open_image(Path("https://example.com/a.jpg"))
    assert "download" in caught.value.hint


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_alpha_survives(tmp_path: Path, name: str) -> None:
    alpha = np.full((8, 12), 90, np.uint8)
    save_image(tmp_path / name, Image(picture(), alpha), quality=100)
    assert open_image(tmp_path / name) == Image(picture(), alpha)


def test_saving_says_which_suffixes_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"\.png"):
        save_image(tmp_path / "a.xyz", Image(picture()))
    with pytest.raises(BadMask, match=r"PNG"):
        save_mask(tmp_path / "a.jpg", Mask(np.ones((3, 3), bool)))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        save_image(tmp_path / "file" / "a.png", Image(picture()))


@pytest.mark.parametrize("one_bit", [False, True])
def test_a_mask_comes_back(tmp_path: Path, one_bit: bool) -> None:
    mask = Mask(np.random.default_rng(2).random((31, 45)) < 0.4)
    assert open_mask(save_mask(tmp_path / "m.png", mask, one_bit=one_bit)) == mask


def test_one_object_of_an_index_file() -> None:
    image = PIL.Image.fromarray(np.array([[0, 1, 2], [2, 2, 0]], np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    data = as_bytes(image, "PNG")
    assert open_mask(data).array.tolist() == [[False, True, True], [True, True, False]]
    assert open_mask(data, value=2).area == 3


def test_a_mask_whose_values_say_nothing_is_refused() -> None:
    with pytest.raises(BadMask, match="up to 75"):
        open_mask(as_bytes(np.array([[0, 38, 75]], np.uint8), "PNG"))


def test_a_mask_in_the_alpha() -> None:
    rgba = np.full((4, 5, 4), 255, np.uint8)
    rgba[:, 3:, 3] = 0
    assert open_mask(as_bytes(rgba, "PNG")).area == 12


def test_a_picture_too_long_for_its_format_is_refused_before_it_is_written(tmp_path: Path) -> None:
    wide = Image(np.zeros((2, 16400, 3), np.uint8))
    with pytest.raises(BadImage, match="16383 pixels a side"):
        save_image(tmp_path / "wide.webp", wide)
    assert open_image(save_image(tmp_path / "wide.png", wide)) == wide

"""Pictures and masks from files and into files.

What is inside a file decides its format, never its name: PNG, JPEG, WebP, TIFF, BMP and the first frame of GIF are let
in. Sizes are checked from the header, before a pixel is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.Image import Image as PilImage

from maskwright.errors import BadImage, BadMask, MaskwrightError
from maskwright.media.limits import LIMITS, Limits
from maskwright.plumbing.files import atomic_path, missing_hint
from maskwright.values import Image, Mask

FORMATS = "PNG, JPEG, WebP, TIFF, BMP, GIF"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""Names that pictures usually have; used to find them in folders, never to decide what they are."""

_HEADER_BYTES = 32
_BAND_BYTES = 8 << 20
_LARGE_WEBP = 8_000_000
_ORIENTATION = 0x0112

Source = str | Path | bytes
T = TypeVar("T", bound=np.generic)


def open_image(source: Source, *, limits: Limits = LIMITS) -> Image:
    """The picture of a file (or of a file's bytes): RGB, upright, with its alpha when it has one.

    EXIF orientation is turned; 16-bit values keep their high byte; floats in 0..1 are scaled; palettes, grey, CMYK
    (Pillow's plain formula) become RGB; of animations the first frame is read. Raises BadImage.
    """
    with opened(source, limits=limits) as (picture, name):
        pixels, alpha = _decode_webp(source) if _is_large_webp(picture) else _decode(picture, name)
        turn = _orientation(picture)
    pixels, alpha = _turned(pixels, turn), None if alpha is None else _turned(alpha, turn)
    return Image(_sealed(pixels), None if alpha is None else _sealed(alpha), name)


def image_size(source: Source, *, limits: Limits = LIMITS) -> tuple[int, int]:
    """(width, height) as open_image will give it, read from the header alone; raises BadImage."""
    with opened(source, limits=limits) as (picture, _):
        width, height = picture.size
        if picture.format == "TIFF":  # some Pillows turn this size, some do not
            width, height = int(picture.tag_v2[256]), int(picture.tag_v2[257])  # type: ignore[attr-defined]
        return (height, width) if _orientation(picture) >= 5 else (width, height)


@contextmanager
def opened(source: Source, *, limits: Limits = LIMITS) -> Iterator[tuple[PilImage, str]]:
    """The lazily opened Pillow picture of an allowed file, its size checked, and its name for messages.

    Whatever Pillow raises inside the block comes out as BadImage.
    """
    name = "the given bytes" if isinstance(source, bytes) else str(source)
    with _stream(source, name, limits) as stream:
        kind = _kind(stream.read(_HEADER_BYTES), name)
        stream.seek(0)
        try:
            with PIL.Image.open(stream, formats=[kind]) as picture:
                _check_size(picture.size, name, limits)
                yield picture, name
        except MaskwrightError:
            raise
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
            raise _too_large(name, limits) from error
        except MemoryError as error:
            raise BadImage(f"{name}: there is not enough memory to decode it.", "Use a smaller picture.") from error
        except Exception as error:  # Pillow's decoders raise some twenty types on damaged files
            raise BadImage(
                f"{name}: the {kind} file is damaged or incomplete ({_short(error)}).", "Save it again, or use a copy."
            ) from error


def save_image(path: str | Path, image: Image, *, quality: int = 95) -> Path:
    """Writes PNG, JPEG or WebP (by the suffix), whole or not at all; returns the path.

    PNG and WebP keep alpha; JPEG has none. WebP is lossless at quality 100. Raises BadImage, StorageError.
    """
    path = Path(path)
    options = _save_options(path, quality)
    with_alpha = image.alpha is not None and path.suffix.lower() in (".png", ".webp")
    pixels = np.dstack([image.pixels, image.alpha]) if with_alpha and image.alpha is not None else image.pixels
    with atomic_path(path) as out:
        PIL.Image.fromarray(pixels).save(out, **options)
    return path


def save_mask(path: str | Path, mask: Mask, *, one_bit: bool = False) -> Path:
    """Writes a PNG of 0 and 255 (or of one bit a pixel), whole or not at all; raises BadMask, StorageError."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise BadMask(f"{path}: masks are written as PNG.", f"Name it {path.with_suffix('.png').name}.")
    picture = PIL.Image.fromarray(mask.array.astype(np.uint8) * 255)
    with atomic_path(path) as out:
        (picture.convert("1") if one_bit else picture).save(out, format="PNG", optimize=False)
    return path


def open_mask(source: Source, *, value: int | None = None, limits: Limits = LIMITS) -> Mask:
    """The mask of a picture file: 0/1, 0/255 (split at 127), palette indices (0 is outside) or, where the colours say
    nothing, alpha. `value` picks one object of an index or grey file. Turned by EXIF like open_image; raises BadMask.
    """
    try:
        with opened(source, limits=limits) as (picture, name):
            array = _mask_values(picture, name)
            turn = _orientation(picture)
            indexed = picture.mode == "P"
    except BadImage as error:
        raise BadMask(error.message, error.hint) from error
    array = _turned(array, turn)
    if value is not None:
        return Mask(array == value)
    return Mask(array > 0 if indexed or array.dtype == np.bool_ else array > _split(array, name))


# -- what comes in


@contextmanager
def _stream(source: Source, name: str, limits: Limits) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        _check_bytes(len(source), name, limits)
        yield io.BytesIO(source)
        return
    path = Path(source)
    try:
        stream = path.open("rb")
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise BadImage(f"there is no file {name}.", missing_hint(name)) from error
    except (OSError, ValueError) as error:
        raise BadImage(f"{name} cannot be opened ({_short(error)}).", "Give a picture file you may read.") from error
    with stream:
        _check_bytes(size, name, limits)
        yield stream


def _check_bytes(size: int, name: str, limits: Limits) -> None:
    if size == 0:
        raise BadImage(f"{name} is empty.", f"Give a picture: {FORMATS}.")
    if size > limits.image_bytes:
        raise BadImage(f"{name} has {size >> 20} MiB.", f"Pictures may have {limits.image_bytes >> 20} MiB at most.")


def _kind(head: bytes, name: str) -> str:
    """Pillow's name of the format these first bytes begin."""
    signs = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"II*\x00": "TIFF", b"MM\x00*": "TIFF"}
    signs |= {b"GIF87a": "GIF", b"GIF89a": "GIF", b"BM": "BMP"}
    for sign, kind in signs.items():
        if head.startswith(sign):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    raise BadImage(f"{name} is not a picture that is read here{_looks_like(head)}.", f"Save it as one of: {FORMATS}.")


def _looks_like(head: bytes) -> str:
    known = {b"%PDF": "PDF", b"8BPS": "PSD", b"<svg": "SVG", b"<?xm": "XML or SVG", b"\x00\x00\x01\x00": "ICO"}
    if head[4:8] == b"ftyp":
        return " (it looks like HEIC, AVIF or a video)"
    return next((f" (it looks like {kind})" for sign, kind in known.items() if head.startswith(sign)), "")


def _check_size(size: tuple[int, int], name: str, limits: Limits) -> None:
    width, height = size
    if width <= 0 or height <= 0:
        raise BadImage(f"{name} says it is {width}x{height}.", "The file is damaged; save it again.")
    if width * height > limits.pixels:
        raise _too_large(f"{name} ({width}x{height})", limits)


def _too_large(name: str, limits: Limits) -> BadImage:
    return BadImage(
        f"{name} is larger than {limits.pixels / 1e6:g} megapixels.", "Scale it down, or cut it into pieces."
    )


def _short(error: BaseException) -> str:
    if isinstance(error, PIL.UnidentifiedImageError):
        return "its header cannot be read"
    return " ".join(str(error).split())[:120] or type(error).__name__


# -- decoding


def _decode(picture: PilImage, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """RGB (H, W, 3) and alpha (H, W) or None, band by band so that only one full copy is held beside Pillow's."""
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        grey = _grey_of_wide(picture, name)
        return np.repeat(grey[:, :, None], 3, axis=2), None
    has_alpha = picture.has_transparency_data
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if has_alpha else None
    rows = max(1, _BAND_BYTES // (4 * width))
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height)))
        band.info = picture.info
        values = np.asarray(band.convert("RGBA" if has_alpha else "RGB"))
        pixels[top : top + rows] = values[:, :, :3]
        if alpha is not None:
            alpha[top : top + rows] = values[:, :, 3]
    return pixels, alpha


def _is_large_webp(picture: PilImage) -> bool:
    """Whether it is a WebP that Pillow, which keeps two whole frames of every WebP, would need too much memory for."""
    width, height = picture.size
    return picture.format == "WEBP" and getattr(picture, "n_frames", 1) == 1 and width * height > _LARGE_WEBP


def _decode_webp(source: Source) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """What _decode gives, by OpenCV (the same libwebp, without animation)."""
    import cv2

    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.ndim != 3:
        raise ValueError("the picture data cannot be decoded")
    return np.ascontiguousarray(array[:, :, 2::-1]), array[:, :, 3].copy() if array.shape[2] == 4 else None


def _grey_of_wide(picture: PilImage, name: str) -> NDArray[np.uint8]:
    """(H, W) uint8 of a 16-bit, 32-bit or float grey picture."""
    values: NDArray[Any] = np.asarray(picture)
    if picture.mode == "F":
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise BadImage(
                f"{name}: a float picture holds values outside 0..1.", "Scale it to 0..1, or save it as 16 bits."
            )
        scaled: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
        return scaled
    if values.min() < 0 or values.max() > 65535:
        raise BadImage(f"{name}: a 32-bit picture holds values outside 0..65535.", "Save it with 8 or 16 bits.")
    return (values >> 8).astype(np.uint8)


def _mask_values(picture: PilImage, name: str) -> NDArray[Any]:
    """(H, W) bool, indices, or grey values of a mask file."""
    picture.load()
    if picture.mode in ("1", "P", "L") or picture.mode.startswith("I"):
        return np.asarray(picture)
    pixels, alpha = _decode(picture, name)
    grey: NDArray[np.uint8] = pixels.max(axis=2)
    if alpha is not None and grey.min() == grey.max() and alpha.min() != alpha.max():
        return alpha
    return grey


def _split(array: NDArray[Any], name: str) -> int:
    """The value above which a pixel is inside; raises BadMask where the file does not say."""
    top = int(np.max(array))
    if top <= 1:
        return 0
    if 127 < top <= 255:
        return 127
    if top > 32767:
        return 32767
    raise BadMask(
        f"{name} holds values up to {top}: neither 0/1 nor 0/255.",
        "Name the object to take with value=, or save 0/255.",
    )


def _orientation(picture: PilImage) -> int:
    """The EXIF orientation 1..8; damaged EXIF counts as upright (the pixels are still good)."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a picture is not refused for its damaged notes
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(array: NDArray[T], turn: int) -> NDArray[T]:
    """The array as a viewer would show it; see the table in the EXIF standard (2.3, tag 0x0112)."""
    if turn >= 5:
        array = array.swapaxes(0, 1)
    if turn in (2, 3, 6, 7):
        array = array[:, ::-1]
    if turn in (3, 4, 7, 8):
        array = array[::-1]
    return array


def _sealed(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A contiguous read-only array (values.Image takes it as it is)."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


def _save_options(path: Path, quality: int) -> dict[str, Any]:
    options: dict[str, dict[str, Any]] = {
        ".png": {"format": "PNG", "compress_level": 4},
        ".jpg": {"format": "JPEG", "quality": quality, "subsampling": 0},
        ".webp": {"format": "WEBP", "quality": quality, "lossless": quality >= 100},
    }
    options[".jpeg"] = options[".jpg"]
    found = options.get(path.suffix.lower())
    if found is None:
        raise BadImage(f"{path}: pictures are written as .png, .jpg or .webp.", "Choose one of these suffixes.")
    return found

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
from maskwright.values.pillow import mask_values, middle, rgb_and_alpha

FORMATS = "PNG, JPEG, WebP, TIFF, BMP, GIF"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""Names that pictures usually have; used to find them in folders, never to decide what they are."""

_HEADER_BYTES = 32
_LONGEST = {"WEBP": 16383, "JPEG": 65500}
"""Format -> the longest side its files can have."""
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
        pixels, alpha = _decode_webp(source) if _is_large_webp(picture) else rgb_and_alpha(picture, name)
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
    longest = _LONGEST.get(options["format"], max(image.size))
    if max(image.size) > longest:
        raise BadImage(f"{path}: {options['format']} holds at most {longest} pixels a side.", "Name it .png.")
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
            array = mask_values(picture, name)
            turn = _orientation(picture)
            indexed = picture.mode == "P"
    except BadImage as error:
        raise BadMask(error.message, error.hint) from error
    array = _turned(array, turn)
    if value is not None:
        return Mask(array == value)
    return Mask(array > 0 if indexed or array.dtype == np.bool_ else array > middle(array, name))


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


def _is_large_webp(picture: PilImage) -> bool:
    """Whether it is a WebP that Pillow, which keeps two whole frames of every WebP, would need too much memory for."""
    width, height = picture.size
    return picture.format == "WEBP" and getattr(picture, "n_frames", 1) == 1 and width * height > _LARGE_WEBP


def _decode_webp(source: Source) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """What rgb_and_alpha gives, by OpenCV (the same libwebp, without animation)."""
    import cv2

    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.ndim != 3:
        raise ValueError("the picture data cannot be decoded")
    return np.ascontiguousarray(array[:, :, 2::-1]), array[:, :, 3].copy() if array.shape[2] == 4 else None


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

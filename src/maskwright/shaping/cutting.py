"""Mask -> soft cut-out: band, matte, clean colours, frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask, BadSettings
from maskwright.media.images import save_image
from maskwright.ports import Matter
from maskwright.shaping.foreground import estimate_foreground
from maskwright.shaping.rim import with_rim
from maskwright.shaping.softness import edge_softness, expected_alpha, signed_distance
from maskwright.shaping.trimap import HALF_BAND, UNKNOWN, fitted_trimap, make_trimap, widen
from maskwright.values import Image, Mask

Colour = tuple[int, int, int]
FRAMES = ("full", "tight", "square")
_MARGIN = 64


@runtime_checkable
class TellableMatter(Protocol):
    """A matter that may also be told what alpha is expected where colours do not tell."""

    takes_expected: bool

    def matte(
        self, image: Image, trimap: NDArray[np.uint8], *, expected: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Cutout:
    """`image`: the object's own colours with alpha (flattened when a background was asked for); `alpha`: (H, W)
    float32 of the whole picture; `offset`: where the frame's upper left corner lies in the picture (x, y)."""

    image: Image
    alpha: NDArray[np.float32]
    offset: tuple[int, int]
    report: dict[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path) -> Path:
        """Writes PNG or WebP (JPEG only where a background fills it); returns the path."""
        if self.image.alpha is not None and Path(path).suffix.lower() not in (".png", ".webp"):
            raise BadSettings(f"{path} cannot hold transparency.", "Name it .png or .webp, or give a background.")
        return save_image(path, self.image, quality=100)


def band_of(size: tuple[int, int]) -> int:
    """The half width of the band, in pixels, that suits a picture of `size`."""
    return int(np.clip(round(0.0115 * float(np.hypot(*size))), 3, 24))


@dataclass(frozen=True)
class Edge:
    """A solved edge: `alpha` (H, W) 0..1, and how soft the picture's own edge is along the mask (sigma, pixels; 0
    where that was not looked at)."""

    alpha: NDArray[np.float32]
    softness_px: float = 0.0
    band_px: int = 0


def solve_edge(image: Image, mask: Mask, matter: Matter | None, band_px: int | None = None) -> Edge:
    """The plain mask without a matter, else the band about its edge solved, on the mask's neighbourhood only. Without
    `band_px` the band is as wide as the edge is soft, for matters that can be told what to expect."""
    mask.check_size(image.size)
    if not mask:
        raise BadMask("the mask is empty: there is nothing to cut out.", "Give a mask with at least one pixel inside.")
    inside = mask.array
    if matter is None or inside.all():
        return Edge(inside.astype(np.float32))
    band = band_px or band_of(image.size)
    y, x = _neighbourhood(mask, _MARGIN + 4 * band)
    part, window = Image(image.pixels[y, x]), np.ascontiguousarray(inside[y, x])
    alpha = np.zeros(inside.shape, np.float32)
    if not isinstance(matter, TellableMatter) or not matter.takes_expected:
        alpha[y, x] = _settled(_widened(matter, part, make_trimap(window, band), band))
        return Edge(alpha, band_px=band)
    signed = signed_distance(window)
    softness = edge_softness(part.pixels, signed, unit=float(np.hypot(*image.size)) / 1280)
    trimap = fitted_trimap(signed, softness) if band_px is None else make_trimap(window, band_px)
    expected = expected_alpha(signed, softness)
    typical = float(np.median(softness[np.abs(signed) <= 1]))
    half = band_px or max(2, round(HALF_BAND * typical + 1))
    matte = matter.matte(part, trimap, expected=expected)
    if band_px is None:
        matte = with_rim(part.pixels, window, trimap == UNKNOWN, matte, softness)
    alpha[y, x] = _settled(matte)
    return Edge(alpha, typical, half)


def _widened(matter: Matter, image: Image, trimap: NDArray[np.uint8], reach: int) -> NDArray[np.float32]:
    """The matter's answer; solved again with more room where it is still soft at the band's rim."""
    solved = matter.matte(image, trimap)
    wider = widen(trimap, solved, reach)
    return solved if wider is None else matter.matte(image, wider)


def cut_out(
    image: Image,
    mask: Mask,
    *,
    matter: Matter | None = None,
    band_px: int | None = None,
    frame: str = "full",
    pad_px: int = 0,
    background: Colour | Image | None = None,
) -> Cutout:
    """The object with a soft edge. `frame`: "full" (the picture's size), "tight" or "square", `pad_px` wider;
    `background`: a colour or a picture behind it instead of transparency. Raises BadMask, BadSettings."""
    if frame not in FRAMES:
        raise BadSettings(f"there is no frame {frame!r}.", f"Choose one of: {', '.join(FRAMES)}.")
    if band_px is not None and not 1 <= band_px <= 200:
        raise BadSettings(f"a band of {band_px} pixels is not usable.", "Give 1 to 200, or leave it out.")
    edge = solve_edge(image, mask, matter, band_px)
    alpha = edge.alpha
    colours = _clean_colours(image, alpha, mask)
    whole = Image(colours, np.rint(alpha * 255).astype(np.uint8), image.source)
    framed, offset = put_in_frame(whole, frame, pad_px)
    report = {
        "band_px": edge.band_px,
        "softness_px": round(edge.softness_px, 2),
        "matter": getattr(matter, "name", None),
        "soft_pixels": int(((alpha > 0.01) & (alpha < 0.99)).sum()),
    }
    return Cutout(framed if background is None else flatten(framed, background), alpha, offset, report)


def put_in_frame(image: Image, frame: str, pad_px: int) -> tuple[Image, tuple[int, int]]:
    """The picture cropped to what alpha shows (or not at all), with its offset in the old one."""
    if frame == "full" or image.alpha is None:
        return image, (0, 0)
    box = Mask(image.alpha > 2).box or Mask(image.alpha > 0).box
    if box is None:
        return image, (0, 0)
    x0, y0, x1, y1 = box.pixels()
    x0, y0, x1, y1 = x0 - pad_px, y0 - pad_px, x1 + pad_px, y1 + pad_px
    if frame == "square":
        grow_x, grow_y = max(0, (y1 - y0) - (x1 - x0)), max(0, (x1 - x0) - (y1 - y0))
        x0, x1, y0, y1 = x0 - grow_x // 2, x1 + grow_x - grow_x // 2, y0 - grow_y // 2, y1 + grow_y - grow_y // 2
    out = np.zeros((y1 - y0, x1 - x0, 4), np.uint8)
    cx0, cy0, cx1, cy1 = max(x0, 0), max(y0, 0), min(x1, image.width), min(y1, image.height)
    out[cy0 - y0 : cy1 - y0, cx0 - x0 : cx1 - x0, :3] = image.pixels[cy0:cy1, cx0:cx1]
    out[cy0 - y0 : cy1 - y0, cx0 - x0 : cx1 - x0, 3] = image.alpha[cy0:cy1, cx0:cx1]
    return Image.of(out), (x0, y0)


def flatten(image: Image, background: Colour | Image) -> Image:
    """The cut-out over a colour, or over a picture scaled and cropped to fill the frame."""
    if image.alpha is None:
        return image
    a = image.alpha[:, :, None].astype(np.float32) / 255
    ground = _filling(background, image.size) if isinstance(background, Image) else np.array(background, np.float32)
    return Image(np.rint(image.pixels * a + ground * (1 - a)).astype(np.uint8), None, image.source)


def _filling(picture: Image, size: tuple[int, int]) -> NDArray[np.float32]:
    width, height = size
    scale = max(width / picture.width, height / picture.height)
    wide, high = max(width, round(picture.width * scale)), max(height, round(picture.height * scale))
    grown = cv2.resize(picture.pixels, (wide, high), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    x, y = (wide - width) // 2, (high - height) // 2
    return np.asarray(grown[y : y + height, x : x + width].astype(np.float32), dtype=np.float32)


def _settled(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Alpha with its last percents of haze and of holes closed, smoothly."""
    settled: NDArray[np.float32] = np.clip((alpha - 0.02) / 0.96, 0, 1).astype(np.float32)
    return settled


def _clean_colours(image: Image, alpha: NDArray[np.float32], mask: Mask) -> NDArray[np.uint8]:
    y, x = _neighbourhood(Mask((alpha > 0) | mask.array), _MARGIN)
    out = np.zeros_like(image.pixels)
    out[y, x] = estimate_foreground(image.pixels[y, x], np.ascontiguousarray(alpha[y, x]))
    return out


def _neighbourhood(mask: Mask, margin: int) -> tuple[slice, slice]:
    box = mask.box
    if box is None:
        return slice(0, mask.height), slice(0, mask.width)
    x0, y0, x1, y1 = box.pixels()
    return slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin)

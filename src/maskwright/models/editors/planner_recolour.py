"""Another colour under the same light: lightness is moved as a whole, never redrawn."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
_LOW, _HIGH = 4.0, 96.0


def recolour(pixels: Pixels, region: NDArray[np.bool_], colour: tuple[int, int, int]) -> Pixels:
    """The region in `colour`: its mean lightness becomes the colour's, its light and shade stay (an affine map of L*);
    what would leave the colour space loses chroma, not lightness."""
    if not region.any():
        return pixels
    lab = cv2.cvtColor(pixels[region][None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]
    goal = cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2Lab)[0, 0]
    light = _moved(lab[:, 0], float(goal[0]))
    hue = np.broadcast_to(goal[1:], (len(light), 2)) * _share(light, float(goal[0]))[:, None]
    out = pixels.copy()
    out[region] = np.clip(np.rint(_in_gamut(light, hue) * 255), 0, 255).astype(np.uint8)
    return out


def _moved(light: Floats, goal: float) -> Floats:
    """Lightness about its new mean, squeezed only as far as it must be to fit."""
    middle = float(light.mean())
    low, high = (float(v) for v in np.percentile(light, (0.5, 99.5)))
    gain = 1.0
    centre = float(np.clip(goal, _LOW + 6, _HIGH - 6))
    if high > middle:
        gain = min(gain, (_HIGH - centre) / (high - middle))
    if middle > low:
        gain = min(gain, (centre - _LOW) / (middle - low))
    gain = max(gain, 0.25)
    low, high = centre + gain * (low - middle), centre + gain * (high - middle)
    centre += max(0.0, _LOW - low) - max(0.0, high - _HIGH)
    return np.asarray(np.clip(centre + gain * (light - middle), 0, 100).astype(np.float32), dtype=np.float32)


def _share(light: Floats, goal: float) -> Floats:
    """How much of the colour's chroma is seen at each lightness: less in deep shade and in glare."""
    shade = np.clip(light / max(goal, 1.0), 0, 1)
    glare = np.clip((100 - light) / max(100 - goal, 1.0), 0, 1)
    return np.asarray(np.minimum(shade, glare).astype(np.float32) ** 0.6, dtype=np.float32)


def _in_gamut(light: Floats, hue: Floats) -> Floats:
    """RGB 0..1 at these lightnesses, chroma lowered where RGB cannot show it (by bisection)."""
    low, high = np.zeros(len(light), np.float32), np.ones(len(light), np.float32)
    share = high.copy()
    for _ in range(7):
        fits = _fits(_rgb(light, hue * share[:, None]))
        low, high = np.where(fits, share, low), np.where(fits, high, share)
        share = np.where(fits & (share == 1), 1, (low + high) / 2).astype(np.float32)
    return _rgb(light, hue * np.where(share == 1, 1, low).astype(np.float32)[:, None])


def _fits(rgb: Floats) -> NDArray[np.bool_]:
    return np.asarray(((rgb > 0.002) & (rgb < 0.998)).all(axis=1), dtype=np.bool_)


def _rgb(light: Floats, hue: Floats) -> Floats:
    lab = np.concatenate([light[:, None], hue], axis=1).astype(np.float32)
    found: Floats = cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB)[0]
    return found

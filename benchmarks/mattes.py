"""Pictures whose true alpha is known: made outlines, hair, holes and haze, laid over the samples that travel along.

`four` are the cases that the product's matting was built on; `held_out` are others, in kind, pictures and seed, which
nothing was tuned to. Each case is (name, picture, true alpha), 1024x768.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from maskwright.media.samples import sample

SIZE = (1024, 768)
Case = tuple[str, np.ndarray, np.ndarray]
Draw = Callable[[np.random.Generator], np.ndarray]


def blob(rng: np.random.Generator, high: int, wide: int) -> np.ndarray:
    """A wavy outline, 0/255."""
    t = np.linspace(0, 2 * np.pi, 120)
    reach = 0.3 * high * (1 + 0.2 * np.sin(rng.integers(2, 6) * t) + 0.1 * np.sin(rng.integers(5, 9) * t))
    points = np.stack([wide / 2 + reach * np.cos(t), high / 2 + reach * np.sin(t)], axis=1)
    canvas = np.zeros((high, wide), np.uint8)
    cv2.fillPoly(canvas, [np.int32(points)], 255, cv2.LINE_AA)
    return canvas


def fitted(name: str, size: tuple[int, int], *, mirrored: bool = False) -> np.ndarray:
    """A sample picture cropped to fill `size` (width, height)."""
    pixels = sample(name).pixels
    scale = max(size[0] / pixels.shape[1], size[1] / pixels.shape[0])
    grown = cv2.resize(pixels, None, fx=scale * 1.01, fy=scale * 1.01, interpolation=cv2.INTER_CUBIC)
    found = grown[: size[1], : size[0]].astype(np.float32)
    return found[:, ::-1] if mirrored else found


def outline(rng: np.random.Generator, scale: int = 1) -> np.ndarray:
    """The wavy outline, 0..1, `scale` times as large."""
    return blob(rng, SIZE[1] * scale, SIZE[0] * scale).astype(np.float32) / 255


def soft(sigma: float) -> Draw:
    return lambda rng: cv2.GaussianBlur(outline(rng), (0, 0), sigma)


def uneven(sigma: float) -> Draw:
    """Sharp at the left, blurred to the right, as by a lens."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        sharp = outline(rng)
        share = np.linspace(0, 1, SIZE[0], dtype=np.float32)[None]
        levels = [cv2.GaussianBlur(sharp, (0, 0), 0.7 + sigma * k / 4) for k in range(5)]
        out = np.zeros_like(sharp)
        for k, level in enumerate(levels):
            out += level * np.clip(1 - np.abs(share * 4 - k), 0, 1)
        return out

    return draw


def moving(length: int, degrees: float) -> Draw:
    """Blurred along one direction."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        kernel = np.zeros((length, length), np.float32)
        middle, reach = (length - 1) / 2, (length - 1) / 2
        step = reach * np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
        ends = [tuple(round(float(middle + sign * v)) for v in step) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA)
        return cv2.filter2D(outline(rng), -1, kernel / kernel.sum())

    return draw


def haired(count: int, longest: int, thickness: float) -> Draw:
    """An outline with curved strands that grow from it, drawn four times as large."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        canvas = blob(rng, SIZE[1] * 4, SIZE[0] * 4)
        [edge, *_], _ = cv2.findContours((canvas > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        centre = np.array([SIZE[0] * 2, SIZE[1] * 2])
        for start in rng.integers(0, len(edge), count):
            root = edge[start, 0].astype(float)
            turn = np.arctan2(*(root - centre)[::-1]) + rng.normal(0, 0.5)
            bend, reach = rng.normal(0, 1.2), 4 * longest * rng.uniform(0.4, 1)
            t = np.linspace(-0.2, 1, 24)
            path = root + reach * np.stack([t * np.cos(turn + bend * t), t * np.sin(turn + bend * t)], axis=1)
            wide = max(1, round(4 * thickness * rng.uniform(0.6, 1.3)))
            cv2.polylines(canvas, [np.int32(path)], False, 255, wide, cv2.LINE_AA)
        return cv2.resize(canvas, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255

    return draw


def pierced(sigma: float) -> Draw:
    """An outline with many holes, large and small."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        out = outline(rng)
        for _ in range(40):
            at = (int(rng.integers(300, 724)), int(rng.integers(200, 568)))
            cv2.ellipse(out, at, (int(rng.integers(4, 30)), int(rng.integers(4, 30))), 0, 0, 360, 0.0, -1, cv2.LINE_AA)
        return cv2.GaussianBlur(out, (0, 0), sigma)

    return draw


def veiled(reach: float) -> Draw:
    """An opaque core whose rim thins out over `reach` pixels, unevenly, like a veil or smoke."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        core = outline(rng) > 0.5
        signed = cv2.distanceTransform(core.astype(np.uint8), cv2.DIST_L2, 5)
        signed -= cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 5)
        folds = cv2.GaussianBlur(rng.normal(0, 1, core.shape).astype(np.float32), (0, 0), 14)
        return np.clip(0.5 + signed / reach + 0.15 * folds / folds.std() * (np.abs(signed) < reach / 2), 0, 1)

    return draw


def wired(rng: np.random.Generator) -> np.ndarray:
    """A ring with thin spokes."""
    canvas = np.zeros((SIZE[1] * 4, SIZE[0] * 4), np.uint8)
    middle = (SIZE[0] * 2, SIZE[1] * 2)
    cv2.circle(canvas, middle, 1000, 255, 120, cv2.LINE_AA)
    cv2.circle(canvas, middle, 160, 255, -1, cv2.LINE_AA)
    for turn in np.arange(0, 2 * np.pi, np.pi / 9) + rng.uniform(0, 1):
        end = (round(middle[0] + 1000 * np.cos(turn)), round(middle[1] + 1000 * np.sin(turn)))
        cv2.line(canvas, middle, end, 255, int(rng.integers(10, 30)), cv2.LINE_AA)
    return cv2.resize(canvas, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def sharp(rng: np.random.Generator) -> np.ndarray:
    """Drawn four times as large: only the pixels on the line are mixed."""
    return cv2.resize(outline(rng, 4), SIZE, interpolation=cv2.INTER_AREA)


def mixed(front: np.ndarray, back: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The front over the back, uint8."""
    whole = front * alpha[:, :, None] + back * (1 - alpha[:, :, None])
    return np.rint(np.clip(whole, 0, 255)).astype(np.uint8)


FOUR = (("cat", "rocket", 5), ("flower", "coffee", 4), ("temple", "flower", 3), ("coffee", "astronaut", 6))
HELD_OUT: tuple[tuple[str, Draw, str, str], ...] = (
    ("out of focus, 8 px", soft(8), "flower", "temple"),
    ("focus falls off, 0.7 to 7 px", uneven(6.5), "cat", "coffee"),
    ("moving, 25 px aslant", moving(25, 25), "astronaut", "flower"),
    ("moving, 41 px across", moving(41, 0), "rocket", "temple"),
    ("long hair", haired(260, 55, 1.6), "coffee", "cat"),
    ("short fur", haired(1500, 16, 1.3), "cat", "temple"),
    ("holes, 2 px soft", pierced(2), "temple", "coffee"),
    ("a veil, 40 px", veiled(40), "flower", "astronaut"),
    ("wires", wired, "rocket", "coffee"),
    ("sharp", sharp, "astronaut", "temple"),
)


def four() -> Iterator[Case]:
    """Soft outlines of one blur each."""
    rng = np.random.default_rng(3)
    for front, back, sigma in FOUR:
        alpha = soft(sigma)(rng)
        yield f"{front} on {back}, blur {sigma}", mixed(fitted(front, SIZE), fitted(back, SIZE), alpha), alpha


def held_out(seed: int = 20) -> Iterator[Case]:
    """Ten kinds of edge over other pairs of pictures, with a little noise, as cameras leave it."""
    rng = np.random.default_rng(seed)
    for name, draw, front, back in HELD_OUT:
        alpha = draw(rng).astype(np.float32)
        picture = mixed(fitted(front, SIZE, mirrored=True), fitted(back, SIZE, mirrored=True), alpha)
        noisy = np.clip(np.rint(picture + rng.normal(0, 1.5, picture.shape)), 0, 255).astype(np.uint8)
        yield f"{name}: {front} on {back}", noisy, alpha

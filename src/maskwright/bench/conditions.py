"""What is done to a picture or phrase before it is asked about: noise, blur, compression, darkness, typing errors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from maskwright.errors import BadSettings
from maskwright.values import Image

Change = Callable[[Image, int, np.random.Generator], Image]
Reword = Callable[[str, np.random.Generator], str]

DEFAULT = (
    "clean", "noise-10", "noise-20", "blur-5", "blur-9", "jpeg-30", "jpeg-10", "dark-50", "small-50", "occlude-20",
    "typos", "paraphrase",
)  # fmt: skip
"""The conditions of `bench reliability`."""

_CONDITION = re.compile(r"^([a-z]+)(?:-(\d{1,3}))?$")


def check_condition(name: str) -> None:
    """Raises BadSettings for a condition that is not known."""
    match = _CONDITION.match(name)
    if name in ("clean", *REWORDS) or (match is not None and match[1] in CHANGES and match[2]):
        return
    known = ["clean", *(f"{k}-N" for k in CHANGES), *REWORDS]
    raise BadSettings(f"there is no condition {name!r}.", f"Choose from: {', '.join(known)}.")


def apply_condition(name: str, image: Image, phrase: str, *, seed: int, sample: str) -> tuple[Image, str]:
    """The changed picture and phrase; the same for the same seed and sample. Masks stay valid: sizes do not change."""
    if name == "clean":
        return image, phrase
    rng = np.random.default_rng(_seed(name, seed, sample))
    if name in REWORDS:
        return image, REWORDS[name](phrase, rng)
    kind, _, amount = name.partition("-")
    return CHANGES[kind](image, int(amount), rng), phrase


def _seed(name: str, seed: int, sample: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{name}|{seed}|{sample}".encode()).digest()[:8], "big")


def _noise(image: Image, sigma: int, rng: np.random.Generator) -> Image:
    noisy = image.pixels + rng.normal(0, sigma, image.pixels.shape)
    return Image(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _blur(image: Image, side: int, rng: np.random.Generator) -> Image:
    """A Gaussian of a `side` x `side` window, sigma as OpenCV derives it."""
    odd = side | 1
    return Image(cv2.GaussianBlur(image.pixels, (odd, odd), 0).astype(np.uint8))


def _jpeg(image: Image, quality: int, rng: np.random.Generator) -> Image:
    _, data = cv2.imencode(".jpg", image.pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, max(1, min(100, quality))])
    pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return Image(np.ascontiguousarray(pixels[:, :, ::-1]))


def _dark(image: Image, percent: int, rng: np.random.Generator) -> Image:
    return Image(np.rint(image.pixels * (percent / 100)).clip(0, 255).astype(np.uint8))


def _small(image: Image, percent: int, rng: np.random.Generator) -> Image:
    """Shrunk and enlarged again, so that the truth still fits."""
    size = (max(1, image.width * percent // 100), max(1, image.height * percent // 100))
    shrunk = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    return Image(cv2.resize(shrunk, image.size, interpolation=cv2.INTER_LINEAR).astype(np.uint8))


def _occlude(image: Image, percent: int, rng: np.random.Generator) -> Image:
    """Grey squares over this share of the picture."""
    pixels = image.pixels.copy()
    side = max(1, round(0.12 * min(image.size)))
    covered = np.zeros(pixels.shape[:2], dtype=np.bool_)
    while covered.mean() < min(percent, 90) / 100:
        x, y = rng.integers(0, image.width), rng.integers(0, image.height)
        covered[max(0, y - side // 2) : y + side // 2 + 1, max(0, x - side // 2) : x + side // 2 + 1] = True
    pixels[covered] = 128
    return Image(pixels)


def _typos(phrase: str, rng: np.random.Generator) -> str:
    """One slip in about every third word of four letters or more: two letters swapped, one lost or one doubled."""
    words = phrase.split()
    long = [i for i, word in enumerate(words) if len(word) >= 4]
    for i in sorted(rng.permutation(long)[: max(1, len(words) // 3)].tolist()) if long else []:
        at, how = int(rng.integers(1, len(words[i]) - 1)), int(rng.integers(3))
        w = words[i]
        words[i] = (w[:at] + w[at + 1] + w[at] + w[at + 2 :], w[:at] + w[at + 1 :], w[:at] + w[at] + w[at:])[how]
    return " ".join(words)


_FRAMES = ("{}, please", "I am looking for {}", "where is {}?", "show me {}", "the picture shows {}; that one")


def _paraphrase(phrase: str, rng: np.random.Generator) -> str:
    """The phrase inside a sentence, as people type it."""
    return str(_FRAMES[int(rng.integers(len(_FRAMES)))]).format(phrase)


CHANGES: Mapping[str, Change] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "dark": _dark,
    "small": _small,
    "occlude": _occlude,
}
"""name-N -> what is done to the picture."""

REWORDS: Mapping[str, Reword] = {"typos": _typos, "paraphrase": _paraphrase}

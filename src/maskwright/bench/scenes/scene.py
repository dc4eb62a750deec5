"""Scenes: a textured ground and several things, some of them alike. The same seed gives the same pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.bench.scenes.things import COLOURS, THINGS, draw_thing
from maskwright.values import Image, Mask

GENERATOR = "scenes-1"
"""Changes whenever the same seed would give another picture."""

WIDTH, HEIGHT = 480, 360
SIDES = (44, 62, 88, 124)

_GROUNDS = ((196, 188, 170), (168, 186, 196), (176, 190, 166), (205, 200, 196), (150, 152, 160))


@dataclass(frozen=True, eq=False)
class Placed:
    """A thing in a scene: what it is, where its centre lies, and the pixels where it is seen."""

    kind: str
    colour: str
    side: int
    centre: tuple[float, float]
    mask: Mask


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and everything that is in it."""

    seed: int
    image: Image
    things: tuple[Placed, ...]


def draw_scene(seed: int, *, salt: str = GENERATOR) -> Scene:
    """The scene of a seed."""
    rng = np.random.default_rng([seed, *salt.encode()])
    pixels = _ground(rng)
    wanted = _wanted(rng)
    places = _places(rng, [side for _, _, side in wanted])
    covers: list[NDArray[np.bool_]] = []
    for (kind, colour, side), (x, y) in zip(wanted, places):
        covers.append(_paste(pixels, draw_thing(kind, colour, side), x, y))
    things = []
    for i, ((kind, colour, side), (x, y)) in enumerate(zip(wanted, places)):
        seen = covers[i] & ~np.any([np.zeros_like(covers[i]), *covers[i + 1 :]], axis=0)
        things.append(Placed(kind, colour, side, (x + side / 2, y + side / 2), Mask(seen)))
    noise = rng.normal(0, 3.0, pixels.shape)
    image = Image(np.clip(pixels + noise, 0, 255).astype(np.uint8), source=f"scene {seed}")
    return Scene(seed, image, tuple(things))


def _ground(rng: np.random.Generator) -> NDArray[np.float32]:
    """A wall and a table, each with a soft pattern."""
    first, second = rng.choice(len(_GROUNDS), 2, replace=False)
    horizon = int(rng.integers(HEIGHT // 4, HEIGHT // 2))
    pixels = np.empty((HEIGHT, WIDTH, 3), dtype=np.float32)
    pixels[:horizon], pixels[horizon:] = _GROUNDS[first], np.array(_GROUNDS[second]) * 0.85
    pattern = cv2.resize(rng.normal(0, 1, (12, 16)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    ground: NDArray[np.float32] = np.clip(pixels + 7 * pattern[..., None], 0, 255)
    return ground


def _wanted(rng: np.random.Generator) -> list[tuple[str, str, int]]:
    """Kind, colour and side of each thing: a group of alike things, a second smaller group, and single ones."""
    kinds = [str(k) for k in rng.permutation(list(THINGS))]
    groups = [(kinds[0], int(rng.integers(3, 5))), (kinds[1], int(rng.integers(1, 3))), (kinds[2], 1), (kinds[3], 1)]
    wanted = []
    for kind, count in groups[: int(rng.integers(2, 5))]:
        colours = rng.permutation(list(COLOURS))[:count]
        for colour in colours:
            wanted.append((kind, str(colour), int(rng.choice(SIDES))))
    return [wanted[i] for i in rng.permutation(len(wanted))]


def _places(rng: np.random.Generator, sides: list[int]) -> list[tuple[int, int]]:
    """Upper left corners; little overlap where there is room."""
    taken: list[tuple[int, int, int]] = []
    for side in sides:
        tries = rng.integers((0, 0), (WIDTH - side, HEIGHT - side), size=(60, 2))
        worst = [max((_overlap((int(x), int(y), side), other) for other in taken), default=0.0) for x, y in tries]
        x, y = tries[int(np.argmin(worst))] if min(worst) > 0.08 else tries[int(np.argmax(np.array(worst) <= 0.08))]
        taken.append((int(x), int(y), side))
    return [(x, y) for x, y, _ in taken]


def _overlap(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    """Shared area of two squares, as a share of the smaller."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[2], b[1] + b[2]) - max(a[1], b[1])
    return max(w, 0) * max(h, 0) / min(a[2], b[2]) ** 2


def _paste(pixels: NDArray[np.float32], thing: NDArray[np.uint8], x: int, y: int) -> NDArray[np.bool_]:
    """Draws the thing; (H, W) bool of the pixels it covers by half or more."""
    side = thing.shape[0]
    cover = thing[..., 3:].astype(np.float32) / 255
    there = pixels[y : y + side, x : x + side]
    there[:] = there * (1 - cover) + thing[..., :3] * cover
    mask = np.zeros(pixels.shape[:2], dtype=np.bool_)
    mask[y : y + side, x : x + side] = cover[..., 0] >= 0.5
    return mask

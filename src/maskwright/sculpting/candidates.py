"""Where to look: places inside the mask, along its rim and outside it, from pixels alone and reproducible.

All work is done on the scene's working grid; places come out in full-image pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.sculpting.appearance import likeness
from maskwright.sculpting.places import Diagnosis, Place, Sampler, directions
from maskwright.sculpting.scene import Bools, Floats, Scene

Spots = tuple[NDArray[np.float64], NDArray[np.float64]]
"""((N, 2) grid places, (N,) priorities, higher first)."""

BAND_SHARE = 0.025
"""Half width of the rim's band, of the box's diagonal."""
PULL = 2.0


def sample_places(
    scene: Scene,
    mask: Bools,
    *,
    per_sampler: int = 30,
    most: int = 30,
    apart: float = 0.06,
    diagnosis: Diagnosis | None = None,
    known: Sequence[Place] = (),
    turn: int = 1,
) -> list[Place]:
    """At most `most` places, at least `apart` x the box's diagonal from each other and half that from `known` ones;
    each sampler that finds anything is represented. `diagnosis` pulls them towards the parts it names."""
    small = scene.shrink(mask)
    rng = np.random.default_rng((scene.seed, turn))
    spots = {
        "inside": _inside(scene, small, per_sampler, rng),
        "band": _band(scene, small, per_sampler, rng),
        "outside": _outside(scene, small, per_sampler, rng),
    }
    pulled = {name: _pull(scene, small, spots[name], name, diagnosis) for name in spots}
    gap = max(1.0, apart * scene.box.diagonal * scene.factor)
    kept = _merge(pulled, most, gap, scene.to_grid([p.xy for p in known]))
    return [
        Place(f"{turn}.{index}", float(x), float(y), name, float(weight))
        for index, (name, (x, y), weight) in enumerate(
            (name, scene.to_full(xy)[0], weight) for name, xy, weight in kept
        )
    ]


def control_places(scene: Scene, mask: Bools, count: int) -> list[Place]:
    """Places along the rim of the ROI, outside the mask: what "not the target" looks like.

    Where the ROI ends with the picture the rim may well be target, so places outside the given box go before; only
    when there are none, those that look least like the mask are taken.
    """
    small = scene.shrink(mask)
    height, width = small.shape
    inset = max(1, round(0.04 * min(height, width)))
    rim = np.zeros_like(small)
    rim[inset : max(inset + 1, height - inset), inset : max(inset + 1, width - inset)] = True
    inner = cv2.erode(rim.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    free = rim & ~inner & ~_grow(small, round(BAND_SHARE * scene.box.diagonal * scene.factor))
    beyond = free & ~_box_on_grid(scene)
    if not beyond.any() and free.any():
        like = likeness(scene, small)
        beyond = free & (like <= np.median(like[free]))
    rows, columns = np.nonzero(beyond)
    if not len(rows):
        return []
    angle = np.arctan2(rows - height / 2, columns - width / 2)
    order = np.argsort(angle, kind="stable")
    picked = order[np.linspace(0, len(order), min(count, len(order)), endpoint=False).astype(int)]
    places = scene.to_full(np.stack([columns[picked], rows[picked]], axis=1))
    return [Place(f"c.{i}", float(x), float(y), "control") for i, (x, y) in enumerate(places)]


def suppress(points: NDArray[np.float64], radius: float, most: int) -> list[int]:
    """Indices kept when each point silences later ones nearer than `radius`."""
    kept: list[int] = []
    for index in range(len(points)):
        if len(kept) == most:
            break
        if not kept or np.min(np.hypot(*(points[kept] - points[index]).T)) >= radius:
            kept.append(index)
    return kept


def _inside(scene: Scene, small: Bools, count: int, rng: np.random.Generator) -> Spots:
    """Peaks of the distance to the rim first, then a grid of places well inside."""
    depth = cv2.distanceTransform(np.pad(small, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    tops = (depth >= cv2.dilate(depth, np.ones((7, 7), np.uint8))) & small
    peaks = _spread(_points(tops), count // 3, depth)
    clear = small & (depth >= min(BAND_SHARE * scene.box.diagonal * scene.factor, 0.6 * float(depth.max())))
    grid = _grid(clear, count - len(peaks), rng)
    xy = np.concatenate([peaks, grid])
    return xy, _at(depth, xy) / max(1e-6, float(depth.max()))


def _band(scene: Scene, small: Bools, count: int, rng: np.random.Generator) -> Spots:
    """Places spread evenly along the contours, in turn just inside and just outside."""
    reach = max(1.0, BAND_SHARE * scene.box.diagonal * scene.factor)
    xy, normals = contour_places(small, count, start=rng.random())
    if not len(xy):
        return _none()
    order = _shuffled(len(xy))
    side = np.where(np.arange(len(xy)) % 2 == 0, -1.0, 1.0)[:, None]
    moved = np.clip(xy[order] + normals[order] * side * reach, 0, np.array(small.shape[::-1]) - 1.0)
    return moved, np.linspace(1, 0.5, len(moved))


def _outside(scene: Scene, small: Bools, count: int, rng: np.random.Generator) -> Spots:
    """A grid of the box outside the mask, places that look like the object first."""
    free = _box_on_grid(scene) & ~_grow(small, round(BAND_SHARE * scene.box.diagonal * scene.factor))
    xy = _grid(free, 2 * count, rng)
    if not len(xy):
        return _none()
    like = _at(likeness(scene, small), xy)
    order = np.argsort(-like, kind="stable")[:count]
    return xy[order], like[order]


def contour_places(small: Bools, count: int, start: float = 0.0, holes: bool = True) -> Spots:
    """(N, 2) places spread by arc length over all contours, and the (N, 2) outward normals there."""
    mode = cv2.RETR_CCOMP if holes else cv2.RETR_EXTERNAL
    found, _ = cv2.findContours(small.astype(np.uint8), mode, cv2.CHAIN_APPROX_NONE)
    rings = [ring[:, 0, :].astype(np.float64) for ring in found]
    total = sum(len(ring) for ring in rings)
    xy, normals = [], []
    rings.sort(key=len, reverse=True)
    shares = [round(count * len(ring) / max(1, total)) for ring in rings]
    if not any(shares):  # many small pieces: one place each for the longest
        shares = [1] * min(count, len(rings))
    for ring, share in zip(rings, shares):
        if not share:
            continue
        at = ((np.arange(share) + start) / share * len(ring)).astype(int) % len(ring)
        step = max(1, min(5, len(ring) // 4))
        along = ring[(at + step) % len(ring)] - ring[(at - step) % len(ring)]
        xy.append(ring[at])
        normals.append(_outward(small, ring[at], along))
    if not xy:
        return _none()[0], _none()[0]
    return np.concatenate(xy), np.concatenate(normals)


def _outward(small: Bools, xy: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit normals that point out of the mask; a place without a direction gets (0, -1)."""
    length = np.hypot(along[:, 0], along[:, 1])
    flat = length == 0
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.where(flat, 1.0, length)[:, None]
    normal[flat] = (0.0, -1.0)
    limit = np.array(small.shape[::-1]) - 1
    ahead = np.clip(np.round(xy + 3 * normal), 0, limit).astype(int)
    behind = np.clip(np.round(xy - 3 * normal), 0, limit).astype(int)
    turned = small[ahead[:, 1], ahead[:, 0]] & ~small[behind[:, 1], behind[:, 0]]
    return np.where(turned[:, None], -normal, normal)


def _pull(scene: Scene, small: Bools, spots: Spots, name: str, diagnosis: Diagnosis | None) -> Spots:
    """Priorities raised towards the parts that the diagnosis names for this sampler."""
    xy, priority = spots
    if diagnosis is None or not len(xy):
        return spots
    words: list[str] = []
    if name in ("inside", "band"):
        words += diagnosis.missing_parts
    if name in ("band", "outside"):
        words += diagnosis.over_segments
    towards = directions(words)
    if not towards:
        return spots
    rows, columns = np.nonzero(small)
    centre = np.array([columns.mean(), rows.mean()]) if len(rows) else np.array(scene.grid) / 2
    away = xy - centre
    away = away / np.maximum(np.hypot(away[:, 0], away[:, 1]), 1e-6)[:, None]
    gain = np.max(np.maximum(0.0, away @ np.array(towards).T), axis=1)
    priority = priority * (1 + PULL * gain)
    order = np.argsort(-priority, kind="stable")
    return xy[order], priority[order]


def _merge(
    spots: dict[Sampler, Spots] | dict[str, Spots], most: int, gap: float, known: NDArray[np.int64]
) -> list[tuple[Sampler, NDArray[np.float64], float]]:
    """Round-robin over the samplers, best first, each place silencing those nearer than `gap`."""
    kept: list[tuple[Sampler, NDArray[np.float64], float]] = []
    taken = np.zeros((0, 2))
    queues = {name: list(zip(*pair)) for name, pair in spots.items()}
    while len(kept) < most and any(queues.values()):
        for name, queue in queues.items():
            while queue:
                xy, weight = queue.pop(0)
                if _clear(xy, taken, gap) and _clear(xy, known, gap / 2):
                    kept.append((name, xy, weight))  # type: ignore[arg-type]
                    taken = np.vstack([taken, xy])
                    break
            if len(kept) == most:
                break
    return kept


def _clear(xy: NDArray[np.float64], others: NDArray[np.float64] | NDArray[np.int64], gap: float) -> bool:
    return not len(others) or bool(np.min(np.hypot(*(others - xy).T)) >= gap)


def _grid(free: Bools, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """About `count` places of a square lattice with a seeded offset, those inside `free`."""
    area = int(free.sum())
    if not area or count <= 0:
        return np.zeros((0, 2))
    step = max(1.0, float(np.sqrt(area / count)))
    height, width = free.shape
    xs = np.arange(rng.random() * step, width, step)
    ys = np.arange(rng.random() * step, height, step)
    xy = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(int)
    xy = xy[free[xy[:, 1], xy[:, 0]]] if len(xy) else xy
    if not len(xy):
        places = _points(free)
        xy = places[rng.integers(0, len(places), min(count, len(places)))]
    return xy[_shuffled(len(xy))].astype(np.float64)


def _shuffled(count: int) -> NDArray[np.int64]:
    """0..count-1 in an order whose every beginning is spread out (bit reversal)."""
    bits = max(1, int(count - 1).bit_length()) if count else 1
    order = [int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits)]
    return np.array([i for i in order if i < count], dtype=np.int64)


def _spread(points: NDArray[np.int64], count: int, priority: Floats) -> NDArray[np.float64]:
    """The `count` of highest priority that keep some distance from each other."""
    if not len(points) or count <= 0:
        return np.zeros((0, 2))
    order = np.argsort(-_at(priority, points), kind="stable")[:400]
    places = points[order].astype(np.float64)
    return places[suppress(places, 6.0, count)]


def _points(region: Bools) -> NDArray[np.int64]:
    rows, columns = np.nonzero(region)
    return np.stack([columns, rows], axis=1).astype(np.int64)


def _at(values: Floats, xy: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
    at = np.round(xy).astype(int)
    return np.asarray(values[at[:, 1], at[:, 0]], dtype=np.float64)


def _grow(small: Bools, radius: int) -> Bools:
    if radius < 1:
        return small
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(small.astype(np.uint8), kernel) > 0, dtype=np.bool_)


def _box_on_grid(scene: Scene) -> Bools:
    out = np.zeros(scene.grid[::-1], dtype=np.bool_)
    [(x0, y0), (x1, y1)] = scene.to_grid([(scene.box.x0, scene.box.y0), (scene.box.x1, scene.box.y1)])
    out[y0 : y1 + 1, x0 : x1 + 1] = True
    return out


def _none() -> Spots:
    return np.zeros((0, 2)), np.zeros(0)

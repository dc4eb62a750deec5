"""How two regions stand to each other: (K, K) chances that region i is left of, on, behind, holding... region j."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.finding.phrases.places import sigmoid
from maskwright.finding.phrases.scene import Scene

Floats = NDArray[Any]


def pair_chance(scene: Scene, kind: str) -> Floats:
    """The chances for one row of tables/words.toml [relations]; near, for a kind without a rule."""
    out = RULES.get(kind, _near)(scene)
    np.fill_diagonal(out, 0)
    return np.asarray(out, dtype=np.float32)


def _column(values: Floats) -> Floats:
    return values[:, None]


def gaps(scene: Scene) -> Floats:
    """(K, K) distance between boxes, in picture heights; 0 where they overlap."""
    b, aspect = scene.boxes, np.float32(scene.aspect)
    dx = np.maximum(np.maximum(b[:, None, 0] - b[None, :, 2], b[None, :, 0] - b[:, None, 2]), 0) * aspect
    dy = np.maximum(np.maximum(b[:, None, 1] - b[None, :, 3], b[None, :, 1] - b[:, None, 3]), 0)
    return np.asarray(np.hypot(dx, dy), dtype=np.float32)


def sharing(scene: Scene, axis: int) -> Floats:
    """(K, K) overlap of the extents along an axis (0 x, 1 y) over the smaller extent."""
    low, high = scene.boxes[:, axis], scene.boxes[:, axis + 2]
    common = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    smaller = np.maximum(np.minimum((high - low)[:, None], (high - low)[None]), 1e-4)
    return np.asarray(np.clip(common / smaller, 0, 1), dtype=np.float32)


def inside_box(scene: Scene) -> Floats:
    """(K, K) share of box i that lies in box j."""
    b = scene.boxes
    w = np.minimum(b[:, None, 2], b[None, :, 2]) - np.maximum(b[:, None, 0], b[None, :, 0])
    h = np.minimum(b[:, None, 3], b[None, :, 3]) - np.maximum(b[:, None, 1], b[None, :, 1])
    area = np.maximum((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]), 1e-6)
    return np.asarray(np.clip(w, 0, None) * np.clip(h, 0, None) / area[:, None], dtype=np.float32)


def _near(scene: Scene) -> Floats:
    sizes = np.sqrt(np.maximum(scene.heights * scene.widths, 1e-6))
    reach = 0.04 + 0.35 * np.minimum(sizes[:, None], sizes[None])
    near = np.exp(-gaps(scene) / reach)
    out: Floats = np.asarray(near * (1 - 0.5 * np.maximum(scene.overlap, scene.overlap.T)), dtype=np.float32)
    return out


def _far(scene: Scene) -> Floats:
    out: Floats = np.asarray(1 - np.exp(-gaps(scene) / 0.3), dtype=np.float32)
    return out


def _left_of(scene: Scene) -> Floats:
    side = sigmoid((scene.x[None] - scene.x[:, None]) / 0.03)
    level = 0.35 + 0.65 * sharing(scene, 1)
    out: Floats = side * level * (0.4 + 0.6 * np.exp(-gaps(scene) / 0.35))
    return out


def _above(scene: Scene) -> Floats:
    side = sigmoid((scene.y[None] - scene.y[:, None]) / 0.03)
    out: Floats = side * (0.25 + 0.75 * sharing(scene, 0)) * (0.4 + 0.6 * np.exp(-gaps(scene) / 0.35))
    return out


def _on(scene: Scene) -> Floats:
    """Its foot lies within the other's height, over its width, and they meet."""
    foot, top, bottom = scene.boxes[:, 3], scene.boxes[:, 1], scene.boxes[:, 3]
    within = sigmoid((_column(foot) - top[None]) / 0.03) * sigmoid((bottom[None] - _column(foot) + 0.04) / 0.03)
    higher = sigmoid((scene.y[None] - _column(scene.y) + 0.06) / 0.04)
    meet = 0.15 + 0.85 * np.maximum(scene.touching, inside_box(scene) * 0.8)
    out: Floats = within * higher * sharing(scene, 0) * meet
    return out


def _inside(scene: Scene) -> Floats:
    size = np.log(np.maximum(scene.areas, 1e-6))
    larger = sigmoid((size[None] - size[:, None]) / 0.3)
    out: Floats = inside_box(scene) * (0.3 + 0.7 * larger)
    return out


def _behind(scene: Scene) -> Floats:
    """Farther from the viewer (its foot is higher up), close by or partly hidden."""
    foot = scene.boxes[:, 3]
    farther = sigmoid((foot[None] - _column(foot)) / 0.03)
    out: Floats = farther * (0.3 + 0.7 * sharing(scene, 0)) * np.exp(-gaps(scene) / 0.2)
    return out


def _hold(scene: Scene) -> Floats:
    """The other meets it, is smaller, and lies in the reach of its arms."""
    size = np.log(np.maximum(scene.areas, 1e-6))
    smaller = sigmoid((size[:, None] - size[None]) / 0.4)
    reach = np.maximum(scene.touching, inside_box(scene).T * 0.7)
    sizes = np.sqrt(np.maximum(scene.heights * scene.widths, 1e-6))
    close = np.exp(-gaps(scene) / (0.03 + 0.25 * sizes[:, None]))
    out: Floats = (0.25 + 0.75 * smaller) * (0.35 * close + 0.65 * reach)
    return out


def _ride(scene: Scene) -> Floats:
    higher = sigmoid((scene.y[None] - scene.y[:, None] + 0.02) / 0.03)
    out: Floats = higher * sharing(scene, 0) * (0.2 + 0.8 * scene.touching)
    return out


RULES: Mapping[str, Callable[[Scene], Floats]] = {
    "left_of": _left_of,
    "right_of": lambda scene: _left_of(scene).T.copy(),
    "above": _above,
    "below": lambda scene: _above(scene).T.copy(),
    "on": _on,
    "inside": _inside,
    "behind": _behind,
    "front_of": lambda scene: _behind(scene).T.copy(),
    "near": _near,
    "far": _far,
    "hold": _hold,
    "ride": _ride,
    "wear": _hold,
    "held_by": lambda scene: _hold(scene).T.copy(),
    "between": _near,
}

"""Training samples: a crop of a picture with pasted objects and odd shapes, and a few objects in it to be found."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from sources import held_out

KIND_WEIGHT = {
    "thing": 1.0,
    "part": 0.8,
    "person": 1.2,
    "skin": 0.6,
    "stuff": 0.35,
    "pasted": 1.6,
    "drawing": 1.6,
    "shape": 0.9,
}
SOURCE_WEIGHT = {"coco": 0.50, "pets": 0.06, "ccp": 0.14, "others": 0.30}
CARTOONS = 0.07


@dataclass
class Scene:
    """A picture being built: RGB uint8 (H, W, 3), bool masks, their kinds, weight of every pixel in the loss."""

    rgb: np.ndarray
    masks: list[np.ndarray]
    kinds: list[str]
    weight: np.ndarray
    areas: list[int]


class Store:
    """The packed pictures of one split, decoded when asked for."""

    def __init__(self, path: Path, validation: bool = False):
        rows = np.load(path, allow_pickle=True)["records"]
        rows = [r for r in rows if held_out(r["id"]) == validation]
        self.rows = [r for r in rows if r["source"] != "drawings"]
        self.cutouts = [r for r in rows if r["source"] == "drawings"]
        groups = [r["source"] if r["source"] in SOURCE_WEIGHT else "others" for r in self.rows]
        chance = np.array([SOURCE_WEIGHT[g] / groups.count(g) for g in groups])
        self.chance = chance / chance.sum()

    def scene(self, row: dict) -> Scene:
        """One record, decoded."""
        rgb = cv2.cvtColor(cv2.imdecode(np.frombuffer(row["jpeg"], np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        h, w = rgb.shape[:2]
        count = len(row["kinds"]) + bool(row["unknown"])
        bits = np.unpackbits(np.frombuffer(zlib.decompress(row["masks"]), np.uint8), count=count * h * w)
        masks = list(bits.reshape(count, h, w).astype(bool))
        weight = np.ones((h, w), np.float32)
        if row["unknown"]:
            weight[masks.pop()] = 0.1
        areas = [cv2.countNonZero(m.view(np.uint8)) for m in masks]
        return Scene(rgb, masks, list(row["kinds"]), weight, areas)

    def drawn(self, rng: np.random.Generator) -> Scene:
        """A random picture."""
        return self.scene(self.rows[rng.choice(len(self.rows), p=self.chance)])

    def cutout(self, rng: np.random.Generator) -> Scene:
        """A random flat drawing: its whole, then its parts."""
        return self.scene(self.cutouts[rng.integers(len(self.cutouts))])


def jittered(rgb: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Changed light and colour: one affine map of the channels."""
    if rng.random() >= 0.85:
        return rgb
    gain = (1 + strength * rng.uniform(-0.1, 0.1, 3)) * rng.uniform(1 - 0.3 * strength, 1 + 0.3 * strength)
    contrast = rng.uniform(1 - 0.3 * strength, 1 + 0.3 * strength)
    vivid = rng.uniform(1 - 0.6 * strength, 1 + 0.4 * strength)
    mix = vivid * np.eye(3) + (1 - vivid) / 3
    matrix = np.c_[mix @ np.diag(gain) * contrast, np.full(3, 128 * (1 - contrast))]
    return cv2.transform(rgb, matrix)


def soiled(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, noise, night or grey: what cameras do."""
    dice = rng.random()
    if dice < 0.08:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.5, 1.6))
    elif dice < 0.16:
        noise = rng.normal(0, rng.uniform(3, 14), rgb.shape)
        rgb = np.clip(rgb + noise, 0, 255).astype(np.uint8)
    elif dice < 0.22:
        rgb = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    elif dice < 0.27:
        rgb = np.clip(255 * (rgb / 255.0) ** rng.uniform(1.4, 2.6), 0, 255).astype(np.uint8)
    return rgb


def put(scene: Scene, patch: np.ndarray, alpha: np.ndarray, kind: str) -> None:
    """Lays a full-size patch with soft alpha on the scene; what it covers is no longer there."""
    scene.rgb = cv2.blendLinear(patch, scene.rgb, alpha, 1 - alpha)
    solid = alpha > 0.5
    scene.masks = [m & ~solid for m in scene.masks]
    scene.areas = [cv2.countNonZero(m.view(np.uint8)) for m in scene.masks]
    scene.masks.append(solid)
    scene.areas.append(cv2.countNonZero(solid.view(np.uint8)))
    scene.kinds.append(kind)
    scene.weight[cv2.dilate(solid.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0] = 1.0


def placing(mask: np.ndarray, h: int, w: int, rng: np.random.Generator, largest: float = 0.75) -> np.ndarray:
    """A random affine map that puts an object into a scene of this size, at most that share of it long."""
    ys, xs = np.nonzero(mask)
    span = max(np.ptp(ys), np.ptp(xs)) + 1
    scale = np.exp(rng.uniform(np.log(0.12), np.log(largest))) * max(h, w) / span
    scale = min(scale, 2.5)
    angle = np.deg2rad(rng.normal(0, 12))
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    flip = rng.choice([-1, 1])
    turn = np.array([[a * flip, b], [-b * flip, a]])
    middle = turn @ np.array([xs.mean(), ys.mean()])
    shift = np.array([rng.uniform(0.1, 0.9) * w, rng.uniform(0.15, 0.9) * h]) - middle
    return np.c_[turn, shift]


def paste(scene: Scene, donor: Scene, rng: np.random.Generator) -> None:
    """Pastes one object of the donor, turned, scaled and recoloured."""
    size = donor.weight.size
    fit = [i for i, a in enumerate(donor.areas) if donor.kinds[i] != "stuff" and 0.008 < a / size < 0.6]
    if not fit:
        return
    mask = donor.masks[fit[rng.integers(len(fit))]]
    h, w = scene.rgb.shape[:2]
    matrix = placing(mask, h, w, rng)
    patch = cv2.warpAffine(
        jittered(donor.rgb, rng), matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    alpha = cv2.warpAffine(mask.astype(np.float32), matrix, (w, h), flags=cv2.INTER_LINEAR)
    put(scene, patch, cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.0)), "pasted")


def outline(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    """A random shape: blob, polygon, ring or thin stroke, as alpha."""
    canvas = np.zeros((h, w), np.uint8)
    centre = np.array([rng.uniform(0.15, 0.85) * w, rng.uniform(0.15, 0.85) * h])
    radius = np.exp(rng.uniform(np.log(0.04), np.log(0.3))) * max(h, w)
    turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 14)))
    reach = radius * rng.uniform(0.45, 1.3, len(turns))
    points = centre + np.c_[np.cos(turns), np.sin(turns) * rng.uniform(0.4, 1.2)] * reach[:, None]
    kind = rng.integers(4)
    if kind == 3:
        walk = np.cumsum(rng.normal(0, radius * 0.5, (rng.integers(3, 9), 2)), 0) + centre
        cv2.polylines(canvas, [walk.astype(np.int32)], bool(rng.random() < 0.3), 1, int(rng.integers(3, 14)))
    else:
        cv2.fillPoly(canvas, [points.astype(np.int32)], 1)
        if kind == 2:
            cv2.fillPoly(canvas, [(centre + (points - centre) * rng.uniform(0.4, 0.75)).astype(np.int32)], 0)
    alpha = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), rng.uniform(2, 8) if kind == 1 else 0.7)
    return np.clip((alpha - 0.5) * (4 if kind == 1 else 1) + 0.5, 0, 1)


def shape(scene: Scene, donor: Scene, rng: np.random.Generator) -> None:
    """Adds a procedural shape filled with a piece of another picture."""
    h, w = scene.rgb.shape[:2]
    dh, dw = donor.rgb.shape[:2]
    span = int(rng.uniform(0.1, 0.5) * min(dh, dw))
    y, x = rng.integers(dh - span), rng.integers(dw - span)
    fill = cv2.resize(jittered(donor.rgb[y : y + span, x : x + span], rng), (w, h))
    put(scene, fill, outline(h, w, rng), "shape")


def stamp(scene: Scene, cutout: Scene, rng: np.random.Generator, largest: float = 0.75) -> None:
    """Lays a flat drawing on the scene, with the parts of it that are seen."""
    h, w = scene.rgb.shape[:2]
    matrix = placing(cutout.masks[0], h, w, rng, largest)
    steep = 1 + float(np.hypot(*matrix[:, 0]))

    def laid(mask: np.ndarray) -> np.ndarray:
        smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)
        return np.clip((cv2.warpAffine(smooth, matrix, (w, h)) - 0.5) * steep + 0.5, 0, 1)

    white = (255, 255, 255)
    patch = cv2.warpAffine(jittered(cutout.rgb, rng), matrix, (w, h), flags=cv2.INTER_LINEAR, borderValue=white)
    put(scene, patch, laid(cutout.masks[0]), "drawing")
    for mask in cutout.masks[1:]:
        part = laid(mask) > 0.5
        scene.masks.append(part)
        scene.areas.append(cv2.countNonZero(part.view(np.uint8)))
        scene.kinds.append("part")


def paper(rng: np.random.Generator) -> Scene:
    """An empty sheet for a cartoon: one colour or a soft change between two, sometimes with ground and clouds."""
    h, w = (int(v) for v in rng.integers(260, 440, 2))
    ends = rng.integers(90, 256, (2, 3)) if rng.random() < 0.7 else np.full((2, 3), rng.integers(225, 256))
    slope = np.linspace(0, 1, h)[:, None, None] if rng.random() < 0.5 else np.zeros((h, 1, 1))
    rgb = np.repeat(np.round(ends[0] * (1 - slope) + ends[1] * slope), w, 1).astype(np.uint8)
    scene = Scene(np.ascontiguousarray(rgb), [], [], np.ones((h, w), np.float32), [])
    if rng.random() < 0.5:
        horizon = h * rng.uniform(0.45, 0.85) + h * rng.uniform(0, 0.06) * np.sin(
            np.arange(w) * rng.uniform(0.005, 0.04) + rng.uniform(0, 6)
        )
        ground = (np.arange(h)[:, None] > horizon).astype(np.float32)
        put(scene, np.full_like(rgb, rng.integers(40, 256, 3)), ground, "stuff")
    for _ in range(rng.integers(0, 4)):
        put(scene, np.full_like(rgb, rng.integers(60, 256, 3)), outline(h, w, rng), "shape")
    return scene


def inked(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Only the lines of a flat drawing, dark on light."""
    kernel = np.ones((int(rng.integers(2, 4)),) * 2, np.uint8)
    change = cv2.morphologyEx(rgb, cv2.MORPH_GRADIENT, kernel).max(2).astype(np.float32)
    line = cv2.GaussianBlur(np.clip((change - 12) / 30, 0, 1), (0, 0), 0.6)[..., None]
    ink, light = rng.integers(0, 90, 3), rng.integers(215, 256, 3)
    return (line * ink + (1 - line) * light).astype(np.uint8)


def cartoon(store: Store, rng: np.random.Generator) -> Scene:
    """A cartoon: flat drawings on paper, now and then as lines only, or as stickers on a photograph."""
    dice = rng.random()
    scene = store.drawn(rng) if dice < 0.2 else paper(rng)
    for _ in range(rng.integers(1, 4) if dice < 0.2 else rng.integers(2, 9)):
        stamp(scene, store.cutout(rng), rng)
    if dice > 0.82:
        scene.rgb = inked(scene.rgb, rng)
    return scene


def window(
    scene: Scene, target: np.ndarray, size: tuple[int, int], rng: np.random.Generator, whole: float
) -> np.ndarray:
    """The affine map from the scene to a training crop that shows the target object; `whole`: how often all of it."""
    h, w = scene.rgb.shape[:2]
    out_h, out_w = size
    ys, xs = np.nonzero(target)
    if rng.random() < whole:
        zoom = max(out_h / h, out_w / w) if rng.random() < 0.4 else min(out_h / h, out_w / w)
        zoom *= rng.uniform(0.9, 1.15)
    else:
        zoom = np.exp(rng.uniform(np.log(0.7), np.log(1.7)))
        if rng.random() < 0.3:
            zoom = rng.uniform(0.35, 0.8) * min(out_h / (np.ptp(ys) + 8), out_w / (np.ptp(xs) + 8))
    zoom = min(zoom, 5.0)
    stretch = np.exp(rng.normal(0, 0.06))
    angle = np.deg2rad(rng.normal(0, 6))
    flip = rng.choice([-1, 1])
    turn = zoom * np.array(
        [[np.cos(angle) * stretch * flip, np.sin(angle)], [-np.sin(angle) * flip, np.cos(angle) / stretch]]
    )
    middle = np.array([xs.mean(), ys.mean()]) + rng.normal(0, 0.3, 2) * np.array([out_w, out_h]) / zoom * 0.5
    half = np.array([out_w, out_h]) / zoom / 2
    limit = np.array([w, h])
    middle = np.where(half * 2 < limit, np.clip(middle, half, limit - half), limit / 2)
    return np.c_[turn, np.array([out_w, out_h]) / 2 - turn @ middle]


def chosen(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """One target of the scene: a mask, one piece of it, or a union of two that touch."""
    weights = np.array([KIND_WEIGHT[k] * (a >= 60) for k, a in zip(scene.kinds, scene.areas, strict=True)])
    if weights.sum() == 0:
        return scene.masks[int(np.argmax(scene.areas))]
    pick = rng.choice(len(weights), p=weights / weights.sum())
    mask = scene.masks[pick]
    dice = rng.random()
    if scene.kinds[pick] == "part" and dice < 0.3:
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
        big = [i for i in range(1, count) if stats[i, 4] >= 80]
        if len(big) > 1:
            return pieces == big[rng.integers(len(big))]
    if scene.kinds[pick] in ("part", "skin") and dice > 0.9:
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        near = [
            m
            for k, m in zip(scene.kinds, scene.masks, strict=True)
            if k in ("part", "skin") and m is not mask and (grown & m).any()
        ]
        if near:
            return mask | near[rng.integers(len(near))]
    return mask


def built(store: Store, rng: np.random.Generator) -> Scene:
    """A scene: a picture, in half the cases with pasted objects or shapes; or a cartoon."""
    if store.cutouts and rng.random() < CARTOONS:
        return cartoon(store, rng)
    scene = store.drawn(rng)
    dice = rng.random()
    if dice < 0.38:
        for _ in range(rng.integers(1, 3)):
            paste(scene, store.drawn(rng), rng)
    if dice > 0.88 or 0.3 < dice < 0.38:
        shape(scene, store.drawn(rng), rng)
    return scene


def sample(
    store: Store, rng: np.random.Generator, size: tuple[int, int], objects: int, whole: float = 0.35
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3, H, W) uint8 crop, (K, H/4, W/4) soft truths, (H/4, W/4) loss weights."""
    while True:
        scene = built(store, rng)
        matrix = window(scene, chosen(scene, rng), size, rng, whole)
        h, w = size
        truths: list[np.ndarray] = []
        for _ in range(objects * 4):
            mask = cv2.warpAffine(chosen(scene, rng).view(np.uint8) * 255, matrix, (w, h), flags=cv2.INTER_LINEAR)
            soft = cv2.resize(mask, (w // 4, h // 4), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            hard = soft > 0.5
            if hard.sum() >= 8 and soft.mean() < 0.85 and not any(np.abs(soft - t).mean() < 1e-3 for t in truths):
                truths.append(soft)
            if len(truths) == objects:
                break
        if truths:
            break
    while len(truths) < objects:
        truths.append(truths[rng.integers(len(truths))])
    rgb = cv2.warpAffine(
        scene.rgb, matrix, (w, h), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=(127, 127, 127)
    )
    weight = cv2.warpAffine(scene.weight, matrix, (w, h), flags=cv2.INTER_LINEAR)
    weight = cv2.resize(weight, (w // 4, h // 4), interpolation=cv2.INTER_AREA)
    rgb = soiled(jittered(rgb, rng, 0.7), rng)
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)), np.stack(truths), weight

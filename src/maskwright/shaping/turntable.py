"""A turning preview without a display: a small painter's rasteriser on OpenCV's polygon filler, and clip or GIF out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from maskwright.errors import BadSettings
from maskwright.plumbing.files import atomic_path
from maskwright.ports import Mesh
from maskwright.shaping.mesh_care import vertex_normals

Frame = NDArray[np.uint8]
Floats = NDArray[np.float32]
_GROUND = (236, 238, 240)
_PREVIEW_SUFFIXES = (".mp4", ".gif", ".png", ".webp")


def check_preview_path(path: str | Path) -> None:
    """Raises BadSettings when a preview cannot be written to this kind of file."""
    if Path(path).suffix.lower() not in _PREVIEW_SUFFIXES:
        raise BadSettings(f"{path}: a preview is .mp4, .gif, .webp or one .png.", "Choose one of these suffixes.")


def render(mesh: Mesh, degrees: float, *, side: int = 480) -> Frame:
    """RGB (side, side, 3): the mesh seen straight on, turned about its upright axis; depth-buffered, lightly shaded."""
    scale_up = 2
    size = side * scale_up
    places, light = _turned(mesh, degrees)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    span = max(float(high[1] - low[1]), float(np.hypot(high[0] - low[0], high[2] - low[2])), 1e-6)
    middle_y = (low[1] + high[1]) / 2
    x = (places[:, 0] / span * 0.9 + 0.5) * size
    y = (0.5 - (places[:, 1] - middle_y) / span * 0.9) * size
    canvas = _splatted(mesh, np.stack([x, y, places[:, 2]], axis=1), light, size)
    return np.asarray(cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def front_silhouette(mesh: Mesh, size: int) -> NDArray[np.bool_]:
    """What the mesh covers seen from the front, in a window of `size` pixels a metre-box side (see docs/lift.md)."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    span = float(max(high[0] - low[0], high[1] - low[1]))
    flat = np.stack(
        [(mesh.vertices[:, 0] - low[0]) / span * size, (high[1] - mesh.vertices[:, 1]) / span * size], axis=1
    )
    canvas = np.zeros((2 * size, 2 * size), np.uint8)
    for corners in np.rint((flat[mesh.faces] * 2 - 0.5) * 256).astype(np.int32):
        cv2.fillConvexPoly(canvas, corners, 1, shift=8)
    covered: NDArray[np.bool_] = canvas.reshape(size, 2, size, 2).mean(axis=(1, 3)) >= 0.5
    return covered


def _turned(mesh: Mesh, degrees: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    axis = np.array([(low[0] + high[0]) / 2, 0, (low[2] + high[2]) / 2])
    lamp = np.array([-0.3, 0.45, 0.84])
    shade = 0.55 + 0.45 * np.clip((vertex_normals(mesh) @ turn.T) @ lamp, 0, 1)
    return (mesh.vertices - axis) @ turn.T, shade


def _splatted(mesh: Mesh, at: NDArray[np.float64], light: NDArray[np.float64], size: int) -> Frame:
    """Which face each pixel shows, drawn far to near; then texture and light between that face's corners."""
    corners = at[mesh.faces]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    turn = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    seen = np.flatnonzero(turn < 0)  # y runs down here, so the viewer's side turns the other way
    order = seen[np.argsort(corners[seen, :, 2].mean(axis=1), kind="stable")]
    shown = np.zeros((size, size, 3), np.uint8)
    outlines = np.rint(corners[order, :, :2] * 16).astype(np.int32)
    numbers = np.arange(1, len(order) + 1)
    marks = np.stack([numbers & 255, (numbers >> 8) & 255, numbers >> 16], axis=1)
    for outline, mark in zip(outlines, marks.tolist()):
        cv2.fillConvexPoly(shown, outline, mark, lineType=cv2.LINE_8, shift=4)
    face = shown.astype(np.int32) @ np.array([1, 256, 65536], np.int32)
    y, x = np.nonzero(face)
    which = face[y, x] - 1
    values = _values(mesh, light)[mesh.faces[order]]
    slopes = _slopes(corners[order, :, :2], values)
    found = slopes[which, 0] * x[:, None] + slopes[which, 1] * y[:, None] + slopes[which, 2]
    low, high = values.min(axis=1), values.max(axis=1)
    u, v, lit = np.clip(found, low[which], high[which]).T
    canvas = np.full((size, size, 3), _GROUND, np.uint8)
    canvas[y, x] = _colours(mesh, u, v) * lit[:, None] + np.float32(0.5)
    return canvas


def _values(mesh: Mesh, light: NDArray[np.float64]) -> Floats:
    """(V, 3) what is known at the vertices: where in the texture (u, v), and the light."""
    uv = np.zeros((len(mesh.vertices), 2)) if mesh.uv is None else mesh.uv
    return np.concatenate([uv, light[:, None]], axis=1).astype(np.float32)


def _slopes(corners: NDArray[np.float64], values: Floats) -> Floats:
    """(F, 3, K): how values that are linear over each triangle grow by x, by y, and what they are at 0, 0."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    whole = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])[:, None]
    first, second = values[:, 1] - values[:, 0], values[:, 2] - values[:, 0]
    by_x = (two[:, 1:] * first - one[:, 1:] * second) / whole
    by_y = (one[:, :1] * second - two[:, :1] * first) / whole
    at_zero = values[:, 0] - corners[:, 0, :1] * by_x - corners[:, 0, 1:] * by_y
    return np.stack([by_x, by_y, at_zero], axis=1).astype(np.float32)


def _colours(mesh: Mesh, u: Floats, v: Floats) -> Floats:
    """The texture's colour (N, 3) there; grey without a texture."""
    if mesh.uv is None or mesh.texture is None:
        return np.full((len(u), 3), 190, np.float32)
    height, width = mesh.texture.shape[:2]
    x, y = (
        np.clip((u * width).astype(np.int32), 0, width - 1),
        np.clip(((1 - v) * height).astype(np.int32), 0, height - 1),
    )
    return np.asarray(mesh.texture[y, x, :3], np.float32)


def turntable(mesh: Mesh, *, frames: int = 48, side: int = 480) -> Iterator[Frame]:
    """One full turn, frame by frame."""
    for i in range(frames):
        yield render(mesh, 360 * i / frames, side=side)


def save_turntable(path: str | Path, mesh: Mesh, *, frames: int = 48, side: int = 480, rate: int = 24) -> Path:
    """Writes MP4, GIF, WebP or one PNG by the suffix, whole or not at all; returns the path."""
    path = Path(path)
    check_preview_path(path)
    if path.suffix.lower() == ".mp4":
        from maskwright.media.videos import write_clip

        write_clip(path, turntable(mesh, frames=frames, side=side), rate=Fraction(rate))
        return path
    count = 1 if path.suffix.lower() == ".png" else frames
    pictures = [PIL.Image.fromarray(f) for f in turntable(mesh, frames=count, side=side)]
    with atomic_path(path) as out:
        if count == 1:
            pictures[0].save(out)
        else:
            pictures[0].save(out, save_all=True, append_images=pictures[1:], duration=round(1000 / rate), loop=0)
    return path

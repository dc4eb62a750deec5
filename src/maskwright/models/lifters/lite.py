"""Inflation: a silhouette becomes a rounded, closed, textured body.

The outline is followed at quarter-pixel steps, filled with points (dense at the edge, sparse inside), triangulated, and
doubled into a front and a back joined along every border edge. Corners where pieces touch at a point are split, so that
each edge belongs to exactly two triangles: the body is closed for every silhouette, by construction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask, BadSettings
from maskwright.models.lifters.heights import inflate
from maskwright.models.lifters.outlines import Sheet, triangulate
from maskwright.models.lifters.painting import paint_sides
from maskwright.ports import Mesh
from maskwright.values import Image, Mask

_SPAN = 1.0


class LiteLifter:
    """`depth`: how thick, 1 = as round as it is wide; `back`: "mirrored" (front colours seen through, no seam) or
    "completed" (a plain back grown in from the outline); `faces`: most triangles; `relief`: weight of a depth map."""

    name = "lite"

    def __init__(
        self,
        *,
        depth: float = 0.6,
        back: str = "mirrored",
        faces: int = 40_000,
        relief: float = 0.25,
        work_side: int = 1024,
    ) -> None:
        if back not in ("mirrored", "completed"):
            raise BadSettings(f"there is no back {back!r}.", "Choose mirrored or completed.")
        if not 0.02 <= depth <= 3 or not 200 <= faces <= 2_000_000 or not 64 <= work_side <= 4096:
            raise BadSettings(
                f"depth {depth}, faces {faces} or work_side {work_side} is out of range.",
                "Use depth 0.02-3, faces 200-2000000, work_side 64-4096.",
            )
        self.depth, self.back, self.faces, self.relief, self.work_side = depth, back, faces, relief, work_side

    def lift(self, cutout: Image, *, depth: NDArray[np.float32] | None = None, seed: int = 0) -> Mesh:
        """A closed mesh one metre in its longer side, standing on y = 0; raises BadMask without anything visible."""
        alpha = np.full((cutout.height, cutout.width), 255, np.uint8) if cutout.alpha is None else cutout.alpha
        box = Mask(alpha >= 128).box
        if box is None:
            raise BadMask("nothing of the cut-out is visible.", "Give a picture with alpha above one half somewhere.")
        sheet = triangulate(alpha, max_faces=self.faces, work_side=self.work_side)
        front = inflate(alpha, sheet.points, sheet.border) * self.depth
        rim = 0.0015 * max(box.width, box.height)
        back = front * 0.85
        if depth is not None:
            front = front + self._relief(depth, sheet, front)
        texture, uv_front, uv_back = paint_sides(cutout, alpha, sheet.points, self.back)
        vertices = _placed(sheet.points, np.maximum(front, 0) + rim, -np.maximum(back, 0) - rim, box.pixels())
        if self.back == "mirrored":
            return Mesh(vertices, joined(sheet), np.concatenate([uv_front, uv_front]), texture)
        return _with_seam(vertices, sheet, np.concatenate([uv_front, uv_back]), texture)

    def _relief(self, depth: NDArray[np.float32], sheet: Sheet, front: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depth detail added to the front, fading out towards the outline."""
        x = np.clip(sheet.points[:, 0].astype(int), 0, depth.shape[1] - 1)
        y = np.clip(sheet.points[:, 1].astype(int), 0, depth.shape[0] - 1)
        nearness = depth[y, x] - float(np.median(depth[y, x]))
        top = float(front.max()) or 1.0
        return np.asarray(self.relief * top * nearness * np.clip(front / (0.3 * top), 0, 1), dtype=np.float32)


def joined(sheet: Sheet) -> NDArray[np.int32]:
    """Faces of front, back and the wall along every border edge; back vertices follow the front's."""
    count = len(sheet.points)
    a, b = sheet.border_edges.T
    walls = np.concatenate([np.stack([a, a + count, b], 1), np.stack([b, a + count, b + count], 1)])
    return np.concatenate([sheet.triangles, sheet.triangles[:, ::-1] + count, walls]).astype(np.int32)


def _with_seam(
    vertices: NDArray[np.float32], sheet: Sheet, uv: NDArray[np.float32], texture: NDArray[np.uint8]
) -> Mesh:
    """The wall gets back vertices of its own that keep the front's colours: equal places, two uv."""
    count, rim = len(sheet.points), np.unique(sheet.border_edges)
    faces = joined(sheet)
    own = np.full(2 * count, -1, np.int64)
    own[rim + count] = 2 * count + np.arange(rim.size)
    wall = faces[-2 * len(sheet.border_edges) :]
    faces[-2 * len(sheet.border_edges) :] = np.where(own[wall] >= 0, own[wall], wall)
    return Mesh(np.concatenate([vertices, vertices[rim + count]]), faces, np.concatenate([uv, uv[rim]]), texture)


def _placed(
    points: NDArray[np.float64], front: NDArray[np.float32], back: NDArray[np.float32], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Pixels -> metres: centred across, standing on y = 0, y up, z towards the viewer."""
    x0, y0, x1, y1 = box
    scale = _SPAN / max(x1 - x0, y1 - y0)
    flat = np.stack([(points[:, 0] + 0.5 - (x0 + x1) / 2) * scale, (y1 - points[:, 1] - 0.5) * scale], axis=1)
    sides = [np.concatenate([flat, (z * scale)[:, None]], axis=1) for z in (front, back)]
    return np.concatenate(sides).astype(np.float32)

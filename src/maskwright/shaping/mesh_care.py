"""What every mesh goes through before it is saved: pieces, holes, size, faces, normals, and a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from maskwright.errors import BadSettings, ModelError
from maskwright.ports import Mesh
from maskwright.shaping.mesh_thinning import thin_out

_BYTES_A_FACE = 400


def care_for(
    mesh: Mesh,
    *,
    faces: int | None = None,
    largest_only: bool = False,
    height_m: float | None = None,
    max_mib: float = 600,
) -> Mesh:
    """The mesh cleaned: broken faces dropped, holes filled, thinned to `faces`, scaled to `height_m` metres, on
    y = 0. Raises ModelError for an empty or broken mesh, BadSettings for one over the memory limit."""
    check_memory(len(mesh.faces), max_mib)
    mesh = _sound(mesh)
    if largest_only:
        mesh = largest_piece(mesh)
    mesh = fill_holes(mesh)
    if faces is not None and len(mesh.faces) > faces:
        mesh = thin_out(mesh, faces)
    return mesh if height_m is None else _scaled(mesh, height_m)


def check_memory(faces: int, max_mib: float) -> None:
    """Raises BadSettings when work on so many faces would need more than `max_mib`."""
    need = faces * _BYTES_A_FACE / 2**20
    if need > max_mib:
        raise BadSettings(
            f"a mesh of {faces} faces would need about {need:.0f} MiB, the limit is {max_mib:.0f} MiB.",
            "Ask for fewer --faces, or raise shape.mesh_mib in the settings.",
        )


def _sound(mesh: Mesh) -> Mesh:
    if not len(mesh.faces) or not len(mesh.vertices) or not np.isfinite(mesh.vertices).all():
        raise ModelError("the lifter gave an empty or broken mesh.", "Try another cut-out or another lifter.")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise ModelError("the lifter gave faces that name no vertex.", "Try another lifter.")
    a, b, c = mesh.faces.T
    keep = (a != b) & (b != c) & (c != a)
    return _with_faces(mesh, mesh.faces[keep])


def _with_faces(mesh: Mesh, faces: NDArray[np.int32]) -> Mesh:
    """The same mesh with these faces, unused vertices dropped."""
    used, compact = np.unique(faces, return_inverse=True)
    uv = None if mesh.uv is None else mesh.uv[used]
    return Mesh(mesh.vertices[used], compact.reshape(-1, 3).astype(np.int32), uv, mesh.texture)


def welded(mesh: Mesh) -> NDArray[np.int64]:
    """Faces (F, 3) with vertices of equal place counted as one (seams of the texture closed)."""
    _, same = np.unique(mesh.vertices, axis=0, return_inverse=True)
    return np.asarray(same.reshape(-1)[mesh.faces], np.int64)


def _pieces(faces: NDArray[np.int64]) -> tuple[int, NDArray[np.int32]]:
    """How many connected pieces, and the piece of each face."""
    size = int(faces.max()) + 1
    links = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    _, piece = np.unique(label[faces[:, 0]], return_inverse=True)
    return int(piece.max()) + 1, piece.astype(np.int32)


def largest_piece(mesh: Mesh) -> Mesh:
    """Only the piece with the most faces."""
    _, piece = _pieces(welded(mesh))
    return _with_faces(mesh, mesh.faces[piece == np.bincount(piece).argmax()])


def open_edges(faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Directed edges (E, 2) that no other face runs the opposite way."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    return edges[~np.isin(edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0])]


def fill_holes(mesh: Mesh) -> Mesh:
    """Every closed ring of open edges gets a fan from its middle."""
    _, first, same = np.unique(mesh.vertices, axis=0, return_index=True, return_inverse=True)
    rim = open_edges(np.asarray(same.reshape(-1)[mesh.faces], np.int64))
    if not len(rim):
        return mesh
    vertices, faces, uv = list(mesh.vertices), list(mesh.faces), None if mesh.uv is None else list(mesh.uv)
    for ring in _rings(rim):
        corners = first[ring]
        vertices.append(mesh.vertices[corners].mean(axis=0))
        if uv is not None and mesh.uv is not None:
            uv.append(mesh.uv[corners].mean(axis=0))
        middle = len(vertices) - 1
        faces += [np.array([b, a, middle]) for a, b in zip(corners, np.roll(corners, -1))]
    return Mesh(
        np.array(vertices, np.float32),
        np.array(faces, np.int32),
        None if uv is None else np.array(uv, np.float32),
        mesh.texture,
    )


def _rings(rim: NDArray[np.int64]) -> list[list[int]]:
    """Closed walks along directed edges; each edge is walked once."""
    following: dict[int, list[int]] = {}
    for a, b in rim.tolist():
        following.setdefault(a, []).append(b)
    rings = []
    while following:
        start = next(iter(following))
        ring, at = [], start
        while at in following:
            ring.append(at)
            ends = following[at]
            step = ends.pop()
            if not ends:
                del following[at]
            at = step
            if at == start:
                break
        if at == start and len(ring) >= 3:
            rings.append(ring)
    return rings


def _scaled(mesh: Mesh, height_m: float) -> Mesh:
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    factor = height_m / max(float(high[1] - low[1]), 1e-9)
    middle = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2], np.float32)
    return Mesh(((mesh.vertices - middle) * factor).astype(np.float32), mesh.faces, mesh.uv, mesh.texture)


def vertex_normals(mesh: Mesh) -> NDArray[np.float32]:
    """Unit normals (V, 3), weighted by face area, equal on both sides of a texture seam."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    _, same = np.unique(mesh.vertices, axis=0, return_inverse=True)
    same = same.reshape(-1)
    total = np.zeros((int(same.max()) + 1, 3))
    for k in range(3):
        np.add.at(total, same[mesh.faces[:, k]], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    unit = np.where(length > 1e-20, total / np.maximum(length, 1e-20), (0.0, 0.0, 1.0))
    return unit[same].astype(np.float32)


def is_watertight(mesh: Mesh) -> bool:
    """Whether every edge belongs to exactly two faces that run it in opposite directions."""
    faces = welded(mesh)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = int(faces.max()) + 1
    forward, backward = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
    return bool(np.unique(forward).size == forward.size and np.array_equal(np.sort(forward), np.sort(backward)))


def volume(mesh: Mesh) -> float:
    """Signed volume in cubic metres; positive where faces turn outwards."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def report_of(mesh: Mesh) -> dict[str, Any]:
    """What a reader wants to know: closed or not, faces, pieces, texture, box in metres, volume."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    return {
        "watertight": is_watertight(mesh), "faces": len(mesh.faces), "vertices": len(mesh.vertices),
        "pieces": _pieces(welded(mesh))[0],
        "texture": None if mesh.texture is None else [int(mesh.texture.shape[1]), int(mesh.texture.shape[0])],
        "box_m": [[round(float(v), 6) for v in low], [round(float(v), 6) for v in high]],
        "volume_m3": round(volume(mesh), 9),
    }  # fmt: skip

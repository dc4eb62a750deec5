"""Fewer faces: quadric edge collapse (Garland and Heckbert 1997), many far-apart edges at a time in NumPy.

The well-kept libraries for this are compiled extras; the core must thin a mesh without them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from maskwright.ports import Mesh

Floats = NDArray[np.float64]
_ROUNDS = 200


def thin_out(mesh: Mesh, faces: int) -> Mesh:
    """At most `faces` triangles where the shape allows; closed meshes stay closed, texture seams stay in place."""
    places, triangles = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64)
    uv = np.zeros((len(places), 2)) if mesh.uv is None else mesh.uv.astype(np.float64)
    quadrics = _quadrics(places, triangles)
    fixed = _seam_vertices(mesh)
    tired, idle = np.zeros_like(fixed), 0
    for _ in range(_ROUNDS):
        excess = len(triangles) - faces
        if excess <= 0 or idle > 3:
            break
        keep, gone, target, refused = _choose(places, triangles, quadrics, fixed | tired, max(1, -(-excess // 2)))
        tired[refused] = True  # a collapse that would fold the surface is not tried again at once
        idle = 0 if keep.size else idle + 1
        if not keep.size:
            tired[:] = False if idle > 1 else tired
            continue
        middle = (uv[keep] + uv[gone]) / 2
        places[keep], uv[keep] = target, middle
        quadrics[keep] += quadrics[gone]
        new = np.arange(len(places))
        new[gone] = keep
        triangles = new[triangles]
        a, b, c = triangles.T
        triangles = triangles[(a != b) & (b != c) & (c != a)]
    used, compact = np.unique(triangles, return_inverse=True)
    texture_at = None if mesh.uv is None else uv[used].astype(np.float32)
    return Mesh(places[used].astype(np.float32), compact.reshape(-1, 3).astype(np.int32), texture_at, mesh.texture)


def _quadrics(places: Floats, triangles: NDArray[np.int64]) -> Floats:
    """(V, 4, 4): the summed squared distances to the planes around each vertex."""
    corners = places[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = normal / np.maximum(area, 1e-20)
    plane = np.concatenate([normal, -np.einsum("ij,ij->i", normal, corners[:, 0])[:, None]], axis=1)
    each = np.einsum("ni,nj->nij", plane, plane) * area[:, :, None]
    out = np.zeros((len(places), 4, 4))
    for k in range(3):
        np.add.at(out, triangles[:, k], each)
    return out


def _seam_vertices(mesh: Mesh) -> NDArray[np.bool_]:
    """Vertices that share their place with another, or lie on an open edge: they are left where they are."""
    _, same, count = np.unique(mesh.vertices, axis=0, return_inverse=True, return_counts=True)
    fixed: NDArray[np.bool_] = count[same.reshape(-1)] > 1
    edges = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=1)
    pairs, times = np.unique(edges, axis=0, return_counts=True)
    fixed[pairs[times != 2].ravel()] = True
    return fixed


def _choose(
    places: Floats, triangles: NDArray[np.int64], quadrics: Floats, fixed: NDArray[np.bool_], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Edges (keep, gone) that may be collapsed together, cheapest first, where each lands, and the ends of refused ones."""  # noqa: E501
    edges = np.unique(
        np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1), axis=0
    )
    graph = _graph(edges, len(places))
    edges = edges[~fixed[edges[:, 0]] & ~fixed[edges[:, 1]]]
    edges = edges[_common(graph, edges) == 2]  # the link condition: keeps a closed surface closed
    if not len(edges):
        none = np.zeros(0, np.int64)
        return none, none, np.zeros((0, 3)), none
    target = (places[edges[:, 0]] + places[edges[:, 1]]) / 2
    place = np.concatenate([target, np.ones((len(edges), 1))], axis=1)
    cost = np.einsum("ni,nij,nj->n", place, quadrics[edges[:, 0]] + quadrics[edges[:, 1]], place)
    cost = cost + 1e-9 * ((places[edges[:, 0]] - places[edges[:, 1]]) ** 2).sum(axis=1)
    order = np.argsort(cost, kind="stable")
    far = _far_apart(edges[order], graph, len(places))
    picked = order[far][: max(limit, 1)]
    picked = picked[cost[picked] <= np.quantile(cost, 0.5)]
    good = _unflipped(places, triangles, edges[picked], target[picked])
    refused, picked = edges[picked[~good]].ravel(), picked[good]
    return edges[picked, 0], edges[picked, 1], target[picked], refused


def _graph(edges: NDArray[np.int64], size: int) -> csr_matrix:
    both = np.concatenate([edges, edges[:, ::-1]])
    return coo_matrix((np.ones(len(both), np.int32), (both[:, 0], both[:, 1])), shape=(size, size)).tocsr()


def _common(graph: csr_matrix, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many neighbours the two ends of each edge share."""
    return np.asarray(graph[edges[:, 0]].multiply(graph[edges[:, 1]]).sum(axis=1)).ravel()


def _far_apart(edges: NDArray[np.int64], graph: csr_matrix, size: int) -> NDArray[np.int64]:
    """Indices of edges, taken in order, whose neighbourhoods do not touch: an edge is taken when it is the first of all
    edges around each of its ends' neighbours."""
    rank = np.full(size, len(edges), np.int64)
    np.minimum.at(rank, edges.ravel(), np.repeat(np.arange(len(edges)), 2))
    for _ in range(2):
        spread = rank.copy()
        links = graph.tocoo()
        np.minimum.at(spread, links.row, rank[links.col])
        rank = spread
    mine = np.arange(len(edges))
    return np.flatnonzero((rank[edges[:, 0]] == mine) & (rank[edges[:, 1]] == mine))


def _unflipped(
    places: Floats, triangles: NDArray[np.int64], edges: NDArray[np.int64], target: Floats
) -> NDArray[np.bool_]:
    """Which collapses turn no neighbouring face over."""
    owner = np.full(len(places), -1, np.int64)
    owner[edges[:, 0]] = owner[edges[:, 1]] = np.arange(len(edges))
    moved = places.copy()
    moved[edges[:, 0]], moved[edges[:, 1]] = target, target
    hit = owner[triangles].max(axis=1)
    near = triangles[hit >= 0]
    before, after = (np.cross(p[near[:, 1]] - p[near[:, 0]], p[near[:, 2]] - p[near[:, 0]]) for p in (places, moved))
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    collapsed = (owner[near] == hit[hit >= 0][:, None]).sum(axis=1) >= 2
    bad = ((before * after).sum(axis=1) < 0.1 * lengths) & ~collapsed
    good = np.ones(len(edges), np.bool_)
    good[hit[hit >= 0][bad]] = False
    return good

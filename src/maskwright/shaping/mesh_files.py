"""Meshes as GLB, OBJ (with MTL and PNG), PLY or STL; by hand: each is a page, and the core has no mesh library."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from maskwright.errors import BadSettings
from maskwright.plumbing.files import write_bytes, write_text
from maskwright.ports import Mesh
from maskwright.shaping.mesh_care import vertex_normals

_JSON, _BIN, _MAGIC = 0x4E4F534A, 0x004E4942, 0x46546C67
_ARRAY_BUFFER, _ELEMENT_BUFFER, _FLOAT, _UINT = 34962, 34963, 5126, 5125


def save_mesh(path: str | Path, mesh: Mesh) -> Path:
    """Writes by the suffix, whole or not at all; returns the path. Raises BadSettings, StorageError."""
    path = Path(path)
    writers: dict[str, Callable[[Path, Mesh], None]] = {
        ".glb": _write_glb, ".obj": _write_obj, ".ply": _write_ply, ".stl": _write_stl,
    }  # fmt: skip
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise BadSettings(f"{path}: meshes are written as {', '.join(writers)}.", "Choose one of these suffixes.")
    writer(path, mesh)
    return path


def check_mesh_path(path: str | Path) -> None:
    """Raises BadSettings when `save_mesh` could not write this kind of file."""
    if Path(path).suffix.lower() not in (".glb", ".obj", ".ply", ".stl"):
        raise BadSettings(f"{path}: meshes are written as .glb, .obj, .ply or .stl.", "Choose one of these suffixes.")


def glb_bytes(mesh: Mesh) -> bytes:
    """Binary glTF 2.0: positions, normals, uv, indices and the texture inside one file."""
    chunks: list[bytes] = []
    views: list[dict[str, int]] = []

    def add(data: bytes, target: int | None = None) -> int:
        offset = sum(map(len, chunks))
        views.append(
            {"buffer": 0, "byteOffset": offset, "byteLength": len(data)} | ({"target": target} if target else {})
        )
        chunks.append(data + b"\0" * (-len(data) % 4))
        return len(views) - 1

    head = _gltf_head(mesh, add)
    body = b"".join(chunks)
    head |= {"bufferViews": views, "buffers": [{"byteLength": len(body)}]}
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    parts = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(body), _BIN) + body
    return struct.pack("<III", _MAGIC, 2, 12 + len(parts)) + parts


def _gltf_head(mesh: Mesh, add: Callable[..., int]) -> dict[str, Any]:
    position = mesh.vertices.astype("<f4")
    accessors: list[dict[str, Any]] = [
        _accessor(add(mesh.faces.astype("<u4").tobytes(), _ELEMENT_BUFFER), _UINT, mesh.faces.size, "SCALAR"),
        _accessor(add(position.tobytes(), _ARRAY_BUFFER), _FLOAT, len(position), "VEC3")
        | {"min": position.min(axis=0).tolist(), "max": position.max(axis=0).tolist()},
        _accessor(add(vertex_normals(mesh).astype("<f4").tobytes(), _ARRAY_BUFFER), _FLOAT, len(position), "VEC3"),
    ]
    attributes = {"POSITION": 1, "NORMAL": 2}
    material: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    head: dict[str, Any] = {"asset": {"version": "2.0", "generator": "maskwright"}, "scene": 0}
    if mesh.uv is not None and mesh.texture is not None:
        uv = np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=1).astype("<f4")  # glTF counts v downwards
        accessors.append(_accessor(add(uv.tobytes(), _ARRAY_BUFFER), _FLOAT, len(uv), "VEC2"))
        attributes["TEXCOORD_0"] = 3
        head["images"] = [{"bufferView": add(_png(mesh.texture)), "mimeType": "image/png"}]
        head |= {"samplers": [{"magFilter": 9729, "minFilter": 9729, "wrapS": 33071, "wrapT": 33071}],
                 "textures": [{"source": 0, "sampler": 0}]}  # fmt: skip
        material["baseColorTexture"] = {"index": 0}
    return head | {
        "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, "name": "object"}],
        "materials": [{"name": "surface", "pbrMetallicRoughness": material}],
        "meshes": [{"name": "object", "primitives": [{"attributes": attributes, "indices": 0, "material": 0}]}],
        "accessors": accessors,
    }  # fmt: skip


def _accessor(view: int, component: int, count: int, kind: str) -> dict[str, Any]:
    return {"bufferView": view, "componentType": component, "count": count, "type": kind}


def _png(texture: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(texture).save(out, format="PNG", compress_level=4)
    return out.getvalue()


def _write_glb(path: Path, mesh: Mesh) -> None:
    write_bytes(path, glb_bytes(mesh))


def _write_obj(path: Path, mesh: Mesh) -> None:
    """OBJ with its material and texture beside it; the OBJ itself is written last."""
    lines = [f"mtllib {path.stem}.mtl", "usemtl surface"] if mesh.texture is not None else []
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in mesh.vertices.tolist()]
    if mesh.uv is not None:
        lines += [f"vt {u:.6f} {v:.6f}" for u, v in mesh.uv.tolist()]
    lines += [f"vn {x:.4f} {y:.4f} {z:.4f}" for x, y, z in vertex_normals(mesh).tolist()]
    corner = "{0}/{0}/{0}" if mesh.uv is not None else "{0}//{0}"
    lines += ["f " + " ".join(corner.format(i + 1) for i in face) for face in mesh.faces.tolist()]
    if mesh.texture is not None:
        write_bytes(path.with_suffix(".png"), _png(mesh.texture))
        write_text(path.with_suffix(".mtl"), f"newmtl surface\nKd 1 1 1\nKs 0 0 0\nmap_Kd {path.stem}.png\n")
    write_text(path, "\n".join(lines) + "\n")


def _write_ply(path: Path, mesh: Mesh) -> None:
    """Binary PLY with a colour a vertex, taken from the texture."""
    row = np.dtype([("at", "<f4", 3), ("normal", "<f4", 3), ("rgb", "u1", 3)])
    rows = np.zeros(len(mesh.vertices), row)
    rows["at"], rows["normal"], rows["rgb"] = mesh.vertices, vertex_normals(mesh), vertex_colours(mesh)
    faces = np.zeros(len(mesh.faces), np.dtype([("count", "u1"), ("at", "<i4", 3)]))
    faces["count"], faces["at"] = 3, mesh.faces
    fields = [f"property float {n}" for n in ("x", "y", "z", "nx", "ny", "nz")] + [
        f"property uchar {n}" for n in ("red", "green", "blue")
    ]
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}", *fields,
            f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]  # fmt: skip
    write_bytes(path, ("\n".join(head) + "\n").encode() + rows.tobytes() + faces.tobytes())


def _write_stl(path: Path, mesh: Mesh) -> None:
    corners = mesh.vertices[mesh.faces].astype("<f4")
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    rows = np.zeros(len(corners), np.dtype([("normal", "<f4", 3), ("at", "<f4", (3, 3)), ("spare", "<u2")]))
    rows["normal"], rows["at"] = normal, corners
    write_bytes(path, b"maskwright".ljust(80, b" ") + struct.pack("<I", len(rows)) + rows.tobytes())


def vertex_colours(mesh: Mesh) -> NDArray[np.uint8]:
    """The texture's colour at each vertex (V, 3); grey without a texture."""
    if mesh.uv is None or mesh.texture is None:
        return np.full((len(mesh.vertices), 3), 180, np.uint8)
    height, width = mesh.texture.shape[:2]
    x = np.clip((mesh.uv[:, 0] * width).astype(int), 0, width - 1)
    y = np.clip(((1 - mesh.uv[:, 1]) * height).astype(int), 0, height - 1)
    colours: NDArray[np.uint8] = mesh.texture[y, x, :3]
    return colours

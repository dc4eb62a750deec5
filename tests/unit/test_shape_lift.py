"""lift: closed meshes for every silhouette, files that others read, previews without a display."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import maskwright as mw
from maskwright.errors import BadMask, BadSettings, MissingModel, ModelError
from maskwright.models.lifters.lite import LiteLifter
from maskwright.ports import Mesh
from maskwright.shaping.mesh_care import care_for, fill_holes, is_watertight, largest_piece, report_of, volume
from maskwright.shaping.mesh_files import glb_bytes
from maskwright.shaping.turntable import front_silhouette, render
from maskwright.values import Image


def _silhouette(kind: str) -> np.ndarray:
    mask = np.zeros((160, 120), np.uint8)
    rng = np.random.default_rng(len(kind))
    if kind == "disc":
        cv2.circle(mask, (60, 80), 40, 255, -1)
    elif kind == "ring":
        cv2.circle(mask, (60, 80), 40, 255, 7)
    elif kind == "line":
        cv2.line(mask, (5, 5), (110, 150), 255, 1)
    elif kind == "pixel":
        mask[70, 60] = 255
    elif kind == "corners":
        mask[::2, ::2] = 255
        mask[1::2, 1::2] = 255
        mask[24:], mask[:, 24:] = 0, 0
    elif kind == "noise":
        mask[:40, :40][rng.random((40, 40)) < 0.4] = 255
    elif kind == "full":
        mask[:] = 255
    elif kind == "pieces":
        for _ in range(12):
            cv2.circle(mask, tuple(int(v) for v in rng.integers(5, 110, 2)), int(rng.integers(2, 14)), 255, -1)
        for _ in range(6):
            cv2.circle(mask, tuple(int(v) for v in rng.integers(5, 110, 2)), int(rng.integers(1, 6)), 0, -1)
    return mask


def _cutout(kind: str) -> Image:
    mask = _silhouette(kind)
    pixels = np.random.default_rng(1).integers(0, 255, (*mask.shape, 3), dtype=np.uint8)
    return Image(pixels, mask)


KINDS = ["disc", "ring", "line", "pixel", "corners", "noise", "full", "pieces"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("back", ["mirrored", "completed"])
def test_every_silhouette_becomes_a_closed_body(kind: str, back: str) -> None:
    mesh = LiteLifter(back=back).lift(_cutout(kind))
    assert is_watertight(mesh)
    assert volume(mesh) > 0
    assert mesh.uv is not None
    assert mesh.uv.min() >= 0
    assert mesh.uv.max() <= 1
    assert mesh.vertices[:, 1].min() >= -0.02


@pytest.mark.parametrize("kind", ["disc", "ring", "full", "pieces"])
def test_the_front_covers_the_mask(kind: str) -> None:
    large = np.kron(_silhouette(kind), np.ones((4, 4), np.uint8))
    mask = large > 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = max(window.shape)
    seen = front_silhouette(LiteLifter().lift(Image(np.repeat(large[:, :, None], 3, axis=2), large)), side)[
        : window.shape[0], : window.shape[1]
    ]
    assert (seen & window).sum() / (seen | window).sum() >= 0.98


def test_a_disc_is_as_round_as_asked() -> None:
    mesh = LiteLifter(depth=1.0).lift(_cutout("disc"))
    assert mesh.vertices[:, 2].max() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("faces", [500, 3000])
def test_thinning_keeps_it_closed_and_in_shape(faces: int) -> None:
    mesh = LiteLifter().lift(_cutout("ring"))
    thin = care_for(mesh, faces=faces)
    assert len(thin.faces) <= faces
    assert is_watertight(thin)
    assert volume(thin) == pytest.approx(volume(mesh), rel=0.12)


def test_a_hole_is_filled_and_only_the_largest_piece_kept() -> None:
    mesh = LiteLifter().lift(_cutout("disc"))
    torn = Mesh(mesh.vertices, np.delete(mesh.faces, [3, 4, 40], axis=0), mesh.uv, mesh.texture)
    assert not is_watertight(torn)
    assert is_watertight(fill_holes(torn))
    pieces = LiteLifter().lift(_cutout("pieces"))
    assert report_of(pieces)["pieces"] > 1
    assert report_of(largest_piece(pieces))["pieces"] == 1


def test_scale_in_metres() -> None:
    found = mw.lift(_cutout("disc"), height_m=1.8)
    low, high = found.report["box_m"]
    assert high[1] - low[1] == pytest.approx(1.8, abs=1e-4)
    assert low[1] == pytest.approx(0, abs=1e-6)


def test_depth_gives_relief() -> None:
    cutout = _cutout("full")
    slope = np.tile(np.linspace(0, 1, cutout.width, dtype=np.float32), (cutout.height, 1))
    flat, relief = mw.lift(cutout), mw.lift(cutout, depth=slope)
    assert relief.report["watertight"]
    assert relief.report["volume_m3"] != flat.report["volume_m3"]
    with pytest.raises(BadSettings, match="depth"):
        mw.lift(cutout, depth=slope[:5])


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl"])
def test_others_read_our_files(tmp_path: Path, suffix: str) -> None:
    trimesh = pytest.importorskip("trimesh")
    found = mw.lift(_cutout("disc"))
    loaded = trimesh.load(found.save(tmp_path / f"m{suffix}"), force="mesh")
    assert len(loaded.faces) == found.report["faces"]
    assert loaded.is_watertight
    assert loaded.volume == pytest.approx(found.report["volume_m3"], rel=1e-3)


def test_the_glb_says_what_it_holds(tmp_path: Path) -> None:
    data = mw.lift(_cutout("disc")).save(tmp_path / "m.glb").read_bytes()
    assert data[:4] == b"glTF"
    assert int.from_bytes(data[8:12], "little") == len(data)
    length = int.from_bytes(data[12:16], "little")
    head = json.loads(data[20 : 20 + length])
    assert set(head["meshes"][0]["primitives"][0]["attributes"]) == {"POSITION", "NORMAL", "TEXCOORD_0"}
    assert all(view["byteOffset"] % 4 == 0 for view in head["bufferViews"])


def _kept(kind: str) -> Mesh:
    """A mesh of each kind that is written: as lifted, thinned, mended, one piece of many, scaled, bare."""
    mesh = LiteLifter(back="completed").lift(_cutout("pieces" if kind == "one piece" else "ring"))
    if kind == "torn":
        mesh = Mesh(mesh.vertices, np.delete(mesh.faces, [3, 4, 40], axis=0), mesh.uv, mesh.texture)
    options: dict[str, dict[str, Any]] = {"thinned": {"faces": 300}, "few": {"faces": 4}, "torn": {},
                                          "one piece": {"largest_only": True}, "tall": {"height_m": 1.8}}  # fmt: skip
    if kind in options:
        return care_for(mesh, **options[kind])
    wide = Mesh(mesh.vertices.astype(np.float64) * 1.1, mesh.faces.astype(np.int64), mesh.uv, mesh.texture)  # type: ignore[arg-type]
    flat = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    return {"bare": Mesh(mesh.vertices, mesh.faces), "wide numbers": wide, "no area": flat}[kind]


WRITTEN = ["thinned", "few", "torn", "one piece", "tall", "bare", "wide numbers", "no area"]


@pytest.mark.parametrize("kind", [*KINDS, *WRITTEN])
def test_every_glb_keeps_to_the_letter_of_the_format(kind: str) -> None:
    data = glb_bytes(LiteLifter().lift(_cutout(kind)) if kind in KINDS else _kept(kind))
    length = int.from_bytes(data[12:16], "little")
    head, body = json.loads(data[20 : 20 + length]), data[28 + length :]
    assert len(data) == int.from_bytes(data[8:12], "little")
    assert len(body) == head["buffers"][0]["byteLength"] == int.from_bytes(data[20 + length : 24 + length], "little")
    sizes = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
    arrays = []
    for said in head["accessors"]:
        view, numbers = head["bufferViews"][said["bufferView"]], said["count"] * sizes[said["type"]]
        assert view["byteOffset"] % 4 == 0
        assert view["byteLength"] == 4 * numbers
        kept = np.frombuffer(body, "<u4" if said["componentType"] == 5125 else "<f4", numbers, view["byteOffset"])
        arrays.append(kept.reshape(said["count"], -1))
    faces, places, normals, *uv = arrays
    assert faces.size % 3 == 0
    assert faces.max() < len(places)
    assert all(np.isfinite(a).all() for a in arrays)
    said = head["accessors"][1]
    assert np.array_equal(np.float32(said["min"]), places.min(axis=0))
    assert np.array_equal(np.float32(said["max"]), places.max(axis=0))
    assert np.abs(np.linalg.norm(normals, axis=1) - 1).max() < 5e-4
    assert all(len(a) == len(places) for a in (normals, *uv))
    for view in (head["bufferViews"][i["bufferView"]] for i in head.get("images", [])):
        assert body[view["byteOffset"] :].startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".mp4"])
def test_previews(tmp_path: Path, suffix: str) -> None:
    path = mw.lift(_cutout("disc")).save_preview(tmp_path / f"p{suffix}", frames=3, side=96)
    assert path.stat().st_size > 200
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_turning_changes_what_is_seen() -> None:
    mesh = LiteLifter().lift(_cutout("full"))
    front, side = (render(mesh, degrees, side=96) for degrees in (0, 90))
    ground = np.array((236, 238, 240))
    assert (front != ground).any(axis=2).sum() > 1.3 * (side != ground).any(axis=2).sum()


REFUSED: list[tuple[Any, dict[str, Any], type[Exception]]] = [
    (Image(np.zeros((9, 9, 3), np.uint8)), {}, BadMask),
    (Image(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8)), {}, BadMask),
    (_cutout("disc"), {"faces": 3}, BadSettings),
    (_cutout("disc"), {"faces": 2_000_000, "mesh_mib": 100}, BadSettings),
    (_cutout("disc"), {"height_m": -1}, BadSettings),
    (_cutout("disc"), {"lifter": "triposr-worker"}, MissingModel),
]


@pytest.mark.parametrize(("picture", "options", "error"), REFUSED)
def test_what_is_refused(picture: Image, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        mw.lift(picture, **options)


def test_broken_meshes_and_file_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        care_for(Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)))
    with pytest.raises(BadSettings, match="glb"):
        mw.lift(_cutout("disc")).save(tmp_path / "m.fbx")
    assert not list(tmp_path.iterdir())


def test_the_preview_shows_the_texture_not_one_colour_a_face() -> None:
    """Stripes far finer than the mesh's triangles."""
    from maskwright.ports import Mesh
    from maskwright.shaping.turntable import render

    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::16] = stripes[:, 1::16] = stripes[:, 2::16] = stripes[:, 3::16] = 255
    mesh = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), corners[:, :2].copy(), stripes)
    row = render(mesh, 0, side=200)[100, 20:180].max(axis=1)
    assert ((row[1:] > 100) != (row[:-1] > 100)).sum() >= 6

"""parts: labels, regions of drawings, garments, files; and the four commands with bad input."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

import maskwright as mw
from maskwright.cli.main import main
from maskwright.errors import BadMask, BadPrompt, MaskwrightError
from maskwright.media.images import save_image, save_mask
from maskwright.models.parsers.lite_pose import geometric_pose
from maskwright.ports import PART_LABELS, Parts
from maskwright.shaping.garments import dissect
from maskwright.shaping.mannequin import draw_mannequin
from maskwright.values import Image, Mask


@pytest.fixture(scope="module")
def cartoon() -> Image:
    """A flat figure: head, red shirt, two blue legs, black outlines on white."""
    canvas = np.full((250, 200, 3), 255, np.uint8)
    for corners, colour in (
        ((70, 90, 130, 165), (200, 40, 40)),
        ((75, 165, 97, 230), (40, 60, 180)),
        ((103, 165, 125, 230), (40, 60, 180)),
    ):
        x0, y0, x1, y1 = corners
        cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, -1)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), (0, 0, 0), 1)
    cv2.circle(canvas, (100, 55), 35, (255, 220, 190), -1)
    return Image(canvas)


def _figure() -> np.ndarray:
    labels = np.zeros((200, 100), np.uint8)
    for name, (y0, y1, x0, x1) in {
        "hair": (10, 20, 38, 62), "face": (20, 40, 40, 60), "upper garment": (40, 100, 25, 75), "lower garment": (100, 170, 30, 70),
    }.items():  # fmt: skip
        labels[y0:y1, x0:x1] = PART_LABELS.index(name)
    labels[170:185, 30:42] = labels[170:185, 58:70] = PART_LABELS.index("shoes")
    return labels


def test_drawings_fall_into_regions(cartoon: Image) -> None:
    found = mw.parts(cartoon)
    assert found.parts.labels[:2] == ("background", "region 1")
    places = {
        name: found.label_at(*at)
        for name, at in {"head": (100, 55), "shirt": (100, 130), "left": (86, 200), "right": (114, 200)}.items()
    }
    assert len(set(places.values())) == 4
    assert found.label_at(5, 5) == "background"
    joined = found.merge(places["left"], places["right"]).rename(places["left"], "trousers")
    assert joined.label_at(114, 200) == "trousers"
    assert joined.mask_of("trousers").area > found.mask_of(places["left"]).area
    assert "trousers" in joined.garments


@pytest.fixture(scope="module")
def inked() -> Image:
    """A shirt of one gradient with sleeves, and two dark shoes; thick dark outlines that join all of them."""
    canvas = np.full((480, 360, 3), 245, np.uint8)
    shade = np.linspace(250, 90, 480)[:, None, None] * np.float32([1.0, 0.75, 0.3])
    for corners in ([(130, 60), (230, 60), (250, 300), (110, 300)], [(125, 70), (70, 220), (100, 235), (122, 180)]):
        area = np.zeros((480, 360), np.uint8)
        cv2.fillPoly(area, [np.int32(corners)], 1)
        canvas[area > 0] = np.broadcast_to(shade, canvas.shape)[area > 0].astype(np.uint8)
        cv2.polylines(canvas, [np.int32(corners)], True, (25, 20, 30), 5, cv2.LINE_AA)
    for x in (130, 200):
        cv2.rectangle(canvas, (x, 300), (x + 30, 400), (240, 205, 170), -1)
        cv2.rectangle(canvas, (x, 300), (x + 30, 400), (25, 20, 30), 5)
        cv2.rectangle(canvas, (x - 8, 400), (x + 38, 440), (30, 25, 35), -1)
    return Image(canvas)


def _spoilt(image: Image, how: str) -> Image:
    if how == "jpeg":
        kept = cv2.imencode(".jpg", image.pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
        return Image(np.ascontiguousarray(cv2.imdecode(kept, cv2.IMREAD_COLOR)[:, :, ::-1]))
    noise = np.random.default_rng(1).normal(0, 5 if how == "grain" else 0, image.pixels.shape)
    return Image(np.clip(np.rint(image.pixels + noise), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("how", ["clean", "jpeg", "grain"])
def test_lines_join_nothing_and_a_gradient_is_one_area(inked: Image, how: str) -> None:
    found = mw.parts(_spoilt(inked, how), parser=mw.load("parser", mode="drawing"))
    shirt = {found.label_at(180, y) for y in (80, 140, 200, 260, 285)}
    others = {found.label_at(*at) for at in ((95, 200), (145, 350), (215, 350), (145, 420), (215, 420))}
    assert len(shirt) == 1
    assert len(others - shirt) == 5
    assert "background" not in shirt | others
    assert found.label_at(180, 300) in shirt | others
    assert found.label_at(108, 299) != "background", "the outer half of an outline belongs to the figure"
    assert found.label_at(20, 20) == found.label_at(340, 460) == "background"


def test_a_figure_that_parts_the_ground_leaves_all_of_it_ground() -> None:
    canvas = np.full((300, 400, 3), (225, 222, 215), np.uint8)
    cv2.line(canvas, (200, 0), (200, 299), (30, 30, 40), 5, cv2.LINE_AA)
    cv2.circle(canvas, (200, 150), 70, (60, 120, 200), -1, cv2.LINE_AA)
    found = mw.parts(Image(canvas))
    assert found.label_at(20, 150) == found.label_at(380, 150) == "background"
    assert found.label_at(200, 150) == "region 1"


def test_regions_stay_inside_the_mask(cartoon: Image) -> None:
    mask = np.asarray(cartoon.pixels.min(axis=2) < 250)
    found = mw.parts(cartoon, mask)
    assert ((found.parts.label_map > 0) == mask).all()


def test_photographs_are_parsed(dev_data: Path) -> None:
    image = mw.open_image(dev_data / "images" / "ccp_0509.jpg")
    found = mw.parts(image)
    assert found.parts.labels == PART_LABELS
    truth = np.asarray(PIL.Image.open(dev_data / "masks" / "ccp_0509_labels.png"))
    assert Mask(truth > 0).iou(Mask(found.parts.label_map > 0)) > 0.85
    assert found.mask_of("lower garment").iou(Mask(truth == 31)) > 0.6
    assert found.label_at(*found.parts.keypoints["nose"][:2]) in ("face", "other")
    assert max(c for _, _, c in found.parts.keypoints.values()) <= 0.5


def test_files(tmp_path: Path) -> None:
    labels = _figure()
    labels[60:64, 25:75] = PART_LABELS.index("bag")  # a strap across the garment
    image = Image(np.repeat((labels * 20)[:, :, None], 3, axis=2))
    found = dissect(
        image,
        Parts(labels, PART_LABELS, np.ones(labels.shape, np.float32), geometric_pose(labels)),
        mw.load("inpainter"),
    )
    names = {p.name for p in found.save(tmp_path)}
    assert {"parts.png", "parts.json", "pose.json", "garment_upper_garment.png", "garment_shoes.png"} <= names
    assert (np.asarray(PIL.Image.open(tmp_path / "parts.png")) == labels).all()
    assert json.loads((tmp_path / "parts.json").read_text())["labels"][4]["label"] == "upper garment"
    assert "upper garment" in found.completed
    upper = found.garments["upper garment"]
    assert upper.alpha is not None
    assert upper.alpha[62, 50] == 255
    assert abs(int(upper.pixels[62, 50, 0]) - 80) <= 4  # cloth, never what lies under it


def test_a_pose_only_where_parts_show_it() -> None:
    pose = geometric_pose(_figure())
    assert {"nose", "left_shoulder", "right_hip", "left_ankle", "right_knee"} <= set(pose)
    assert pose["left_shoulder"][0] > pose["right_shoulder"][0]
    assert geometric_pose(np.zeros((50, 50), np.uint8)) == {}
    with pytest.raises(BadPrompt, match="hip"):
        draw_mannequin((100, 100), {"left_shoulder": (1, 1, 1), "right_shoulder": (9, 1, 1)})


def test_the_mannequin_holds_no_pixel_of_anyone() -> None:
    drawn = draw_mannequin((100, 200), geometric_pose(_figure()))
    spread = drawn.pixels.max(axis=2).astype(int) - drawn.pixels.min(axis=2)
    assert spread.max() <= 14  # grey only


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
def test_tiny_pictures(size: tuple[int, int]) -> None:
    assert mw.parts(Image(np.full((*size, 3), 9, np.uint8))).parts.label_map.shape == size


def test_a_very_long_picture_takes_seconds() -> None:
    pixels = np.zeros((30, 20_000, 3), np.uint8)
    mask = np.zeros((30, 20_000), bool)
    mask[5:20, 100:19_000] = True
    began = time.process_time()
    found = mw.parts(Image(pixels), Mask(mask))
    assert ((found.parts.label_map > 0) == mask).all()
    assert time.process_time() - began < 20


def test_an_empty_mask_is_refused(cartoon: Image) -> None:
    with pytest.raises(BadMask):
        mw.parts(cartoon, np.zeros((250, 200), bool))


# -- the commands


@pytest.fixture
def files(tmp_path: Path, disc: tuple[Image, Mask], monkeypatch: pytest.MonkeyPatch) -> Path:
    save_image(tmp_path / "p.png", disc[0])
    save_mask(tmp_path / "m.png", disc[1])
    save_mask(tmp_path / "empty.png", Mask.empty(120, 90))
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "plan.json").write_text('{"operations": [{"op": "recolour", "colour": [1, 2, 3]}]}')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*words: str) -> Any:
    return CliRunner().invoke(main, list(words))


GOOD = [
    (("cut", "p.png", "--mask", "m.png", "--json"), "p_cut.png"),
    (
        ("cut", "p.png", "--mask", "m.png", "-o", "c.webp", "--frame", "square", "--background", "white", "--json"),
        "c.webp",
    ),
    (("edit", "p.png", "--mask", "m.png", "make it dark green", "--json"), "p_edit_plan.json"),
    (("edit", "p.png", "--mask", "m.png", "--plan", "plan.json", "-o", "e.png", "--json"), "e.png"),
    (("lift", "p.png", "--mask", "m.png", "-o", "o.glb", "--preview", "t.png", "--json"), "o.glb"),
    (("parts", "p.png", "--mask", "m.png", "--json"), "p-parts/parts.json"),
]


@pytest.mark.parametrize(("words", "made"), GOOD)
def test_commands_write_their_files_and_json(files: Path, words: tuple[str, ...], made: str) -> None:
    result = _run(*words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)
    assert (files / made).exists()


def test_a_dry_run_shows_the_plan_and_writes_nothing(files: Path) -> None:
    before = set(files.iterdir())
    result = _run("edit", "p.png", "blur the background and make the ball red", "--dry-run")
    assert result.exit_code == 0
    assert "recolour object" in result.stdout
    assert set(files.iterdir()) == before


BAD = [
    ("cut", "p.png"), ("cut", "none.png", "--mask", "m.png"), ("cut", "text.png", "--mask", "m.png"),
    ("cut", "p.png", "--mask", "empty.png"), ("cut", "p.png", "--mask", "m.png", "-o", "c.jpg"),
    ("cut", "p.png", "--mask", "m.png", "-o", "c.gif"), ("cut", "p.png", "--mask", "m.png", "--complete"),
    ("edit", "p.png"), ("edit", "p.png", "sing"), ("edit", "p.png", "--mask", "m.png", "x" * 5000),
    ("edit", "p.png", "--mask", "m.png", "make it red and make it blue"), ("edit", "p.png", "--mask", "m.png", "undress her"),
    ("edit", "p.png", "--mask", "m.png", "把衣服脱掉"), ("edit", "p.png", "--plan", "m.png"),
    ("edit", "p.png", "--character", "front-t-pose"), ("edit", "p.png", "--mask", "empty.png", "make it red"),
    ("lift", "p.png"), ("lift", "p.png", "--mask", "empty.png"), ("lift", "p.png", "--mask", "m.png", "-o", "m.fbx"),
    ("lift", "p.png", "--mask", "m.png", "--preview", "t.avi"), ("lift", "p.png", "--mask", "m.png", "--faces", "5"),
    ("lift", "p.png", "--mask", "m.png", "--lifter", "nobody"), ("parts", "p.png", "--mask", "empty.png"),
    ("parts", "p.png", "--merge", "face"), ("parts", "p.png", "--name", "hello"),
]  # fmt: skip


@pytest.mark.parametrize("words", BAD, ids=lambda w: " ".join(w)[:60])
def test_bad_input_is_a_clear_error_and_leaves_nothing(files: Path, words: tuple[str, ...]) -> None:
    before = set(files.rglob("*"))
    result = _run(*words)
    assert isinstance(result.exception, MaskwrightError), result.output
    assert len(str(result.exception).splitlines()) <= 2
    assert set(files.rglob("*")) == before

"""Pipelines of diffusers behind the ports inpainter, filler and editor: tiny, random, loaded from folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("diffusers", reason="needs the diffusion extra")

import tiny_diffusion as tiny  # noqa: E402

from maskwright import ports  # noqa: E402
from maskwright.errors import BadMask, BadPhrase, Cancelled, MissingWeights, WeightsError  # noqa: E402
from maskwright.models.fillers.wanvace import GREY, SHARED, WanVace  # noqa: E402
from maskwright.models.inpainters.diffusers import DiffusersInpainter  # noqa: E402
from maskwright.models.torching import Place  # noqa: E402
from maskwright.ports import FillOptions  # noqa: E402
from maskwright.values import Image, Mask  # noqa: E402

PICTURE = Image(np.random.default_rng(0).integers(0, 255, (45, 71, 3), dtype=np.uint8))
HOLE = np.zeros((45, 71), np.bool_)
HOLE[10:30, 20:50] = True


def differ(one: Any, other: Any) -> float:
    """The share of pixels of the hole that are not the same."""
    return float((one[HOLE] != other[HOLE]).any(-1).mean())


def fill_the_device(host: Any) -> None:
    """From here on the model is on a device that has no memory left for any call."""

    def full(*args: Any, **named: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    host.model, host.place = full, Place("cuda", torch.float16)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name -> a folder with that tiny pipeline, made once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name == "qwen_edit":
            pytest.importorskip("torchvision", reason="the processor of Qwen2.5-VL needs torchvision")
        if name not in made:
            made[name] = getattr(tiny, name)(tmp_path_factory.mktemp(name))
        return made[name]

    return folder


@pytest.fixture(scope="module", params=["sd15", "sdxl"])
def painter(request: pytest.FixtureRequest, folders: Any) -> DiffusersInpainter:
    return DiffusersInpainter(folders(request.param), device="cpu", steps=2, side=64, name=request.param)


def test_a_painter_changes_the_hole_and_nothing_else(painter: DiffusersInpainter) -> None:
    assert isinstance(painter, ports.Inpainter)
    first = painter.inpaint(PICTURE, Mask(HOLE), words="a red cup", seed=3)
    assert (first.pixels[~HOLE] == PICTURE.pixels[~HOLE]).all()
    assert differ(first.pixels, PICTURE.pixels) > 0.9
    again = painter.inpaint(PICTURE, Mask(HOLE), words="a red cup", seed=3)
    assert (again.pixels == first.pixels).all()
    for words, seed in (("a red cup", 4), ("a dog", 3), ("", 3), ("cup " * 200, 3)):
        assert differ(painter.inpaint(PICTURE, Mask(HOLE), words=words, seed=seed).pixels, first.pixels) > 0.02
    assert painter.inpaint(PICTURE, Mask.empty(71, 45)) is PICTURE
    with pytest.raises(BadMask):
        painter.inpaint(PICTURE, Mask.empty(7, 4))


def test_a_painter_takes_thin_pictures_and_holes_at_the_border(painter: DiffusersInpainter) -> None:
    for size in ((3, 5), (200, 9), (9, 200)):
        image = Image(np.full((*size, 3), 90, np.uint8))
        hole = np.zeros(size, np.bool_)
        hole[0, :2] = True
        assert (painter.inpaint(image, Mask(hole)).pixels[~hole] == 90).all()


def test_no_checker_of_pictures_is_loaded(folders: Any) -> None:
    pipeline = DiffusersInpainter(folders("sd15"), device="cpu").host.model
    assert pipeline.safety_checker is None
    assert pipeline.feature_extractor is None


def test_a_full_device_paints_on_the_processor(folders: Any) -> None:
    painter = DiffusersInpainter(folders("sd15"), device="cpu", steps=1, side=64)
    wanted = painter.inpaint(PICTURE, Mask(HOLE), words="a cup")
    fill_the_device(painter.host)
    assert (painter.inpaint(PICTURE, Mask(HOLE), words="a cup").pixels == wanted.pixels).all()
    assert painter.host.fell_back == 1


NETWORK = "diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize(
    ("name", "file"),
    [("sd15", f"unet/{NETWORK}"), ("sd15", f"vae/{NETWORK}"), ("sd15", "text_encoder/model.safetensors"),
     ("wan_vace", f"transformer/{NETWORK}"), ("wan_vace", "text_encoder/model.safetensors")],
)  # fmt: skip
@pytest.mark.parametrize("harm", ["half", "cut", "gone"])
def test_a_folder_that_is_not_whole_is_refused(name: str, file: str, harm: str, folders: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(folders(name), tmp_path / "harmed")
    if harm == "half":
        kept = load_file(folder / file)
        save_file({key: kept[key] for key in sorted(kept)[: len(kept) // 2]}, folder / file)
    elif harm == "cut":
        (folder / file).write_bytes((folder / file).read_bytes()[:-100])
    else:
        (folder / file).unlink()
    with pytest.raises(WeightsError):
        {"sd15": DiffusersInpainter, "wan_vace": WanVace}[name](folder, device="cpu")


def test_a_folder_of_another_pipeline_is_refused(folders: Any, tmp_path: Path) -> None:
    for kind, folder in ((DiffusersInpainter, folders("wan_vace")), (WanVace, folders("sd15"))):
        with pytest.raises(WeightsError):
            kind(folder, device="cpu")
    with pytest.raises(MissingWeights):
        DiffusersInpainter(tmp_path / "absent", device="cpu")
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(WeightsError):
        DiffusersInpainter(tmp_path, device="cpu")


@pytest.fixture(scope="module")
def wan(folders: Any) -> WanVace:
    return WanVace(folders("wan_vace"), device="cpu", steps=2, stretch=9, max_side=64)


def clip(frames: int, size: tuple[int, int] = (64, 48)) -> tuple[list[Any], list[Any]]:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8) for _ in range(frames)]
    hole = np.zeros((size[1], size[0]), np.bool_)
    hole[8:24, 10:30] = True
    return pictures, [hole] * frames


@pytest.mark.parametrize(("frames", "size"), [(1, (64, 48)), (3, (45, 71)), (12, (100, 33))])
def test_wan_fills_short_and_odd_clips(wan: WanVace, frames: int, size: tuple[int, int]) -> None:
    assert isinstance(wan, ports.VideoFiller)
    pictures, masks = clip(frames, size)
    options = FillOptions(words="an empty park", avoid="people", seed=2)
    filled = list(wan.fill(pictures, masks, options))
    assert len(filled) == frames
    for made, picture, again in zip(filled, pictures, wan.fill(pictures, masks, options)):
        assert made.dtype == np.uint8
        assert (made[~masks[0]] == picture[~masks[0]]).all()
        assert (made[masks[0]] != picture[masks[0]]).mean() > 0.9
        assert (made == again).all()
    [other, *_] = wan.fill(pictures, masks, FillOptions(words="an empty park", avoid="people", seed=3))
    assert (other != filled[0]).any()


def test_wan_shows_its_network_what_is_painted_already(wan: WanVace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holes are grey; the anchor and the end of the stretch before have none."""
    asked: list[tuple[list[Any], list[Any]]] = []
    network = wan.host.model

    def watched(**named: Any) -> Any:
        asked.append(([np.asarray(p) for p in named["video"]], [np.asarray(m) > 127 for m in named["mask"]]))
        return network(**named)

    monkeypatch.setattr(wan.host, "model", watched)
    pictures, masks = clip(12)
    anchor = np.full_like(pictures[0], 7)
    filled = list(wan.fill(pictures, masks, FillOptions(anchor=(2, anchor))))
    (first, first_holes), (second, second_holes) = asked
    assert [bool(h.any()) for h in first_holes] == [i != 2 for i in range(9)]
    assert (first[2] == anchor).all()
    assert (first[0][masks[0]] == GREY).all()
    assert (first[0][~masks[0]] == pictures[0][~masks[0]]).all()
    assert [bool(h.any()) for h in second_holes] == [i >= SHARED for i in range(9)]
    assert all((second[i] == filled[9 - SHARED + i]).all() for i in range(SHARED))


def test_wan_stops_when_told_and_says_how_far_it_is(wan: WanVace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, int]] = []

    def stop(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))
        if done == 2:
            raise Cancelled("stopped")

    monkeypatch.setattr(wan, "progress", stop)
    with pytest.raises(Cancelled):
        list(wan.fill(*clip(2), FillOptions(words="a park")))
    assert seen == [("painting", 1, 2), ("painting", 2, 2)]
    with pytest.raises(BadMask, match="2 frames, but 1"):
        wan.fill(clip(2)[0], clip(1)[1], FillOptions())


@pytest.fixture
def editor(folders: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Qwen-Image-Edit works at about a million pixels; here at four thousand."""
    folder = folders("qwen_edit")
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit

    from maskwright.models.editors.qwen import QwenEditor

    sized = pipeline_qwenimage_edit.calculate_dimensions
    monkeypatch.setattr(pipeline_qwenimage_edit, "calculate_dimensions", lambda area, ratio: sized(64 * 64, ratio))
    return QwenEditor(folder, device="cpu", steps=2)


def test_qwen_edits_the_picture_or_only_the_mask(editor: Any) -> None:
    assert isinstance(editor, ports.Editor)
    whole = editor.edit(PICTURE, "make it red")
    assert whole.size == PICTURE.size
    assert (whole.pixels != PICTURE.pixels).mean() > 0.9
    part = editor.edit(PICTURE, "make it red", Mask(HOLE))
    assert (part.pixels[HOLE] == whole.pixels[HOLE]).all()
    assert (part.pixels[~HOLE] == PICTURE.pixels[~HOLE]).all()
    for picture, words, seed in (
        (PICTURE, "make it blue", 0), (PICTURE, "make it red", 1), (Image(255 - PICTURE.pixels), "make it red", 0)
    ):  # fmt: skip
        assert (editor.edit(picture, words, seed=seed).pixels != whole.pixels).any(), (words, seed)
    with pytest.raises(BadPhrase):
        editor.edit(PICTURE, "  ")
    with pytest.raises(BadMask):
        editor.edit(PICTURE, "make it red", Mask.empty(7, 4))


def test_qwen_keeps_see_through_pixels_and_falls_back_to_the_processor(editor: Any) -> None:
    clear = Image(PICTURE.pixels, np.where(HOLE, 255, 0).astype(np.uint8))
    before = editor.edit(clear, "make it red")
    assert before.alpha is not None
    assert (before.alpha == clear.alpha).all()
    fill_the_device(editor.host)
    assert (editor.edit(clear, "make it red").pixels == before.pixels).all()


def test_qwen_without_its_reader_of_pictures_is_refused(folders: Any, tmp_path: Path) -> None:
    from maskwright.models.editors.qwen import QwenEditor

    folder = shutil.copytree(folders("qwen_edit"), tmp_path / "harmed")
    (folder / "model_index.json").write_text(
        json.dumps({k: v for k, v in json.loads((folder / "model_index.json").read_text()).items() if k != "processor"})
    )
    with pytest.raises(WeightsError):
        QwenEditor(folder, device="cpu")

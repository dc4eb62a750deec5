"""Rankers, phrase proposers, depth, matting, parsing and DiffuEraser, tiny and random, loaded from folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("transformers", reason="needs the torch extra")

import tiny_torch as tiny  # noqa: E402

from maskwright import ports  # noqa: E402
from maskwright.errors import BadMask, BadPhrase, BadSettings, Cancelled, MissingWeights, WeightsError  # noqa: E402
from maskwright.models.parsers.labels import part_of  # noqa: E402
from maskwright.models.proposers.florence import read_places  # noqa: E402
from maskwright.models.rankers.contrast import ContrastRanker  # noqa: E402
from maskwright.models.rankers.regions import crop  # noqa: E402
from maskwright.models.segmenters.sam import Sam  # noqa: E402
from maskwright.ports import PART_LABELS, FillOptions  # noqa: E402
from maskwright.values import Image, Mask  # noqa: E402

PICTURE = Image(np.random.default_rng(0).integers(0, 255, (45, 71, 3), dtype=np.uint8))


def regions(count: int) -> Any:
    """Rectangles across the picture; the last is empty."""
    masks = np.zeros((count, 45, 71), np.bool_)
    for i in range(count - 1):
        masks[i, i * 5 : i * 5 + 14, i * 9 : i * 9 + 20] = True
    return masks


@pytest.fixture(scope="module", params=list(tiny.RANKERS))
def ranker_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "openclip":
        pytest.importorskip("open_clip", reason="needs the package open_clip_torch")
    return tiny.RANKERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("pooled", [False, True])
def test_regions_are_ranked(ranker_folder: Path, pooled: bool) -> None:
    ranker = ContrastRanker(ranker_folder, device="cpu", pooled=pooled, batch=3)
    assert isinstance(ranker, ports.Ranker)
    seen = ranker.encode(PICTURE, regions(5))
    ranking = ranker.rank(seen, ["red cup", "杯子", "cup " * 100])
    assert ranking.logits.shape == ranking.probabilities.shape == (3, 5)
    assert ((ranking.probabilities >= 0) & (ranking.probabilities <= 1)).all()
    again = ranker.rank(ranker.encode(PICTURE, regions(5)), ["red cup", "杯子", "cup " * 100])
    np.testing.assert_array_equal(again.logits, ranking.logits)
    [alone] = ranker.rank(ranker.encode(PICTURE, regions(5)[:1]), ["red cup"]).logits
    np.testing.assert_allclose(alone[0], ranking.logits[0, 0], atol=1e-4)
    assert np.ptp(ranking.logits[0]) > 0
    assert ranker.rank(ranker.encode(PICTURE, regions(5)[:0]), ["cup"]).logits.shape == (1, 0)
    assert ranker.rank(seen, []).logits.shape == (0, 5)
    with pytest.raises(BadPhrase):
        ranker.rank(seen, [" "])
    with pytest.raises(BadMask):
        ranker.encode(PICTURE, np.zeros((1, 4, 4), np.bool_))


@pytest.mark.parametrize("settings", [{"views": ["sideways"]}, {"views": []}, {"templates": ["a photo"]}])
def test_impossible_ranker_settings_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        ContrastRanker(tmp_path, **settings)


def test_a_folder_of_another_model_is_no_ranker(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no ranker"):
        ContrastRanker(tiny.sam(tmp_path / "sam"), device="cpu")
    with pytest.raises(MissingWeights):
        ContrastRanker(tmp_path / "sam" / "absent", device="cpu")


@pytest.mark.parametrize(("view", "around"), [("masked", 127), ("kept", 200), ("dimmed", 152)])
def test_views_show_the_surroundings_as_they_say(view: str, around: int) -> None:
    pixels = np.full((40, 60, 3), 200, np.uint8)
    mask = np.zeros((40, 60), np.bool_)
    mask[10:30, 20:40] = True
    mask[10:14, 20:24] = False
    shown = crop(Image(pixels), mask, view, 20)
    assert shown.shape == (20, 20, 3)
    assert abs(int(shown[1, 1, 0]) - around) <= 1
    assert shown[10, 10, 0] == 200


def test_a_region_at_the_border_is_padded_with_grey() -> None:
    mask = np.zeros((40, 60), np.bool_)
    mask[0:40, 0:4] = True
    shown = crop(Image(np.full((40, 60, 3), 255, np.uint8)), mask, "kept", 40)
    assert shown[20, 2, 0] == 127
    assert shown[20, 20, 0] == 255


@pytest.mark.parametrize("name", list(tiny.PROPOSERS))
def test_phrases_become_masks(name: str, tmp_path: Path) -> None:
    from maskwright.models.proposers.florence import Florence
    from maskwright.models.proposers.grounding import GroundingDino
    from maskwright.models.proposers.owl import Owl

    kind = {"grounding": GroundingDino, "owl": Owl, "florence": Florence}[name]
    segmenter = Sam(tiny.sam(tmp_path / "sam"), device="cpu", name="sam")
    proposer = kind(segmenter, weights=tiny.PROPOSERS[name](tmp_path / name), device="cpu", threshold=0.0, limit=4)
    if name == "florence":
        proposer.side = 64
    assert isinstance(proposer, ports.Proposer)
    boxes, scores = proposer.locate_phrase(PICTURE, "a red cup")
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= 71).all()
    assert (np.diff(scores) <= 0).all()
    found = proposer.propose(PICTURE, segmenter.encode(PICTURE), "a red cup")
    assert found.masks.shape == (len(boxes), 45, 71)
    for nothing in (None, "  "):
        with pytest.raises(BadPhrase):
            proposer.propose(PICTURE, phrase=nothing)
    with pytest.raises(BadSettings):
        kind(segmenter, weights=tmp_path, threshold=2)


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("cup<loc_0><loc_0><loc_499><loc_999>", [[0.05, 0.1, 49.95, 199.9]]),
        ("cup<loc_1><loc_2><loc_3>", []),
        ("<loc_5000><loc_0><loc_1><loc_2>", []),
        ("nothing", []),
    ],
)
def test_places_are_read_from_text(text: str, boxes: list[list[float]]) -> None:
    found, scores = read_places(text, (100, 200))
    np.testing.assert_allclose(found, np.array(boxes).reshape(-1, 4))
    assert len(scores) == len(boxes)


def test_depth_matting_and_parsing_keep_their_ports(tmp_path: Path) -> None:
    from maskwright.models.depths.anything import DepthAnything
    from maskwright.models.matters.vitmatte import VitMatte
    from maskwright.models.parsers.figures import SapiensParser, SegformerParser
    from maskwright.models.parsers.vitpose import JOINTS, VitPose

    near = DepthAnything(tiny.depth(tmp_path / "depth"), device="cpu", short_side=56).depth(PICTURE)
    assert near.shape == (45, 71)
    assert near.min() == 0
    trimap = np.full((45, 71), 128, np.uint8)
    trimap[:9], trimap[30:] = 0, 255
    alpha = VitMatte(tiny.vitmatte(tmp_path / "matte"), device="cpu").matte(PICTURE, trimap)
    assert (alpha[:9] == 0).all()
    assert (alpha[30:] == 1).all()
    assert ((alpha >= 0) & (alpha <= 1)).all()
    inside = np.zeros((45, 71), np.bool_)
    inside[10:40, 20:44] = True
    for kind, make in ((SegformerParser, tiny.segformer), (SapiensParser, tiny.sapiens)):
        parts = kind(make(tmp_path / make.__name__), device="cpu").parse(PICTURE, Mask(inside))
        assert isinstance(parts, ports.Parts)
        assert (parts.label_map[~inside] == 0).all()
        assert parts.label_map.max() < len(PART_LABELS)
        assert parts.confidence is not None
        assert ((parts.confidence >= 0) & (parts.confidence <= 1 + 1e-5)).all()
    joints = VitPose(tiny.vitpose(tmp_path / "pose"), device="cpu").parse(PICTURE, Mask(inside)).keypoints
    assert set(joints) == set(JOINTS)


@pytest.mark.parametrize(
    ("name", "part"),
    [("Background", "background"), ("Upper-clothes", "upper garment"), ("Left-shoe", "shoes"), ("Face_Neck", "face"),
     ("Right_Lower_Arm", "skin"), ("Lower_Clothing", "lower garment"), ("Scarf", "other"), ("Hat", "hat")],
)  # fmt: skip
def test_class_names_become_parts(name: str, part: str) -> None:
    assert PART_LABELS[part_of(name)] == part


@pytest.fixture(scope="module")
def eraser(diffueraser_data: Path) -> Any:
    pytest.importorskip("diffusers", reason="needs the diffusion extra")
    from maskwright.models.fillers.diffueraser.filler import DiffuEraser

    return DiffuEraser(diffueraser_data / "weights", device="cpu", max_side=64)


def clip(frames: int, size: tuple[int, int]) -> tuple[list[Any], list[Any]]:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8) for _ in range(frames)]
    hole = np.zeros((size[1], size[0]), np.bool_)
    hole[8:20, 10:30] = True
    return pictures, [hole] * frames


@pytest.mark.parametrize(("frames", "size"), [(1, (40, 33)), (3, (64, 40))])
def test_diffueraser_fills_short_and_odd_clips(eraser: Any, frames: int, size: tuple[int, int]) -> None:
    assert isinstance(eraser, ports.VideoFiller)
    pictures, masks = clip(frames, size)
    filled = list(eraser.fill(pictures, masks, FillOptions(words="a park", anchor=(0, pictures[0] // 2))))
    assert [f.shape for f in filled] == [p.shape for p in pictures]
    far = np.ones(masks[0].shape, np.bool_)
    far[: 20 + 11, : 30 + 11] = False
    assert all((f[far] == p[far]).all() for f, p in zip(filled, pictures))
    assert all((f[12:16, 14:26] != p[12:16, 14:26]).any() for f, p in zip(filled, pictures))


def test_diffueraser_stops_when_told_and_says_how_far_it_is(eraser: Any) -> None:
    seen: list[tuple[str, int, int]] = []

    def stop(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))
        if what == "painting":
            raise Cancelled("stopped")

    eraser.progress = stop
    try:
        with pytest.raises(Cancelled):
            list(eraser.fill(*clip(2, (32, 24)), FillOptions()))
    finally:
        eraser.progress = lambda what, done, total: None
    assert seen[-1] == ("painting", 1, 2)
    assert {what for what, _, _ in seen} == {"encoding prior", "encoding frames", "painting"}


def test_diffueraser_refuses_what_does_not_fit(eraser: Any, diffueraser_data: Path, tmp_path: Path) -> None:
    pictures, masks = clip(2, (32, 24))
    with pytest.raises(BadMask, match="2 frames, but 1"):
        eraser.fill(pictures, masks[:1], FillOptions())
    with pytest.raises(BadSettings, match="prior"):
        eraser.fill(pictures, masks, FillOptions(prior=pictures[:1]))
    with pytest.raises(BadSettings, match="anchor"):
        eraser.fill(pictures, masks, FillOptions(anchor=(7, pictures[0])))
    nothing = [np.zeros_like(masks[0])] * 2
    assert all(a is b for a, b in zip(eraser.fill(pictures, nothing, FillOptions()), pictures))
    with pytest.raises(MissingWeights):
        type(eraser)(tmp_path)
    with pytest.raises(BadSettings, match="unet"):
        type(eraser)(diffueraser_data / "weights", folders={"unet": tmp_path})


def test_lora_keys_of_both_styles_say_the_same(diffueraser_data: Path) -> None:
    from maskwright.models.fillers.diffueraser.lora import fold_lora, read_lora
    from maskwright.models.fillers.diffueraser.networks import MotionUnet, load_network

    file = diffueraser_data / "weights/PCM_Weights/sd15/pcm_sd15_smallcfg_2step_converted.safetensors"
    plain = read_lora(file)
    kohya = {}
    for key, value in plain.items():
        layer, part = key.removeprefix("unet.").rsplit(".lora_", 1)
        flat = layer.replace(".", "_")
        kohya[f"lora_unet_{flat}.lora_{'down' if part.startswith('A') else 'up'}.weight"] = value
        kohya[f"lora_unet_{flat}.alpha"] = torch.tensor(float(plain[f"unet.{layer}.lora_A.weight"].shape[0]))
    folder = diffueraser_data / "weights/diffuEraser/unet_main"
    first, second = (load_network(MotionUnet, folder) for _ in range(2))
    assert fold_lora(plain, {"unet": first}) == fold_lora(kohya, {"unet": second}) == 64
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values()):
        assert torch.equal(a, b), name
    for strange in ({"unet.nowhere.lora_A.weight": torch.zeros(1, 1)}, {"rubbish": torch.zeros(1)}):
        with pytest.raises(WeightsError):
            fold_lora(strange, {"unet": first})


def test_a_network_of_another_shape_is_refused(diffueraser_data: Path, tmp_path: Path) -> None:
    from maskwright.models.fillers.diffueraser.networks import BrushNet, MotionUnet, load_network

    with pytest.raises(WeightsError):
        load_network(MotionUnet, diffueraser_data / "weights/diffuEraser/brushnet")
    config = json.loads((diffueraser_data / "weights/diffuEraser/brushnet/config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"act_fn": "relu"}))
    (tmp_path / "diffusion_pytorch_model.safetensors").symlink_to(
        diffueraser_data / "weights/diffuEraser/brushnet/diffusion_pytorch_model.safetensors"
    )
    with pytest.raises(WeightsError, match="act_fn"):
        load_network(BrushNet, tmp_path)

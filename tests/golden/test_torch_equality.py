"""Doors to torch models against the implementations of their authors, on the same random weights."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("transformers", reason="needs the torch extra")

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

import tiny_torch as tiny  # noqa: E402

from maskwright.models.proposers.grid import GridProposer  # noqa: E402
from maskwright.models.rankers.contrast import ContrastRanker  # noqa: E402
from maskwright.models.segmenters.sam import Sam  # noqa: E402
from maskwright.values import Image, Prompt  # noqa: E402

_NAMES = (
    (r"^image_encoder", "vision_encoder"), (r"iou_prediction_head\.layers\.0", "iou_prediction_head.proj_in"),
    (r"iou_prediction_head\.layers\.1", "iou_prediction_head.layers.0"),
    (r"iou_prediction_head\.layers\.2", "iou_prediction_head.proj_out"),
    (r"(hypernetworks_mlps\.\d)\.layers\.0", r"\1.proj_in"), (r"(hypernetworks_mlps\.\d)\.layers\.1", r"\1.layers.0"),
    (r"(hypernetworks_mlps\.\d)\.layers\.2", r"\1.proj_out"), (r"output_upscaling\.0", "upscale_conv1"),
    (r"output_upscaling\.1", "upscale_layer_norm"), (r"output_upscaling\.3", "upscale_conv2"),
    (r"mask_downscaling\.0", "mask_embed.conv1"), (r"mask_downscaling\.1", "mask_embed.layer_norm1"),
    (r"mask_downscaling\.3", "mask_embed.conv2"), (r"mask_downscaling\.4", "mask_embed.layer_norm2"),
    (r"mask_downscaling\.6", "mask_embed.conv3"), (r"point_embeddings", "point_embed"),
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"neck\.0", "neck.conv1"), (r"neck\.1", "neck.layer_norm1"), (r"neck\.2", "neck.conv2"),
    (r"neck\.3", "neck.layer_norm2"), (r"patch_embed\.proj", "patch_embed.projection"), (r"\.norm", ".layer_norm"),
    (r"\.blocks\.", ".layers."),
)  # fmt: skip
"""From the names of segment-anything's tensors to those of transformers (5.23)."""


def renamed(state: Any) -> dict[str, Any]:
    """The tensors of segment-anything's model under transformers' names."""
    found = {}
    for name, value in state.items():
        for pattern, new in _NAMES:
            name = re.sub(pattern, new, name)
        found[name] = value
    found["shared_image_embedding.positional_embedding"] = found["prompt_encoder.shared_embedding.positional_embedding"]
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Sam]:
    """The same tiny random SAM twice: segment-anything's, and ours from a folder."""
    pytest.importorskip("segment_anything", reason="needs the package segment-anything to compare with")
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer
    from segment_anything.modeling import Sam as TheirSam
    from transformers import SamConfig, SamModel

    torch.manual_seed(0)
    theirs = TheirSam(
        ImageEncoderViT(
            img_size=64, patch_size=8, embed_dim=32, depth=2, num_heads=2, out_chans=32, use_rel_pos=True,
            window_size=2, global_attn_indexes=(1,),
        ),
        PromptEncoder(embed_dim=32, image_embedding_size=(8, 8), input_image_size=(64, 64), mask_in_chans=8),
        MaskDecoder(
            transformer_dim=32, transformer=TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=48, num_heads=2),
            iou_head_hidden_dim=16,
        ),
    ).eval()  # fmt: skip
    with torch.no_grad():
        for value in theirs.parameters():
            value.add_(torch.randn_like(value) * 0.1)
        theirs.mask_decoder.iou_prediction_head.layers[-1].weight.mul_(0.1)
        theirs.mask_decoder.iou_prediction_head.layers[-1].bias.fill_(0.5)
    state = renamed(theirs.state_dict())
    config = SamConfig(
        vision_config={
            "hidden_size": 32, "output_channels": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": 64, "patch_size": 8, "mlp_dim": 128, "window_size": 2, "global_attn_indexes": [1], "num_pos_feats": 16,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 8, "mask_input_channels": 8},
        mask_decoder_config={
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 48,
            "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    model = SamModel(config)
    left = model.load_state_dict(state, strict=False)
    assert not left.unexpected_keys
    assert not [key for key in left.missing_keys if "shared_embedding" not in key]
    folder = tmp_path_factory.mktemp("same")
    model.save_pretrained(folder)
    return theirs, Sam(folder, device="cpu", name="sam")


@pytest.mark.parametrize("size", [(71, 45), (45, 71), (200, 131)])
def test_sam_answers_as_segment_anything_does(both: tuple[Any, Sam], size: tuple[int, int]) -> None:
    from segment_anything import SamPredictor

    theirs, ours = both
    image = Image(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    predictor = SamPredictor(theirs)
    predictor.set_image(np.array(image.pixels))
    embedding = ours.encode(image)
    earlier = np.random.default_rng(1).normal(size=(1, 32, 32)).astype(np.float32)
    cases: list[dict[str, Any]] = [
        {"points": [(30, 20)], "many": True}, {"points": [(30, 20), (5, 9)], "labels": [1, 0], "many": False},
        {"box": (4, 6, 40, 33), "many": False}, {"points": [(9, 9)], "box": (4, 6, 40, 33), "many": False},
        {"points": [(9, 9)], "logits": earlier[0], "many": False},
    ]  # fmt: skip
    for case in cases:
        many = case.pop("many")
        prompt = Prompt(**case)
        masks, quality, low = predictor.predict(
            point_coords=prompt.points if len(prompt.points) else None,
            point_labels=prompt.labels if len(prompt.points) else None,
            box=None if prompt.box is None else np.array(tuple(prompt.box)),
            mask_input=None if prompt.logits is None else earlier,
            multimask_output=many,
            return_logits=True,
        )
        [answer] = ours.predict(embedding, [prompt])
        order = np.argsort(-quality, kind="stable")
        np.testing.assert_allclose(answer.logits, low[order], atol=1e-4)
        np.testing.assert_allclose(answer.scores, np.clip(quality[order], 0, 1), atol=1e-4)
        differing = answer.masks != (masks[order] > 0)
        assert np.abs(masks[order][differing]).max(initial=0) < 1e-4


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"least_iou": 0.3, "least_stability": 0.0}, 0.0),
        ({"least_iou": 0.3, "least_stability": 0.15, "twin_iou": 1.0}, 0.0),
        ({"least_iou": 0.9, "least_stability": 0.0}, 0.6),  # qualities over 1 keep their order
        ({"least_iou": 0.3, "least_stability": 0.1, "twin_iou": 1.0, "least_area_px": 12}, 0.0),
        ({"least_iou": 0.3, "least_stability": 0.05, "twin_iou": 1.0, "crop_layers": 1, "crop_sparser": 2}, 0.0),
    ],
)
def test_automatic_masks_are_those_of_segment_anything(
    both: tuple[Any, Sam], settings: dict[str, Any], more: float
) -> None:
    from segment_anything import SamAutomaticMaskGenerator

    theirs, ours = both
    image = Image(np.random.default_rng(3).integers(0, 255, (45, 71, 3), dtype=np.uint8))
    with _adjusted(theirs.mask_decoder, ours.host.model.mask_decoder, more):
        theirs_as = {_THEIR_NAMES[k]: v for k, v in settings.items()}
        generator = SamAutomaticMaskGenerator(theirs, 6, crop_nms_thresh=settings.get("twin_iou", 0.7), **theirs_as)
        wanted = {entry["segmentation"].tobytes() for entry in generator.generate(np.array(image.pixels))}
        found = GridProposer(ours, points=6, **settings).propose(image)
    assert len(wanted) > 1, len(wanted)
    assert {mask.tobytes() for mask in found.masks} == wanted
    assert found.scores.max() <= 1


@contextmanager
def _adjusted(theirs: Any, ours: Any, more: float) -> Iterator[None]:
    """Masks ten times as strong, so that some are stable; qualities `more` higher."""
    heads = [theirs.iou_prediction_head.layers[-1], ours.iou_prediction_head.proj_out]
    pens = [m.layers[-1] for m in theirs.output_hypernetworks_mlps] + [
        m.proj_out for m in ours.output_hypernetworks_mlps
    ]
    before = [value.detach().clone() for part in (*heads, *pens) for value in part.parameters()]
    with torch.no_grad():
        for head in heads:
            head.bias.add_(more)
        for value in (value for pen in pens for value in pen.parameters()):
            value.mul_(10)
    yield
    with torch.no_grad():
        for value, was in zip((value for part in (*heads, *pens) for value in part.parameters()), before):
            value.copy_(was)


_THEIR_NAMES = {
    "least_iou": "pred_iou_thresh", "least_stability": "stability_score_thresh", "twin_iou": "box_nms_thresh",
    "least_area_px": "min_mask_region_area", "crop_layers": "crop_n_layers",
    "crop_sparser": "crop_n_points_downscale_factor",
}  # fmt: skip


def test_the_decoder_keeps_the_authors_layer_norms(both: tuple[Any, Sam]) -> None:
    theirs, ours = both
    eps = {m.eps for m in theirs.mask_decoder.transformer.modules() if isinstance(m, torch.nn.LayerNorm)}
    mine = {m.eps for m in ours.host.model.mask_decoder.transformer.modules() if isinstance(m, torch.nn.LayerNorm)}
    assert mine == eps == {1e-5}


def _with_processor(name: str, folder: Path) -> tuple[Any, Any, Any]:
    """(ours, transformers' model, transformers' processor) of one tiny model whose logits are of a usual size."""
    import transformers

    from maskwright.models.segmenters import sam2

    pytest.importorskip("torchvision", reason="the processors of SAM 2 and SAM 3 need torchvision")
    kinds = {
        "sam2": (sam2.Sam2, "Sam2", "Sam2ImageProcessor"), "edgetam": (sam2.EdgeTam, "EdgeTam", "Sam2ImageProcessor"),
        "sam3-clicks": (sam2.Sam3Clicks, "Sam3Tracker", "Sam3ImageProcessor"),
    }  # fmt: skip
    if name == "edgetam":
        pytest.importorskip("timm", reason="EdgeTAM needs timm")
    door, family, reader = kinds[name]
    model = getattr(transformers, f"{family}Model").from_pretrained(tiny.SEGMENTERS[name](folder)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * 0.1)
    model.save_pretrained(folder)
    ours = door(folder, device="cpu", name=name)
    side = {"height": ours.side, "width": ours.side}
    words = "Sam2" if name == "edgetam" else family
    processor = getattr(transformers, f"{words}Processor")(
        getattr(transformers, reader)(size=side), target_size=ours.side
    )
    return ours, model, processor


@pytest.mark.parametrize("name", ["sam2", "edgetam", "sam3-clicks"])
def test_sam2_and_its_kin_answer_as_their_processors_pipelines_do(name: str, tmp_path: Path) -> None:
    """The processor is given the picture as floats, as the authors' code resizes it; given bytes, it rounds the
    resized picture to bytes, once a side."""
    ours, model, processor = _with_processor(name, tmp_path)
    rng = np.random.default_rng(0)
    for size in ((71, 45), (45, 71), (300, 201)):
        image = Image(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
        floats = torch.from_numpy(np.array(image.pixels)).permute(2, 0, 1).float() / 255
        embedding = ours.encode(image)
        for prompt in (
            Prompt(points=[(30, 20)]), Prompt(points=[(30, 20), (5, 9)], labels=[1, 0]), Prompt(box=(4, 6, 40, 33)),
            Prompt(points=[(9, 9)], box=(4, 6, 40, 33)),
            Prompt(points=[(9, 9)], logits=rng.normal(size=(32, 32)).astype(np.float32)),
        ):  # fmt: skip
            asked: dict[str, Any] = {}
            if len(prompt.points):
                asked["input_points"] = [[prompt.points.tolist()]]
                asked["input_labels"] = [[prompt.labels.tolist()]]
            if prompt.box is not None:
                asked["input_boxes"] = [[list(prompt.box)]]
            inputs = processor(images=floats, do_rescale=False, return_tensors="pt", **asked)
            if prompt.logits is not None:
                inputs["input_masks"] = torch.from_numpy(np.asarray(prompt.logits))[None, None]
            sizes = inputs.pop("original_sizes")
            with torch.no_grad():
                out = model(**inputs, multimask_output=len(prompt.points) == 1 and prompt.box is prompt.logits)
            [[masks]] = processor.post_process_masks(out.pred_masks, sizes)
            quality = out.iou_scores[0, 0].numpy()
            order = np.argsort(-quality, kind="stable")
            [answer] = ours.predict(embedding, [prompt])
            assert np.ptp(answer.logits) > 0.01
            np.testing.assert_allclose(answer.logits, out.pred_masks[0, 0].numpy()[order], atol=1e-5)
            np.testing.assert_allclose(answer.scores, np.clip(quality[order], 0, 1), atol=1e-5)
            assert (answer.masks == masks.numpy()[order]).all()
        rounded = processor(images=np.array(image.pixels), return_tensors="pt")["pixel_values"]
        shown = ours.square(image.size).read(image.pixels)
        assert 0 < (rounded - shown).abs().max() <= 1.01 / 255 / min(ours.square(image.size).colours[1])


def test_clip_of_transformers_and_of_open_clip_rank_alike(tmp_path: Path) -> None:
    """The same weights through both doors: towers of transformers, filled from a model of open_clip."""
    open_clip = pytest.importorskip("open_clip", reason="needs the package open_clip_torch to compare with")
    from maskwright.models.rankers.towers import HubTowers, OpenTowers

    ranker = ContrastRanker(tiny.openclip(tmp_path / "open"), device="cpu")
    towers = ranker.host.model
    assert isinstance(towers, OpenTowers)
    hub = ContrastRanker(tiny.clip(tmp_path / "hub"), device="cpu").host.model
    assert isinstance(hub, HubTowers)
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    copied = _as_hub(towers.model, hub.model)
    with torch.inference_mode():
        np.testing.assert_allclose(
            copied.get_image_features(pixel_values=pixels).pooler_output, towers.see(pixels), atol=1e-5
        )
    reference = open_clip.create_model(f"local-dir:{tmp_path / 'open'}", require_pretrained=True).eval()
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(f"local-dir:{tmp_path / 'open'}")(["a red cup"])
        np.testing.assert_allclose(towers.read(["a red cup"], "cpu"), reference.encode_text(tokens), atol=1e-6)
        assert abs(towers.scale - reference.logit_scale.exp().item()) < 1e-4


def _as_hub(source: Any, target: Any) -> Any:
    """transformers' CLIP with the picture tower of open_clip's."""
    visual, vision = source.visual, target.vision_model
    with torch.no_grad():
        vision.embeddings.class_embedding.copy_(visual.class_embedding)
        vision.embeddings.patch_embedding.weight.copy_(visual.conv1.weight)
        vision.embeddings.position_embedding.weight.copy_(visual.positional_embedding)
        vision.pre_layrnorm.load_state_dict(visual.ln_pre.state_dict())
        vision.post_layernorm.load_state_dict(visual.ln_post.state_dict())
        target.visual_projection.weight.copy_(visual.proj.T)
        for theirs, ours in zip(visual.transformer.resblocks, vision.encoder.layers):
            ours.layer_norm1.load_state_dict(theirs.ln_1.state_dict())
            ours.layer_norm2.load_state_dict(theirs.ln_2.state_dict())
            ours.mlp.fc1.load_state_dict(theirs.mlp.c_fc.state_dict())
            ours.mlp.fc2.load_state_dict(theirs.mlp.c_proj.state_dict())
            ours.self_attn.out_proj.load_state_dict(theirs.attn.out_proj.state_dict())
            parts = zip(theirs.attn.in_proj_weight.chunk(3), theirs.attn.in_proj_bias.chunk(3))
            for name, (weight, bias) in zip(("q_proj", "k_proj", "v_proj"), parts):
                getattr(ours.self_attn, name).weight.copy_(weight)
                getattr(ours.self_attn, name).bias.copy_(bias)
    for layer in vision.encoder.layers:
        layer.mlp.activation_fn = torch.nn.GELU()
    return target.eval()

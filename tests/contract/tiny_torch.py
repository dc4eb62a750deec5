"""Tiny models with random weights, made from the real configuration classes and saved as a user's folder would be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def _saved(folder: Path, model: Any, spread: float = 0.0) -> Path:
    """The model in `folder`, its zeros (and with `spread` everything) moved, so that every part counts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            by = spread or (0.02 if value.abs().sum() == 0 else 0.0)
            value.add_(torch.randn(value.shape, generator=generator) * by)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def save_words(folder: Path, start: str = "<|startoftext|>", end: str = "<|endoftext|>") -> int:
    """A CLIP tokenizer of single letters; gives its number of tokens."""
    letters = [chr(c) for c in range(33, 127)]
    names = [*letters, *(f"{c}</w>" for c in letters), start, end]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    card = {"tokenizer_class": "CLIPTokenizer", "bos_token": start, "eos_token": end, "unk_token": end,
            "pad_token": end, "model_max_length": 77}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(card), encoding="utf-8")
    return len(names)


def sam(folder: Path, **vision: Any) -> Path:
    from transformers import SamConfig, SamModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "image_size": 64, "patch_size": 8, "mlp_dim": 64, "window_size": 2, "global_attn_indexes": [1],
             "num_pos_feats": 8}  # fmt: skip
    decoder = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "mlp_dim": 32,
        "iou_head_hidden_dim": 16,
    }
    prompt = {"hidden_size": 16, "image_size": 64, "patch_size": 8, "image_embedding_size": 8, "mask_input_channels": 8}
    return _saved(
        folder,
        SamModel(SamConfig(vision_config=sizes | vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)),
        spread=0.1,
    )


def sam_hq(folder: Path) -> Path:
    from transformers import SamHQConfig, SamHQModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "output_channels": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
             "image_size": 64, "patch_size": 8, "mlp_dim": 64, "window_size": 2, "global_attn_indexes": [0, 1, 2, 3],
             "num_pos_feats": 8}  # fmt: skip
    decoder = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 32,
               "iou_head_hidden_dim": 16, "vit_dim": 32}  # fmt: skip
    prompt = {"hidden_size": 16, "image_size": 64, "patch_size": 8, "image_embedding_size": 8, "mask_input_channels": 8}
    return _saved(
        folder,
        SamHQModel(SamHQConfig(vision_config=sizes, prompt_encoder_config=prompt, mask_decoder_config=decoder)),
        spread=0.1,
    )


_HIERA = {"hidden_size": 16, "num_attention_heads": 1, "image_size": [128, 128], "blocks_per_stage": [1, 1, 2, 1],
          "embed_dim_per_stage": [16, 24, 32, 40], "num_attention_heads_per_stage": [1, 2, 2, 2],
          "window_size_per_stage": [4, 2, 4, 2], "global_attention_blocks": [3],
          "window_positional_embedding_background_size": [4, 4]}  # fmt: skip
_DECODER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 32,
            "iou_head_hidden_dim": 16, "iou_head_depth": 2}  # fmt: skip


def _neck(backbone: Any, channels: tuple[int, ...] = (40, 32, 24, 16)) -> dict[str, Any]:
    return {"backbone_config": backbone, "backbone_channel_list": list(channels), "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]]}  # fmt: skip


def sam2(folder: Path) -> Path:
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model

    torch.manual_seed(0)
    prompt = {"hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 8}
    vision = _neck(Sam2HieraDetConfig(**_HIERA).to_dict())
    return _saved(
        folder, Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=_DECODER))
    )


_MEMORY = {"memory_attention_hidden_size": 128, "memory_attention_num_layers": 1,
           "memory_attention_num_attention_heads": 1,
           "memory_attention_feed_forward_hidden_size": 32, "memory_attention_rope_feat_sizes": [8, 8],
           "memory_encoder_hidden_size": 128, "memory_encoder_output_channels": 64, "mask_downsampler_embed_dim": 128,
           "memory_fuser_embed_dim": 128, "memory_fuser_intermediate_dim": 32, "memory_fuser_num_layers": 1,
           "image_size": 128}  # fmt: skip


_PROMPT128 = {"hidden_size": 128, "image_size": 128, "patch_size": 16, "mask_input_channels": 8}
_DECODER128 = _DECODER | {"hidden_size": 128}


def sam2_video(folder: Path) -> Path:
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(0)
    vision = _neck(Sam2HieraDetConfig(**_HIERA).to_dict()) | {"fpn_hidden_size": 128}
    return _saved(
        folder,
        Sam2VideoModel(
            Sam2VideoConfig(
                vision_config=vision, prompt_encoder_config=_PROMPT128, mask_decoder_config=_DECODER128, **_MEMORY
            )
        ),
    )


def _repvit() -> Any:
    from transformers import TimmWrapperConfig

    shape = {"features_only": True, "out_indices": [0, 1, 2, 3], "in_chans": 3}
    return TimmWrapperConfig(architecture="repvit_m0_9", do_pooling=False, num_labels=2, model_args=shape)


def edgetam(folder: Path) -> Path:
    from transformers import EdgeTamConfig, EdgeTamModel

    torch.manual_seed(0)
    prompt = {"hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 8}
    vision = _neck(_repvit(), (384, 192, 96, 48))
    return _saved(
        folder,
        EdgeTamModel(EdgeTamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=_DECODER)),
    )


_VIT3 = {"model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 2, "image_size": 112, "patch_size": 14, "window_size": 4, "global_attn_indexes": [1],
         "pretrain_image_size": 56}  # fmt: skip
_VISION3 = {"backbone_config": _VIT3, "fpn_hidden_size": 32, "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]]}


def sam3(folder: Path) -> Path:
    from transformers import Sam3Config, Sam3Model

    torch.manual_seed(0)
    words = save_words(folder)
    part = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}
    text = {"model_type": "clip_text_model", "vocab_size": words, "hidden_size": 32, "intermediate_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 32, "projection_dim": 32,
            "bos_token_id": words - 2, "eos_token_id": words - 1}  # fmt: skip
    config = Sam3Config(
        vision_config=_VISION3, text_config=text, geometry_encoder_config=part | {"num_layers": 1},
        detr_encoder_config=part | {"num_layers": 1}, detr_decoder_config=part | {"num_layers": 1, "num_queries": 6},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )  # fmt: skip
    return _saved(folder, Sam3Model(config))


def edgetam_video(folder: Path) -> Path:
    from transformers import EdgeTamVideoConfig, EdgeTamVideoModel

    torch.manual_seed(0)
    vision = _neck(_repvit(), (384, 192, 96, 48)) | {"fpn_hidden_size": 128, "model_type": "edgetam_vision_model"}
    perceiver = {"perceiver_resampler_num_latents": 16, "perceiver_resampler_num_latents_2d": 16,
                 "perceiver_resampler_hidden_size": 64, "perceiver_resampler_mlp_intermediate_size": 64,
                 "perceiver_resampler_num_attention_heads": 1, "perceiver_resampler_attention_head_dim": 64,
                 "perceiver_resampler_num_layers": 1, "memory_attention_rope_k_sizes": [4, 4]}  # fmt: skip
    config = EdgeTamVideoConfig(
        vision_config=vision, prompt_encoder_config=_PROMPT128, mask_decoder_config=_DECODER128, **_MEMORY, **perceiver
    )
    return _saved(folder, EdgeTamVideoModel(config))


def sam3_video(folder: Path) -> Path:
    from transformers import Sam3TrackerVideoConfig, Sam3TrackerVideoModel

    torch.manual_seed(0)
    config = Sam3TrackerVideoConfig(
        vision_config=_VISION3 | {"fpn_hidden_size": 128},
        prompt_encoder_config=_PROMPT128 | {"image_size": 112, "patch_size": 14}, mask_decoder_config=_DECODER128,
        **_MEMORY | {"image_size": 112},
    )  # fmt: skip
    return _saved(folder, Sam3TrackerVideoModel(config))


TRACKERS: dict[str, Callable[[Path], Path]] = {
    "sam2": sam2_video, "edgetam": edgetam_video, "sam3": sam3_video,
}  # fmt: skip


def sam3_clicks(folder: Path) -> Path:
    from transformers import Sam3TrackerConfig, Sam3TrackerModel

    torch.manual_seed(0)
    prompt = {"hidden_size": 32, "image_size": 112, "patch_size": 14, "mask_input_channels": 8}
    config = Sam3TrackerConfig(vision_config=_VISION3, prompt_encoder_config=prompt, mask_decoder_config=_DECODER)
    return _saved(folder, Sam3TrackerModel(config))


SEGMENTERS: dict[str, Callable[[Path], Path]] = {
    "sam": sam, "sam-hq": sam_hq, "sam2": sam2, "edgetam": edgetam, "sam3-clicks": sam3_clicks,
}  # fmt: skip


def _towers(words: int, length: int = 77) -> dict[str, Any]:
    text = {"vocab_size": words, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
            "num_attention_heads": 2, "max_position_embeddings": length, "projection_dim": 24,
            "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}  # fmt: skip
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 8, "projection_dim": 24}  # fmt: skip
    return {"text_config": text, "vision_config": vision}


def clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    return _saved(folder, CLIPModel(CLIPConfig(**_towers(save_words(folder)), projection_dim=24)))


def metaclip(folder: Path) -> Path:
    from transformers import MetaClip2Config, MetaClip2Model

    torch.manual_seed(0)
    return _saved(folder, MetaClip2Model(MetaClip2Config(**_towers(save_words(folder)), projection_dim=24)))


def siglip(folder: Path) -> Path:
    from transformers import SiglipConfig, SiglipModel

    torch.manual_seed(0)
    sizes = _towers(save_words(folder), 64)
    sizes["text_config"]["projection_size"] = 32
    return _saved(folder, SiglipModel(SiglipConfig(**sizes)))


def openclip(folder: Path) -> Path:
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    sizes = {"embed_dim": 24, "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "mlp_ratio": 1.5,
                                                  "patch_size": 8},
             "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}}  # fmt: skip
    model = open_clip.model.CLIP(**sizes)
    folder.mkdir(parents=True, exist_ok=True)
    card = {"model_cfg": sizes, "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(card), encoding="utf-8")
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


RANKERS: dict[str, Callable[[Path], Path]] = {
    "clip": clip, "metaclip2": metaclip, "siglip2": siglip, "openclip": openclip,
}  # fmt: skip


def grounding(folder: Path) -> Path:
    from transformers import BertConfig, GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(c) for c in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}', encoding="utf-8")
    eyes = SwinConfig(embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4, image_size=64,
                      out_features=["stage2", "stage3", "stage4"])  # fmt: skip
    text = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=len(words)
    )
    config = GroundingDinoConfig(
        backbone_config=eyes, text_config=text, d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=5, num_feature_levels=3,
        max_text_len=64, fusion_droppath=0.0,
    )  # fmt: skip
    return _saved(folder, GroundingDinoForObjectDetection(config))


def owl(folder: Path) -> Path:
    from transformers import Owlv2Config, Owlv2ForObjectDetection

    torch.manual_seed(0)
    sizes = _towers(save_words(folder), 16)
    return _saved(folder, Owlv2ForObjectDetection(Owlv2Config(**sizes, projection_dim=32)))


def florence(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BartConfig, Florence2Config, Florence2ForConditionalGeneration, PreTrainedTokenizerFast

    torch.manual_seed(0)
    places = [f"<loc_{i}>" for i in range(20)]
    words = ["<s>", "<pad>", "</s>", "<unk>", "<image>", *pre_tokenizers.ByteLevel.alphabet(), *places]
    plain = Tokenizer(models.BPE({w: i for i, w in enumerate(words)}, [], unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=["<image>", *places],
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    text = BartConfig(vocab_size=len(words), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                      decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=2048,
                      decoder_start_token_id=2, forced_eos_token_id=None)  # fmt: skip
    eyes = {"depths": [1, 1, 1, 1], "embed_dim": [8, 8, 16, 16], "num_heads": [1, 1, 2, 2], "num_groups": [1, 1, 2, 2],
            "window_size": 4, "projection_dim": 32, "patch_size": [7, 3, 3, 3]}  # fmt: skip
    config = Florence2Config(text_config=text.to_dict(), vision_config=eyes, image_token_id=4)
    return _saved(folder, Florence2ForConditionalGeneration(config))


PROPOSERS: dict[str, Callable[[Path], Path]] = {"grounding": grounding, "owl": owl, "florence": florence}


def depth(folder: Path) -> Path:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(3)
    eyes = Dinov2Config(hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=56,
                        patch_size=14, out_features=["stage1", "stage2", "stage3", "stage4"],
                        reshape_hidden_states=False)  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=eyes, patch_size=14, reassemble_hidden_size=32, neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16, head_hidden_size=8, reassemble_factors=[4, 2, 1, 0.5],
    )  # fmt: skip
    return _saved(folder, DepthAnythingForDepthEstimation(config))


def vitmatte(folder: Path) -> Path:
    from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting

    torch.manual_seed(0)
    eyes = VitDetConfig(num_channels=4, image_size=32, patch_size=16, hidden_size=32, num_hidden_layers=2,
                        num_attention_heads=2, out_features=["stage2"])  # fmt: skip
    return _saved(folder, VitMatteForImageMatting(VitMatteConfig(
        backbone_config=eyes, hidden_size=32, convstream_hidden_sizes=[4, 8, 16], fusion_hidden_sizes=[16, 8, 8, 4]
    )))  # fmt: skip


CLOTHES = ["Background", "Hat", "Hair", "Upper-clothes", "Skirt", "Left-shoe", "Face", "Left-arm", "Bag", "Scarf"]


def segformer(folder: Path) -> Path:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    torch.manual_seed(0)
    config = SegformerConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], decoder_hidden_size=16,
                             num_attention_heads=[1, 1, 2, 2], id2label=dict(enumerate(CLOTHES)))  # fmt: skip
    return _saved(folder, SegformerForSemanticSegmentation(config))


def sapiens(folder: Path) -> Path:
    from transformers import Sapiens2Config, Sapiens2ForSemanticSegmentation

    torch.manual_seed(0)
    config = Sapiens2Config(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_attention_heads=2,
        num_first_full_attention_layers=1, num_last_full_attention_layers=1, image_size=[64, 48],
        id2label=dict(enumerate(CLOTHES)),
        head_config={"upsample_out_channels": [16, 16], "conv_out_channels": [16]},
    )  # fmt: skip
    return _saved(folder, Sapiens2ForSemanticSegmentation(config))


def vitpose(folder: Path) -> Path:
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(0)
    eyes = VitPoseBackboneConfig(image_size=[64, 48], patch_size=[16, 16], hidden_size=32, num_hidden_layers=2,
                                 num_attention_heads=2, mlp_ratio=2, out_indices=[2])  # fmt: skip
    config = VitPoseConfig(backbone_config=eyes, num_labels=17, use_simple_decoder=False)
    return _saved(folder, VitPoseForPoseEstimation(config))

"""Tiny models with random weights, made from the real configuration classes and saved as a user's folder would be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def _saved(folder: Path, model: Any) -> Path:
    """The model in `folder`, its biases and embeddings moved off zero so that every part counts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in model.parameters():
            if value.abs().sum() == 0:
                value.copy_(torch.randn(value.shape, generator=generator) * 0.02)
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
    sizes = {"hidden_size": 32, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
             "patch_size": 8, "mlp_dim": 64, "window_size": 2, "global_attn_indexes": [1], "num_pos_feats": 8}  # fmt: skip
    decoder = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 32, "iou_head_hidden_dim": 16}
    prompt = {"hidden_size": 16, "image_size": 64, "patch_size": 8, "image_embedding_size": 8, "mask_input_channels": 8}
    return _saved(folder, SamModel(SamConfig(vision_config=sizes | vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)))


def sam_hq(folder: Path) -> Path:
    from transformers import SamHQConfig, SamHQModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "output_channels": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 64,
             "patch_size": 8, "mlp_dim": 64, "window_size": 2, "global_attn_indexes": [0, 1, 2, 3], "num_pos_feats": 8}  # fmt: skip
    decoder = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 32,
               "iou_head_hidden_dim": 16, "vit_dim": 32}  # fmt: skip
    prompt = {"hidden_size": 16, "image_size": 64, "patch_size": 8, "image_embedding_size": 8, "mask_input_channels": 8}
    return _saved(folder, SamHQModel(SamHQConfig(vision_config=sizes, prompt_encoder_config=prompt, mask_decoder_config=decoder)))


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
    return _saved(folder, Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=_DECODER)))


_MEMORY = {"memory_attention_hidden_size": 32, "memory_attention_num_layers": 1, "memory_attention_num_attention_heads": 1,
           "memory_attention_feed_forward_hidden_size": 32, "memory_attention_rope_feat_sizes": [8, 8],
           "memory_encoder_hidden_size": 32, "memory_encoder_output_channels": 16, "mask_downsampler_embed_dim": 32,
           "memory_fuser_embed_dim": 32, "memory_fuser_intermediate_dim": 32, "memory_fuser_num_layers": 1,
           "image_size": 128}  # fmt: skip


def sam2_video(folder: Path) -> Path:
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(0)
    prompt = {"hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 8}
    vision = _neck(Sam2HieraDetConfig(**_HIERA).to_dict())
    return _saved(folder, Sam2VideoModel(Sam2VideoConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=_DECODER, **_MEMORY)))


def _repvit() -> Any:
    return {"model_type": "timm_wrapper", "architecture": "repvit_m0_9", "do_pooling": False,
            "model_args": {"features_only": True, "out_indices": [0, 1, 2, 3], "in_chans": 3}}  # fmt: skip


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
    sizes = {"embed_dim": 24, "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
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

"""Tiny diffusers pipelines with random weights, made from the real classes and saved as a user's folder would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from tiny_torch import save_words
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

TALK = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


def _moved(*parts: Any) -> None:
    """Zeros of the networks become small numbers, so that every part counts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in (value for part in parts for value in part.parameters()):
            if not value.abs().sum():
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)


def _saved(folder: Path, kind: Any, **parts: Any) -> Path:
    _moved(*(part for part in parts.values() if isinstance(part, torch.nn.Module)))
    kind(**parts).save_pretrained(folder, safe_serialization=True)
    return folder


def _clip(folder: Path, width: int = 32, words: str = "words") -> tuple[Any, Any]:
    """(config, tokenizer) of a text tower."""
    count = save_words(folder / words)
    config = transformers.CLIPTextConfig(
        vocab_size=count, hidden_size=width, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        projection_dim=width, bos_token_id=count - 2, eos_token_id=count - 1, pad_token_id=count - 1,
    )  # fmt: skip
    return config, transformers.CLIPTokenizer.from_pretrained(folder / words)


def _painter(**more: Any) -> tuple[Any, Any]:
    """(unet, vae) of the Stable Diffusion family; 9 channels: noise, hole, what is around it."""
    unet = diffusers.UNet2DConditionModel(**{
        "block_out_channels": (16, 32), "layers_per_block": 1, "sample_size": 8, "in_channels": 9, "out_channels": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "norm_num_groups": 4,
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "cross_attention_dim": 32, "attention_head_dim": 4,
    } | more)  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=[8, 8, 16, 16], in_channels=3, out_channels=3, latent_channels=4, norm_num_groups=4,
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, sample_size=64,
    )  # fmt: skip
    return unet, vae


def _noise() -> Any:
    return diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1,
        set_alpha_to_one=False,
    )  # fmt: skip


def sd15(folder: Path) -> Path:
    """Stable Diffusion 1.5 inpainting, as its folder is: with a checker of pictures, which is not loaded."""
    torch.manual_seed(0)
    config, tokenizer = _clip(folder)
    unet, vae = _painter()
    eyes = transformers.CLIPConfig(
        text_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1},
        vision_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1,
                       "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )  # fmt: skip
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    return _saved(
        folder, diffusers.StableDiffusionInpaintPipeline, unet=unet, vae=vae, scheduler=_noise(), tokenizer=tokenizer,
        text_encoder=transformers.CLIPTextModel(config), safety_checker=StableDiffusionSafetyChecker(eyes),
        feature_extractor=transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32),
    )  # fmt: skip


def sdxl(folder: Path) -> Path:
    """Stable Diffusion XL inpainting."""
    torch.manual_seed(0)
    config, tokenizer = _clip(folder)
    unet, vae = _painter(
        cross_attention_dim=64, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32, attention_head_dim=(2, 4), use_linear_projection=True,
        transformer_layers_per_block=(1, 1),
    )  # fmt: skip
    return _saved(
        folder, diffusers.StableDiffusionXLInpaintPipeline, unet=unet, vae=vae, scheduler=_noise(),
        tokenizer=tokenizer, tokenizer_2=_clip(folder, words="words_2")[1], text_encoder=transformers.CLIPTextModel(config),
        text_encoder_2=transformers.CLIPTextModelWithProjection(config),
    )  # fmt: skip


def _bytes(special: tuple[str, ...], **names: str) -> Any:
    """A tokenizer of single bytes."""
    letters = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    raw = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.add_special_tokens([AddedToken(name, special=True) for name in special])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **names)


def wan_vace(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = _bytes(("<pad>", "</s>"), pad_token="<pad>", eos_token="</s>")
    text = transformers.UMT5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.0
    )
    return _saved(
        folder, diffusers.WanVACEPipeline, tokenizer=tokenizer, text_encoder=transformers.UMT5EncoderModel(text),
        vae=diffusers.AutoencoderKLWan(base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        transformer=diffusers.WanVACETransformer3DModel(
            num_attention_heads=2, attention_head_dim=12, text_dim=32, freq_dim=16, ffn_dim=32, num_layers=2,
            rope_max_seq_len=32, vace_layers=[0, 1],
        ),
    )  # fmt: skip


def qwen_edit(folder: Path) -> Path:
    torch.manual_seed(0)
    ends = ("<|endoftext|>", *TALK)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = transformers.Qwen2Tokenizer(
        vocab={c: i for i, c in enumerate([*letters, *ends])}, merges=[], additional_special_tokens=list(TALK)
    )
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in ends}
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 2, "vocab_size": len(tokenizer), "bos_token_id": None,
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [2, 3, 3]},
            "eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32,
            "patch_size": 14, "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    processor = transformers.Qwen2VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=56 * 56),
        tokenizer=tokenizer, video_processor=transformers.Qwen2VLVideoProcessor(), chat_template=TEMPLATE,
    )  # fmt: skip
    return _saved(
        folder, diffusers.QwenImageEditPipeline, tokenizer=tokenizer, processor=processor,
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(config),
        vae=diffusers.AutoencoderKLQwenImage(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        transformer=diffusers.QwenImageTransformer2DModel(
            num_layers=2, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(8, 4, 4)
        ),
    )  # fmt: skip

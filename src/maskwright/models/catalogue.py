"""Every model there is: one row each. The row is what makes a model loadable, listed, documented and tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from maskwright.errors import MissingModel


@dataclass(frozen=True)
class Row:
    """`target` is "module:Class"; `extra` the extra to install ("" for the core); `weights` a name in weights.toml
    ("" when none); `settings` are defaults handed to the class; `needs` lists (keyword, kind) of other models that
    it is built on."""

    kind: str
    name: str
    target: str
    licence: str
    note: str
    extra: str = ""
    weights: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[tuple[str, str], ...] = ()
    fake: bool = False


_M = "maskwright.models"

ROWS: tuple[Row, ...] = (
    Row("segmenter", "lite", f"{_M}.segmenters.lite:LiteSegmenter", "Apache-2.0",
        "embedded click/box network with a pixel-exact finish", weights="segmenter-lite"),
    Row("segmenter", "fake", f"{_M}.segmenters.fake:FakeSegmenter", "Apache-2.0",
        "flood of similar colours around the clicks; deterministic", fake=True),
    Row("ranker", "lite", f"{_M}.rankers.lite:LiteRanker", "Apache-2.0", "embedded region features and nouns",
        weights="ranker-lite"),
    Row("ranker", "fake", f"{_M}.rankers.fake:FakeRanker", "Apache-2.0",
        "hash of words against mean colours; deterministic", fake=True),
    Row("proposer", "lite", f"{_M}.proposers.lite:LiteProposer", "Apache-2.0",
        "grid of clicks of the embedded network, joined with a merge tree", needs=(("segmenter", "segmenter"),)),
    Row("proposer", "grid", f"{_M}.proposers.grid:GridProposer", "Apache-2.0",
        "grid of clicks with any segmenter, sifted", needs=(("segmenter", "segmenter"),)),
    Row("proposer", "fake", f"{_M}.proposers.fake:FakeProposer", "Apache-2.0",
        "connected regions of similar colour; deterministic", fake=True),
    Row("vlm", "openai", f"{_M}.vlms.endpoint:EndpointVlm", "by OpenAI's terms", "OpenAI; key OPENAI_API_KEY",
        settings={"preset": "openai"}),
    Row("vlm", "dashscope", f"{_M}.vlms.endpoint:EndpointVlm", "by Alibaba Cloud's terms",
        "Qwen-VL by DashScope, OpenAI-compatible; key DASHSCOPE_API_KEY", settings={"preset": "dashscope"}),
    Row("vlm", "dashscope-native", f"{_M}.vlms.dashscope:DashScopeVlm", "by Alibaba Cloud's terms",
        "Qwen-VL by DashScope's own API, with the high-resolution switch; key DASHSCOPE_API_KEY",
        settings={"key": "DASHSCOPE_API_KEY"}),
    Row("vlm", "siliconflow", f"{_M}.vlms.endpoint:EndpointVlm", "by SiliconFlow's terms",
        "Qwen2.5-VL-72B and others; key SILICONFLOW_API_KEY", settings={"preset": "siliconflow"}),
    Row("vlm", "vllm", f"{_M}.vlms.endpoint:EndpointVlm", "by the model's terms",
        "a vLLM server of your own; give model=", settings={"preset": "vllm"}),
    Row("vlm", "sglang", f"{_M}.vlms.endpoint:EndpointVlm", "by the model's terms",
        "an SGLang server of your own; give model=", settings={"preset": "sglang"}),
    Row("vlm", "llamacpp", f"{_M}.vlms.endpoint:EndpointVlm", "by the model's terms",
        "a llama.cpp server of your own; give model=", settings={"preset": "llamacpp"}),
    Row("vlm", "ollama", f"{_M}.vlms.endpoint:EndpointVlm", "by the model's terms",
        "Ollama on this machine; give model=", settings={"preset": "ollama"}),
    Row("vlm", "lmstudio", f"{_M}.vlms.endpoint:EndpointVlm", "by the model's terms",
        "LM Studio on this machine; give model=", settings={"preset": "lmstudio"}),
    Row("vlm", "endpoint", f"{_M}.vlms.endpoint:EndpointVlm", "by the model's terms",
        "any OpenAI-compatible endpoint; give base_url= and model=", settings={"preset": "endpoint"}),
    Row("vlm", "qwen2.5-vl-3b", f"{_M}.vlms.local:LocalVlm", "Qwen Research License (non-commercial)",
        "Qwen2.5-VL 3B on this machine; pixels", extra="vision", weights="qwen2.5-vl-3b",
        settings={"weights": "qwen2.5-vl-3b"}),
    Row("vlm", "qwen2.5-vl-7b", f"{_M}.vlms.local:LocalVlm", "Apache-2.0",
        "Qwen2.5-VL 7B on this machine; pixels", extra="vision", weights="qwen2.5-vl-7b",
        settings={"weights": "qwen2.5-vl-7b"}),
    Row("vlm", "qwen3-vl-4b", f"{_M}.vlms.local:LocalVlm", "Apache-2.0",
        "Qwen3-VL 4B on this machine; thousandths", extra="vision", weights="qwen3-vl-4b",
        settings={"weights": "qwen3-vl-4b"}),
    Row("vlm", "qwen3-vl-8b", f"{_M}.vlms.local:LocalVlm", "Apache-2.0",
        "Qwen3-VL 8B on this machine; thousandths", extra="vision", weights="qwen3-vl-8b",
        settings={"weights": "qwen3-vl-8b"}),
    Row("vlm", "internvl3-2b", f"{_M}.vlms.local:LocalVlm", "see the model card on the hub",
        "InternVL3 2B on this machine", extra="vision", weights="internvl3-2b", settings={"weights": "internvl3-2b"}),
    Row("vlm", "smolvlm2-2b", f"{_M}.vlms.local:LocalVlm", "Apache-2.0",
        "SmolVLM2 2.2B on this machine", extra="vision", weights="smolvlm2-2b", settings={"weights": "smolvlm2-2b"}),
    Row("vlm", "local", f"{_M}.vlms.local:LocalVlm", "by the model's terms",
        "a vision-language model from a folder of your own; give weights=", extra="vision"),
    Row("vlm", "replay", f"{_M}.vlms.replay:ReplayVlm", "Apache-2.0", "recorded answers; give record="),
    Row("vlm", "fake", f"{_M}.vlms.fake:FakeVlm", "Apache-2.0",
        "answers of the right form, blind and deterministic", fake=True),
    Row("filler", "lite", f"{_M}.fillers.lite:LiteFiller", "Apache-2.0",
        "fills a clip from its other frames along dense motion", needs=(("inpainter", "inpainter"),)),
    Row("filler", "fake", f"{_M}.fillers.fake:FakeFiller", "Apache-2.0",
        "smooth colours frame by frame; deterministic", fake=True),
    Row("filler", "diffueraser-worker", f"{_M}.fillers.by_worker:diffueraser_worker", "Apache-2.0",
        "DiffuEraser's own code on your checkout, in its own environment"),
    Row("filler", "propainter-worker", f"{_M}.fillers.by_worker:propainter_worker", "NTU S-Lab 1.0 (non-commercial)",
        "ProPainter's own code on your checkout, in its own environment"),
    Row("inpainter", "lite", f"{_M}.inpainters.lite:LiteInpainter", "Apache-2.0",
        "patches of the rest of the picture, coarse to fine"),
    Row("inpainter", "fake", f"{_M}.inpainters.fake:FakeInpainter", "Apache-2.0",
        "the mean colour around the hole; deterministic", fake=True),
    Row("captioner", "lite", f"{_M}.captioners.lite:LiteCaptioner", "Apache-2.0",
        "light, colours and texture of a background, measured; deterministic"),
    Row("tracker", "lite", f"{_M}.trackers.lite:LiteTracker", "Apache-2.0",
        "masks moved along dense motion, cut anew on key frames", needs=(("segmenter", "segmenter"),)),
    Row("segmenter", "sam-b", f"{_M}.segmenters.sam:Sam", "Apache-2.0",
        "Segment Anything ViT-B", extra="torch", weights="sam-b",
        settings={"weights": "sam-b", "name": "sam-b"}),
    Row("segmenter", "sam-l", f"{_M}.segmenters.sam:Sam", "Apache-2.0",
        "Segment Anything ViT-L", extra="torch", weights="sam-l",
        settings={"weights": "sam-l", "name": "sam-l"}),
    Row("segmenter", "sam-h", f"{_M}.segmenters.sam:Sam", "Apache-2.0",
        "Segment Anything ViT-H", extra="torch", weights="sam-h",
        settings={"weights": "sam-h", "name": "sam-h"}),
    Row("segmenter", "sam-hq-b", f"{_M}.segmenters.sam:SamHq", "Apache-2.0",
        "SAM-HQ ViT-B: sharper edges", extra="torch", weights="sam-hq-b",
        settings={"weights": "sam-hq-b", "name": "sam-hq-b"}),
    Row("segmenter", "sam-hq-h", f"{_M}.segmenters.sam:SamHq", "Apache-2.0",
        "SAM-HQ ViT-H: sharper edges", extra="torch", weights="sam-hq-h",
        settings={"weights": "sam-hq-h", "name": "sam-hq-h"}),
    Row("segmenter", "sam2-tiny", f"{_M}.segmenters.sam2:Sam2", "Apache-2.0",
        "SAM 2.1 tiny", extra="vision", weights="sam2-tiny",
        settings={"weights": "sam2-tiny", "name": "sam2-tiny"}),
    Row("segmenter", "sam2-small", f"{_M}.segmenters.sam2:Sam2", "Apache-2.0",
        "SAM 2.1 small", extra="vision", weights="sam2-small",
        settings={"weights": "sam2-small", "name": "sam2-small"}),
    Row("segmenter", "sam2-base", f"{_M}.segmenters.sam2:Sam2", "Apache-2.0",
        "SAM 2.1 base plus", extra="vision", weights="sam2-base",
        settings={"weights": "sam2-base", "name": "sam2-base"}),
    Row("segmenter", "sam2-large", f"{_M}.segmenters.sam2:Sam2", "Apache-2.0",
        "SAM 2.1 large", extra="vision", weights="sam2-large",
        settings={"weights": "sam2-large", "name": "sam2-large"}),
    Row("segmenter", "edgetam", f"{_M}.segmenters.sam2:EdgeTam", "Apache-2.0",
        "EdgeTAM: SAM 2 for small devices; needs timm", extra="vision", weights="edgetam",
        settings={"weights": "edgetam", "name": "edgetam"}),
    Row("segmenter", "sam3", f"{_M}.segmenters.sam3:Sam3", "SAM License",
        "SAM 3: words to all instances of a concept", extra="vision", weights="sam3",
        settings={"weights": "sam3", "name": "sam3"}),
    Row("segmenter", "sam3-clicks", f"{_M}.segmenters.sam2:Sam3Clicks", "SAM License",
        "SAM 3: points and boxes", extra="vision", weights="sam3",
        settings={"weights": "sam3", "name": "sam3-clicks"}),
    Row("segmenter", "mobile-sam", f"{_M}.segmenters.onnx_sam:OnnxSam", "Apache-2.0",
        "MobileSAM by ONNX Runtime, no torch", weights="mobile-sam",
        settings={"weights": "mobile-sam", "name": "mobile-sam"}),
    Row("segmenter", "efficient-sam", f"{_M}.segmenters.onnx_sam:OnnxSam", "Apache-2.0",
        "EfficientSAM by ONNX Runtime, no torch", weights="efficient-sam",
        settings={"weights": "efficient-sam", "name": "efficient-sam"}),
    Row("tracker", "sam2-tiny", f"{_M}.trackers.memory:Sam2Tracker", "Apache-2.0",
        "SAM 2.1 tiny on clips", extra="vision", weights="sam2-tiny",
        settings={"weights": "sam2-tiny", "name": "sam2-tiny"}),
    Row("tracker", "sam2-large", f"{_M}.trackers.memory:Sam2Tracker", "Apache-2.0",
        "SAM 2.1 large on clips", extra="vision", weights="sam2-large",
        settings={"weights": "sam2-large", "name": "sam2-large"}),
    Row("tracker", "edgetam", f"{_M}.trackers.memory:EdgeTamTracker", "Apache-2.0",
        "EdgeTAM on clips; needs timm", extra="vision", weights="edgetam",
        settings={"weights": "edgetam", "name": "edgetam"}),
    Row("tracker", "sam3", f"{_M}.trackers.memory:Sam3Tracker", "SAM License",
        "SAM 3's tracker by clicks and masks", extra="vision", weights="sam3",
        settings={"weights": "sam3", "name": "sam3"}),
    Row("ranker", "clip-b32", f"{_M}.rankers.contrast:ContrastRanker", "MIT",
        "CLIP ViT-B/32; English", extra="torch", weights="clip-b32",
        settings={"weights": "clip-b32", "name": "clip-b32"}),
    Row("ranker", "clip-l14", f"{_M}.rankers.contrast:ContrastRanker", "MIT",
        "CLIP ViT-L/14; English", extra="torch", weights="clip-l14",
        settings={"weights": "clip-l14", "name": "clip-l14"}),
    Row("ranker", "siglip2-b", f"{_M}.rankers.contrast:ContrastRanker", "Apache-2.0",
        "SigLIP 2 base; over 100 languages", extra="torch", weights="siglip2-b",
        settings={"weights": "siglip2-b", "name": "siglip2-b"}),
    Row("ranker", "siglip2-so400m", f"{_M}.rankers.contrast:ContrastRanker", "Apache-2.0",
        "SigLIP 2 so400m; over 100 languages", extra="torch", weights="siglip2-so400m",
        settings={"weights": "siglip2-so400m", "name": "siglip2-so400m"}),
    Row("ranker", "metaclip2-h", f"{_M}.rankers.contrast:ContrastRanker", "CC-BY-NC-4.0",
        "MetaCLIP 2 huge, worldwide; over 300 languages; non-commercial", extra="torch", weights="metaclip2-h",
        settings={"weights": "metaclip2-h", "name": "metaclip2-h"}),
    Row("ranker", "openclip-b32", f"{_M}.rankers.contrast:ContrastRanker", "MIT",
        "OpenCLIP ViT-B/32 laion2b; English", extra="openclip", weights="openclip-b32",
        settings={"weights": "openclip-b32", "name": "openclip-b32"}),
    Row("proposer", "grounding-dino-tiny", f"{_M}.proposers.grounding:GroundingDino", "Apache-2.0",
        "Grounding DINO tiny: phrase -> boxes -> masks", extra="torch", weights="grounding-dino-tiny",
        settings={"weights": "grounding-dino-tiny", "name": "grounding-dino-tiny"},
        needs=(("segmenter", "segmenter"),)),
    Row("proposer", "grounding-dino-base", f"{_M}.proposers.grounding:GroundingDino", "Apache-2.0",
        "Grounding DINO base: phrase -> boxes -> masks", extra="torch", weights="grounding-dino-base",
        settings={"weights": "grounding-dino-base", "name": "grounding-dino-base"},
        needs=(("segmenter", "segmenter"),)),
    Row("proposer", "owlv2-b", f"{_M}.proposers.owl:Owl", "Apache-2.0",
        "OWLv2 base: phrase -> boxes -> masks", extra="torch", weights="owlv2-b",
        settings={"weights": "owlv2-b", "name": "owlv2-b"}, needs=(("segmenter", "segmenter"),)),
    Row("proposer", "owlv2-l", f"{_M}.proposers.owl:Owl", "Apache-2.0",
        "OWLv2 large: phrase -> boxes -> masks", extra="torch", weights="owlv2-l",
        settings={"weights": "owlv2-l", "name": "owlv2-l"}, needs=(("segmenter", "segmenter"),)),
    Row("proposer", "florence-2-base", f"{_M}.proposers.florence:Florence", "MIT",
        "Florence-2 base: phrase -> boxes -> masks, without scores", extra="torch", weights="florence-2-base",
        settings={"weights": "florence-2-base", "name": "florence-2-base"}, needs=(("segmenter", "segmenter"),)),
    Row("proposer", "florence-2-large", f"{_M}.proposers.florence:Florence", "MIT",
        "Florence-2 large: phrase -> boxes -> masks, without scores", extra="torch", weights="florence-2-large",
        settings={"weights": "florence-2-large", "name": "florence-2-large"}, needs=(("segmenter", "segmenter"),)),
    Row("depth", "depth-anything-s", f"{_M}.depths.anything:DepthAnything", "Apache-2.0",
        "Depth Anything 2 small", extra="torch", weights="depth-anything-s",
        settings={"weights": "depth-anything-s", "name": "depth-anything-s"}),
    Row("depth", "depth-anything-l", f"{_M}.depths.anything:DepthAnything", "CC-BY-NC-4.0",
        "Depth Anything 2 large; non-commercial", extra="torch", weights="depth-anything-l",
        settings={"weights": "depth-anything-l", "name": "depth-anything-l"}),
    Row("matter", "vitmatte-s", f"{_M}.matters.vitmatte:VitMatte", "Apache-2.0",
        "ViTMatte small", extra="torch", weights="vitmatte-s",
        settings={"weights": "vitmatte-s", "name": "vitmatte-s"}),
    Row("matter", "vitmatte-b", f"{_M}.matters.vitmatte:VitMatte", "Apache-2.0",
        "ViTMatte base", extra="torch", weights="vitmatte-b",
        settings={"weights": "vitmatte-b", "name": "vitmatte-b"}),
    Row("parser", "segformer-clothes", f"{_M}.parsers.figures:SegformerParser",
        "NVIDIA SegFormer licence (non-commercial)",
        "SegFormer B2 trained on clothes; non-commercial", extra="torch", weights="segformer-clothes",
        settings={"weights": "segformer-clothes", "name": "segformer-clothes"}),
    Row("parser", "sapiens2", f"{_M}.parsers.figures:SapiensParser", "by Sapiens 2's licence, see its card",
        "Sapiens 2, body parts, 0.4b", extra="torch", weights="sapiens2",
        settings={"weights": "sapiens2", "name": "sapiens2"}),
    Row("parser", "vitpose", f"{_M}.parsers.vitpose:VitPose", "Apache-2.0",
        "ViTPose base: 17 joints, no parts", extra="torch", weights="vitpose",
        settings={"weights": "vitpose", "name": "vitpose"}),
    Row("inpainter", "sd15", f"{_M}.inpainters.diffusers:DiffusersInpainter", "CreativeML OpenRAIL-M",
        "Stable Diffusion 1.5 inpainting", extra="diffusion", weights="sd15-inpainting",
        settings={"weights": "sd15-inpainting", "name": "sd15"}),
    Row("inpainter", "lama", f"{_M}.inpainters.lama:LamaInpainter", "Apache-2.0",
        "LaMa by ONNX Runtime, no torch", weights="lama",
        settings={"weights": "lama", "name": "lama"}),
    Row("editor", "qwen", f"{_M}.editors.qwen:QwenEditor", "Apache-2.0",
        "Qwen-Image-Edit; about 60 GB", extra="diffusion", weights="qwen-image-edit",
        settings={"weights": "qwen-image-edit"}),
    Row("filler", "diffueraser", f"{_M}.fillers.diffueraser.filler:DiffuEraser",
        "Apache-2.0, with CreativeML OpenRAIL-M parts",
        "DiffuEraser, native on diffusers", extra="diffusion", weights="diffueraser",
        settings={"weights": "diffueraser"}),
    Row("filler", "wan-vace-1.3b", f"{_M}.fillers.wanvace:WanVace", "Apache-2.0",
        "Wan 2.1 VACE 1.3B by diffusers", extra="diffusion", weights="wan-vace-1.3b",
        settings={"weights": "wan-vace-1.3b"}),
    Row("matter", "lite", f"{_M}.matters.lite:LiteMatter", "Apache-2.0",
        "closed-form matting on the mask's band"),
    Row("matter", "pymatting", f"{_M}.matters.lite_pymatting:PymattingMatter", "MIT",
        "the library pymatting, over the whole picture", extra="shape"),
    Row("parser", "lite", f"{_M}.parsers.lite:LiteParser", "Apache-2.0",
        "people in photographs by a small network; drawings by colour and contour", weights="parser-lite"),
    Row("editor", "lite", f"{_M}.editors.planner:PlannerEditor", "Apache-2.0",
        "words -> a plan of typed operations (English, Chinese)", needs=(("inpainter", "inpainter"),)),
    Row("editor", "openai", f"{_M}.editors.endpoint:EndpointEditor", "by OpenAI's terms",
        "image edits at OpenAI; key OPENAI_API_KEY",
        settings={"base_url": "https://api.openai.com/v1", "model": "gpt-image-1", "key": "OPENAI_API_KEY"}),
    Row("editor", "dashscope", f"{_M}.editors.endpoint:EndpointEditor", "by Alibaba Cloud's terms",
        "Qwen-Image-Edit at DashScope; key DASHSCOPE_API_KEY",
        settings={"base_url": "https://dashscope.aliyuncs.com/api/v1", "model": "qwen-image-edit",
                  "key": "DASHSCOPE_API_KEY", "form": "dashscope"}),
    Row("editor", "endpoint", f"{_M}.editors.endpoint:EndpointEditor", "by the model's terms",
        "any server with the images/edits form: give base_url and model"),
    Row("lifter", "lite", f"{_M}.lifters.lite:LiteLifter", "Apache-2.0",
        "inflates a silhouette into a closed, textured body"),
    Row("lifter", "hunyuan3d-worker", f"{_M}.lifters.by_worker:hunyuan3d_worker",
        "Tencent Hunyuan 3D Community (not in the EU, UK and South Korea)",
        "Hunyuan3D-2.x in its own environment; several views"),
    Row("lifter", "triposr-worker", f"{_M}.lifters.by_worker:triposr_worker", "MIT",
        "TripoSR on your checkout, in its own environment"),
    Row("lifter", "shap-e-worker", f"{_M}.lifters.by_worker:shap_e_worker", "MIT",
        "Shap-E by diffusers, in its own environment"),
)  # fmt: skip


@cache
def table() -> Mapping[tuple[str, str], Row]:
    """(kind, name) -> Row: ours, then those of other packages (entry-point group `maskwright.models`)."""
    rows = {(row.kind, row.name): row for row in ROWS}
    for point in entry_points(group="maskwright.models"):
        loaded: Row | Iterable[Row] = point.load()
        for row in (loaded,) if isinstance(loaded, Row) else loaded:
            rows.setdefault((row.kind, row.name), row)
    return rows


def names(kind: str) -> list[str]:
    """Every name of one kind, in the table's order."""
    return [name for k, name in table() if k == kind]


def find_row(kind: str, name: str) -> Row:
    """The row; raises MissingModel with the nearest names."""
    row = table().get((kind, name))
    if row is None:
        raise MissingModel(f"there is no {kind} named {name!r}.", f"Choose one of: {', '.join(names(kind)) or 'none'}.")
    return row

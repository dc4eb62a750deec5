"""Endpoints by name: where they are, which key they want, what they can do."""

from __future__ import annotations

from dataclasses import dataclass

FORMS = ("json_schema", "json_object", "plain")
"""Ways to ask for JSON, the strictest first; an endpoint that refuses one is asked the next way."""


@dataclass(frozen=True)
class Preset:
    """`key` is the environment variable that holds the key ("" when none is needed); `form` the first way to ask for
    JSON; `strict` for schemas without ranges and lengths; `logprobs` whether token probabilities are offered."""

    base_url: str
    key: str = ""
    model: str = ""
    form: str = "json_schema"
    strict: bool = False
    logprobs: bool = False
    max_side: int = 1024
    concurrency: int = 4


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        "https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-4.1-mini", strict=True, logprobs=True, max_side=2048,
        concurrency=8,
    ),
    "dashscope": Preset(
        "https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", "qwen-vl-max", form="json_object",
        max_side=1280,
    ),
    "siliconflow": Preset(
        "https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY", "Qwen/Qwen2.5-VL-72B-Instruct", form="json_object",
        max_side=1280,
    ),
    "vllm": Preset("http://localhost:8000/v1", logprobs=True, max_side=1280, concurrency=16),
    "sglang": Preset("http://localhost:30000/v1", logprobs=True, max_side=1280, concurrency=16),
    "llamacpp": Preset("http://localhost:8080/v1", logprobs=True, concurrency=1),
    "ollama": Preset("http://localhost:11434/v1", concurrency=1),
    "lmstudio": Preset("http://localhost:1234/v1", concurrency=1),
    "endpoint": Preset(""),
}  # fmt: skip
"""`endpoint` is any other OpenAI-compatible server: base_url and model have to be given."""


def coordinates_of(model: str) -> str:
    """How a model states places: Qwen2.5-VL in pixels of the resized picture, Qwen3-VL in thousandths."""
    name = model.casefold().replace("_", "-")
    if "qwen3" in name and "vl" in name:
        return "thousandths"
    if "qwen2.5-vl" in name or "qwen2-5-vl" in name:
        return "pixels"
    return "none"

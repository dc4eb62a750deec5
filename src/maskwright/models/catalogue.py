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
        "Qwen-VL by DashScope's own API, with the high-resolution switch; key DASHSCOPE_API_KEY"),
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

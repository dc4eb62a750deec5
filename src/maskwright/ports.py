"""What a model must offer. A new model is one class that fits one of these, and one row in models/catalogue.py.

All pictures are RGB uint8; all coordinates are full-image pixels (x, y); masks are bool (H, W) at full size.
Ports are plain and synchronous and keep no picture between calls: two threads may use one model. Only errors of
maskwright.errors come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maskwright.values import Candidates, Embedding, Image, Mask, Prompt, Proposals, Ranking

Frame = NDArray[np.uint8]


@runtime_checkable
class Segmenter(Protocol):
    """Encode a picture once, then answer many prompts about it."""

    name: str

    def encode(self, image: Image) -> Embedding: ...

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        """One Candidates a prompt, in order; no prompts, no answers. An empty prompt raises BadPrompt."""
        ...


@runtime_checkable
class VideoSegmenter(Protocol):
    """Follow objects through a clip."""

    name: str

    def track(
        self, frames: Sequence[Frame], prompts: Mapping[int, Mapping[int, Prompt | Mask]]
    ) -> Iterator[tuple[int, dict[int, Mask]]]:
        """Yields (frame index, {object id: mask}) for every frame in order. `prompts`: frame index -> object id ->
        what marks it there."""
        ...


@runtime_checkable
class Proposer(Protocol):
    """Regions of a picture worth a look; text-aware proposers use `phrase`, the others ignore it."""

    name: str

    def propose(self, image: Image, embedding: Embedding | None = None, phrase: str | None = None) -> Proposals:
        """`embedding`: the picture's, when the segmenter behind this proposer has already made it."""
        ...


@runtime_checkable
class Ranker(Protocol):
    """How well regions fit phrases."""

    name: str

    def encode(self, image: Image, masks: NDArray[np.bool_]) -> Embedding:
        """What the ranker needs to know of each of the (K, H, W) regions."""
        ...

    def rank(self, regions: Embedding, phrases: Sequence[str]) -> Ranking: ...


@dataclass(frozen=True)
class Question:
    """One question to a vision-language model: text, pictures, and the JSON schema of the answer (None: plain text)."""

    text: str
    images: tuple[Image, ...] = ()
    schema: Mapping[str, Any] | None = None
    system: str = ""
    max_tokens: int = 512
    temperature: float = 0.0
    seed: int = 0
    choices: tuple[str, ...] = ()
    """When given, the engine may return the probability of each of these as the first answer."""


@dataclass(frozen=True)
class Reply:
    """What a vision-language model answered: raw text, probabilities of Question.choices where known, and its cost."""

    text: str
    probabilities: Mapping[str, float] | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    detail: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Vlm(Protocol):
    """Looks at pictures and answers. `coordinates`: how it states places ("pixels" of the picture sent,
    "thousandths" 0-1000, "none"); `max_side`: the longest side it sees well; `concurrency`: calls at once."""

    name: str
    coordinates: str
    max_side: int
    concurrency: int

    def reply(self, question: Question) -> Reply: ...


@runtime_checkable
class Inpainter(Protocol):
    """Paint what is behind a mask."""

    name: str

    def inpaint(self, image: Image, mask: Mask, *, words: str = "", seed: int = 0) -> Image:
        """The picture with the masked pixels invented; pixels outside the mask are unchanged."""
        ...


@dataclass(frozen=True)
class FillOptions:
    """How a video is filled. `prior`: an earlier fill to start from; `anchor`: (frame index, painted frame);
    `words`/`avoid`: what the scene is and what it must not show; `guidance` has effect only above 1."""

    prior: Sequence[Frame] | None = None
    anchor: tuple[int, Frame] | None = None
    words: str = ""
    avoid: str = ""
    guidance: float | None = None
    seed: int = 0


@runtime_checkable
class VideoFiller(Protocol):
    """Fill masked regions of a clip, steadily over time."""

    name: str

    def fill(
        self, frames: Sequence[Frame], masks: Sequence[NDArray[np.bool_]], options: FillOptions
    ) -> Iterator[Frame]:
        """Yields every frame in order, filled; `frames` and `masks` are read lazily by index (they may be longer than
        memory) and have equal length. Pixels outside the masks are unchanged."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """One sentence about a scene, the masked parts left out."""

    name: str

    def caption(self, images: Sequence[Image], masks: Sequence[Mask]) -> str: ...


PART_LABELS = (
    "background", "face", "hair", "skin", "upper garment", "lower garment", "dress", "outerwear", "shoes", "bag",
    "hat", "other",
)  # fmt: skip
"""The fixed vocabulary of part maps; a label map holds indices into it."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Labelled parts of a figure: label_map (H, W) uint8, labels by value, confidence (H, W) float32 0..1,
    keypoints {COCO-17 name: (x, y, confidence)}."""

    label_map: NDArray[np.uint8]
    labels: tuple[str, ...] = PART_LABELS
    confidence: NDArray[np.float32] | None = None
    keypoints: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


@runtime_checkable
class Parser(Protocol):
    """Take a figure apart into labelled parts and a pose."""

    name: str

    def parse(self, image: Image, mask: Mask | None = None) -> Parts: ...


@runtime_checkable
class Editor(Protocol):
    """Change a picture by words (inside a mask, when one is given)."""

    name: str

    def edit(self, image: Image, words: str, mask: Mask | None = None, *, seed: int = 0) -> Image: ...


@runtime_checkable
class Matter(Protocol):
    """Alpha mattes: trimap (H, W) uint8 0 outside, 128 unknown, 255 inside -> alpha (H, W) float32 0..1."""

    name: str

    def matte(self, image: Image, trimap: NDArray[np.uint8]) -> NDArray[np.float32]: ...


@runtime_checkable
class DepthEstimator(Protocol):
    """Relative nearness (H, W) float32, 1 = nearest, 0 = farthest."""

    name: str

    def depth(self, image: Image) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Mesh:
    """A textured mesh: vertices (V, 3) float32 metres (y up, z towards the viewer), faces (F, 3) int32
    counter-clockwise from outside, uv (V, 2) float32 with (0, 0) at the texture's lower left, texture RGB(A) uint8."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None


@runtime_checkable
class Lifter(Protocol):
    """A 3D model of a cut-out (an Image with alpha)."""

    name: str

    def lift(self, cutout: Image, *, depth: NDArray[np.float32] | None = None, seed: int = 0) -> Mesh: ...


PORTS: Mapping[str, type] = {
    "segmenter": Segmenter,
    "tracker": VideoSegmenter,
    "proposer": Proposer,
    "ranker": Ranker,
    "vlm": Vlm,
    "inpainter": Inpainter,
    "filler": VideoFiller,
    "captioner": Captioner,
    "parser": Parser,
    "editor": Editor,
    "matter": Matter,
    "depth": DepthEstimator,
    "lifter": Lifter,
}
"""Every kind of model, by the word used in the catalogue, the settings and `maskwright.load`."""

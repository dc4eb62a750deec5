"""What every click-and-box network of the SAM family shares: encode once, prompts of one shape in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maskwright.errors import BadPrompt, BadSettings
from maskwright.models.segmenters.frames import IMAGENET, Square
from maskwright.models.sieve import Sieve, Sifted
from maskwright.models.torching import Host, Place, choose_place, load_pretrained
from maskwright.models.weights import locate
from maskwright.values import Candidates, Embedding, Image, Prompt

BATCH = 64
"""Prompts at once; fewer when the device is full."""
ENLARGED = 16
"""Masks brought to the picture's size at once while sifting."""


class PromptedSegmenter:
    """A SAM-like network from a folder.

    `weights`: a folder or a name of weights.toml. `dtype` is that of the picture encoder, which does nearly all the
    work; prompts and masks stay in float32, so that coordinates are exact. `multimask`: three answers to a prompt
    (None: to a single point only, which alone is ambiguous).
    """

    kind: Any = None
    keep_aspect = False

    def __init__(
        self,
        weights: str | Path,
        *,
        device: str = "auto",
        dtype: str = "auto",
        multimask: bool | None = None,
        compiled: bool = False,
        name: str = "",
    ) -> None:
        if multimask not in (None, True, False):
            raise BadSettings(f"multimask={multimask!r} is not possible.", "Use true, false or nothing.")
        self.name = name or str(weights)
        self.multimask = multimask
        place = choose_place(device, dtype, half="bfloat16")
        model = load_pretrained(self.kind, locate(weights), self.name, Place(place.device, torch.float32))
        self.mend(model)
        model.vision_encoder.to(place.dtype)
        if compiled:
            model.vision_encoder = torch.compile(model.vision_encoder)
        self.host = Host(self.name, model, place)
        self.side = self._side(model.config)

    def _side(self, config: Any) -> int:
        return int(config.prompt_encoder_config.image_size)

    def square(self, size: tuple[int, int]) -> Square:
        """The square that a picture of `size` (width, height) is laid into."""
        return Square(size, self.side, self.keep_aspect, IMAGENET)

    def encode(self, image: Image) -> Embedding:
        """What the network sees in the picture; raises ModelError, OutOfMemory."""
        shown = self.square(image.size).read(image.pixels)
        data = self.host.call(lambda model, place: self.look(model, place.put(shown)))
        return Embedding(f"segmenter:{self.name}", image.sha256, image.size, data)

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        """One Candidates a prompt, in order; prompts of one shape go through the network together."""
        self._check_embedding(embedding)
        square = self.square(embedding.size)
        answers: dict[int, Candidates] = {}
        for members in self._alike(prompts):
            made = self.host.batches(
                lambda model, place, some: self._answer(model, place, embedding, square, [prompts[i] for i in some]),
                members,
                BATCH,
            )
            answers.update(zip(members, (answer for part in made for answer in part)))
        return [answers[i] for i in range(len(prompts))]

    def sift(self, embedding: Embedding, prompts: Sequence[Prompt], sieve: Sieve) -> Sifted:
        """Masks that pass, in the prompts' order. Stability is counted at the picture's size, as the reference code
        does; masks under the predicted quality are not enlarged. Raises BadPrompt unless prompts are of one shape."""
        self._check_embedding(embedding)
        if len(self._alike(prompts)) > 1:
            raise BadPrompt("prompts of several shapes cannot be sifted at once.", "Give points alone, or boxes alone.")
        square = self.square(embedding.size)
        parts = self.host.batches(
            lambda model, place, some: self._passing(model, place, embedding, some, square=square, sieve=sieve),
            prompts,
            BATCH,
        )
        parts.append(_none_passed(embedding.size))
        return Sifted(*(np.concatenate(columns) for columns in zip(*parts)))

    def _alike(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """Indices of the prompts by their shape; raises BadPrompt."""
        groups: dict[tuple[int, bool, bool], list[int]] = {}
        for i, prompt in enumerate(prompts):
            self.check(prompt)
            shape = (len(prompt.points), prompt.box is not None, prompt.logits is not None)
            groups.setdefault(shape, []).append(i)
        return list(groups.values())

    def _check_embedding(self, embedding: Embedding) -> None:
        if embedding.model != f"segmenter:{self.name}":
            raise BadPrompt(
                f"this embedding is of {embedding.model}, not of {self.name}.", "Encode the picture with this model."
            )

    def mend(self, model: Any) -> None:
        """Sets right what transformers' copy of a network does otherwise than its authors' code."""

    def check(self, prompt: Prompt) -> None:
        """Raises BadPrompt for what this network cannot be asked."""
        if prompt.is_empty:
            raise BadPrompt("the prompt is empty.", "Give points, a box, or an earlier answer's logits.")
        if prompt.text is not None:
            raise BadPrompt(f"{self.name} takes no words.", "Give points or a box, or use the segmenter sam3.")

    def look(self, model: Any, pixels: Tensor) -> dict[str, Tensor]:
        """The arrays of an Embedding from (1, 3, side, side)."""
        raise NotImplementedError

    def decode(
        self, model: Any, seen: dict[str, Tensor], asked: dict[str, Tensor], many: bool
    ) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (B, K, h, w) and qualities (B, K)."""
        raise NotImplementedError

    def decode_good(
        self, model: Any, seen: dict[str, Tensor], asked: dict[str, Tensor], many: bool, least: float
    ) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (N, h, w) and qualities (N,) of the masks whose quality is over `least`."""
        low, quality = self.decode(model, seen, asked, many)
        good = quality > least
        return low[good], quality[good]

    def _answer(
        self, model: Any, place: Place, embedding: Embedding, square: Square, prompts: Sequence[Prompt]
    ) -> list[Candidates]:
        low, quality = self.decode(model, *_put(place, embedding, prompts, square), self._many(prompts[0]))
        masks = (square.logits(low.float()) > 0).cpu().numpy()
        return [
            best_first(masks[i], quality[i].float().cpu().numpy(), low[i].float().cpu().numpy())
            for i in range(len(prompts))
        ]

    def _passing(
        self, model: Any, place: Place, embedding: Embedding, prompts: Sequence[Prompt], *, square: Square, sieve: Sieve
    ) -> tuple[Any, Any, Any]:
        """The columns of Sifted."""
        asked = _put(place, embedding, prompts, square)
        low, quality = self.decode_good(model, *asked, self._many(prompts[0]), sieve.least_iou)
        passed = []
        for start in range(0, len(low), ENLARGED):
            full = square.logits(low[start : start + ENLARGED, None].float())[:, 0]
            steady = _share_above(full, sieve.offset)
            stays = steady >= sieve.least_stability
            scores = quality[start : start + ENLARGED][stays]
            passed.append([v.cpu().numpy() for v in (full[stays] > 0, scores.float(), steady[stays])])
        passed.append(list(_none_passed(embedding.size)))
        masks, scores, stability = (np.concatenate(column) for column in zip(*passed))
        return masks, scores, stability

    def _many(self, prompt: Prompt) -> bool:
        ambiguous = len(prompt.points) <= 1 and prompt.box is None and prompt.logits is None
        return ambiguous if self.multimask is None else self.multimask


def _put(
    place: Place, embedding: Embedding, prompts: Sequence[Prompt], square: Square
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What was seen and what is asked, on the device."""
    asked = {name: value.to(place.device) for name, value in as_tensors(prompts, square).items()}
    return {name: value.to(place.device) for name, value in embedding.data.items()}, asked


def _share_above(full: Tensor, offset: float) -> Tensor:
    """(N,) IoU of each mask at the thresholds `offset` above and below zero; 0 where it is empty at both."""
    high, low = ((full > level).flatten(1).sum(1, dtype=torch.int32) for level in (offset, -offset))
    return high / low.clamp(min=1)


def _none_passed(size: tuple[int, int]) -> tuple[Any, Any, Any]:
    none = np.zeros(0, np.float32)
    return np.zeros((0, size[1], size[0]), np.bool_), none, none


def as_tensors(prompts: Sequence[Prompt], square: Square) -> dict[str, Tensor]:
    """Prompts of one shape as the networks take them: points (B, 1, N, 2), labels (B, 1, N), boxes (B, 1, 4) and
    masks (B, 1, h, w); what there is none of is left out."""
    asked = {}
    if len(prompts[0].points):
        asked["input_points"] = torch.from_numpy(np.stack([square.points(p.points) for p in prompts]))[:, None]
        asked["input_labels"] = torch.from_numpy(np.stack([p.labels for p in prompts]))[:, None]
    if prompts[0].box is not None:
        corners = [np.asarray(tuple(p.box or ())).reshape(2, 2) for p in prompts]
        asked["input_boxes"] = torch.from_numpy(np.stack([square.points(c).reshape(4) for c in corners]))[:, None]
    if prompts[0].logits is not None:
        asked["input_masks"] = torch.from_numpy(np.stack([_one_map(p.logits) for p in prompts]))[:, None]
    return asked


def _one_map(logits: Any) -> Any:
    found = np.asarray(logits, dtype=np.float32).squeeze()
    if found.ndim != 2:
        raise BadPrompt(f"logits of shape {np.shape(logits)} are not one map.", "Give Candidates.logits[k].")
    return found


def best_first(masks: Any, quality: Any, logits: Any) -> Candidates:
    """Candidates ordered by quality, which is cut to 0..1."""
    order = np.argsort(-quality, kind="stable")
    scores = np.clip(np.nan_to_num(quality[order]), 0, 1).astype(np.float32)
    return Candidates(masks[order], scores, logits[order])

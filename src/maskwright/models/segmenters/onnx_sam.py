"""MobileSAM and EfficientSAM by ONNX Runtime: encoder.onnx and decoder.onnx in one folder, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from maskwright.errors import BadPrompt, MissingWeights, ModelError, WeightsError
from maskwright.models.weights import locate, onnx_session
from maskwright.plumbing.log import get_log
from maskwright.values import Candidates, Embedding, Image, Prompt

Floats = NDArray[np.float32]
SIDE = 1024
LOW = 256
MOST_MARKS = 6
"""Points that EfficientSAM takes, two of them for a box; it drops the rest."""
_log = get_log(__name__)
_MEAN, _SPREAD = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)


class OnnxSam:
    """A SAM exported to ONNX, as the SAM and EfficientSAM exporters write it (told apart by their input names)."""

    def __init__(self, weights: str | Path, *, threads: int = 1, name: str = "") -> None:
        self.name = name or str(weights)
        folder = locate(weights)
        for part in ("encoder.onnx", "decoder.onnx"):
            if not (folder / part).is_file():
                raise MissingWeights(
                    f"{folder} holds no {part}.", "Put the exported encoder.onnx and decoder.onnx there."
                )
        self._encoder = onnx_session(folder / "encoder.onnx", threads=threads)
        self._decoder = onnx_session(folder / "decoder.onnx", threads=threads)
        asks = {entry.name for entry in self._decoder.get_inputs()}
        gives = {entry.name for entry in self._decoder.get_outputs()}
        self._batched = "batched_point_coords" in asks
        self._map = "output_masks" if self._batched else "low_res_masks"
        if not asks & {"batched_point_coords", "point_coords"} or not {self._map, "iou_predictions"} <= gives:
            raise WeightsError(
                f"{folder}/decoder.onnx takes {sorted(asks)} and gives {sorted(gives)}.",
                "Export it with the exporter of SAM or of EfficientSAM.",
            )

    def encode(self, image: Image) -> Embedding:
        """The encoder's features; raises ModelError."""
        entry = self._encoder.get_inputs()[0]
        features = self._run(self._encoder, {entry.name: self._shown(image)})[0]
        return Embedding(f"segmenter:{self.name}", image.sha256, image.size, {"features": features})

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        """One Candidates a prompt, in order; raises BadPrompt, ModelError."""
        if embedding.model != f"segmenter:{self.name}":
            raise BadPrompt(
                f"this embedding is of {embedding.model}, not of {self.name}.", "Encode the picture with this model."
            )
        return [self._answer(embedding, prompt) for prompt in prompts]

    def _used(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of the picture in the square: EfficientSAM stretches it, the others keep its aspect."""
        if self._batched:
            return (SIDE, SIDE)
        scale = SIDE / max(size)
        return (max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5)))

    def _shown(self, image: Image) -> Floats:
        """(1, 3, 1024, 1024), resized as each model's authors do: 0..1 for EfficientSAM; for the others centred
        colours, empty right and below."""
        width, height = self._used(image.size)
        if self._batched:
            small = cv2.resize(image.pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) / 255
        else:
            small = np.asarray(Pil.fromarray(image.pixels).resize((width, height), Pil.Resampling.BILINEAR))
            small = (small.astype(np.float32) - _MEAN) / _SPREAD
        shown = np.zeros((1, 3, SIDE, SIDE), np.float32)
        shown[0, :, :height, :width] = small.transpose(2, 0, 1)
        return shown

    def _answer(self, embedding: Embedding, prompt: Prompt) -> Candidates:
        self._check(prompt)
        asked = self._stretched(embedding, prompt) if self._batched else self._classic(embedding, prompt)
        out = dict(zip((o.name for o in self._decoder.get_outputs()), self._run(self._decoder, asked)))
        quality = np.asarray(out["iou_predictions"], np.float32).reshape(-1)
        maps = np.asarray(out[self._map], np.float32)
        maps = maps.reshape(-1, *maps.shape[-2:])
        masks = np.stack([self._full(one, embedding.size) for one in maps])
        if self._batched:
            maps = np.stack([cv2.resize(one, (LOW, LOW), interpolation=cv2.INTER_AREA) for one in maps])
        order = np.argsort(-quality, kind="stable")
        return Candidates(masks[order], np.clip(quality[order], 0, 1), maps[order])

    def _check(self, prompt: Prompt) -> None:
        marked = len(prompt.points) or prompt.box is not None
        if prompt.text is not None or not (marked or (prompt.logits is not None and not self._batched)):
            raise BadPrompt(f"{self.name} needs points or a box.", "Words are understood by the segmenter sam3.")
        if prompt.logits is not None and np.size(prompt.logits) != LOW * LOW and not self._batched:
            raise BadPrompt(
                f"logits of shape {np.shape(prompt.logits)} are not {self.name}'s.", "Give Candidates.logits[k]."
            )

    def _stretched(self, embedding: Embedding, prompt: Prompt) -> dict[str, Any]:
        """EfficientSAM scales points by itself, and its answers are the picture's size. It takes no earlier answer."""
        xy, labels = _marks(prompt)
        if len(xy) > MOST_MARKS:
            _log.warning("more points than the model takes", model=self.name, given=len(xy), taken=MOST_MARKS)
        return {
            "image_embeddings": embedding.data["features"],
            "batched_point_coords": xy[None, None].astype(np.float32),
            "batched_point_labels": labels[None, None],
            "orig_im_size": np.array([embedding.size[1], embedding.size[0]], np.int64),
        }

    def _classic(self, embedding: Embedding, prompt: Prompt) -> dict[str, Any]:
        """SAM's exporter wants an empty point when there is no box."""
        xy, labels = _marks(prompt)
        xy = (xy * (np.array(self._used(embedding.size)) / np.array(embedding.size))).astype(np.float32)
        if prompt.box is None:
            xy, labels = np.vstack([xy, np.zeros((1, 2), np.float32)]), np.append(labels, np.float32(-1))
        given = None if prompt.logits is None else np.asarray(prompt.logits, np.float32)
        earlier = np.zeros((1, 1, LOW, LOW), np.float32) if given is None else given.reshape(1, 1, LOW, LOW)
        return {
            "image_embeddings": embedding.data["features"],
            "point_coords": xy[None],
            "point_labels": labels[None].astype(np.float32),
            "mask_input": earlier,
            "has_mask_input": np.array([float(given is not None)], np.float32),
            "orig_im_size": np.array([embedding.size[1], embedding.size[0]], np.float32),
        }

    def _full(self, low: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
        if self._batched:
            return np.asarray(cv2.resize(low, size, interpolation=cv2.INTER_LINEAR) > 0)
        width, height = self._used(size)
        large = cv2.resize(low, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)[:height, :width]
        return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_LINEAR) > 0)

    def _run(self, session: Any, asked: dict[str, Any]) -> list[Any]:
        known = {entry.name for entry in session.get_inputs()}
        try:
            return list(session.run(None, {name: value for name, value in asked.items() if name in known}))
        except Exception as error:
            raise ModelError(
                f"{self.name} failed: {str(error)[:200]}", "Check that both files belong together."
            ) from error


def _marks(prompt: Prompt) -> tuple[NDArray[np.float64], Floats]:
    """A box as two corners labelled 2 and 3, then points and labels."""
    xy, labels = np.asarray(prompt.points, np.float64).reshape(-1, 2), np.asarray(prompt.labels, np.float32)
    if prompt.box is None:
        return xy, labels
    corners = np.array(tuple(prompt.box)).reshape(2, 2)
    return np.vstack([corners, xy]), np.append(np.array([2, 3], np.float32), labels)

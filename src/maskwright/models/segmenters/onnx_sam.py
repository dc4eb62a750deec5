"""MobileSAM and EfficientSAM by ONNX Runtime: encoder.onnx and decoder.onnx in one folder, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt, MissingWeights, ModelError, WeightsError
from maskwright.models.weights import locate, onnx_session
from maskwright.values import Candidates, Embedding, Image, Prompt

Floats = NDArray[np.float32]
SIDE = 1024
LOW = 256
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
        self._asks = {entry.name for entry in self._decoder.get_inputs()}
        self._batched = "batched_point_coords" in self._asks
        if not self._batched and "point_coords" not in self._asks:
            raise WeightsError(
                f"{folder}/decoder.onnx takes {sorted(self._asks)}.", "Export it with SAM's own exporter."
            )

    def encode(self, image: Image) -> Embedding:
        """The encoder's features; raises ModelError."""
        entry = self._encoder.get_inputs()[0]
        features = self._run(self._encoder, {entry.name: self._shown(image)})[0]
        return Embedding(f"segmenter:{self.name}", image.sha256, image.size, {"features": features})

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        """One Candidates a prompt, in order."""
        return [self._answer(embedding, prompt) for prompt in prompts]

    def _used(self, size: tuple[int, int]) -> tuple[int, int]:
        scale = SIDE / max(size)
        return (max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5)))

    def _shown(self, image: Image) -> Floats:
        """(1, 3, 1024, 1024): 0..1 for EfficientSAM, centred colours for the others; empty right and below."""
        width, height = self._used(image.size)
        small = cv2.resize(image.pixels, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        coloured = small / 255 if self._batched else (small - _MEAN) / _SPREAD
        shown = np.zeros((1, 3, SIDE, SIDE), np.float32)
        shown[0, :, :height, :width] = coloured.transpose(2, 0, 1)
        return shown

    def _answer(self, embedding: Embedding, prompt: Prompt) -> Candidates:
        if prompt.is_empty or prompt.text is not None:
            raise BadPrompt(f"{self.name} needs points or a box.", "Words are understood by the segmenter sam3.")
        width, height = self._used(embedding.size)
        scale = np.array([width / embedding.size[0], height / embedding.size[1]])
        xy, labels = _marks(prompt)
        xy = (xy * scale).astype(np.float32)
        if self._batched:
            asked = {
                "image_embeddings": embedding.data["features"],
                "batched_point_coords": xy[None, None],
                "batched_point_labels": labels[None, None],
                "orig_im_size": np.array([SIDE, SIDE], np.int64),
            }
        else:
            asked = self._classic(embedding, prompt, xy, labels)
        out = dict(zip((o.name for o in self._decoder.get_outputs()), self._run(self._decoder, asked)))
        quality = np.asarray(out["iou_predictions"], np.float32).reshape(-1)
        low = np.asarray(out.get("low_res_masks", out.get("output_masks")), np.float32)
        low = low.reshape(-1, *low.shape[-2:])
        masks = np.stack([self._full(one, embedding.size) for one in low])
        order = np.argsort(-quality, kind="stable")
        return Candidates(masks[order], np.clip(quality[order], 0, 1), low[order])

    def _classic(self, embedding: Embedding, prompt: Prompt, xy: Floats, labels: Floats) -> dict[str, Any]:
        """SAM's exporter wants an empty point when there is no box."""
        if prompt.box is None:
            xy, labels = np.vstack([xy, np.zeros((1, 2), np.float32)]), np.append(labels, np.float32(-1))
        given = prompt.logits
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
    """Points and labels, a box as two corners labelled 2 and 3."""
    xy, labels = np.asarray(prompt.points, np.float64).reshape(-1, 2), np.asarray(prompt.labels, np.float32)
    if prompt.box is None:
        return xy, labels
    corners = np.array(tuple(prompt.box)).reshape(2, 2)
    return np.vstack([xy, corners]), np.append(labels, np.array([2, 3], np.float32))

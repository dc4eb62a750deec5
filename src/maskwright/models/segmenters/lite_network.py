"""The embedded click network: a picture in, features out; features and prompts in, low-resolution logits out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import MissingWeights
from maskwright.models.weights import onnx_session
from maskwright.values import Prompt

Floats = NDArray[np.float32]

GRAIN = 32
"""Shown sides are multiples of this."""
CELL = 4
"""Shown pixels a side of one logit."""
BATCH = 4
"""Prompts decoded at once: bounds memory."""
SETS, FEATURES = ("click", "box", "later"), ("embedding", "keys", "skip")
"""What one pass over a picture gives: features for the answers to a first click, to a box, and for corrections, which
are read by a decoder each."""
NAMES = tuple(f"{one}_{name}" for one in SETS for name in FEATURES)


@dataclass(frozen=True, eq=False)
class View:
    """A rectangle of a picture as the network saw it: corner and size in image pixels, the shown size, features by
    NAMES."""

    x0: float
    y0: float
    width: float
    height: float
    shown: tuple[int, int]
    features: Mapping[str, Floats]

    @property
    def nbytes(self) -> int:
        return sum(int(values.nbytes) for values in self.features.values())

    @property
    def scale(self) -> tuple[float, float]:
        """Shown pixels an image pixel, across and down."""
        return self.shown[0] / self.width, self.shown[1] / self.height

    @property
    def cells(self) -> tuple[int, int]:
        """(rows, columns) of the logits."""
        return self.shown[1] // CELL, self.shown[0] // CELL

    def to_shown(self, points: NDArray[Any]) -> Floats:
        """(N, 2) image points as the network sees them."""
        moved = (np.asarray(points, np.float64).reshape(-1, 2) - (self.x0, self.y0)) * self.scale
        return moved.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Asked:
    """One prompt in the coordinates of a view; `led` when somebody's earlier logits came with it."""

    points: Floats
    labels: NDArray[np.int64]
    box: Floats | None
    previous: Floats | None
    led: bool = False

    @property
    def decoder(self) -> str:
        """Which of SETS answers: a lone click or box has its own, as long as nobody corrects an answer."""
        if self.led or len(self.points) + (self.box is not None) != 1:
            return "later"
        return "click" if self.box is None else "box"

    @classmethod
    def of(cls, prompt: Prompt, view: View, previous: Floats | None) -> Asked:
        """The prompt as seen in the view; clicks name pixels, so they point at pixel middles."""
        box = None
        if prompt.box is not None:
            box = view.to_shown(np.array(list(prompt.box))).reshape(4)
        return cls(view.to_shown(prompt.points + 0.5), prompt.labels, box, previous, prompt.logits is not None)


def shown_size(width: float, height: float, long_side: int) -> tuple[int, int]:
    """The size at which a rectangle is shown: at most `long_side`, at most four times its own, in steps of 32."""
    scale = min(long_side / max(width, height), 4.0)
    across, down = (max(2, round(side * scale / GRAIN)) * GRAIN for side in (width, height))
    return min(across, long_side), min(down, long_side)


class LiteNetwork:
    """An encoder and a decoder for each set of features, on ONNX Runtime; a decoder is opened when first asked."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._encoder = _opened(folder / "segmenter_lite_encoder.onnx", threads)
        self._folder, self._decoders = folder, dict[str, Any]()

    def look(self, pixels: NDArray[np.uint8], corner: tuple[int, int], long_side: int) -> View:
        """Features of a rectangle (h, w, 3) of a picture whose upper left pixel is `corner`."""
        height, width = pixels.shape[:2]
        shown = shown_size(width, height, long_side)
        smaller = shown[0] < width
        small = cv2.resize(pixels, shown, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        picture = np.ascontiguousarray(small.transpose(2, 0, 1)[None].astype(np.float32))
        features = dict(zip(NAMES, self._encoder.run(list(NAMES), {"picture": picture})))
        return View(float(corner[0]), float(corner[1]), float(width), float(height), shown, features)

    def answer(self, view: View, asked: Sequence[Asked], *, by: str | None = None) -> tuple[Floats, Floats]:
        """Logits (N, 4, h, w) and predicted IoU (N, 4) of N prompts about one view; `by` names the decoder for all,
        else each goes to its own."""
        rows, columns = view.cells
        logits, scores = np.zeros((len(asked), 4, rows, columns), np.float32), np.zeros((len(asked), 4), np.float32)
        for one in SETS:
            given = {name: view.features[f"{one}_{name}"] for name in FEATURES}
            mine = [i for i, a in enumerate(asked) if one == (by or a.decoder)]
            for start in range(0, len(mine), BATCH):
                now = mine[start : start + BATCH]
                feeds = given | _feeds([asked[i] for i in now], rows, columns)
                logits[now], scores[now] = self._decoder(one).run(["logits", "scores"], feeds)
        return logits, scores

    def _decoder(self, one: str) -> Any:
        if one not in self._decoders:
            # one thread: sums would be split differently on two, and the last bits of the logits with them
            self._decoders[one] = _opened(self._folder / f"segmenter_lite_{one}.onnx", 1)
        return self._decoders[one]


def _feeds(asked: Sequence[Asked], rows: int, columns: int) -> dict[str, Floats]:
    """The decoder's prompt inputs, padded to the longest list of clicks."""
    count, most = len(asked), max(1, *(len(a.points) for a in asked))
    points = np.zeros((count, most, 2), np.float32)
    labels = np.full((count, most), -1, np.float32)
    boxes, has_box = np.zeros((count, 4), np.float32), np.zeros(count, np.float32)
    previous, has_previous = np.zeros((count, 1, rows, columns), np.float32), np.zeros(count, np.float32)
    for i, a in enumerate(asked):
        points[i, : len(a.points)], labels[i, : len(a.points)] = a.points, a.labels
        if a.box is not None:
            boxes[i], has_box[i] = a.box, 1
        if a.previous is not None:
            previous[i, 0], has_previous[i] = a.previous, 1
    return {
        "points": points, "labels": labels, "boxes": boxes, "has_box": has_box,
        "previous": previous, "has_previous": has_previous,
    }  # fmt: skip


def _opened(path: Path, threads: int) -> Any:
    """An ONNX Runtime session; raises MissingWeights or WeightsError."""
    if not path.exists():
        raise MissingWeights(f"{path.name} is not in {path.parent}.", "Install maskwright again.")
    return onnx_session(path, threads=threads)

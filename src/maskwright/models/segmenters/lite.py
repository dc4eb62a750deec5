"""Segmenter `lite`: the embedded click network with a closer look at small objects and a pixel-exact finish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.models.segmenters.lite_finish import FinishOptions, Frame, finished, kept_elsewhere, obeyed, spread
from maskwright.models.segmenters.lite_network import CELL, NAMES, Asked, Floats, LiteNetwork, View
from maskwright.models.segmenters.lite_zoom import closer_box, into_view, zoom_window
from maskwright.models.weights import locate
from maskwright.plumbing.cache import MemoryCache
from maskwright.values import Box, Candidates, Embedding, Image, Prompt

WEIGHTS = "segmenter-lite"
CLOSER_BYTES = 48 * 2**20
"""Features of closer looks kept at most."""
BLEND = 0.05
"""How much predicted IoU counts when hypotheses are averaged: smaller, and only the best count."""
EAGER = 0.5
"""How far the threshold of a box's answer goes below one half where little overlap is expected. Of chances that are
right, log(IoU) is the logit from which taking a pixel adds to the IoU; half of it does best."""
STEADY_FROM = 5
"""Clicks from which on a further one only changes the piece that it is about."""


class LiteSegmenter:
    """Clicks, boxes and earlier logits in; up to four masks out. Needs nothing but the wheel.

    `long_side`: what the network sees of the picture; `closer_side`: of a closer look at a small object (0: never);
    `threads`: of ONNX Runtime, with the same bytes out whatever it is; `finish` False leaves edges as the network's.
    """

    def __init__(
        self,
        *,
        long_side: int = 384,
        closer_side: int = 320,
        threads: int = 1,
        finish: bool = True,
        weights: str | Path | None = None,
        name: str = "lite",
    ) -> None:
        self.name = name
        self.long_side, self.closer_side, self.finish = long_side, closer_side, finish
        self.options = FinishOptions()
        folder = locate(WEIGHTS) if weights is None else Path(weights)
        self._network = LiteNetwork(folder, threads)
        self._closer: MemoryCache[View] = MemoryCache(CLOSER_BYTES, lambda view: view.nbytes)

    def encode(self, image: Image) -> Embedding:
        """The features of the whole picture; `data` holds them and the pixels themselves (not copied)."""
        view = self._network.look(image.pixels, (0, 0), self.long_side)
        return Embedding(f"segmenter:{self.name}", image.sha256, image.size, {"pixels": image.pixels, **view.features})

    def predict(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Candidates]:
        """Four masks a prompt, best first, with predicted IoU and the logits to feed back.

        Raises BadPrompt for an empty prompt, for text, and for a box or logits that do not fit the picture.
        """
        if not prompts:
            return []
        view = _whole_view(embedding)
        asked = [Asked.of(_usable(p, embedding), view, _fitted(p.logits, view)) for p in prompts]
        logits, scores = self._answers(view, asked)
        return [self._candidates(embedding, *row) for row in zip(prompts, logits, scores)]

    def _answers(self, view: View, asked: Sequence[Asked]) -> tuple[Floats, Floats]:
        """Logits (N, 4, h, w) and scores (N, 4); a prompt without earlier logits is led there step by step."""
        steps = [click_steps(len(a.points), a.previous is not None) for a in asked]
        rows, columns = view.cells
        logits, scores = np.zeros((len(asked), 4, rows, columns), np.float32), np.zeros((len(asked), 4), np.float32)
        for k in range(max(map(len, steps))):
            live = [i for i, s in enumerate(steps) if k < len(s)]
            batch = [_first_clicks(asked[i], steps[i][k]) for i in live]
            if k:
                batch = [replace(a, previous=logits[i, int(np.argmax(scores[i]))]) for i, a in zip(live, batch)]
            logits[live], scores[live] = self._network.answer(view, batch)
        return logits, scores

    def forget(self, unused_s: float) -> int:
        """Lets go of closer looks that nobody needed for so long; returns how many."""
        return self._closer.expire(unused_s)

    def coarse(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[Floats, Floats]:
        """Logits (N, 4, h, w) and predicted IoU (N, 4) as the network gives them, for many prompts at once; all by the
        decoder of corrections, whose answers to a grid of clicks the ranker's tables were learned on."""
        view = _whole_view(embedding)
        asked = [Asked.of(p, view, _fitted(p.logits, view)) for p in prompts]
        return self._network.answer(view, asked, by="later")

    def _candidates(self, embedding: Embedding, prompt: Prompt, logits: Floats, scores: Floats) -> Candidates:
        order = np.argsort(-scores, kind="stable")
        logits, scores = logits[order].copy(), scores[order]
        size = embedding.size
        whole = Frame(0, 0, *size)
        masks = np.empty((len(order), size[1], size[0]), dtype=np.bool_)
        for i in range(1, len(order)):
            masks[i] = self._obeying(spread(logits[i], whole, size), prompt) > 0
        start = logits[0] if _is_single(prompt) else blended(logits, scores)
        best, frame, scores[0] = self._closer_look(embedding, prompt, start, float(scores[0]))
        scores = np.minimum(scores, scores[0])
        full = self._finished(best, frame, embedding)
        if prompt.box is not None and prompt.logits is None:
            least = EAGER * np.log(np.clip(scores[0], 0.02, 1))
            start, full = start - least, full - least
        if prompt.logits is not None and len(prompt.points) >= STEADY_FROM:
            earlier = spread(np.asarray(prompt.logits, np.float32).reshape(prompt.logits.shape[-2:]), whole, size)
            cell = round(max(size) / max(logits.shape[1:]))
            full = kept_elsewhere(full, earlier, prompt.points, prompt.labels, cell)
        full = self._obeying(full, prompt)
        masks[0] = full > 0
        logits[0] = start if frame == whole else _shrunk(full, logits.shape[1:])
        return Candidates(masks, scores.astype(np.float32), logits)

    def _closer_look(
        self, embedding: Embedding, prompt: Prompt, logits: Floats, score: float
    ) -> tuple[Floats, Frame, float]:
        """The logits of a second pass on a window around a small object, where they lie, and their score."""
        whole = Frame(0, 0, *embedding.size)
        box = closer_box(logits, prompt, embedding.size)
        window = None if box is None or not self.closer_side else zoom_window(box, embedding.size)
        if window is None:
            return logits, whole, score
        view = self._view_of(embedding, window)
        inner = _inside(prompt, window)
        answer, scores = self._network.answer(view, [Asked.of(inner, view, into_view(logits, embedding.size, view))])
        pick = int(np.argmax(scores[0]))
        found = answer[0, pick] if _is_single(prompt) else blended(answer[0], scores[0])
        return found, Frame(view.x0, view.y0, view.width, view.height), float(scores[0, pick])

    def _view_of(self, embedding: Embedding, window: tuple[int, int, int, int]) -> View:
        """The features of a window (x0, y0, x1, y1), kept for the next click."""
        key = (embedding.image_sha256, window)
        view = self._closer.get(key)
        if view is None:
            x0, y0, x1, y1 = window
            view = self._network.look(embedding.data["pixels"][y0:y1, x0:x1], (x0, y0), self.closer_side)
            self._closer.put(key, view)
        return view

    def _finished(self, logits: Floats, frame: Frame, embedding: Embedding) -> Floats:
        """Full-size logits of the whole picture."""
        if not self.finish:
            return spread(logits, frame, embedding.size)
        x0, y0, w, h = (int(v) for v in (frame.x0, frame.y0, frame.width, frame.height))
        fine = finished(logits, embedding.data["pixels"][y0 : y0 + h, x0 : x0 + w], self.options)
        return spread(fine, frame, embedding.size)

    def _obeying(self, full: Floats, prompt: Prompt) -> Floats:
        reach = 0.04 * max(full.shape)
        return obeyed(full, prompt.points, prompt.labels, reach)


def click_steps(clicks: int, led: bool) -> list[int]:
    """How many of the clicks each pass sees: all at once after earlier logits, else 1, 2, 4 ... all, and all again,
    as if they had been made one after the other."""
    if led:
        return [clicks]
    early = [2**k for k in range(clicks.bit_length()) if 2**k < clicks]
    return [*early, clicks, clicks]


def _first_clicks(asked: Asked, count: int) -> Asked:
    return replace(asked, points=asked.points[:count], labels=asked.labels[:count])


def _is_single(prompt: Prompt) -> bool:
    """Whether only one click says what is meant, so that the hypotheses differ in kind and must not be blended."""
    return len(prompt.points) < 2 and prompt.box is None


def blended(logits: Floats, scores: Floats) -> Floats:
    """(h, w): the hypotheses (K, h, w) averaged, the better ones weighing more."""
    weight = np.exp((scores - scores.max()) / BLEND)
    out: Floats = np.tensordot(weight / weight.sum(), logits, (0, 0)).astype(np.float32)
    return out


def _whole_view(embedding: Embedding) -> View:
    data = embedding.data
    width, height = embedding.size
    rows, columns = data["later_skip"].shape[2:]
    return View(0.0, 0.0, width, height, (columns * CELL, rows * CELL), {name: data[name] for name in NAMES})


def _usable(prompt: Prompt, embedding: Embedding) -> Prompt:
    """The prompt, if it can be answered; raises BadPrompt."""
    if not len(prompt.points) and prompt.box is None and prompt.logits is None:
        raise BadPrompt("segmenter lite was given an empty prompt.", "Give a point, a box or earlier logits.")
    if prompt.box is not None:
        prompt.box.clip(*embedding.size)
    return prompt


def _fitted(logits: Floats | None, view: View) -> Floats | None:
    """Earlier logits (h, w) at the size of the view's; raises BadPrompt when they are no such thing."""
    if logits is None:
        return None
    array = np.asarray(logits, dtype=np.float32)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise BadPrompt(f"earlier logits of shape {array.shape} do not fit.", "Give Candidates.logits[k] unchanged.")
    rows, columns = view.cells
    return array if array.shape == (rows, columns) else cv2.resize(array, (columns, rows), interpolation=cv2.INTER_AREA)


def _inside(prompt: Prompt, window: tuple[int, int, int, int]) -> Prompt:
    """The prompt without the clicks that lie outside the window."""
    x0, y0, x1, y1 = window
    xy = prompt.points
    keep = (xy[:, 0] >= x0) & (xy[:, 1] >= y0) & (xy[:, 0] < x1) & (xy[:, 1] < y1)
    box = None if prompt.box is None else Box(*prompt.box)
    return Prompt(xy[keep], prompt.labels[keep], box, prompt.logits)


def _shrunk(full: Floats, shape: tuple[int, ...]) -> NDArray[np.float32]:
    small: Floats = cv2.resize(np.clip(full, -12, 12), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return small

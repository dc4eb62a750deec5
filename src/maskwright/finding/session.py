"""One picture, looked at once, asked about many times."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.config.find import FindSettings
from maskwright.finding.counting import Meter
from maskwright.finding.engines import FindEngines
from maskwright.finding.fitting import Fit, fit_phrase
from maskwright.finding.phrases import Scene, look
from maskwright.finding.proposing import propose, propose_inside
from maskwright.values import Box, Embedding, Image, Mask, MaskStack, Prompt, Proposals, Ranking

MAX_PARTS = 24
"""Closer looks kept for other phrases."""

MAX_RANKINGS = 512

SAME_OUTLINE = 0.6
"""IoU from which a mask drawn anew is the proposal it was drawn for."""


@dataclass(frozen=True, eq=False)
class Look:
    """One look at the picture or at a part of it: its proposals, and what the ranker made of them."""

    proposals: Proposals
    regions: Embedding | None


@dataclass(frozen=True, eq=False)
class Pool:
    """All candidates of several looks, in a fixed order: masks (K, H, W) bool, their packed stack and sources, and
    what the ranker made of each look."""

    keys: tuple[str, ...]
    masks: NDArray[np.bool_]
    stack: MaskStack
    quality: NDArray[np.float32]
    sources: tuple[str, ...]
    regions: tuple[Embedding | None, ...] = ()

    def __len__(self) -> int:
        return len(self.masks)

    @cached_property
    def overlaps(self) -> NDArray[np.float64]:
        """(K, K) IoU of the candidates with each other."""
        return self.stack.iou(self.stack)


@dataclass(eq=False)
class FindSession:
    """A picture with everything that does not depend on the phrase, made once and kept. Thread-safe.

    `image` may be of any size; work happens on `shown`, at most settings.work_side long.
    """

    image: Image
    engines: FindEngines
    settings: FindSettings
    shown: Image = field(init=False)

    def __post_init__(self) -> None:
        self.shown = _shrunk(self.image, self.settings.work_side)
        self._lock = threading.RLock()
        self._looks: dict[str, Look] = {}
        self._pools: dict[tuple[str, ...], Pool] = {}
        self._rankings: dict[tuple[str, ...], Ranking] = {}
        self._scenes: dict[tuple[str, ...], Scene] = {}
        self._embedding: Embedding | None = None

    def pool(self, places: tuple[Box, ...], phrase: str, meter: Meter) -> Pool:
        """The candidates of the whole picture and of closer looks at `places`."""
        with self._lock:
            keys = self._looked(places, phrase, meter)
            if any(key not in self._looks for key in keys):  # room was made, and one of them went
                keys = self._looked(places, phrase, meter)
            if keys not in self._pools:
                if len(self._pools) > MAX_PARTS:
                    self._pools = {}
                self._pools[keys] = _merged(keys, [self._looks[k] for k in keys])
            return self._pools[keys]

    def _looked(self, places: tuple[Box, ...], phrase: str, meter: Meter) -> tuple[str, ...]:
        return (self._whole(phrase, meter), *(self._closer(box, phrase, meter) for box in places))

    def fit(self, pool: Pool, phrase: str, meter: Meter) -> Fit:
        """How well each candidate of the pool fits the phrase."""
        with meter.stage("rank"):
            nouns = partial(self._rank, pool)
            return fit_phrase(phrase, self._scene(pool), nouns, pool.quality, lambda: pool.overlaps)

    def redrawn(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The same thing with the outline the segmenter gives when it is told the box: proposals are coarse. The mask
        itself where that would be something else."""
        box = Mask(mask).box
        if box is None or self._embedding is None:
            return mask
        [found] = self.engines.segmenter.predict(self._embedding, [Prompt(box=box)])
        same = MaskStack.of(found.masks).iou(MaskStack.of(mask[None]))[:, 0]
        best = int(same.argmax())
        return np.asarray(found.masks[best], dtype=np.bool_) if same[best] >= SAME_OUTLINE else mask

    def full_size(self, mask: NDArray[np.bool_]) -> Mask:
        """A mask of `shown` as a Mask of the whole picture."""
        if self.shown is self.image:
            return Mask(mask)
        soft = cv2.resize(mask.astype(np.float32), self.image.size, interpolation=cv2.INTER_LINEAR)
        return Mask(soft > 0.5)

    @property
    def nbytes(self) -> int:
        """About how much memory the session holds."""
        looks = list(self._looks.values())
        masks = [pool.masks for pool in list(self._pools.values())] + [look.proposals.masks for look in looks]
        held = sum({id(array): array.nbytes for array in masks}.values())  # a pool of one look is that look's
        held += sum(look.regions.nbytes for look in looks if look.regions)
        return held + self.image.pixels.nbytes + (self._embedding.nbytes if self._embedding else 0)

    def _whole(self, phrase: str, meter: Meter) -> str:
        key = f"whole{self._words(phrase)}"
        if key not in self._looks:
            if self._embedding is None:
                with meter.stage("encode"):
                    self._embedding = self.engines.segmenter.encode(self.shown)
            with meter.stage("propose"):
                found = propose(
                    self.shown, self._embedding, phrase, proposers=self.engines.proposers, settings=self.settings
                )
            self._keep(key, found, meter)
        return key

    def _closer(self, box: Box, phrase: str, meter: Meter) -> str:
        x0, y0, x1, y1 = box.clip(*self.shown.size).pixels()
        key = f"{x0},{y0},{x1},{y1}{self._words(phrase)}"
        if key not in self._looks:
            with meter.stage("propose"):
                closer = self.engines.closer or self.engines.proposers
                found = propose_inside(self.shown, box, phrase, proposers=closer, settings=self.settings)
            self._keep(key, found, meter)
        return key

    def _words(self, phrase: str) -> str:
        """The phrase where a proposer reads it, so that its looks are kept apart; else nothing."""
        reads = any(getattr(p, "reads_phrases", False) for p in self.engines.proposers)
        return f" {phrase}" if reads else ""

    def _keep(self, key: str, found: Proposals, meter: Meter) -> None:
        if len(self._looks) > MAX_PARTS:
            self._looks, self._pools, self._rankings, self._scenes = _only_whole(self._looks), {}, {}, {}
        with meter.stage("describe"):
            regions = self.engines.ranker.encode(self.shown, found.masks) if len(found) else None
        self._looks[key] = Look(found, regions)

    def _scene(self, pool: Pool) -> Scene:
        """What geometry and pixels say of the pool's candidates, made once."""
        with self._lock:
            if pool.keys not in self._scenes:
                if len(self._scenes) > MAX_PARTS:
                    self._scenes = {}
                self._scenes[pool.keys] = look(self.shown, pool.masks)
            return self._scenes[pool.keys]

    def _rank(self, pool: Pool, nouns: Sequence[str]) -> Ranking:
        """A row for each noun over all candidates, look by look. Nouns that belong together are asked together, so
        that the answer does not depend on what was asked before."""
        with self._lock:
            if len(self._rankings) > MAX_RANKINGS:
                self._rankings = {}
            found = []
            for look_key, regions in zip(pool.keys, pool.regions, strict=True):  # the look itself may have gone
                key = (look_key, *nouns)
                if regions is not None and key not in self._rankings:
                    self._rankings[key] = self.engines.ranker.rank(regions, list(nouns))
                found += [self._rankings[key]] if regions is not None else []
            return _joined(found)


def _shrunk(image: Image, side: int) -> Image:
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return Image(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA), source=image.source)


def _only_whole(looks: dict[str, Look]) -> dict[str, Look]:
    return {key: look for key, look in looks.items() if key.startswith("whole")}


def _merged(keys: tuple[str, ...], looks: list[Look]) -> Pool:
    found = [look.proposals for look in looks]
    masks = found[0].masks if len(found) == 1 else np.concatenate([p.masks for p in found])
    quality = np.concatenate([p.scores for p in found]).astype(np.float32)
    sources = tuple(source for p in found for source in p.sources)
    return Pool(keys, masks, MaskStack.of(masks), quality, sources, tuple(look.regions for look in looks))


def _joined(found: list[Ranking]) -> Ranking:
    """Rankings of several looks side by side."""
    if len(found) == 1:
        return found[0]
    wholes = [r.wholes for r in found if r.wholes is not None]
    drawn = [r.drawn for r in found if r.drawn is not None]
    return Ranking(
        np.concatenate([r.logits for r in found], axis=1),
        np.concatenate([r.probabilities for r in found], axis=1),
        found[0].known,
        np.concatenate(wholes) if len(wholes) == len(found) else None,
        np.concatenate(drawn) if len(drawn) == len(found) else None,
    )

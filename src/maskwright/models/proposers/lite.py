"""Proposer `lite`: regions from a grid of clicks of the embedded network, joined with those of a merge tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.models.proposers.grid import grid_points, refuse_unknown
from maskwright.models.proposers.lite_tree import MergeTree, merged, superpixels
from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Embedding, Image, Prompt, Proposals

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

TREE = np.float32(2)
"""Logit inside a region of the merge tree."""


@dataclass(frozen=True)
class LiteOptions:
    """`clicks`: about how many the grid has; `pieces`: leaves of the merge tree; `most`: proposals given back;
    `twin_iou`: masks more alike than this are one; `least_share`: of the picture, smaller regions are left out;
    `tree_share`: of the proposals may come from the merge tree."""

    clicks: int = 80
    pieces: int = 400
    most: int = 150
    twin_iou: float = 0.8
    least_share: float = 0.0008
    least_score: float = 0.25
    tree_share: float = 0.35


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidate regions at low resolution: masks (N, h, w), scores (N,), and the logits behind each network one."""

    masks: Bools
    scores: Floats
    sources: tuple[str, ...]

    def take(self, index: NDArray[np.int64]) -> Pool:
        return Pool(self.masks[index], self.scores[index], tuple(self.sources[i] for i in index))


class LiteProposer:
    """Everything in a picture that may be meant: things, their parts, groups, and even areas; settings are the
    fields of LiteOptions."""

    def __init__(self, segmenter: LiteSegmenter | None = None, name: str = "lite", **settings: Any) -> None:
        self.segmenter = segmenter or LiteSegmenter()
        refuse_unknown(LiteOptions, settings)
        self.options, self.name = LiteOptions(**settings), name

    def propose(self, image: Image, embedding: Embedding | None = None, phrase: str | None = None) -> Proposals:
        """At most `most` regions, best first; `phrase` is not read."""
        if embedding is None or embedding.model != f"segmenter:{self.segmenter.name}":
            embedding = self.segmenter.encode(image)
        tree = picture_tree(image, embedding, self.options.pieces)
        logits, scores = self._clicked(embedding, image, tree)
        network = Pool(logits > 0, scores, ("network",) * len(scores))
        shape = (logits.shape[1], logits.shape[2])
        regions, lasting = tree_regions(tree, shape, self.options.least_share)
        pool = joined(network, Pool(regions, lasting, ("merge tree",) * len(lasting)))
        kept = distinct(pool, self.options)
        pool = pool.take(kept)
        masks = np.empty((len(kept), image.height, image.width), dtype=np.bool_)
        for out, i in zip(masks, kept):
            low = logits[i] if i < len(logits) else np.where(regions[i - len(logits)], TREE, -TREE)
            out[:] = cv2.resize(low, image.size, interpolation=cv2.INTER_LINEAR) > 0
        return Proposals(masks, pool.scores, pool.sources)

    def _clicked(self, embedding: Embedding, image: Image, tree: MergeTree) -> tuple[Floats, Floats]:
        """Logits (N, h, w) and scores (N,) of every hypothesis at every click of the grid."""
        prompts = [Prompt([p]) for p in click_places(image.size, self.options.clicks)]
        logits, quality = self.segmenter.coarse(embedding, prompts)
        n, k, h, w = logits.shape
        flat, scores = logits.reshape(n * k, h, w), quality.reshape(n * k)
        steady = (flat > 1).sum((1, 2)) / np.maximum((flat > -1).sum((1, 2)), 1)
        return flat, (scores * (0.5 + 0.5 * steady)).astype(np.float32)


def click_places(size: tuple[int, int], count: int) -> NDArray[np.float64]:
    """About `count` points of an even grid over a picture of this size, in pixels."""
    width, height = size
    across = max(1, round(float(np.sqrt(count * width / height))))
    down = max(1, round(count / across))
    line_x, line_y = grid_points(across)[:across, 0], grid_points(down)[:down, 0]
    return np.stack([np.tile(line_x, down) * width, np.repeat(line_y, across) * height], axis=-1)


def picture_tree(image: Image, embedding: Embedding, pieces: int) -> MergeTree:
    """The merge tree of a picture by colour, contour and the network's own features."""
    scale = min(1.0, 256 / max(image.size))
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    small = cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)
    lab: Floats = cv2.cvtColor(small.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    keys = np.ascontiguousarray(embedding.data["later_keys"][0].transpose(1, 2, 0))
    learned = cv2.resize(keys, size, interpolation=cv2.INTER_LINEAR)
    features = np.concatenate([lab / 60.0, learned * 1.5], axis=-1)
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    edges = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)).max(2) / 60.0
    return merged(superpixels(lab, pieces), features.astype(np.float32), edges.astype(np.float32))


def tree_regions(tree: MergeTree, shape: tuple[int, int], least_share: float) -> tuple[Bools, Floats]:
    """Masks (N, h, w) of the tree's nodes that are neither tiny nor nearly everything, and scores by how they last."""
    members = tree.members()
    area = np.bincount(tree.pieces.ravel(), minlength=tree.leaves) / tree.pieces.size
    share = members @ area
    nodes = np.flatnonzero((share >= least_share * 2) & (share < 0.9))
    small = cv2.resize(tree.pieces.astype(np.float32), shape[::-1], interpolation=cv2.INTER_NEAREST).astype(np.int64)
    masks = members[nodes][:, small]
    size = np.minimum(1.0, share[nodes] / 0.01) ** 0.5
    scores = 0.25 + 0.5 * tree.lasting()[nodes] * size
    return masks, scores.astype(np.float32)


def joined(one: Pool, other: Pool) -> Pool:
    """Both pools."""
    return Pool(
        np.concatenate([one.masks, other.masks]),
        np.concatenate([one.scores, other.scores]),
        one.sources + other.sources,
    )


def distinct(pool: Pool, options: LiteOptions) -> NDArray[np.int64]:
    """Indices of at most `most` regions without twins, best first."""
    flat = pool.masks[:, ::2, ::2].reshape(len(pool.masks), -1)
    share = pool.masks.mean((1, 2))
    usable = (share >= options.least_share) & (share < 0.95) & (pool.scores >= options.least_score)
    order = np.flatnonzero(usable)
    order = order[np.argsort(-pool.scores[order], kind="stable")]
    from_tree = np.array([pool.sources[i] == "merge tree" for i in order], dtype=np.bool_)
    order = order[np.cumsum(np.where(from_tree, 1, 0)) * from_tree <= options.most * options.tree_share * 2]
    return order[_without_twins(flat[order], options)]


def _without_twins(flat: Bools, options: LiteOptions) -> list[int]:
    """Rows kept, in order, when rows more alike than `twin_iou` to an earlier one go."""
    bits = flat.astype(np.float32)
    shared = bits @ bits.T
    area = np.diag(shared)
    alike = shared / np.maximum(area[:, None] + area[None, :] - shared, 1)
    kept: list[int] = []
    for i in range(len(flat)):
        if not kept or alike[i, kept].max() <= options.twin_iou:
            kept.append(i)
        if len(kept) == options.most:
            break
    return kept

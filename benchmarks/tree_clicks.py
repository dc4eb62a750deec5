"""The merge tree as a click method: the largest regions with clicks inside and none outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.models.proposers.lite import picture_tree
from maskwright.models.proposers.lite_tree import MergeTree
from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Image, Prompt

if TYPE_CHECKING:
    from clicks import Ask, Outcome

Bools = NDArray[np.bool_]


def tree_method(segmenter: LiteSegmenter) -> Any:
    """Opens a picture with the tree that the proposer uses."""

    def open_picture(outcome: Outcome, image: Image) -> Ask:
        tree = outcome.timed("encode", lambda: picture_tree(image, segmenter.encode(image), 400))
        members, lasting = tree.members(), tree.lasting()

        def ask(outcome: Outcome, prompt: Prompt, left: Any) -> tuple[Bools, Any]:
            leaves = outcome.timed("prompt", lambda: chosen(tree, members, lasting, prompt, image.size))
            small = leaves[tree.pieces].astype(np.float32)
            return cv2.resize(small, image.size, interpolation=cv2.INTER_LINEAR) > 0.5, None

        return ask

    return open_picture


def chosen(
    tree: MergeTree, members: Bools, lasting: NDArray[np.float32], prompt: Prompt, size: tuple[int, int]
) -> Bools:
    """(leaves,) what the prompt selects: with clicks outside the largest pure nodes, else the most lasting node."""
    height, width = tree.pieces.shape
    scale = np.array([width / size[0], height / size[1]])
    if prompt.box is not None and not len(prompt.points):
        return boxed(tree, members, np.array(list(prompt.box)).reshape(2, 2) * scale)
    places = np.clip((prompt.points * scale).astype(int), 0, [width - 1, height - 1])
    hit = tree.pieces[places[:, 1], places[:, 0]]
    inside, outside = set(hit[prompt.labels == 1].tolist()), set(hit[prompt.labels == 0].tolist())
    pure = ~members[:, sorted(outside - inside)].any(1) & members[:, sorted(inside)].any(1)
    if outside:
        return members[pure].any(0) if pure.any() else np.zeros(tree.leaves, dtype=np.bool_)
    area = members @ np.bincount(tree.pieces.ravel(), minlength=tree.leaves) / tree.pieces.size
    fit = pure & (area < 0.5)
    best = np.flatnonzero(fit)[np.argmax((lasting * np.minimum(area / 0.02, 1))[fit])] if fit.any() else None
    return np.zeros(tree.leaves, dtype=np.bool_) if best is None else members[best]


def boxed(tree: MergeTree, members: Bools, corners: NDArray[np.float64]) -> Bools:
    """The node that fills the box best."""
    (x0, y0), (x1, y1) = corners.astype(int)
    within = np.zeros(tree.pieces.shape, dtype=np.bool_)
    within[y0 : y1 + 1, x0 : x1 + 1] = True
    area = np.bincount(tree.pieces.ravel(), minlength=tree.leaves).astype(float)
    part = np.bincount(tree.pieces[within], minlength=tree.leaves).astype(float)
    shared = members @ part
    return members[int(np.argmax(shared / (members @ area + within.sum() - shared)))]

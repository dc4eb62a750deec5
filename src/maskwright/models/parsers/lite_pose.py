"""A pose guessed from where parts are: joints only where parts show them, with low confidences that say so.

No network looks for joints here; `vitpose` does. What the parts do not show is left out rather than invented.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.ports import PART_LABELS

Keypoints = dict[str, tuple[float, float, float]]
_FACE, _HAIR, _SKIN, _UPPER, _LOWER, _DRESS, _OUTER, _SHOES = (
    PART_LABELS.index(n)
    for n in ("face", "hair", "skin", "upper garment", "lower garment", "dress", "outerwear", "shoes")
)
_SEEN, _INFERRED = 0.45, 0.2
_LEAST = 25


def geometric_pose(labels: NDArray[np.uint8]) -> Keypoints:
    """COCO-17 names -> (x, y, confidence); empty where no head or torso is seen. Left is the figure's own, which is
    on the right of the picture: the figure is taken to face us."""
    head = _middle(labels == _FACE) or _middle(labels == _HAIR)
    torso = np.isin(labels, (_UPPER, _DRESS, _OUTER))
    if head is None or torso.sum() < _LEAST:
        return {}
    pose: Keypoints = {}
    face = _middle(labels == _FACE)
    if face is not None:
        pose["nose"] = (*face, _SEEN)
    rows = np.flatnonzero(torso.any(axis=1))
    top, bottom = int(rows[0]), int(rows[-1])
    _sides(pose, "shoulder", torso, round(top + 0.12 * (bottom - top)), inset=0.14, sure=_SEEN)
    _hips(pose, labels, torso, top, bottom)
    _ankles(pose, labels)
    _knees(pose)
    return pose


def _middle(part: NDArray[np.bool_]) -> tuple[float, float] | None:
    if part.sum() < _LEAST:
        return None
    y, x = np.nonzero(part)
    return (float(x.mean()), float(y.mean()))


def _sides(pose: Keypoints, joint: str, part: NDArray[np.bool_], row: int, *, inset: float, sure: float) -> None:
    """A left and a right joint near both ends of a part's row."""
    columns = np.flatnonzero(part[row])
    if columns.size < 4:
        return
    low, high = float(columns[0]), float(columns[-1])
    room = inset * (high - low)
    pose[f"right_{joint}"], pose[f"left_{joint}"] = (low + room, float(row), sure), (high - room, float(row), sure)


def _hips(pose: Keypoints, labels: NDArray[np.uint8], torso: NDArray[np.bool_], top: int, bottom: int) -> None:
    lower = labels == _LOWER
    if lower.sum() >= _LEAST:
        rows = np.flatnonzero(lower.any(axis=1))
        _sides(pose, "hip", lower, round(rows[0] + 0.12 * (rows[-1] - rows[0])), inset=0.22, sure=_SEEN)
    elif (labels == _DRESS).sum() >= _LEAST:
        _sides(pose, "hip", torso, round(top + 0.55 * (bottom - top)), inset=0.25, sure=_INFERRED)


def _ankles(pose: Keypoints, labels: NDArray[np.uint8]) -> None:
    """The upper end of each of the two largest shoes, when there are two."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((labels == _SHOES).astype(np.uint8))
    order = (
        [i for i in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA]) if stats[i, cv2.CC_STAT_AREA] >= _LEAST]
        if count > 1
        else []
    )
    if len(order) < 2:
        return
    places = []
    for i in order[:2]:
        y, x = np.nonzero(parts == i)
        high = y <= np.quantile(y, 0.3)
        places.append((float(x[high].mean()), float(y[high].mean())))
    (rx, ry), (lx, ly) = sorted(places)
    pose["right_ankle"], pose["left_ankle"] = (rx, ry, _SEEN), (lx, ly, _SEEN)


def _knees(pose: Keypoints) -> None:
    for side in ("left", "right"):
        hip, ankle = pose.get(f"{side}_hip"), pose.get(f"{side}_ankle")
        if hip and ankle:
            pose[f"{side}_knee"] = ((hip[0] + ankle[0]) / 2, (hip[1] + ankle[1]) / 2, _INFERRED)

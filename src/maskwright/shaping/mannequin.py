"""A featureless neutral mannequin in a pose: capsules between joints, drawn as a diagram, in nobody's likeness.

It stands for the figure under the clothes wherever one is needed as structure; no pixel of the picture enters it.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.values import Image

Keypoints = Mapping[str, tuple[float, float, float]]
_LIMBS = (
    ("left_shoulder", "left_elbow", 0.055), ("left_elbow", "left_wrist", 0.045), ("right_shoulder", "right_elbow", 0.055),  # noqa: E501
    ("right_elbow", "right_wrist", 0.045), ("left_hip", "left_knee", 0.075), ("left_knee", "left_ankle", 0.055),
    ("right_hip", "right_knee", 0.075), ("right_knee", "right_ankle", 0.055),
)  # fmt: skip
_GREY, _EDGE, _GROUND = (176, 180, 186), (120, 124, 130), (246, 246, 246)


def draw_mannequin(size: tuple[int, int], keypoints: Keypoints) -> Image:
    """A grey mannequin of capsules on a plain ground; raises BadPrompt without shoulders and hips."""
    needed = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    missing = [name for name in needed if name not in keypoints]
    if missing:
        raise BadPrompt(f"the pose lacks {', '.join(missing)}.", "Give a picture whose whole torso is seen.")
    at = {name: np.array(place[:2], np.float64) for name, place in keypoints.items()}
    width, height = size
    canvas = np.full((height, width, 3), _GROUND, np.uint8)
    shoulders, hips = (at["left_shoulder"] + at["right_shoulder"]) / 2, (at["left_hip"] + at["right_hip"]) / 2
    tall = 3.4 * float(np.hypot(*(shoulders - hips))) or 1.0
    for a, b, thick in _LIMBS:
        if a in at and b in at:
            _capsule(canvas, at[a], at[b], thick * tall)
    trunk = np.array([at["left_shoulder"], at["right_shoulder"], at["right_hip"], at["left_hip"]])
    _body(canvas, trunk, 0.07 * tall)
    head = at.get("nose", shoulders + 0.22 * (shoulders - hips) / 1.0)
    _capsule(canvas, shoulders, head, 0.05 * tall)
    cv2.circle(canvas, _whole(head), round(0.065 * tall), _GREY, -1, cv2.LINE_AA)
    cv2.circle(canvas, _whole(head), round(0.065 * tall), _EDGE, 1, cv2.LINE_AA)
    return Image(canvas)


def _capsule(canvas: NDArray[np.uint8], a: NDArray[np.float64], b: NDArray[np.float64], thick: float) -> None:
    cv2.line(canvas, _whole(a), _whole(b), _EDGE, max(3, round(thick) + 2), cv2.LINE_AA)
    cv2.line(canvas, _whole(a), _whole(b), _GREY, max(1, round(thick)), cv2.LINE_AA)


def _body(canvas: NDArray[np.uint8], corners: NDArray[np.float64], thick: float) -> None:
    outline = np.rint(corners).astype(np.int32)
    cv2.polylines(canvas, [outline], True, _EDGE, max(3, round(thick) + 2), cv2.LINE_AA)
    cv2.polylines(canvas, [outline], True, _GREY, max(1, round(thick)), cv2.LINE_AA)
    cv2.fillPoly(canvas, [outline], _GREY, cv2.LINE_AA)


def _whole(point: NDArray[np.float64]) -> tuple[int, int]:
    return (round(float(point[0])), round(float(point[1])))

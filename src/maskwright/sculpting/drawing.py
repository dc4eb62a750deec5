"""Pictures of a run for people: the answer over the photo, and one picture a round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.media import pictures
from maskwright.values import Image, Mask, Round

Pixels = NDArray[np.uint8]

GREEN, RED, YELLOW, WHITE, GREY = (40, 200, 70), (230, 50, 50), (255, 220, 0), (255, 255, 255), (150, 150, 150)
SHOWN_SIDE = 1024


def draw_answer(image: Image, mask: Mask) -> Image:
    """The photo with the mask tinted and outlined."""
    return pictures.overlay(image, mask, colour=GREEN)


def draw_round(image: Image, before: Mask, step: Round) -> Image:
    """One round: contours before (grey) and after (green), judged places, anchors, squares, clicks with beliefs."""
    scale = min(1.0, SHOWN_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    pixels = np.ascontiguousarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA))
    _outline(pixels, before, GREY)
    if step.mask is not None:
        _outline(pixels, step.mask, GREEN)
    for anchor in step.detail.get("anchors", ()):
        _anchor(pixels, anchor, scale, _asked(step.detail))
    for judged in step.detail.get("candidates", ()):
        _place(pixels, judged, scale)
    for click in step.detail.get("points", ()):
        _click(pixels, click, scale)
    return Image(np.vstack([pixels, _caption(step, size[0])]))


def _outline(pixels: Pixels, mask: Mask, colour: tuple[int, int, int]) -> None:
    size = pixels.shape[1::-1]
    small = cv2.resize(mask.array.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    found, _ = cv2.findContours(small, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, found, -1, colour, 1, cv2.LINE_AA)


def _place(pixels: Pixels, judged: Mapping[str, Any], scale: float) -> None:
    """A small cross: green to red by the score, grey without one."""
    score = judged["score"]
    colour = GREY if score is None else tuple(int(r + (g - r) * score) for r, g in zip(RED, GREEN))
    at = (round(judged["x"] * scale), round(judged["y"] * scale))
    cv2.drawMarker(pixels, at, colour, cv2.MARKER_TILTED_CROSS, 6, 1, cv2.LINE_AA)


def _click(pixels: Pixels, click: Mapping[str, Any], scale: float) -> None:
    at = (round(click["x"] * scale), round(click["y"] * scale))
    cv2.circle(pixels, at, 6, WHITE, -1, cv2.LINE_AA)
    cv2.circle(pixels, at, 4, GREEN if click["label"] else RED, -1, cv2.LINE_AA)
    _write(pixels, f"{click['belief']:+.1f}", (at[0] + 7, at[1] - 4))


def _anchor(pixels: Pixels, anchor: Mapping[str, Any], scale: float, asked: set[int]) -> None:
    at = np.array([anchor["x"], anchor["y"]]) * scale
    cv2.circle(pixels, tuple(np.round(at).astype(int).tolist()), 4, YELLOW, -1, cv2.LINE_AA)
    _write(pixels, str(anchor["number"]), (round(float(at[0])) + 6, round(float(at[1])) + 4))
    if anchor["number"] not in asked:
        return
    out = np.array(anchor["normal"]) * anchor["side_px"] * scale / 2
    along = np.array([-out[1], out[0]])
    corners = np.array([at + along + out, at - along + out, at - along - out, at + along - out])
    cv2.polylines(pixels, [np.round(corners).astype(np.int32)], True, YELLOW, 1, cv2.LINE_AA)
    middle = np.round(np.array([at - along, at + along])).astype(np.int32)
    cv2.polylines(pixels, [middle], False, YELLOW, 1, cv2.LINE_AA)


def _asked(detail: Mapping[str, Any]) -> set[int]:
    asked = detail.get("asked")
    return {int(a["number"]) for a in asked} if isinstance(asked, list) else set()


def _write(pixels: Pixels, text: str, at: tuple[int, int]) -> None:
    for colour, width in ((0, 0, 0), 3), (WHITE, 1):
        cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, width, cv2.LINE_AA)


def _caption(step: Round, width: int) -> Pixels:
    """Two lines under the picture: what was found, what was done."""
    detail = step.detail
    diagnosis = detail.get("diagnosis") or {}
    parts = [f"missing: {', '.join(diagnosis.get('missing_parts', ())) or '-'}"]
    parts.append(f"spilt: {', '.join(diagnosis.get('over_segments', ())) or '-'}")
    done = detail.get("untrusted") or detail.get("kept") or f"change {step.change or 0:.1%}"
    lines = (
        "; ".join(parts),
        f"round {step.index}: {done}" + (f"; stop: {detail['stop']}" if detail.get("stop") else ""),
    )
    strip = np.full((40, width, 3), 255, dtype=np.uint8)
    for number, line in enumerate(lines):
        plain = line.encode("ascii", "replace").decode()
        cv2.putText(strip, plain, (4, 15 + 18 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return strip

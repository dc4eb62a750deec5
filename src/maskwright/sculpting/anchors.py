"""The strategy `anchors`: numbered places on the contour, squares split by its direction, gated redraw."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from maskwright.sculpting.candidates import contour_places, control_places, sample_places
from maskwright.sculpting.evidence import Evidence
from maskwright.sculpting.places import Anchor, AnchorAsk, Cell, Judged, Place
from maskwright.sculpting.points import (
    click_and_redraw,
    deepest,
    judge_error,
    judge_places,
    thresholds_json,
    thresholds_of,
    why_not_trusted,
)
from maskwright.sculpting.scene import Bools, Scene
from maskwright.sculpting.state import Meter, Outcome, State, Tools
from maskwright.values import Abstain

USUAL = 8
CELL_NAMES = {2: ("inside", "outside"), 4: ("inside a", "inside b", "outside a", "outside b")}
LEAST_RATIO = 0.12
GOLDEN = 0.618
FAR = 0.3
"""Share of the box's diagonal within which the mask may grow about an anchor beyond which the target goes on."""
CORE = 4
"""Places well inside the first mask that are judged once."""
ASKED_BEFORE = 0.5
"""Weight of an anchor near one that was asked before."""


def anchors_round(tools: Tools, state: State, turn: int, cues: str, meter: Meter) -> Outcome:
    """One round: anchors, the judge's choice, cells, verdicts, clicks, redraw near the asked anchors only."""
    tools.check()
    ratio = max(LEAST_RATIO, tools.settings.ratio * tools.settings.narrow ** (turn - 1))
    ratio = min(ratio, tools.settings.ratio)
    anchors = place_anchors(
        tools.scene, state.mask, tools.settings.anchors, ratio, start=(0.5 + GOLDEN * (turn - 1)) % 1
    )
    anchors = [_weigh(anchor, state.asked_anchors) for anchor in anchors]
    detail: dict[str, Any] = {"phase": "round", "anchors": [a.to_json() for a in anchors], "points": []}
    if not anchors:
        return Outcome(state.mask, {**detail, "kept": "the mask has no contour"})
    asked, said = _pick(tools, state, anchors, meter)
    detail["asked"] = said
    if not asked:
        return Outcome(state.mask, {**detail, "kept": "no anchor was named"}, elsewhere=isinstance(said, list))
    tools.check()
    chosen = [a for a in anchors if a.number in asked]
    state.asked_anchors += [(a.x, a.y) for a in chosen]
    cells = [c for a in chosen for c in split_square(a, state.mask, tools.settings.cells, turn)]
    known = len(state.controls)
    judged = _judge_cells(tools, state, cells, cues, meter)
    detail |= {"candidates": [j.to_json() for j in judged]}
    detail |= {"controls": [j.to_json() for j in state.controls[known:]]}
    return _act(tools, state, chosen, cells, detail=detail, meter=meter)


def place_anchors(scene: Scene, mask: Bools, count: int | str, ratio: float, *, start: float = 0.5) -> list[Anchor]:
    """Anchors spread by arc length over all contours, holes included; "auto": more for long contours. `start` 0..1
    moves them all along, so that rounds look at different places."""
    small = scene.shrink(mask)
    if not small.any() or small.all():
        return []
    side = max(8.0, ratio * scene.short_side)
    number = _auto_count(scene, small, side * scene.factor) if count == "auto" else int(count)
    xy, normals = contour_places(small, number, start=start)
    full = scene.to_full(xy)
    return [
        Anchor(i + 1, float(x), float(y), (float(-n[1]), float(n[0])), (float(n[0]), float(n[1])), side)
        for i, ((x, y), n) in enumerate(zip(full, normals))
    ]


def split_square(anchor: Anchor, mask: Bools, cells: int, turn: int) -> list[Cell]:
    """The square's cells that hold pixels to click on: inner ones inside the mask, outer ones outside it."""
    half = anchor.side_px / 2
    spans = ((-half, half),) if cells == 2 else ((-half, 0.0), (0.0, half))
    regions = {True: mask, False: ~mask}
    out: list[Cell] = []
    names = CELL_NAMES[cells]
    for index, (inside, (low, high)) in enumerate((i, s) for i in (True, False) for s in spans):
        far = -half if inside else half
        corners = [_corner(anchor, u, v) for u, v in ((low, 0.0), (high, 0.0), (high, far), (low, far))]
        spot = _spot(corners, regions[inside], mask.shape)
        if spot is not None:
            place = Place(f"{turn}.a{anchor.number}.{index}", *spot, "anchor", anchor.weight)
            out.append(Cell(place, anchor.number, tuple(corners), inside, names[index]))
    return out


def reach_of(
    anchors: Sequence[Anchor], shape: tuple[int, ...], growing: Collection[int] = (), far: float = 0.0
) -> Bools:
    """Pixels that may change: within the half diagonal of a square of its anchor; `far` pixels about those whose
    numbers are `growing`, where the target goes on and nobody knows how far."""
    out = np.zeros(shape, dtype=np.uint8)
    for anchor in anchors:
        radius = max(anchor.side_px * math.sqrt(0.5), far if anchor.number in growing else 0)
        cv2.circle(out, (round(anchor.x), round(anchor.y)), math.ceil(radius), 1, -1)
    return out.view(np.bool_)


def _auto_count(scene: Scene, small: Bools, side: float) -> int:
    """Eight for a contour as long as a disc's in the box, more in proportion and where less than half of the contour
    would lie in a square of this side, at most 24."""
    found, _ = cv2.findContours(small.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    length = sum(cv2.arcLength(ring, True) for ring in found)
    usual = math.pi * scene.box.diagonal * scene.factor / math.sqrt(2)
    return int(np.clip(round(max(USUAL * length / max(1.0, usual), length / (2 * side))), USUAL, 24))


def _pick(
    tools: Tools, state: State, anchors: Sequence[Anchor], meter: Meter
) -> tuple[dict[int, AnchorAsk], list[dict[str, Any]] | dict[str, Any]]:
    """The anchors to edit by number, and what is written into the trace about them."""
    s = tools.settings
    with meter.of("judge"):
        answer = tools.judge.pick_anchors(tools.scene, state.mask, anchors, s.anchors_per_round)
    numbers = {a.number for a in anchors}
    if not isinstance(answer, Abstain):
        asked = {a.number: a for a in answer if a.number in numbers}
        state.empty_diagnoses = 0 if asked else state.empty_diagnoses + 1
        return asked, [{"number": a.number, "reason": a.reason} for a in asked.values()]
    if s.on_silence == "first-anchor":
        return {1: AnchorAsk(1, "no usable answer")}, {"abstained": answer.reason, "edited": 1}
    return {}, {"abstained": answer.reason}


def _judge_cells(tools: Tools, state: State, cells: Sequence[Cell], cues: str, meter: Meter) -> list[Judged]:
    """Verdicts on the cells' dots, and once a run on the controls and the mask's core, which show what the judge's
    word is worth; all are added to the state."""
    with meter.of("judge"):
        verdicts = tools.judge.look_at_cells(tools.scene, state.mask, cells, cues)
    judged = [replace(j, score=j.p) for j in (Judged(c.place, (v,)) for c, v in zip(cells, verdicts))]
    if not state.controls:
        controls = control_places(tools.scene, state.mask, tools.settings.controls)
        sampled = sample_places(tools.scene, state.mask, turn=0)
        core = [place for place in sampled if place.sampler == "inside"][:CORE]
        sure, state.controls = judge_places(tools, state, core, controls, cues=cues, meter=meter)
        judged += sure
    state.judged += judged
    return judged


def _act(
    tools: Tools, state: State, chosen: Sequence[Anchor], cells: Sequence[Cell], *, detail: dict[str, Any], meter: Meter
) -> Outcome:
    thresholds = thresholds_of(tools, state)
    detail |= thresholds_json(thresholds, judge_error(tools, state, thresholds))
    untrusted = why_not_trusted(state, thresholds)
    if untrusted is not None:
        return Outcome(state.mask, {**detail, "untrusted": untrusted})
    evidence = Evidence(tools.scene, state.judged, thresholds, judge_error(tools, state, thresholds))
    tools.check()
    growing = _growing(evidence, state.mask, cells)
    allowed = reach_of(chosen, state.mask.shape, growing, FAR * tools.scene.box.diagonal)
    mask, drawn = click_and_redraw(tools, state, evidence, meter, allowed=allowed)
    return Outcome(mask, {**detail, **drawn})


def _growing(evidence: Evidence, mask: Bools, cells: Sequence[Cell]) -> set[int]:
    """The anchors beyond which the target goes on: an outer cell is believed to belong to it."""
    believed = {j.place.id for j, belief in zip(evidence.judged, evidence.beliefs(mask)) if belief > 0}
    return {c.anchor for c in cells if not c.inside and c.place.id in believed}


def _weigh(anchor: Anchor, asked: Sequence[tuple[float, float]]) -> Anchor:
    """Less weight near an anchor that was asked before."""
    near = any(math.hypot(anchor.x - x, anchor.y - y) < anchor.side_px / 4 for x, y in asked)
    return replace(anchor, weight=ASKED_BEFORE) if near else anchor


def _corner(anchor: Anchor, along: float, out: float) -> tuple[float, float]:
    return (
        anchor.x + anchor.tangent[0] * along + anchor.normal[0] * out,
        anchor.y + anchor.tangent[1] * along + anchor.normal[1] * out,
    )


def _spot(corners: Sequence[tuple[float, float]], region: Bools, shape: tuple[int, ...]) -> tuple[float, float] | None:
    """The deepest pixel of the cell within `region`, or None when they do not meet."""
    outline = np.round(np.array(corners)).astype(np.int32)
    x0, y0 = np.maximum(outline.min(axis=0), 0).tolist()
    x1, y1 = np.minimum(outline.max(axis=0) + 1, shape[1::-1]).tolist()
    if x1 <= x0 or y1 <= y0:
        return None
    cell = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
    cv2.fillConvexPoly(cell, outline - (x0, y0), 1)
    both = cell.view(np.bool_) & region[y0:y1, x0:x1]
    if not both.any():
        return None
    x, y = deepest(both)
    return x + x0, y + y0

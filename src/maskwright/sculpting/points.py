"""The strategy `points`: sample places, judge them, choose clicks, redraw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.sculpting.candidates import control_places, sample_places, suppress
from maskwright.sculpting.choice import Click, choose_clicks
from maskwright.sculpting.evidence import (
    MOST_ERROR,
    Evidence,
    Thresholds,
    error_rate,
    says_the_same,
    set_thresholds,
)
from maskwright.sculpting.judging import Patches
from maskwright.sculpting.places import Judged, Place
from maskwright.sculpting.scene import Bools, Scene
from maskwright.sculpting.state import Meter, Outcome, State, Tools, diagnose, prior_logits, redraw
from maskwright.values import Prompt

CHECKS = 8
"""Places put into changes that no verdict speaks about."""
CHECKS_APART = 0.04
NOTABLE_PX = 0.002
"""Share of the box's area from which such a change is checked."""


def points_round(tools: Tools, state: State, turn: int, cues: str, meter: Meter) -> Outcome:
    """One round: diagnosis, candidates, verdicts, thresholds, clicks, redraw."""
    tools.check()
    found, cues = diagnose(tools, state, cues, meter)
    tools.check()
    places = _places(tools, state, turn)
    controls = control_places(tools.scene, state.mask, tools.settings.controls) if not state.controls else []
    judged, new_controls = judge_places(tools, state, places, controls, cues=cues, meter=meter)
    state.controls += new_controls
    thresholds = thresholds_of(tools, state)
    state.judged += judged
    detail: dict[str, Any] = {
        "phase": "round",
        "diagnosis": found,
        "cues": cues,
        "candidates": [j.to_json() for j in judged],
        "controls": [j.to_json() for j in new_controls],
        **thresholds_json(thresholds, judge_error(tools, state, thresholds)),
    }
    trusted = why_not_trusted(state, thresholds)
    if trusted is not None:
        return Outcome(state.mask, {**detail, "points": [], "untrusted": trusted})
    evidence = Evidence(tools.scene, state.judged, thresholds, judge_error(tools, state, thresholds))
    tools.check()
    mask, drawn = click_and_redraw(tools, state, evidence, meter)
    return Outcome(mask, {**detail, **drawn})


def judge_places(
    tools: Tools, state: State, places: Sequence[Place], controls: Sequence[Place], *, cues: str, meter: Meter
) -> tuple[list[Judged], list[Judged]]:
    """Verdicts of all patches of the places and controls, fused with the ranker where there is one."""
    every = [*places, *controls]
    with meter.of("judge"):
        patches = tools.judge.look(tools.scene, state.mask, every, cues) if every else []
    similar = _similarities(tools, every, meter)
    judged = [_fuse(place, p, s, tools.settings.fusion) for place, p, s in zip(every, patches, similar)]
    return judged[: len(places)], judged[len(places) :]


def thresholds_of(tools: Tools, state: State) -> Thresholds:
    s = tools.settings
    return set_thresholds(state.controls, s.t_pos_low, s.t_pos_high, s.t_neg)


def judge_error(tools: Tools, state: State, thresholds: Thresholds) -> float:
    """How often the judge is taken to err: by the controls, and never less than it says of itself."""
    return max(error_rate(state.controls, thresholds), tools.judge.least_error)


def thresholds_json(thresholds: Thresholds, error: float) -> dict[str, Any]:
    return {
        "thresholds": {
            "t_pos": round(thresholds.t_pos, 4),
            "t_neg": thresholds.t_neg,
            "mu": round(thresholds.mu, 4),
            "sigma": round(thresholds.sigma, 4),
        },
        "judge_error": round(error, 4),
    }


def why_not_trusted(state: State, thresholds: Thresholds) -> str | None:
    """Why this judge's verdicts are not acted on, or None."""
    if says_the_same(state.judged, state.controls, thresholds):
        return "the judge calls the background the target as often as not"
    if error_rate(state.controls, thresholds) > MOST_ERROR:
        return "the judge errs too often on the controls"
    labels = [thresholds.label(j.score) for j in state.judged]
    inside = [label for j, label in zip(state.judged, labels) if j.place.sampler == "inside" and label]
    if len(inside) >= 4 and max(inside) < 0:
        return "the judge finds the target nowhere inside the mask"
    return None


def click_and_redraw(
    tools: Tools, state: State, evidence: Evidence, meter: Meter, *, allowed: Bools | None = None
) -> tuple[Bools, dict[str, Any]]:
    """The mask redrawn with the clicks that the evidence gives, changes gated; the old mask when none is drawn."""
    s = tools.settings
    clicks = choose_clicks(tools.scene, state.mask, evidence, most=s.points_most, apart=s.apart)
    record: dict[str, Any] = {"points": [dict(c.to_json()) for c in clicks]}
    if not any(c.label for c in clicks):
        return state.mask, {**record, "kept": "no place is surely the target"}
    masks, scores = redraw(tools, state, _prompt(tools, state, clicks), meter)
    record["logits_shape"] = state.logits_shape
    filled = [i for i in range(len(masks)) if masks[i].any()]
    if not filled:
        return state.mask, {**record, "kept": "the segmenter returned an empty mask"}
    best = _best(masks, scores, filled, evidence)
    new = masks[best] if allowed is None else np.where(allowed, masks[best], state.mask)
    gated, undone = evidence.gate(state.mask, new)
    state.doubts = _doubts(tools.scene, gated, [masks[i] for i in filled])
    record["doubts"] = [[float(x), float(y)] for x, y in state.doubts]
    record |= {"answer": int(best), "segmenter_score": round(float(scores[best]), 4), "changes_undone": undone}
    return (gated, record) if gated.any() else (state.mask, {**record, "kept": "nothing was left of the mask"})


def _prompt(tools: Tools, state: State, clicks: Sequence[Click]) -> Prompt:
    return Prompt(
        [(c.x, c.y) for c in clicks],
        [c.label for c in clicks],
        tools.scene.box,
        prior_logits(state.mask, state.logits_shape),
    )


def _best(masks: NDArray[np.bool_], scores: NDArray[np.float32], filled: Sequence[int], evidence: Evidence) -> int:
    """The answer that fits the verdicts best; the segmenter's own score counts like one vote."""
    worth = [evidence.agreement(masks[i]) + evidence.weight * float(scores[i]) for i in filled]
    return filled[int(np.argmax(worth))]


def _places(tools: Tools, state: State, turn: int) -> list[Place]:
    s = tools.settings
    checks = _checks(tools, state, turn)
    places = sample_places(
        tools.scene,
        state.mask,
        per_sampler=s.per_sampler,
        most=s.max_candidates - len(checks),
        apart=s.apart,
        diagnosis=state.diagnosis if turn > 1 else None,
        known=[*state.places, *checks],
        turn=turn,
    )
    return [*checks, *places]


def _checks(tools: Tools, state: State, turn: int) -> list[Place]:
    """Places in the last round's changes that no verdict speaks about, and where the segmenter itself is in doubt."""
    if len(state.masks) < 2:
        return []
    unseen = _pieces(tools.scene, state.masks[-1] ^ state.masks[-2], state.places)
    found = suppress(np.array([*unseen, *state.doubts]).reshape(-1, 2), CHECKS_APART * tools.scene.box.diagonal, CHECKS)
    spots = [[*unseen, *state.doubts][i] for i in found]
    return [Place(f"{turn}.k{n}", x, y, "check") for n, (x, y) in enumerate(spots)]


def _doubts(scene: Scene, mask: Bools, others: Sequence[Bools]) -> list[tuple[float, float]]:
    """The deepest pixels of the largest pieces in which other answers of the segmenter differ from the mask."""
    return [spot for other in others for spot in _pieces(scene, mask ^ other, ())]


def _pieces(scene: Scene, region: Bools, seen: Sequence[Place]) -> list[tuple[float, float]]:
    """The deepest pixel of each large piece of a region that holds none of the seen places, the largest first."""
    x0, y0, x1, y1 = scene.roi
    part = scene.crop(region)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(part.astype(np.uint8), connectivity=4)
    for place in seen:
        if x0 <= place.x < x1 and y0 <= place.y < y1:
            stats[pieces[int(place.y) - y0, int(place.x) - x0], cv2.CC_STAT_AREA] = 0
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = [int(i) + 1 for i in np.argsort(-areas)[:CHECKS] if areas[i] > NOTABLE_PX * scene.box.area]
    return [(x + x0, y + y0) for x, y in (deepest(pieces == i) for i in large)]


def deepest(region: Bools) -> tuple[float, float]:
    """The centre of the pixel of a region farthest from its edge."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    y0, x0 = int(rows[0]), int(columns[0])
    part = np.pad(region[y0 : rows[-1] + 1, x0 : columns[-1] + 1], 1).astype(np.uint8)
    depth = cv2.distanceTransform(part, cv2.DIST_L2, 3)
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return x0 + int(x) - 0.5, y0 + int(y) - 0.5


def _fuse(place: Place, patches: Patches, similarity: float | None, share: float) -> Judged:
    judged = Judged(place, patches, similarity)
    p = judged.p
    if p is None:
        return judged
    return replace(judged, score=p if similarity is None else share * p + (1 - share) * similarity)


def _similarities(tools: Tools, places: Sequence[Place], meter: Meter) -> Sequence[float | None]:
    """The ranker's word on a disc about each place, stretched to 0..1; None without a ranker that knows the words."""
    if tools.ranker is None or not tools.scene.target or not places:
        return [None] * len(places)
    radius = max(4, round(0.06 * tools.scene.short_side))
    with meter.of("ranker"):
        regions = tools.ranker.encode(tools.scene.image, _discs(places, tools.scene.image.size, radius))
        ranking = tools.ranker.rank(regions, [tools.scene.target])
    if not bool(ranking.known[0]):
        return [None] * len(places)
    values = ranking.probabilities[0].astype(np.float64)
    low, high = float(values.min()), float(values.max())
    return [float(v) for v in (values - low) / (high - low)] if high - low > 1e-3 else [None] * len(places)


def _discs(places: Sequence[Place], size: tuple[int, int], radius: int) -> NDArray[np.bool_]:
    out = np.zeros((len(places), size[1], size[0]), dtype=np.uint8)
    for layer, place in zip(out, places):
        cv2.circle(layer, (int(place.x), int(place.y)), radius, 1, -1)
    return out.view(np.bool_)

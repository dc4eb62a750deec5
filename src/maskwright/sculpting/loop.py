"""The loop: a generator of rounds whose last one carries the answer. Never worse than the start, as judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.errors import BadMask, BudgetSpent, InputError, ModelError
from maskwright.sculpting.anchors import anchors_round
from maskwright.sculpting.evidence import Evidence
from maskwright.sculpting.places import Diagnosis, Judged
from maskwright.sculpting.points import judge_error, points_round, thresholds_of
from maskwright.sculpting.scene import Bools
from maskwright.sculpting.state import Meter, Outcome, State, Tools, compress_cues
from maskwright.sculpting.stopping import iou, why_stop
from maskwright.values import Abstain, Image, Mask, Prompt, Round, Trace

STRATEGIES = {"points": points_round, "anchors": anchors_round}
ROOM = 0.05
"""Share of the ROI's short side that is kept free about positive clicks."""
SPENT = "budget spent"
DOUBTFUL = 0.1
"""Error rate from which a judge's comparison is weighed with the verdicts."""
MOST_VOTES = 3.0
"""All verdicts together count like so many single ones at most, when two masks are compared."""
CLEAR = 1.0
"""Log-odds by which the verdicts must prefer a later mask when the judge cannot tell."""


def sculpt_loop(tools: Tools, start: Mask | None = None, resume: Trace | None = None) -> Iterator[Round]:
    """Yields the start, every round, and last the answer (detail["phase"]: start, round, answer).

    Raises BadMask (a start of another size), ModelError when there is no mask to keep, and Cancelled. Everything else
    ends the run with the best mask so far and says so in the last round.
    """
    stop: str | None = None
    if resume is not None and resume.rounds:
        state, done, stop = restore(tools, resume)
        tools = _grown(tools, resume.rounds)
    else:
        first = _start(tools, start)
        state, done = State([first.mask.array] if first.mask else []), 0
        state.logits_shape = first.detail["logits_shape"]
        yield first
    cues = compress_cues(tools.settings.cues)
    for turn in range(done + 1, tools.settings.rounds + 1):
        if stop is not None:
            break
        step, stop = _round(tools, state, turn, cues)
        yield step
        tools = _grown(tools, [step])
    yield _answer(tools, state, stop or "all rounds done")


def _start(tools: Tools, given: Mask | None) -> Round:
    """Round 0: the given mask, or the segmenter's own from the box."""
    meter = Meter(tools.judge)
    detail: dict[str, Any] = {"phase": "start", "given": given is not None, "logits_shape": None}
    if given is not None:
        given.check_size(tools.scene.image.size)
        return Round(0, given, detail=detail, cost=meter.read())
    with meter.of("segmenter"):
        [found] = tools.segmenter.predict(tools.embedding, [Prompt(box=tools.scene.box)])
    filled = [i for i in range(len(found)) if found.masks[i].any()]
    if not filled:
        raise BadMask("the segmenter finds nothing in the box.", "Give a mask to start from, or another box.")
    if found.logits is not None:
        detail["logits_shape"] = (int(found.logits.shape[-2]), int(found.logits.shape[-1]))
    return Round(0, Mask(found.masks[filled[0]]), float(found.scores[filled[0]]), detail=detail, cost=meter.read())


def _round(tools: Tools, state: State, turn: int, cues: str) -> tuple[Round, str | None]:
    """One round and why the loop ends with it, if it does; a model that fails ends it with the mask as it was."""
    meter, before = Meter(tools.judge), state.mask
    failed: str | None = None
    try:
        outcome = STRATEGIES[tools.settings.strategy](tools, state, turn, cues, meter)
        failed = _spent(tools)
    except BudgetSpent as error:
        failed, outcome = SPENT, Outcome(before, {"phase": "round", "error": error.message})
    except ModelError as error:
        failed, outcome = "a model failed", Outcome(before, {"phase": "round", "error": error.message})
    state.masks.append(outcome.mask)
    s = tools.settings
    stop = failed or why_stop(
        state.masks,
        state.empty_diagnoses,
        least_change=s.stop_change,
        least_boundary=s.stop_boundary,
        oscillation=s.oscillation,
        elsewhere=outcome.elsewhere,
    )
    change = 1 - iou(outcome.mask, before)
    detail = {**outcome.detail, "stop": stop, "degraded": list(tools.judge.degraded)}
    return Round(turn, Mask(outcome.mask), change=change, detail=detail, cost=meter.read()), stop


def _spent(tools: Tools) -> str | None:
    """A word when nothing more may be spent."""
    try:
        tools.budget.check()
    except BudgetSpent:
        return SPENT
    return None


def _grown(tools: Tools, rounds: Sequence[Round]) -> Tools:
    """The tools with a region of interest that holds every positive click near its rim with room about it."""
    margin = ROOM * tools.scene.short_side
    clicks = [(p["x"], p["y"]) for r in rounds for p in r.detail.get("points", ()) if p["label"]]
    return replace(tools, scene=tools.scene.grow_to(clicks, margin))


def _answer(tools: Tools, state: State, stop: str) -> Round:
    """The best of all masks: each later one must win against the best before it."""
    meter = Meter(tools.judge)
    evidence = _evidence(tools, state)
    best, votes = 0, []
    for index in _rivals(state, evidence):
        vote = _compare(tools, state.masks[best], state.masks[index], evidence, meter)
        votes.append({"earlier": best, "later": index, **vote})
        best = index if vote["kept"] == "later" else best
    detail = {"phase": "answer", "picked": best, "votes": votes, "degraded": list(tools.judge.degraded)}
    return Round(
        len(state.masks),
        Mask(state.masks[best]),
        score=evidence_share(evidence, state.masks[best]),
        change=1 - iou(state.masks[best], state.masks[0]),
        detail=detail,
        cost=meter.read(),
        stop=stop,
    )


def _rivals(state: State, evidence: Evidence | None) -> list[int]:
    """Which masks are held against the start: the one the verdicts like best, the last one when they say nothing."""
    later = [i for i in range(1, len(state.masks)) if not np.array_equal(state.masks[i], state.masks[0])]
    if len(later) < 2 or evidence is None:
        return later[-1:]
    return [max(later, key=lambda i: (evidence.agreement(state.masks[i]), i))]


def _compare(tools: Tools, earlier: Bools, later: Bools, evidence: Evidence | None, meter: Meter) -> dict[str, Any]:
    """The judge's word in both orders. Where it cannot tell, or errs too often for its word alone, the verdicts are
    weighed with it; when that is not clear either, the earlier stays."""
    try:
        tools.check()
        with meter.of("judge"):
            word = tools.judge.compare(tools.scene, earlier, later)
    except (BudgetSpent, ModelError) as error:
        word = Abstain(error.message)
    odds = 0.0 if evidence is None else evidence.prefers(later, earlier)
    said = word if isinstance(word, str) else "abstained"
    return {"judge": said, "verdicts": round(odds, 3), "kept": _weighed(said, odds, evidence, tools.judge.least_error)}


def _weighed(said: str, odds: float, evidence: Evidence | None, least_error: float) -> str:
    if least_error > DOUBTFUL:  # its verdicts repeat its word: only a clear word counts
        return "later" if said == "later" else "earlier"
    if said in ("earlier", "later") and (evidence is None or evidence.error < DOUBTFUL):
        return said
    weight = 0.0 if evidence is None else evidence.weight
    word = {"later": 2 * weight, "earlier": -2 * weight}.get(said, 0.0)
    return "later" if word + float(np.clip(odds, -MOST_VOTES * weight, MOST_VOTES * weight)) > CLEAR else "earlier"


def _evidence(tools: Tools, state: State) -> Evidence | None:
    thresholds = thresholds_of(tools, state)
    found = Evidence(tools.scene, state.judged, thresholds, judge_error(tools, state, thresholds))
    return found if len(found) else None


def evidence_share(evidence: Evidence | None, mask: Bools) -> float | None:
    """Share of the verdicts that a mask agrees with, or None without verdicts."""
    if evidence is None:
        return None
    return float(np.mean(evidence.agrees(mask)))


def check_trace(trace: Trace, image: Image) -> None:
    """Raises InputError when the trace is none of sculpting this picture."""
    if trace.task != "sculpt" or trace.image_sha256 != image.sha256:
        raise InputError("the trace is of another picture or task.", "Resume with the picture it was made from.")
    if not any(step.mask is not None for step in trace.rounds):
        raise InputError("the trace holds no mask to go on from.", "Begin anew.")


def restore(tools: Tools, trace: Trace) -> tuple[State, int, str | None]:
    """The state after the last finished round of a trace, how many rounds were done, and why there is nothing left to
    do (None: there is, as where only the budget was spent)."""
    rounds = [r for r in trace.rounds if r.detail.get("phase") in ("start", "round") and r.mask is not None]
    rounds = [r for r in rounds if "error" not in r.detail]
    state = State([r.mask.array for r in rounds if r.mask is not None])
    try:
        for step in rounds:
            _remember(state, step)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the trace is damaged ({error!r}).", "Begin anew.") from error
    stop = rounds[-1].detail.get("stop") if len(rounds) > 1 else None
    return state, len(rounds) - 1, None if stop == SPENT else stop


def _remember(state: State, step: Round) -> None:
    detail = step.detail
    state.judged += [Judged.from_json(j) for j in detail.get("candidates", ())]
    state.controls += [Judged.from_json(j) for j in detail.get("controls", ())]
    state.doubts = [(x, y) for x, y in detail.get("doubts", ())]
    shape = detail.get("logits_shape")
    if shape:
        state.logits_shape = (int(shape[0]), int(shape[1]))
    diagnosis = detail.get("diagnosis")
    if diagnosis is not None:
        silent = "abstained" in diagnosis
        state.diagnosis = None if silent else Diagnosis.from_json(diagnosis)
        empty = state.diagnosis is not None and state.diagnosis.is_empty
        state.empty_diagnoses = state.empty_diagnoses + 1 if empty else 0
    if "asked" in detail:
        asked = detail["asked"]
        named = {a["number"] for a in asked} if isinstance(asked, list) else {asked.get("edited")}
        state.asked_anchors += [(a["x"], a["y"]) for a in detail["anchors"] if a["number"] in named]
        if isinstance(asked, list):
            state.empty_diagnoses = 0 if named else state.empty_diagnoses + 1

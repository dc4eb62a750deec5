"""The loop: propose, rank, decide; when not sure, look closer, say it in other words, or ask.

round 1: rank the proposals -> sure? done (but `loop` looks closer once all the same: that draws finer)
round n: closer looks and paraphrases (loop), or what the judge says (loop+vlm, loop+text) -> rank again -> sure?
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from maskwright.config.find import FindSettings
from maskwright.finding.counting import Meter
from maskwright.finding.deciding import Decision, decide, instances
from maskwright.finding.engines import Answer, Judge, View
from maskwright.finding.fitting import Fit, mixed
from maskwright.finding.result import Candidate, FindRound
from maskwright.finding.session import FindSession, Pool
from maskwright.finding.wording import checked_phrase, paraphrases
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cancel import Cancel
from maskwright.values import Abstain, Box, Mask


@dataclass(frozen=True)
class FindTask:
    """What is asked of a session: the phrase, whom to consult, and what may stop it. `name` names the sample to the
    judge; without a `judge` the engines' own is asked. The budget is looked at here; whoever asks a question counts
    it."""

    phrase: str
    name: str = ""
    judge: Judge | None = None
    cancel: Cancel | None = None
    budget: Budget | None = None

    def check(self) -> None:
        """Raises Cancelled or BudgetSpent."""
        if self.cancel is not None:
            self.cancel.check()
        if self.budget is not None:
            self.budget.check()


@dataclass
class _Turn:
    """What the loop knows so far; changed only between rounds."""

    phrases: list[tuple[str, float]]
    places: tuple[Box, ...] = ()
    first: _Standing | None = None
    """What the first look thought, when something there may well be what is meant."""
    missed: bool = False
    """Whether the first look saw nothing: only an answer that is sure may say otherwise."""
    nones: int = 0
    picks: tuple[int, ...] = ()
    confidence: float = 1.0
    turns: int = 0
    verdict: str | None = None
    note: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Standing:
    """The candidates and how they rank now."""

    pool: Pool
    fit: Fit
    decision: Decision
    others: tuple[tuple[Fit, Decision], ...] = ()
    """Of the other phrases of a list, as the first look saw them."""


def find_rounds(session: FindSession, task: FindTask, settings: FindSettings) -> Iterator[FindRound]:
    """Yields rounds; the last one has `stop` and holds the answer. Raises BadPhrase, Cancelled, BudgetSpent."""
    phrase = checked_phrase(task.phrase)
    turn, meter, before = _Turn([(phrase, 1.0)]), Meter(), None
    for index in range(1, settings.max_iter + 1):
        task.check()
        standing, phrases = _rank(session, turn, meter, settings), tuple(turn.phrases)
        stop = _stop(standing, turn, settings, is_last=index == settings.max_iter)
        if stop is None and settings.mode in ("loop+vlm", "loop+text"):
            _consult(session, task, turn, standing, meter=meter, settings=settings)
            stop = turn.verdict or ("max-iter" if index == settings.max_iter else None)
        shown = _round(session, standing, turn, settings, index=index, stop=stop, meter=meter, task=task)
        shown = _with_change(replace(shown, detail={**shown.detail, "phrases": _shares(phrases)}), before)
        yield shown
        if stop is not None:
            return
        before, turn.note = shown.mask, {}
        if settings.mode == "loop":
            _look_again(session, turn, standing, settings)


def _rank(session: FindSession, turn: _Turn, meter: Meter, settings: FindSettings) -> _Standing:
    asked = turn.phrases[0][0]
    pool = session.pool(turn.places, asked, meter)
    fit = mixed([(session.fit(pool, phrase, meter), weight) for phrase, weight in turn.phrases])
    if turn.first is not None:
        first, alike = turn.first.fit, pool.overlaps[:, : len(turn.first.pool)] >= settings.distinct_iou
        fit = replace(fit, chances=_redrawn(fit.chances, first.chances, alike), own=_redrawn(fit.own, first.own, alike))
        others = turn.first.others
    else:
        more = [session.fit(pool, phrase, meter) for phrase in fit.also]
        others = tuple((other, decide(other.chances, pool, settings)) for other in more)
    return _Standing(pool, fit, decide(fit.chances, pool, settings), others)


def _redrawn(chances: NDArray[np.float32], first: NDArray[np.float32], alike: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The chances after a closer look, which shows things in finer outline but brings many parts and look-alikes: what
    is where stays as the first look saw it, and among the regions of one thing (`alike` (K, F) to a candidate of the
    first look) the closer look's best one wins."""
    seen = np.where(alike, first, np.float32(0))
    thing, earlier = seen.argmax(axis=1), seen.max(axis=1)
    best = np.full(len(first), 1e-9, dtype=np.float32)
    np.maximum.at(best, thing, np.where(earlier > 0, chances, 0))
    return np.asarray(earlier * chances / best[thing], dtype=np.float32)


def _stop(standing: _Standing, turn: _Turn, settings: FindSettings, *, is_last: bool) -> str | None:
    """Why the loop ends with this ranking, or None when it goes on."""
    looked = settings.mode != "loop" or turn.turns > 0 or is_last
    if standing.decision.is_sure and looked and not turn.nones:
        return "sure"
    if settings.mode == "one-shot":
        return "one shot"
    if is_last and settings.mode == "loop":
        return "max-iter"
    return None


# -- the loop by itself


def _look_again(session: FindSession, turn: _Turn, standing: _Standing, settings: FindSettings) -> None:
    """Sets closer looks, and the phrase in other words, for the next round."""
    turn.turns += 1
    if turn.first is None and not turn.missed:
        if standing.decision.order and standing.decision.conf >= settings.tau_none:
            turn.first = standing
        else:
            turn.missed = True
    asked = turn.phrases[0][0]
    others = paraphrases(asked)
    if others and len(turn.phrases) == 1:
        rest = (1 - settings.original_share) / len(others)
        turn.phrases = [(asked, settings.original_share), *((p, rest) for p in others)]
    places = _promising(session, standing, settings)
    new = [box for box in places if all(box.iou(seen) < 0.8 for seen in turn.places)]
    turn.places = (*turn.places, *new[: settings.finer_regions])
    turn.note = {"closer": [list(box) for box in turn.places]}


def _promising(session: FindSession, standing: _Standing, settings: FindSettings) -> list[Box]:
    """Where to look closer: around the best candidates; in the quarters where nothing fits."""
    width, height = session.shown.size
    if standing.decision.conf < settings.tau_none or not standing.decision.order:
        return quarters(width, height)
    boxes = [Mask(standing.pool.masks[i]).box for i in standing.decision.order]
    grown = [box.grow(0.8).clip(width, height) for box in boxes if box is not None]
    return [box for box in grown if box.area < 0.7 * width * height]


def quarters(width: int, height: int) -> list[Box]:
    """Four overlapping quarters of the picture."""
    w, h = width * 0.6, height * 0.6
    return [Box(x, y, x + w, y + h) for y in (0.0, height - h) for x in (0.0, width - w)]


# -- the loop with a judge


def _consult(
    session: FindSession, task: FindTask, turn: _Turn, standing: _Standing, *, meter: Meter, settings: FindSettings
) -> None:
    """Asks the judge and takes what it says into the turn; `turn.verdict` is set when that ends the loop.

    A candidate counts as picked when it has `agreement` votes. The first look's best has one, where it would be the
    answer; each question gives one, the numbers in another order each time, since models lean to some places in a list.
    Where several are asked for, one question is enough: whole sets seldom come out alike.
    """
    judge = task.judge or session.engines.judge
    assert judge is not None, "assemble gives a judge to the modes that need one"
    turn.verdict, turn.picks = None, ()
    order, many = list(standing.decision.order), settings.all or standing.fit.many
    votes = Counter(order[:1] if standing.decision.conf >= settings.tau_none else [])
    said: list[dict[str, Any]] = []
    for ask in range(settings.agreement + 1):
        task.check()
        shown = order[::-1] if ask % 2 else order
        view = View(
            session.shown,
            turn.phrases[0][0],
            standing.pool.masks[shown],
            standing.fit.chances[shown],
            task.name,
            turn.turns,
            many,
        )
        with meter.stage("judge"):
            answers = _asked(judge, view, turn)
        said += [{"shown": shown, **_told(one)} for one in answers]
        for one in answers:
            if isinstance(one, Answer):
                meter.add(one.cost)
        answer = answers[-1]
        if not _is_pick(answer):
            break
        picks = tuple(shown[n - 1] for n in answer.picks)
        votes.update(picks)
        if many or votes[picks[0]] >= settings.agreement:
            break
    else:  # no two agreed: the best-ranked of those with most votes
        picks = (max(order, key=lambda i: votes[i]),)
    turn.note = {"judge": judge.name, "exchange": said}
    if _is_pick(answer):
        turn.picks, turn.confidence, turn.verdict = picks, answer.confidence, "picked"
    else:
        _take(answer, turn, settings)


def _asked(judge: Judge, view: View, turn: _Turn) -> list[Answer | Abstain]:
    """What the judge says of a view; "none" is asked about once more."""
    said = [judge.choose(view)]
    if isinstance(said[0], Answer) and said[0].action == "none":
        said.append(judge.confirm(replace(view, turn=turn.turns + 1)))
    turn.turns += len(said)
    return said


def _is_pick(answer: Answer | Abstain) -> TypeGuard[Answer]:
    return isinstance(answer, Answer) and answer.action == "pick" and bool(answer.picks)


def _take(answer: Answer | Abstain, turn: _Turn, settings: FindSettings) -> None:
    if isinstance(answer, Abstain):
        turn.verdict = f"judge abstained: {answer.reason}"
    elif answer.action == "none":
        turn.nones = 2
        turn.verdict = "none such, confirmed twice"
    elif answer.action == "rewrite" and answer.phrase:
        asked = turn.phrases[0][0]
        turn.phrases = [(asked, settings.original_share), (answer.phrase, 1 - settings.original_share)]
    elif answer.action == "finer" and answer.region is not None:
        turn.places = (*turn.places, answer.region)


def _told(said: Answer | Abstain) -> dict[str, Any]:
    if isinstance(said, Abstain):
        return {"abstain": said.reason, "detail": dict(said.detail)}
    region = None if said.region is None else list(said.region)
    return {
        "action": said.action,
        "picks": list(said.picks),
        "phrase": said.phrase,
        "region": region,
        "confidence": said.confidence,
        **said.exchange,
    }


# -- what a round shows


def _round(
    session: FindSession,
    standing: _Standing,
    turn: _Turn,
    settings: FindSettings,
    *,
    index: int,
    stop: str | None,
    meter: Meter,
    task: FindTask,
) -> FindRound:
    chosen, scores = _chosen(standing, turn, settings, is_last=stop is not None)
    if stop is not None and not chosen and not turn.nones:
        stop = "there are not so many" if "only" in standing.fit.parsed else "nothing fits"
        stop = stop if len(standing.pool) else "nothing was proposed"
    found = [standing.pool.masks[i] for i in chosen]
    if stop is not None and settings.redraw:
        with meter.stage("redraw"):
            found = [session.redrawn(mask) for mask in found]
    masks = tuple(session.full_size(mask) for mask in found)
    if stop is not None and masks and settings.sculpt and session.engines.sculpt is not None:
        with meter.stage("sculpt"):
            done = [session.engines.sculpt(session.image, mask, turn.phrases[0][0], task.cancel) for mask in masks]
        masks = tuple(mask for mask, _ in done)
        for _, cost in done:
            meter.add(replace(cost, seconds={}))  # which the stage counts
    return FindRound(
        index=index,
        mask=_union(masks),
        score=float(scores[0]) if scores else standing.decision.conf,
        detail=_detail(session, standing, turn, chosen),
        cost=meter.take(),
        stop=stop,
        masks=masks,
        scores=scores,
        candidates=_candidates(session, standing) if stop is not None else (),
    )


def _chosen(
    standing: _Standing, turn: _Turn, settings: FindSettings, *, is_last: bool
) -> tuple[list[int], tuple[float, ...]]:
    """Indices of the answer and their scores; [] is the abstention."""
    pool, chances, decision = standing.pool, standing.fit.chances, standing.decision
    doubtful = decision.conf < settings.tau_none or (turn.missed and not decision.is_sure)
    if turn.nones >= 2 or not decision.order:
        found: dict[int, float] = {}
    elif turn.picks:
        found = {i: max(float(chances[i]), turn.confidence) for i in turn.picks}
    else:
        found = {} if is_last and doubtful else _named(standing.fit, decision, pool, settings)
    for fit, decision in standing.others:
        is_there = decision.order and decision.conf >= settings.tau_none
        more = _named(fit, decision, pool, settings) if is_there else {}
        same = {i for i in more if found and pool.overlaps[i, list(found)].max() >= settings.distinct_iou}
        found |= {i: score for i, score in more.items() if i not in same}
    return list(found), tuple(found.values())


def _named(fit: Fit, decision: Decision, pool: Pool, settings: FindSettings) -> dict[int, float]:
    """The best candidate, or as many as the phrase or the settings ask for, with their scores."""
    if not (settings.all or fit.many):
        return {decision.order[0]: float(fit.chances[decision.order[0]])}
    found = instances(fit.own, pool, settings, None if settings.all else fit.count)
    return {i: float(max(fit.own[i], fit.chances[i])) for i in found}


def _detail(session: FindSession, standing: _Standing, turn: _Turn, chosen: list[int]) -> dict[str, Any]:
    decision, fit, pool = standing.decision, standing.fit, standing.pool
    return {
        "conf": round(decision.conf, 6),
        "gap": round(decision.gap, 6),
        "parsed": dict(fit.parsed),
        "known": fit.known,
        "proposals": len(pool),
        "looks": list(pool.keys),
        "chosen": chosen,
        "candidates": [_described(session, pool, fit.chances, i) for i in decision.order],
        **turn.note,
    }


def _shares(phrases: tuple[tuple[str, float], ...]) -> list[dict[str, Any]]:
    """What the round ranked by: the phrase and how much it counted."""
    return [{"phrase": phrase, "share": round(share, 4)} for phrase, share in phrases]


def _described(session: FindSession, pool: Pool, chances: NDArray[np.float32], i: int) -> dict[str, Any]:
    box = Mask(pool.masks[i]).box
    scale = session.image.width / session.shown.width
    return {
        "id": i,
        "score": round(float(chances[i]), 6),
        "quality": round(float(pool.quality[i]), 6),
        "source": pool.sources[i],
        "box": None if box is None else [round(v * scale, 1) for v in box],
    }


def _candidates(session: FindSession, standing: _Standing) -> tuple[Candidate, ...]:
    pool, chances = standing.pool, standing.fit.chances
    return tuple(
        Candidate(session.full_size(pool.masks[i]), float(chances[i]), pool.sources[i]) for i in standing.decision.order
    )


def _union(masks: tuple[Mask, ...]) -> Mask | None:
    if len(masks) < 2:
        return masks[0] if masks else None
    return Mask(np.any([mask.array for mask in masks], axis=0))


def _with_change(shown: FindRound, before: Mask | None) -> FindRound:
    """The round with how much of the mask changed since the last one (1 - IoU)."""
    if before is None or shown.mask is None:
        return shown
    return replace(shown, change=1.0 - shown.mask.iou(before))

"""The one place where a question leaves the product: cache, budget, rate, retry, re-ask, fallback.

Question -> cached answer?  -> engine 1 (retry, one re-ask) -> engine 2 ... -> Answer | Abstain
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from maskwright.asking.rate import Breaker, RateLimit
from maskwright.asking.replies import clean_text, read_reply
from maskwright.errors import BadReply, BadSettings, BudgetSpent, EngineRefused, ModelError
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cache import DiskCache
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.log import get_log
from maskwright.plumbing.retry import retry
from maskwright.ports import Question, Reply, Vlm
from maskwright.values import Abstain, Cost

_log = get_log("asking")

MOST_RETRYING_S = 60.0
REASK = (
    "Your last answer could not be used: {reason} Answer again with one JSON object of the form asked for, "
    "and nothing else."
)


@dataclass(frozen=True)
class Answer:
    """A schema-checked answer: `value` (text when no schema was given), who gave it, and how it was come by."""

    value: Any
    engine: str
    cached: bool = False
    dropped: int = 0
    probabilities: Mapping[str, float] | None = None
    booleans: tuple[float, ...] = ()
    """P(yes) of each true/false of the answer in order, where the engine gives token probabilities."""
    steps: tuple[str, ...] = ()
    """What happened on the way: engines that failed, re-asks."""


class Asker:
    """Asks a chain of engines. Thread-safe; `spent` sums what its questions cost (cached ones cost nothing)."""

    def __init__(
        self,
        engines: Sequence[Vlm],
        *,
        cache: DiskCache | None = None,
        budget: Budget | None = None,
        rate: RateLimit | None = None,
        cancel: Cancel | None = None,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self.engines = tuple(engines)
        self.cache, self.budget, self.cancel = cache, budget, cancel
        self.rate = rate or RateLimit(None)
        self._breakers = [breaker() for _ in self.engines]
        self._spent, self._lock = Cost(), threading.Lock()

    @property
    def spent(self) -> Cost:
        return self._spent

    @property
    def concurrency(self) -> int:
        """How many questions the first engine takes at once."""
        return max(1, self.engines[0].concurrency) if self.engines else 1

    def ask(self, question: Question) -> Answer | Abstain:
        """The answer of the first engine that gives one; Abstain when a reply stays unusable or every engine is down.

        Raises BudgetSpent and Cancelled only.
        """
        steps: list[str] = []
        for engine, breaker in zip(self.engines, self._breakers):
            if breaker.is_open:
                steps.append(f"{engine.name}: left alone after failures")
                continue
            try:
                answer = self._ask_engine(engine, question, steps)
            except ModelError as error:
                _count(breaker, error)
                steps.append(f"{engine.name}: {clean_text(error.message)}")
                _log.warning("engine failed", engine=engine.name, error=error.message)
                continue
            breaker.succeeded()
            return answer
        return Abstain("no engine answered", detail={"steps": steps})

    def ask_many(self, questions: Sequence[Question]) -> list[Answer | Abstain]:
        """Answers in the questions' order, asked at once within the engine's bounds; a spent budget abstains.

        An engine that answers in batches (`reply_many`) is given them whole. Raises Cancelled.
        """
        if len(questions) > 1 and hasattr(self.engines[0], "reply_many") and not self._breakers[0].is_open:
            return self._ask_batch(questions)
        if len(questions) < 2 or self.concurrency == 1:
            return [self._ask_within_budget(q) for q in questions]
        pool = ThreadPoolExecutor(min(len(questions), self.concurrency), "ask")
        try:
            return list(pool.map(self._ask_within_budget, questions))
        finally:  # who is interrupted does not wait for answers under way
            pool.shutdown(wait=False, cancel_futures=True)

    def _ask_batch(self, questions: Sequence[Question]) -> list[Answer | Abstain]:
        """The unknown questions in one batch; those whose replies are unusable are asked again one by one."""
        engine: Any = self.engines[0]
        keys = [_cache_key(engine, question) for question in questions]
        found: dict[int, Reply] = {n: r for n, r in enumerate(map(self._recall, keys)) if r is not None}
        fresh = [n for n in range(len(questions)) if n not in found]
        if fresh:
            try:
                if self.budget is not None and not self.budget.has_room(len(fresh)):
                    raise BudgetSpent("the budget has no room for so many calls.", "They are made one by one.")
                with self._counted() as costs:
                    began = time.perf_counter()
                    replies = engine.reply_many([questions[n] for n in fresh])
                    costs += [_cost(reply, (time.perf_counter() - began) / len(fresh)) for reply in replies]
            except (ModelError, BudgetSpent):
                return [self._ask_within_budget(question) for question in questions]
            found |= dict(zip(fresh, replies))
        return [self._take(engine, q, keys[n], found[n], cached=n not in fresh) for n, q in enumerate(questions)]

    def _take(self, engine: Vlm, question: Question, key: str, reply: Reply, *, cached: bool) -> Answer | Abstain:
        try:
            answer = self._read(engine, question, reply, [], cached=cached)
        except BadReply:
            return self._ask_within_budget(question)
        if not cached:
            self._remember(key, reply)
        return answer

    def _ask_within_budget(self, question: Question) -> Answer | Abstain:
        try:
            return self.ask(question)
        except BudgetSpent as error:
            return Abstain("budget spent", detail={"steps": [error.message]})

    def _ask_engine(self, engine: Vlm, question: Question, steps: list[str]) -> Answer | Abstain:
        key = _cache_key(engine, question)
        known = self._recall(key)
        if known is not None:
            with suppress(BadReply):
                return self._read(engine, question, known, steps, cached=True)
        asked = question
        for turn in range(2):
            try:
                reply = self._call(engine, asked)
                answer = self._read(engine, question, reply, steps)
            except BadReply as error:
                steps.append(f"{engine.name}: {error.message}")
                asked = replace(question, text=f"{question.text}\n\n{REASK.format(reason=error.message)}")
                if turn == 1:
                    return Abstain("unusable reply", engine.name, {"steps": list(steps)})
            else:
                self._remember(key, reply)
                return answer
        raise AssertionError("unreachable")

    def _call(self, engine: Vlm, question: Question) -> Reply:
        """One reply through the retry layer; every try is counted against rate, budget and cost."""

        def once() -> Reply:
            with self._counted() as costs:
                self.rate.wait(self.cancel)
                began = time.perf_counter()
                reply: Reply | None = None
                try:
                    reply = engine.reply(question)
                except BadReply as error:
                    reply = getattr(error, "paid", None)
                    raise
                finally:
                    costs.append(_cost(reply, time.perf_counter() - began))
                return reply

        left = None if self.budget is None else self.budget.left()["seconds"]
        return retry(once, total_s=MOST_RETRYING_S if left is None else min(left, MOST_RETRYING_S), cancel=self.cancel)

    @contextmanager
    def _counted(self) -> Iterator[list[Cost]]:
        """Room in the budget for a call that is made within; the costs put into the list are spent."""
        if self.cancel is not None:
            self.cancel.check()
        if self.budget is not None:
            self.budget.begin()
        costs: list[Cost] = []
        try:
            yield costs
        finally:
            cost = sum(costs, Cost())
            with self._lock:
                self._spent = self._spent + cost
            if self.budget is not None:
                self.budget.end(cost)

    def _read(self, engine: Vlm, question: Question, reply: Reply, steps: list[str], *, cached: bool = False) -> Answer:
        value: Any = clean_text(reply.text, 4096)
        dropped = 0
        if question.schema is not None:
            parsed = read_reply(reply.text, question.schema)
            value, dropped = parsed.value, parsed.dropped
        booleans = tuple(float(p) for p in reply.detail.get("booleans", ()))
        return Answer(value, engine.name, cached, dropped, reply.probabilities, booleans, tuple(steps))

    def _recall(self, key: str) -> Reply | None:
        stored = self.cache.get(key) if self.cache is not None else None
        if stored is None:
            return None
        try:
            data = json.loads(stored)
            return Reply(data["text"], data["probabilities"], detail={"booleans": data["booleans"]})
        except (ValueError, KeyError, TypeError):  # written by another version: ask again
            return None

    def _remember(self, key: str, reply: Reply) -> None:
        if self.cache is None:
            return
        kept = {
            "text": reply.text,
            "probabilities": None if reply.probabilities is None else dict(reply.probabilities),
            "booleans": list(reply.detail.get("booleans", ())),
        }
        self.cache.put(key, json.dumps(kept).encode())


def check_priced(engines: Sequence[Vlm]) -> None:
    """For who limits money: raises BadSettings where an engine's price is not known, since none would be counted."""
    for engine in engines:
        if not getattr(engine, "priced", True):
            raise BadSettings(
                f"what {engine.name} costs is not known, so money cannot be limited.",
                "Set its price_in and price_out (dollars for a million tokens; 0 where it is free).",
            )


def _cost(reply: Reply | None, seconds: float) -> Cost:
    """What one call cost; None: it failed."""
    cost = Cost(calls={"vlm": 1}, seconds={"vlm": seconds})
    if reply is not None:
        cost += Cost(tokens_in=reply.tokens_in, tokens_out=reply.tokens_out, usd=reply.usd)
    return cost


def _cache_key(engine: Vlm, question: Question) -> str:
    """sha256 over everything that shapes an answer: engine, text, pictures, schema and sampling."""
    parts = [
        engine.name,
        question.system,
        question.text,
        [image.sha256 for image in question.images],
        question.schema,
        question.max_tokens,
        question.temperature,
        question.seed,
        question.choices,
    ]
    return "vlm:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _count(breaker: Breaker, error: ModelError) -> None:
    """A refused key opens the breaker for good, a refused question says nothing about the engine."""
    if not getattr(error, "of_the_question", False):
        breaker.failed(for_good=isinstance(error, EngineRefused))

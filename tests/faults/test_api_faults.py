"""What an endpoint can do wrong, and what comes of it: a table against a server on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from loopback import Scripted, completion, serve
from maskwright.asking import Answer, Asker
from maskwright.models.vlms.endpoint import EndpointVlm
from maskwright.plumbing import retry as retrying
from maskwright.ports import Question
from maskwright.values import Abstain

KEY = "sk-planted-0123456789abcdef"
SCHEMA = {
    "type": "object",
    "properties": {"better": {"type": "string", "enum": ["A", "B", "same"]}},
    "required": ["better"],
    "additionalProperties": False,
}
GOOD = Scripted(body=completion('{"better": "A"}'))
ENOUGH = 9 * 2**20


@dataclass(frozen=True)
class Row:
    """What the server answers in turn, how many requests it should see, and the outcome: "A", or words of the steps."""

    name: str
    answers: tuple[Scripted, ...]
    requests: int
    outcome: str
    refused: bool = False

    @property
    def slow(self) -> bool:
        return self.answers[0].hang or self.answers[0].drip


def error(status: int, message: str, **headers: str) -> Scripted:
    shown = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted(status, {"error": {"message": message, "code": "x"}}, shown)


ROWS = (
    Row("good", (GOOD,), 1, "A"),
    Row("wrong key", (error(401, f"Incorrect API key provided: {KEY}"),), 1, "answers 401", refused=True),
    Row("not allowed", (error(403, "no access to this model"),), 1, "answers 403", refused=True),
    Row("no money", (error(402, "Payment required"),), 1, "answers 402", refused=True),
    Row("quota", (error(429, "You exceeded your current quota"),), 1, "quota", refused=True),
    Row("arrears", (Scripted(400, {"code": "Arrearage", "message": "overdue"}),), 1, "Arrearage", refused=True),
    Row("too many, then good", (error(429, "slow down", Retry_After="0"), GOOD), 2, "A"),
    Row("server error, then good", (error(500, "oops"), GOOD), 2, "A"),
    Row("overloaded for ever", (error(503, "busy", Retry_After="1"),), 3, "answers 503"),
    Row("no such model", (error(404, "model not found"),), 1, "answers 404", refused=True),
    Row("no schema here", (error(400, "response_format is not supported"), GOOD), 2, "A"),
    Row("no logprobs here", (error(400, "logprobs are not available"), GOOD), 2, "A"),
    Row("other name for max_tokens", (error(400, "use max_completion_tokens instead"), GOOD), 2, "A"),
    Row("picture refused", (error(413, "image too large"),), 1, "answers 413"),
    Row("closes at once", (Scripted(close=True), GOOD), 2, "A"),
    Row("breaks off", (Scripted(body=b'{"choices"', announce=400), GOOD), 2, "A"),
    Row("a web page", (Scripted(body=b"<html>log in</html>"),), 1, "web page", refused=True),
    Row("a redirect", (Scripted(302, b"", {"Location": "http://127.0.0.1:9/steal"}),), 1, "302", refused=True),
    Row("not JSON", (Scripted(body=b"hello"), GOOD), 2, "A"),
    Row("no choices", (Scripted(body={"choices": []}), GOOD), 2, "A"),
    Row("filtered twice", (Scripted(body=completion(None)),), 2, "without text"),
    Row("never answers", (Scripted(hang=True),), 3, "cannot be reached"),
    Row("drips for ever", (Scripted(drip=True, announce=10**6),), 3, "did not finish"),
    Row("a flood", (Scripted(body=b"x" * ENOUGH),), 3, "more than 8 MiB"),
    Row("prose twice", (Scripted(body=completion("I think it is A.")),), 2, "no JSON object"),
    Row("usage of nonsense", (Scripted(body={**completion('{"better":"A"}'), "usage": {"a": "x"}}),), 1, "A"),
)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "waiting", False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def ask(url: str, timeout_s: float = 10.0) -> tuple[Answer | Abstain, Asker]:
    asker = Asker([EndpointVlm("openai", model="m", base_url=url, timeout_s=timeout_s)])
    return asker.ask(Question("which is better?", schema=SCHEMA)), asker


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_fault_is_an_answer_or_an_abstention(row: Row) -> None:
    with serve(list(row.answers)) as endpoint:
        answer, asker = ask(endpoint.url, 0.25 if row.slow else 10.0)
        again = asker.ask(Question("and now?", schema=SCHEMA)) if row.refused else None
        seen = len(endpoint.requests)
    assert seen == row.requests
    if isinstance(answer, Answer):
        assert answer.value == {"better": row.outcome}
    else:
        steps = " ".join(answer.detail["steps"])
        assert row.outcome in steps
        assert KEY not in steps
    if again is not None:
        assert isinstance(again, Abstain)
        assert "left alone" in " ".join(again.detail["steps"])


def test_the_table_is_long_enough() -> None:
    assert len(ROWS) >= 20


def test_nobody_listens() -> None:
    answer, _ = ask("http://127.0.0.1:9/v1")
    assert isinstance(answer, Abstain)
    assert "cannot be reached" in " ".join(answer.detail["steps"])


def test_retry_after_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(retrying, "_sleep", lambda seconds, _cancel: pauses.append(seconds))
    with serve([error(429, "slow down", Retry_After="7"), GOOD]) as endpoint:
        answer, _ = ask(endpoint.url)
    assert isinstance(answer, Answer)
    assert pauses == [7.0]


def test_one_refused_picture_does_not_silence_the_engine() -> None:
    with serve([error(413, "image too large"), GOOD]) as endpoint:
        first, asker = ask(endpoint.url)
        second = asker.ask(Question("a smaller one", schema=SCHEMA))
    assert isinstance(first, Abstain)
    assert isinstance(second, Answer)


def test_what_a_server_refuses_is_not_sent_again() -> None:
    with serve([error(400, "response_format is not supported"), GOOD]) as endpoint:
        vlm = EndpointVlm("openai", model="m", base_url=endpoint.url)
        for _ in range(2):
            vlm.reply(Question("?", schema=SCHEMA))
        forms = [request.get("response_format", {}).get("type") for request in endpoint.requests]
    assert forms == ["json_schema", "json_object", "json_object"]
    assert "JSON schema" in json.dumps(endpoint.requests[-1]["messages"])


def test_the_next_engine_answers_and_the_record_says_so() -> None:
    with serve([error(503, "busy")]) as down, serve([GOOD]) as up:
        engines = [EndpointVlm("openai", model=m, base_url=e.url) for m, e in (("one", down), ("two", up))]
        asker = Asker(engines)
        answers = [asker.ask(Question(f"question {n}", schema=SCHEMA)) for n in range(5)]
        asked_down = len(down.requests)
    assert all(isinstance(a, Answer) and a.engine.startswith("openai:two") for a in answers)
    assert "answers 503" in answers[0].steps[0]
    assert "left alone" in answers[-1].steps[0]
    assert asked_down == 9, "three questions of three tries, then the breaker"

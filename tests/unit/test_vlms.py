"""Engines behind the Vlm port: what is sent, what is read, what stays secret."""

from __future__ import annotations

import base64
import json
import logging
import math
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loopback import Scripted, completion, serve
from maskwright import sculpt
from maskwright.asking import Asker, read_reply
from maskwright.asking.rate import Breaker
from maskwright.assemble import load
from maskwright.errors import (
    BadReply,
    BadSettings,
    BudgetSpent,
    EngineDown,
    EngineRefused,
    MaskwrightError,
    MissingKey,
    StorageError,
)
from maskwright.models.vlms import logprobs
from maskwright.models.vlms.dashscope import DashScopeVlm
from maskwright.models.vlms.endpoint import EndpointVlm
from maskwright.models.vlms.fake import FakeVlm
from maskwright.models.vlms.faults import retry_after
from maskwright.models.vlms.keys import Key
from maskwright.models.vlms.presets import PRESETS, coordinates_of
from maskwright.models.vlms.prices import price_of
from maskwright.models.vlms.replay import RecordingVlm, ReplayVlm
from maskwright.plumbing import retry as retrying
from maskwright.plumbing.budget import Budget
from maskwright.plumbing.cache import DiskCache
from maskwright.ports import Question, Vlm
from maskwright.sculpting.judges.schemas import PATCH, cells_schema
from maskwright.values import Image, Mask

KEY = "planted-9f8e7d6c5b4a-secret"
PICTURE = Image(np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 300, 3)))
QUESTION = Question("is it?", (PICTURE,), PATCH, system="be brief", choices=("yes", "no"))


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "waiting", False)
    for preset in PRESETS.values():
        if preset.key:
            monkeypatch.setenv(preset.key, KEY)


def token(text: str, **odds: float) -> dict[str, Any]:
    tops = [{"token": word, "logprob": math.log(p)} for word, p in odds.items()]
    return {"token": text, "logprob": tops[0]["logprob"] if tops else -0.1, "top_logprobs": tops}


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([token(' "'), token("true", true=0.6, false=0.2)], (0.75,)),
        ([token(" false", true=0.1, false=0.9), token("yes", yes=0.5, Yes=0.3, no=0.2)], (0.1, 0.8)),
        ([token("true", maybe=0.9)], ()),
        ([{"token": "true", "logprob": 0.0}], (1.0,)),
        ([{"token": 3}, "x", None, {"token": "true", "logprob": "x"}], ()),
        ([{"token": "true", "logprob": float("nan"), "top_logprobs": [{"token": "true", "logprob": 5}]}], ()),
    ],
    ids=["one", "two", "no odds", "no alternatives", "nonsense", "not a number"],
)
def test_token_probabilities_become_yes_shares(tokens: list[Any], expected: tuple[float, ...]) -> None:
    assert logprobs.booleans(tokens) == pytest.approx(expected)


def test_choices_share_the_first_word() -> None:
    tokens = [token("\n"), token("Yes", Yes=0.6, no=0.2, other=0.2)]
    assert logprobs.choices(tokens, ("yes", "no")) == pytest.approx({"yes": 0.75, "no": 0.25})
    assert logprobs.choices([token("x", x=1.0)], ("yes", "no")) is None


def test_what_an_endpoint_is_sent_and_what_is_read() -> None:
    body = completion('{"is_target": true, "conf": 0.9}', logprobs={"content": [token("true", true=0.8, false=0.2)]})
    with serve([Scripted(body=body)]) as endpoint:
        vlm = EndpointVlm("openai", model="gpt-4o", base_url=endpoint.url, max_side=100)
        reply = vlm.reply(QUESTION)
    [sent], [headers] = endpoint.requests, endpoint.headers
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert [m["role"] for m in sent["messages"]] == ["system", "user"]
    url = sent["messages"][1]["content"][0]["image_url"]["url"]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (67, 100, 3)
    schema = sent["response_format"]["json_schema"]["schema"]
    assert "minimum" not in schema["properties"]["conf"], "strict servers take no ranges"
    assert (sent["logprobs"], sent["top_logprobs"], sent["temperature"]) == (True, 20, 0.0)
    assert (reply.tokens_in, reply.tokens_out) == (100, 20)
    assert reply.usd == pytest.approx((100 * 2.5 + 20 * 10) / 1e6)
    assert reply.detail["booleans"] == pytest.approx((0.8,))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_answers(name: str) -> None:
    with serve([Scripted(body=completion('{"cells": []}'))]) as endpoint:
        vlm = load("vlm", name, model=PRESETS[name].model or "m", base_url=endpoint.url)
        assert isinstance(vlm, Vlm)
        assert vlm.reply(Question("?", schema=cells_schema(["1"]))).text == '{"cells": []}'
    [sent] = endpoint.requests
    assert "x-unique" not in json.dumps(sent)


def test_dashscope_by_its_own_api() -> None:
    said = {"output": {"choices": [{"message": {"content": [{"text": "{}"}]}}]},
            "usage": {"input_tokens": 1000, "output_tokens": 10}}  # fmt: skip
    with serve([Scripted(body=said)]) as endpoint:
        vlm = DashScopeVlm(base_url=endpoint.url, high_resolution=True)
        reply = vlm.reply(QUESTION)
    [sent] = endpoint.requests
    assert sent["parameters"]["vl_high_resolution_images"] is True
    assert [list(part) for part in sent["input"]["messages"][1]["content"]] == [["image"], ["text"]]
    assert (reply.text, reply.tokens_in) == ("{}", 1000)
    assert reply.usd == pytest.approx((1000 * 1.6 + 10 * 4) / 7.2e6)
    assert DashScopeVlm().max_side < vlm.max_side
    for broken in ({}, {"output": None}, {"output": {"choices": [{"message": {"content": 3}}]}}):
        with serve([Scripted(body=broken)]) as endpoint, pytest.raises(BadReply):
            DashScopeVlm(base_url=endpoint.url).reply(QUESTION)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"preset": "endpoint"}, BadSettings),
        ({"preset": "nobody"}, BadSettings),
        ({"preset": "openai", "base_url": "ftp://host/v1"}, BadSettings),
        ({"preset": "openai", "base_url": "https://user:pass@host/v1"}, BadSettings),
        ({"preset": "openai", "key": "NO_SUCH_VARIABLE"}, MissingKey),
    ],
    ids=str,
)
def test_bad_settings_are_named(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        EndpointVlm(**options)


@pytest.mark.parametrize(
    ("model", "way"),
    [("Qwen/Qwen2.5-VL-72B-Instruct", "pixels"), ("qwen3-vl-plus", "thousandths"), ("gpt-4o", "none")],
)
def test_coordinates_by_model(model: str, way: str) -> None:
    assert coordinates_of(model) == way


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5.0), ("0.5", 0.5), ("", None), ("soon", None), ("-3", None), ("nan", None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_prices() -> None:
    assert price_of("nobody-knows") is None
    own = price_of("nobody-knows", 1.0, 2.0)
    assert own is not None
    assert own.of(10**6, 10**6) == 3.0


def test_the_fake_fits_every_form_and_is_the_same_every_time() -> None:
    from maskwright.asking import read_reply

    for schema in (PATCH, cells_schema(["1a", "1b"])):
        texts = {FakeVlm(seed=1).reply(Question("?", (PICTURE,), schema)).text for _ in range(3)}
        assert len(texts) == 1
        assert read_reply(texts.pop(), schema).dropped == 0


def test_a_record_replays_without_the_engine(tmp_path: Path) -> None:
    record = tmp_path / "answers.jsonl"
    engine = RecordingVlm(FakeVlm(), record)
    said = engine.reply(QUESTION)
    replay = ReplayVlm(record)
    assert replay.reply(QUESTION).text == said.text
    assert replay.max_side == engine.max_side
    with pytest.raises(EngineRefused, match="no answer"):
        replay.reply(Question("something else?"))
    record.write_text('{"key": 1}\n')
    with pytest.raises(BadSettings, match="line 1"):
        ReplayVlm(record)
    with pytest.raises(BadSettings, match="cannot be read"):
        ReplayVlm(tmp_path / "none")


def test_a_whole_sculpting_replays(disc: tuple[Image, Mask], tmp_path: Path) -> None:
    record = tmp_path / "answers.jsonl"
    options: dict[str, Any] = {"box": disc[1].box, "target": "red disc", "segmenter": "fake", "rounds": 2}
    first = sculpt(disc[0], judge=RecordingVlm(FakeVlm(concurrency=1), record), **options)
    again = sculpt(disc[0], judge=ReplayVlm(record), **options)
    assert again.mask == first.mask
    assert not again.degraded


def test_a_planted_key_is_nowhere(disc: tuple[Image, Mask], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Logs, traces, caches, errors and tracebacks of a server that echoes the key back."""
    caplog.set_level(logging.DEBUG)
    texts = [repr(Key(KEY)), str(vars(EndpointVlm("openai")))]
    for status in (200, 400, 401, 500):
        body = completion(f'{{"is_target": true, "conf": 1, "note": "Bearer {KEY}"}}')
        if status != 200:
            body = {"error": {"message": f"bad key {KEY} in Authorization: Bearer {KEY}"}}
        with serve([Scripted(status, body)]) as endpoint:
            vlm = EndpointVlm("openai", base_url=endpoint.url)
            result = sculpt(disc[0], box=disc[1].box, target="disc", segmenter="fake", judge=vlm, rounds=1,
                            cache=str(tmp_path / "c.sqlite"))  # fmt: skip
            texts.append(json.dumps(result.trace.to_json()))
            try:
                vlm.reply(QUESTION)
            except MaskwrightError as error:
                texts += [str(error), "".join(traceback.format_exception(error)), repr(error.args)]
    files = [p.read_bytes() for p in tmp_path.iterdir()]
    hits = sum(KEY in t for t in [*texts, caplog.text]) + sum(KEY.encode() in f for f in files)
    print(f"\nplanted key: {hits} hits in {len(texts)} texts, the log and {len(files)} files")
    assert hits == 0


def test_an_endpoint_never_takes_more_at_once_than_it_says() -> None:
    under_way, most, lock = [0], [0], threading.Lock()

    def answer(_request: dict[str, Any], _count: int) -> Scripted:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.05)
        with lock:
            under_way[0] -= 1
        return Scripted(body=completion("yes"))

    with serve(answer) as endpoint:
        vlm = EndpointVlm(model="m", base_url=endpoint.url, concurrency=3)
        with ThreadPoolExecutor(12) as pool:
            replies = list(pool.map(lambda n: vlm.reply(Question(text=str(n))), range(24)))
    assert [r.text for r in replies] == ["yes"] * 24
    assert most[0] == 3


LATER = {"error": {"code": "rate_limit_exceeded", "message": "3 a minute; see https://host/account/billing"}}
QUOTA = {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota, see billing."}}


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [(LATER, {}, EngineDown), (QUOTA, {}, EngineRefused), (QUOTA, {"Retry-After": "7"}, EngineDown)],
    ids=["a minute's limit", "the account's", "a minute's quota"],
)
def test_who_is_asked_to_wait_is_not_refused(body: Any, headers: dict[str, str], error: type[Exception]) -> None:
    with serve([Scripted(429, body, headers)]) as server, pytest.raises(error):
        EndpointVlm(model="m", base_url=server.url, key="").reply(QUESTION)


def test_what_is_paid_for_counts_though_it_says_nothing() -> None:
    budget = Budget(tokens=100)
    with serve([Scripted(body=completion(None, finish_reason="length"))]) as server:
        asker = Asker([EndpointVlm(model="m", base_url=server.url, key="")], budget=budget)
        with pytest.raises(BudgetSpent):
            asker.ask(QUESTION)
        assert len(server.requests) == 1 and budget.spent.tokens_in == 100


def test_a_key_with_a_line_break_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_KEY", f"{KEY}\nfoo")
    with pytest.raises(BadSettings) as refused:
        EndpointVlm(model="m", base_url="http://127.0.0.1:9/v1", key="ODD_KEY")
    assert KEY not in str(refused.value)


def test_two_servers_of_one_machine_share_no_answers(tmp_path: Path) -> None:
    yes = completion(json.dumps({"is_target": True, "conf": 0.9}))
    cache = DiskCache(tmp_path / "c.sqlite")
    with serve([Scripted(body=yes)]) as one, serve([Scripted(body=yes)]) as two:
        for server in (one, two, one):
            Asker([EndpointVlm(model="m", base_url=server.url, key="")], cache=cache).ask(QUESTION)
        assert (len(one.requests), len(two.requests)) == (1, 1)


def test_a_damaged_cache_is_told(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "c.sqlite")
    cache.put("a", b"x" * 9000)
    cache.close()
    data = bytearray((tmp_path / "c.sqlite").read_bytes())
    data[4096:] = b"\x13" * len(data[4096:])
    (tmp_path / "c.sqlite").write_bytes(data)
    with pytest.raises(StorageError, match="cannot be used"):
        DiskCache(tmp_path / "c.sqlite").get("a")


def test_a_thought_whose_beginning_is_in_the_template_is_left_out() -> None:
    said = read_reply('maybe {"is_target": true, "conf": 1}</think>{"is_target": false, "conf": 0.5}', PATCH)
    assert said.value["is_target"] is False


def test_for_good_is_for_good() -> None:
    breaker = Breaker()
    breaker.failed(for_good=True)
    breaker.succeeded()
    breaker.failed()
    assert breaker.is_open

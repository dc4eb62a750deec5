"""Any OpenAI-compatible endpoint: one chat completion a question, JSON by the strictest way the server accepts."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskwright.errors import BadReply, BadSettings
from maskwright.models.vlms import logprobs
from maskwright.models.vlms.faults import message_of, read_json, unusable
from maskwright.models.vlms.keys import Key, read_key
from maskwright.models.vlms.pictures import data_url
from maskwright.models.vlms.presets import FORMS, PRESETS, coordinates_of
from maskwright.models.vlms.prices import price_of
from maskwright.models.vlms.transport import HttpReply, Transport, UrlTransport, check_url
from maskwright.ports import Question, Reply

_RANGES = ("minimum", "maximum", "maxLength", "maxItems", "minItems")
_OPTIONAL = ("logprobs", "top_logprobs", "seed", "temperature")
MAX_ADAPTIONS = 6


class EndpointVlm:
    """A model behind `base_url`. What the server does not take (a JSON schema, log-probabilities, a seed) is found out
    once and left away from then on. Thread-safe; at most `concurrency` requests are under way, whoever asks."""

    def __init__(
        self,
        preset: str = "endpoint",
        *,
        model: str = "",
        base_url: str = "",
        key: str | None = None,
        max_side: int | None = None,
        concurrency: int | None = None,
        timeout_s: float = 120.0,
        price_in: float | None = None,
        price_out: float | None = None,
        transport: Transport | None = None,
    ) -> None:
        """`key` names the environment variable that holds the key. Raises BadSettings, MissingKey."""
        if preset not in PRESETS:
            raise BadSettings(f"there is no endpoint preset {preset!r}.", f"Presets: {', '.join(PRESETS)}.")
        known = PRESETS[preset]
        self.model = model or known.model
        self.url = (base_url or known.base_url).rstrip("/")
        if not self.model or not self.url:
            raise BadSettings(f"vlm {preset} needs model and base_url.", "Give both in [models.vlm].")
        place = check_url(self.url)
        port = urllib.parse.urlsplit(self.url).port
        place += "" if port is None else f":{port}"
        self.name = (
            f"{preset}:{self.model}" + (f"@{place}" if base_url else "") + (f"+{max_side}px" if max_side else "")
        )
        self.coordinates = coordinates_of(self.model)
        self.max_side = max_side or known.max_side
        self.concurrency = concurrency or known.concurrency
        self._line = threading.BoundedSemaphore(self.concurrency)
        self.timeout_s = timeout_s
        self._key: Key = read_key(known.key if key is None else key, self.name)
        self._price = price_of(self.model, price_in, price_out)
        self.priced = self._price is not None
        self._transport = transport or UrlTransport()
        self._strict, self._logprobs = known.strict, known.logprobs
        self._form, self._without, self._lock = known.form, frozenset[str](), threading.Lock()

    def reply(self, question: Question) -> Reply:
        """One answer. Raises EngineDown (worth another try), EngineRefused, BadReply."""
        began = time.perf_counter()
        value = self._send(question)
        usage = value.get("usage") if isinstance(value.get("usage"), dict) else {}
        tokens_in, tokens_out = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
        paid = Reply(
            text="",
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            usd=self._price.of(tokens_in, tokens_out) if self._price else 0.0,
            seconds=time.perf_counter() - began,
            detail={"price_known": self._price is not None},
        )
        try:
            text, tokens = _message(value)
        except BadReply as error:
            raise unusable(BadReply(f"{self.name} {error.message}", error.hint), paid) from None
        return replace(
            paid,
            text=self._key.hide(text),
            probabilities=logprobs.choices(tokens, question.choices) if question.choices and tokens else None,
            detail={**paid.detail, "booleans": logprobs.booleans(tokens)},
        )

    def _send(self, question: Question) -> dict[str, Any]:
        """The answer's JSON; a request refused for one of its options is sent again without it."""
        with self._key.hidden():
            for _ in range(MAX_ADAPTIONS):
                form, without = self._form, self._without
                headers = {"Content-Type": "application/json", **self._key.header()}
                body = self._body(question, form, without)
                with self._line:
                    reply = self._transport.post(f"{self.url}/chat/completions", headers, body, self.timeout_s)
                if reply.status not in (400, 422) or not self._adapt(reply, form, without):
                    break
            return read_json(reply, self.name)

    def _adapt(self, reply: HttpReply, form: str, without: frozenset[str]) -> bool:
        """Finds out what the server does not take; True when the request is worth sending in another way."""
        said = message_of(reply).casefold() + reply.body[:2000].decode("utf-8", "replace").casefold()
        with self._lock:
            if "max_completion_tokens" in said and "max_tokens" not in without:
                self._without = without | {"max_tokens"}
                return True
            for name in _OPTIONAL:
                if name in said and name not in without:
                    gone = {"logprobs", "top_logprobs"} if "logprobs" in name else {name}
                    self._without = without | gone
                    return True
            if form != "plain" and any(word in said for word in ("response_format", "json_schema", "schema", "json")):
                self._form = FORMS[FORMS.index(form) + 1]
                return True
        return False

    def _body(self, question: Question, form: str, without: frozenset[str]) -> dict[str, Any]:
        content: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": data_url(image, self.max_side)}} for image in question.images
        ]
        content.append({"type": "text", "text": question_text(question, form)})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if question.system:
            messages.insert(0, {"role": "system", "content": question.system})
        limit = "max_completion_tokens" if "max_tokens" in without else "max_tokens"
        body = {
            "model": self.model,
            "messages": messages,
            limit: question.max_tokens,
            "temperature": question.temperature,
            "seed": question.seed,
        }
        if self._logprobs:
            body |= {"logprobs": True, "top_logprobs": 20 if question.choices else 5}
        body |= self._format(question, form)
        return {name: value for name, value in body.items() if name not in without}

    def _format(self, question: Question, form: str) -> dict[str, Any]:
        if question.schema is None or form == "plain":
            return {}
        if form == "json_object":
            return {"response_format": {"type": "json_object"}}
        schema = sent_schema(question.schema, strict=self._strict)
        wrapped = {"name": "answer", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": wrapped}}


def question_text(question: Question, form: str) -> str:
    """The question, followed by the form of the answer where the endpoint does not enforce it."""
    if question.schema is None or form == "json_schema":
        return question.text
    schema = json.dumps(sent_schema(question.schema, strict=True), ensure_ascii=False)
    return f"{question.text}\n\nAnswer with one JSON object that fits this JSON schema, and nothing else:\n{schema}"


def sent_schema(schema: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
    """The schema without our own `x-` keys, and for strict servers without ranges and lengths."""
    out: dict[str, Any] = {}
    for name, value in schema.items():
        if name.startswith("x-") or (strict and name in _RANGES):
            continue
        if name == "properties":
            out[name] = {key: sent_schema(inner, strict=strict) for key, inner in value.items()}
        else:
            out[name] = sent_schema(value, strict=strict) if isinstance(value, Mapping) else value
    return out


def _message(value: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The first choice's text and its tokens; raises BadReply saying what is missing."""
    options = value.get("choices")
    first = options[0] if isinstance(options, list) and options else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise BadReply("answers without a choice.", "Try again.")
    text = message.get("content")
    if isinstance(text, list):
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if first.get("finish_reason") == "length" and not text:
        raise BadReply("was cut off before it said anything.", "Choose a model that thinks less.")
    if first.get("finish_reason") == "content_filter" or not isinstance(text, str):
        raise BadReply("answers without text (filtered or refused).", "Try again.")
    found = first.get("logprobs")
    tokens = found.get("content") if isinstance(found, dict) else None
    return text, tokens if isinstance(tokens, list) else []


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0

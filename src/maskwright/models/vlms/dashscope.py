"""DashScope's own API: like the endpoint, with the switch for high-resolution pictures."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from maskwright.errors import BadReply
from maskwright.models.vlms.endpoint import question_text
from maskwright.models.vlms.faults import read_json, unusable
from maskwright.models.vlms.keys import read_key
from maskwright.models.vlms.pictures import data_url
from maskwright.models.vlms.presets import coordinates_of
from maskwright.models.vlms.prices import price_of
from maskwright.models.vlms.transport import Transport, UrlTransport, check_url
from maskwright.ports import Question, Reply

BASE_URL = "https://dashscope.aliyuncs.com/api/v1"
PATH = "/services/aigc/multimodal-generation/generation"
USUAL_SIDE, HIGH_SIDE = 1280, 4096


class DashScopeVlm:
    """Qwen-VL by DashScope. `high_resolution` sends pictures up to 4096 px and has them seen at full detail."""

    def __init__(
        self,
        *,
        model: str = "qwen-vl-max",
        base_url: str = BASE_URL,
        key: str = "DASHSCOPE_API_KEY",
        high_resolution: bool = False,
        concurrency: int = 4,
        timeout_s: float = 120.0,
        price_in: float | None = None,
        price_out: float | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.model, self.url = model, base_url.rstrip("/")
        check_url(self.url)
        self.name = f"dashscope-native:{model}" + ("+high" if high_resolution else "")
        self.coordinates = coordinates_of(model)
        self.high_resolution = high_resolution
        self.max_side = HIGH_SIDE if high_resolution else USUAL_SIDE
        self.concurrency, self.timeout_s = concurrency, timeout_s
        self._line = threading.BoundedSemaphore(concurrency)
        self._key = read_key(key, self.name)
        self._price = price_of(model, price_in, price_out)
        self.priced = self._price is not None
        self._transport = transport or UrlTransport()

    def reply(self, question: Question) -> Reply:
        """One answer. Raises EngineDown, EngineRefused, BadReply."""
        began = time.perf_counter()
        headers = {"Content-Type": "application/json", **self._key.header()}
        body = self._body(question)
        with self._key.hidden():
            with self._line:
                reply = self._transport.post(self.url + PATH, headers, body, self.timeout_s)
            value = read_json(reply, self.name)
        tokens_in, tokens_out = _counts(value.get("usage"))
        paid = Reply(
            text="",
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            usd=self._price.of(tokens_in, tokens_out) if self._price else 0.0,
            seconds=time.perf_counter() - began,
            detail={"price_known": self._price is not None},
        )
        try:
            return replace(paid, text=self._key.hide(self._text(value)))
        except BadReply as error:
            raise unusable(error, paid) from None

    def _body(self, question: Question) -> dict[str, Any]:
        content: list[dict[str, str]] = [{"image": data_url(image, self.max_side)} for image in question.images]
        content.append({"text": question_text(question, "json_object")})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if question.system:
            messages.insert(0, {"role": "system", "content": [{"text": question.system}]})
        return {
            "model": self.model,
            "input": {"messages": messages},
            "parameters": {
                "result_format": "message",
                "max_tokens": question.max_tokens,
                "temperature": question.temperature,
                "seed": question.seed,
                "vl_high_resolution_images": self.high_resolution,
            },
        }

    def _text(self, value: dict[str, Any]) -> str:
        output = value.get("output")
        options = output.get("choices") if isinstance(output, dict) else None
        first = options[0] if isinstance(options, list) and options else None
        message = first.get("message") if isinstance(first, dict) else None
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        raise BadReply(f"{self.name} answers without a choice.", "Try again.")


def _counts(usage: Any) -> tuple[int, int]:
    if not isinstance(usage, dict):
        return 0, 0
    values = [usage.get(name) for name in ("input_tokens", "output_tokens")]
    good = [v if isinstance(v, int) and not isinstance(v, bool) and v >= 0 else 0 for v in values]
    return good[0], good[1]

"""What an endpoint's refusal means: try again later, never, or only with another question."""

from __future__ import annotations

import email.utils
import json
import time
from typing import Any

from maskwright.asking.replies import clean_text
from maskwright.errors import BadReply, EngineDown, EngineRefused, ModelError
from maskwright.models.vlms.transport import HttpReply
from maskwright.ports import Reply

MOST_WAIT_S = 60.0
_QUOTA = (
    "insufficient_quota",
    "exceeded your current quota",
    "arrearage",
    "insufficient balance",
)
_OF_THE_QUESTION = (400, 413, 415, 422)


def read_json(reply: HttpReply, engine: str) -> dict[str, Any]:
    """The body of a good answer; raises what its status or form means."""
    if reply.status != 200:
        raise fault(reply, engine)
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        if reply.body.lstrip()[:1] == b"<":
            raise EngineRefused(f"{engine} answers a web page.", "Check base_url: it usually ends in /v1.") from error
        raise BadReply(f"{engine} answers something that is not JSON.", "Try again.") from error
    if not isinstance(value, dict):
        raise BadReply(f"{engine} answers JSON of another form.", "Check base_url.")
    return value


def fault(reply: HttpReply, engine: str) -> ModelError:
    """The error that a status means; `retry_after_s` and `of_the_question` are set on it where known."""
    said = message_of(reply)
    text = f"{engine} answers {reply.status}" + (f": {said}" if said else "") + "."
    quota = any(word in said.casefold() or word.encode() in reply.body[:4096].lower() for word in _QUOTA)
    if reply.status in (401, 403):
        return EngineRefused(text, "Check the key and what it is allowed to do.")
    quota = quota and "retry-after" not in reply.headers  # some say so of a minute's quota
    if reply.status == 402 or (quota and reply.status in (400, 429)):
        return EngineRefused(text, "The account's quota is used up: top it up, or choose another engine.")
    if 300 <= reply.status < 400:
        return EngineRefused(text, "Redirects are not followed: set base_url to the final address.")
    if reply.status in (408, 409, 425, 429) or reply.status >= 500:
        return _later(EngineDown(text, "Try again later, or choose another engine."), reply)
    refused = EngineRefused(text, "Check base_url and model.")
    refused.__dict__["of_the_question"] = reply.status in _OF_THE_QUESTION
    return refused


def unusable(error: BadReply, paid: Reply) -> BadReply:
    """The error, knowing what the answer cost: `paid`."""
    error.__dict__["paid"] = paid
    return error


def message_of(reply: HttpReply) -> str:
    """The endpoint's own words, cleaned and short; empty for web pages."""
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        value = value["error"]
    if not isinstance(value, dict):
        return ""
    parts = [value.get(key) for key in ("code", "message", "error", "detail")]
    return clean_text(" ".join(p for p in parts if isinstance(p, str)), 160)


def _later(error: EngineDown, reply: HttpReply) -> EngineDown:
    seconds = retry_after(reply.headers.get("retry-after", ""))
    if seconds is not None:
        error.__dict__["retry_after_s"] = min(seconds, MOST_WAIT_S)
    return error


def retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header (a number or a date), or None."""
    try:
        seconds = float(value)
        return seconds if 0 <= seconds < float("inf") else None
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return max(0.0, when.timestamp() - time.time())

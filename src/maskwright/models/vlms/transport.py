"""One POST of JSON over HTTP, bounded in time and bytes; every failure is one of ours.

The standard library is enough and keeps the endpoints in the core install. No redirects are followed (a key must not
travel to another host), no proxy is used for this machine's own addresses.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from maskwright.errors import BadSettings, EngineDown

MAX_REPLY_BYTES = 8 * 2**20
_PIECE = 64 * 1024
_OWN_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class HttpReply:
    """Status, headers (lower-case names) and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """A port of one method, so that tests and other clients can stand in."""

    def post(self, url: str, headers: Mapping[str, str], value: Any, timeout_s: float) -> HttpReply:
        """Sends `value` as JSON (bytes as they are); raises EngineDown when there is no whole answer in `timeout_s`."""
        ...


class UrlTransport:
    """The standard library's client, one connection a question."""

    def post(self, url: str, headers: Mapping[str, str], value: Any, timeout_s: float) -> HttpReply:
        host = check_url(url)
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        request = urllib.request.Request(url, body, dict(headers), method="POST")
        deadline = time.monotonic() + timeout_s
        try:
            with _opener(host).open(request, timeout=timeout_s) as answer:
                return _read(answer, host, deadline)
        except urllib.error.HTTPError as error:
            with error:
                return _read_error(error, host, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineDown(
                f"{host} cannot be reached: {_short(error)}.", "Check base_url and the network."
            ) from error


def check_url(url: str) -> str:
    """The host of an http(s) URL; raises BadSettings."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise BadSettings("base_url is not a plain http(s) address.", "Write it like https://host/v1, without a key.")
    return parts.hostname


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _opener(host: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirect(),
        urllib.request.HTTPSHandler(context=_context()),
    ]
    if host in _OWN_HOSTS:
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def _read(answer: Any, host: str, deadline: float) -> HttpReply:
    """The whole body, unless it is too long, too slow or breaks off."""
    pieces, size = [], 0
    while True:
        piece = answer.read1(_PIECE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > MAX_REPLY_BYTES:
            raise EngineDown(f"{host} answers more than {MAX_REPLY_BYTES >> 20} MiB.", "Check base_url.")
        if time.monotonic() > deadline:
            raise EngineDown(f"{host} did not finish its answer in time.", "Raise timeout_s, or try again.")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) != size:
        raise EngineDown(f"{host} broke off its answer.", "Try again.")
    return HttpReply(int(answer.status), headers, b"".join(pieces))


def _read_error(error: urllib.error.HTTPError, host: str, deadline: float) -> HttpReply:
    """The answer of an error status; a body that cannot be read is left empty."""
    headers = {name.lower(): value for name, value in error.headers.items()} if error.headers else {}
    try:
        return _read(error, host, deadline)
    except (EngineDown, OSError, http.client.HTTPException):
        return HttpReply(error.code, headers, b"")


def _short(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).splitlines()[0][:120] if str(reason) else type(error).__name__

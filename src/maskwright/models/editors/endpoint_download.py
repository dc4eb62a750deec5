"""The picture that an image endpoint left at an https address: one bounded GET, no redirects, no private hosts."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from maskwright.errors import BadReply, EngineDown

MAX_BYTES = 64 << 20
_PIECE = 1 << 16


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def download(url: str, timeout_s: float) -> bytes:
    """The bytes at an address the endpoint named; raises BadReply for an address it must not name, EngineDown."""
    host = urllib.parse.urlsplit(url).hostname or ""
    _check_public(host)
    deadline = time.monotonic() + timeout_s
    try:
        with urllib.request.build_opener(_NoRedirect()).open(url, timeout=timeout_s) as answer:
            return _read(answer, host, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EngineDown(f"the picture at {host} cannot be fetched.", "Try again.") from error


def _read(answer: Any, host: str, deadline: float) -> bytes:
    pieces, size = [], 0
    while piece := answer.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES or time.monotonic() > deadline:
            raise EngineDown(f"the picture at {host} is too large or too slow.", "Try again.")
    return b"".join(pieces)


def _check_public(host: str) -> None:
    """Raises BadReply for addresses of this machine or its own network."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, 443)}
    except OSError as error:
        raise EngineDown(f"the picture's host {host[:80]} is not known.", "Try again.") from error
    if any(not ipaddress.ip_address(str(place).partition("%")[0]).is_global for place in found):
        raise BadReply("the endpoint named a private address for its picture.", "Check base_url.")

"""A chat endpoint on this machine that answers by script, for tests and benchmarks of the vlms."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Scripted:
    """One answer: status, body (bytes, or a value sent as JSON), headers; `announce` lies about the length;
    `hang` keeps the client waiting until the server ends; `drip` sends a byte at a time until then."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    announce: int | None = None
    hang: bool = False
    drip: bool = False
    close: bool = False

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def completion(text: Any, **more: Any) -> dict[str, Any]:
    """An OpenAI-style answer with this text."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}, **more}
    return {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 20}}


@dataclass
class Endpoint:
    """A running server: its base URL, and every request's JSON and headers in order."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


Answer = Callable[[dict[str, Any], int], Scripted]
"""(request JSON, how many came before) -> what to answer."""


@contextmanager
def serve(answer: Answer | list[Scripted]) -> Iterator[Endpoint]:
    """A server whose n-th answer is the n-th of the list (the last one repeats), or what the function says."""
    ended, lock = threading.Event(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                count = len(endpoint.requests)
                endpoint.requests.append(request)
                endpoint.headers.append(dict(self.headers.items()))
            said = answer(request, count) if callable(answer) else answer[min(count, len(answer) - 1)]
            self._send(said)

        def _send(self, said: Scripted) -> None:
            if said.close:
                self.close_connection = True
                return
            if said.hang:
                ended.wait(10)
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.data) if said.announce is None else said.announce))
            self.end_headers()
            if said.drip:
                while not ended.wait(0.02):
                    try:
                        self.wfile.write(b" ")
                    except OSError:
                        return
            else:
                self.wfile.write(said.data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()

"""A studio as a process of its own, for tests that kill it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest


@contextmanager
def studio_process(folder: Path) -> Iterator[tuple[str, subprocess.Popen[Any]]]:
    """(address, process) of a studio whose sessions lie in `folder`; killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "maskwright.cli.main", "studio", "--no-open", "--port", str(port)]
    process = subprocess.Popen([*command, "--folder", str(folder)], env={**os.environ, "PYTHONWARNINGS": "ignore"})
    address, until = f"http://127.0.0.1:{port}", time.monotonic() + 240
    try:
        while time.monotonic() < until and process.poll() is None:
            try:
                httpx.get(address + "/api/v1/queues", timeout=10)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            pytest.fail("the studio did not start")
        yield address, process
    finally:
        process.kill()
        process.wait()

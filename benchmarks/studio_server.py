"""A studio in a process of its own, to be measured from outside."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx


class Server:
    """`with Server(folder, "--single-lock") as server:` ... `server.address`; ended at the end."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "maskwright.cli.main", "studio", "--no-open", "--port", str(self.port)]
        self.command = [*command, "--folder", str(folder), *options]

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                httpx.get(self.address + "/api/v1/queues", timeout=2)
                return self
            except httpx.TransportError:
                time.sleep(0.2)
        raise SystemExit("the server did not start")

    def __exit__(self, *_: Any) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def is_busy(self) -> bool:
        """Whether anything is worked on, also for those who have gone."""
        return any(httpx.get(self.address + "/api/v1/queues", timeout=60).json().values())

    def counts(self) -> dict[str, float]:
        """Memory, folders, files, children, threads and open files of the server now."""
        process = Path("/proc") / str(self.process.pid)
        folders = [p for p in self.folder.iterdir() if p.is_dir() and p.name != "page"]
        shelf = [p for p in (self.folder / "page").rglob("*") if p.is_file()]
        return {
            "mib": _private_mib(process),
            "folders": len(folders),
            "shelf": len(shelf),
            "children": sum(len(p.read_text().split()) for p in process.glob("task/*/children")),
            "threads": len(list(process.glob("task/*"))),
            "open": len(list(process.glob("fd/*"))),
        }


def _private_mib(process: Path) -> float:
    """Memory that only this process holds and that stands in no file: pages of libraries count for nobody, as they are
    shared as soon as another process maps them."""
    lines = (process / "smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1024

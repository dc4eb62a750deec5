"""A process that works on items: told jobs on stdin, tells results on stdout, one JSON value a line.

Started by lanes.py in a process group of its own; it ends when its parent does.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from maskwright.errors import MaskwrightError
from maskwright.runs.items import run_item
from maskwright.runs.jobs import Job
from maskwright.runs.task import TaskSpec


def main() -> None:
    """Works until stdin closes."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to stderr
    tell = _Teller(out)
    about = json.loads(sys.stdin.buffer.readline())
    spec, items = TaskSpec(**about["spec"]), Path(about["items"])
    try:
        task = spec.open()
    except MaskwrightError as error:
        tell({"fault": {"kind": type(error).__name__, "message": error.message, "hint": error.hint}})
        return
    tell({"ready": os.getpid()})
    with ThreadPoolExecutor(about["in_flight"]) as pool:
        for line in sys.stdin.buffer:
            job = Job.from_json(json.loads(line))
            pool.submit(_work, spec, task, job, items, tell)


def _work(spec: TaskSpec, task: Any, job: Job, items: Path, tell: _Teller) -> None:
    tell({"row": run_item(spec, task, job, items, began=lambda id_: tell({"began": id_}))})


class _Teller:
    """Whole lines, from any thread; a parent that is gone ends this process."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._lock = out, threading.Lock()

    def __call__(self, value: dict[str, Any]) -> None:
        line = json.dumps(value, default=str).encode() + b"\n"
        with self._lock:
            try:
                self._out.write(line)
                self._out.flush()
            except OSError:
                os._exit(1)


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends (Linux; elsewhere stdin's end does it, later)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    main()

"""Runs a worker of another environment under the contract of workers/contract.py, and leaves no process behind."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.errors import BadSettings, InputError, MissingPackage, OutOfMemory, WorkerError
from maskwright.plumbing.cancel import Cancel
from maskwright.plumbing.files import read_json, write_json

MEANINGS = {
    64: "it did not understand the request",
    65: "it could not read its data",
    69: "a file or package it needs is missing",
    70: "its model failed",
    75: "it ran out of memory or was stopped; try again",
    78: "its environment is not set up",
}
_TAIL_CHARS = 600
_TICK_S = 0.1


@dataclass(frozen=True)
class Worker:
    """A worker's script and the interpreter that runs it; time-outs in seconds: without any news, and in all."""

    name: str
    script: Path
    interpreter: Path
    idle_s: float = 900.0
    total_s: float = 6 * 3600.0


def run_worker(
    worker: Worker,
    request: Mapping[str, Any],
    folder: str | Path,
    *,
    outputs: Sequence[str] = (),
    cancel: Cancel | None = None,
    tell: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """The worker's result; `outputs` names its values that are files which must not be empty.

    `folder` gets request.json, result.json and output.log. Raises WorkerError (saying what the exit code means),
    OutOfMemory, MissingPackage, Cancelled; no process of the worker's is left in any case.
    """
    folder = Path(folder)
    if not worker.interpreter.exists():
        raise MissingPackage(
            f"worker {worker.name}: there is no interpreter {worker.interpreter}.",
            f"Type: maskwright workers setup {worker.name}",
        )
    result = folder / "result.json"
    write_json(folder / "request.json", dict(request))
    result.unlink(missing_ok=True)
    with _started(worker, folder) as (process, news):
        _listen(process, news, worker, cancel or Cancel(), tell)
        code = process.wait()
    if code != 0:
        raise _failure(worker, code, folder)
    return _checked(worker, result, outputs)


@contextlib.contextmanager
def worker_folder() -> Iterator[Path]:
    """A folder for one call of a worker, removed after it; when it fails, what it said is kept, and the error names
    it."""
    with tempfile.TemporaryDirectory(prefix="maskwright-worker-") as place:
        try:
            yield Path(place)
        except WorkerError as error:
            log = Path(place) / "output.log"
            if not log.is_file():
                raise
            kept = Path(place).with_suffix(".log")
            shutil.copyfile(log, kept)
            raise WorkerError(error.message, f"See {kept}.") from error


@contextlib.contextmanager
def _started(worker: Worker, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process in a group of its own, and the end of the pipe that its news come out of."""
    reading, writing = os.pipe()
    command = [str(worker.interpreter), str(worker.script), "--request", str(folder / "request.json")]
    command += ["--result", str(folder / "result.json"), "--progress-fd", str(writing)]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    process = None
    try:
        with (folder / "output.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, pass_fds=(writing,),
                start_new_session=True, env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"},
            )  # fmt: skip
        os.close(writing)
        writing = -1
        yield process, reading
    except OSError as error:
        raise WorkerError(f"worker {worker.name} cannot be started: {error}.", "Check its interpreter.") from error
    finally:
        if writing >= 0:
            os.close(writing)
        os.close(reading)
        if process is not None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills the whole group, whatever is left of it, and waits."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    process.wait()


def _listen(
    process: subprocess.Popen[bytes],
    news: int,
    worker: Worker,
    cancel: Cancel,
    tell: Callable[[Mapping[str, Any]], None] | None,
) -> None:
    """Hears the progress until the pipe closes; raises on cancel and on silence."""
    began = heard = time.monotonic()
    rest = b""
    with selectors.DefaultSelector() as waiting:
        waiting.register(news, selectors.EVENT_READ)
        while True:
            cancel.check()
            if waiting.select(_TICK_S):
                some = os.read(news, 65536)
                heard = time.monotonic()
                if not some:
                    waiting.unregister(news)
                    waiting.close()
                    break
                *lines, rest = (rest + some).split(b"\n")
                _pass_on(lines, tell)
            elif process.poll() is not None:
                return
            _check_time(worker, time.monotonic() - began, time.monotonic() - heard)
    while process.poll() is None:  # it says nothing more, and goes on
        cancel.check()
        time.sleep(_TICK_S)
        _check_time(worker, time.monotonic() - began, time.monotonic() - heard)


def _check_time(worker: Worker, total: float, idle: float) -> None:
    if idle > worker.idle_s or total > worker.total_s:
        what = f"no news for {idle:.0f} s" if idle > worker.idle_s else f"{total:.0f} s in all"
        raise WorkerError(f"worker {worker.name} was stopped: {what}.", "It took too much time: give it less at once.")


def _pass_on(lines: Sequence[bytes], tell: Callable[[Mapping[str, Any]], None] | None) -> None:
    """Lines that are no JSON objects are dropped: they are only progress."""
    for line in lines:
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if tell is not None and isinstance(value, dict):
                tell(value)


def _failure(worker: Worker, code: int, folder: Path) -> Exception:
    log = (folder / "output.log").read_bytes()[-_TAIL_CHARS:].decode("utf-8", "replace").strip()
    last = log.splitlines()[-1][:200] if log else "it said nothing"
    where = f"See {folder / 'output.log'}."
    if code == 75 and "memory" in last:
        return OutOfMemory(f"worker {worker.name} ran out of memory: {last}", "Use smaller frames or shorter clips.")
    if code == 78:
        return MissingPackage(f"worker {worker.name}: {last}", f"Type: maskwright workers setup {worker.name}")
    meaning = f"killed by signal {-code}" if code < 0 else MEANINGS.get(code, f"exit code {code}")
    return WorkerError(f"worker {worker.name}: {meaning}: {last}", where)


def _checked(worker: Worker, path: Path, outputs: Sequence[str]) -> dict[str, Any]:
    try:
        result = read_json(path)
    except InputError as error:
        raise WorkerError(f"worker {worker.name} ended without a result.", f"See {path.parent}.") from error
    if not isinstance(result, dict):
        raise WorkerError(f"worker {worker.name} gave a result that is no object.", f"See {path}.")
    for name in outputs:
        made = Path(str(result.get(name, "")))
        if not made.is_file() or made.stat().st_size == 0:
            raise WorkerError(f"worker {worker.name} gave no {name}.", f"See {path.parent / 'output.log'}.")
    return result


def find_interpreter(text: str) -> Path:
    """The interpreter of a path, a venv's or conda environment's folder, or a conda environment's name.

    Raises BadSettings. Never `conda run`: it hides exit codes and keeps signals to itself.
    """
    path = Path(text).expanduser()
    for found in (path, path / "bin" / "python", path / "Scripts" / "python.exe"):
        if found.is_file() and os.access(found, os.X_OK):
            return found
    roots = [
        os.environ.get("CONDA_ROOT", ""),
        *(str(Path.home() / n) for n in ("miniconda3", "anaconda3", "miniforge3")),
    ]
    executable = os.environ.get("CONDA_EXE")
    if executable:
        roots.insert(0, str(Path(executable).parents[1]))
    for root in filter(None, roots):
        found = Path(root) / "envs" / text / "bin" / "python"
        if os.sep not in text and found.is_file():
            return found
    raise BadSettings(f"{text!r} is no interpreter and no environment.", f"Give a path like {sys.executable}.")

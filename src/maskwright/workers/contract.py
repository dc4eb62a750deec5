"""What every worker keeps to, in the standard library alone.

    python worker.py --request request.json --result result.json --progress-fd N

The request is JSON. Progress is one JSON object a line on file descriptor N ({"done": 3, "total": 20} and what else a
reader may want); stdout and stderr are for people. The result is JSON, written beside its place and renamed. Exit
codes: 0 done; 64 the request is wrong; 65 the data cannot be read; 69 a package or file is missing; 70 the model
failed; 75 try again later (out of memory, stopped); 78 the environment is wrong. Standard input ends when the parent
does: the worker then ends too.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

USAGE, DATA, UNAVAILABLE, SOFTWARE, TEMPORARY, CONFIG = 64, 65, 69, 70, 75, 78


class Failed(Exception):
    """An end with an exit code and one line for the user."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def main(work: Callable[[dict[str, Any], Callable[..., None]], dict[str, Any]]) -> None:
    """Runs `work(request, tell) -> result` under the contract; ends the process."""
    options = _options()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    progress = os.fdopen(options.progress_fd, "w", buffering=1) if options.progress_fd >= 0 else None

    def tell(**news: Any) -> None:
        if progress is not None:
            progress.write(json.dumps(news) + "\n")
            progress.flush()

    try:
        request = _read(options.request)
        result = work(request, tell)
        _write(Path(options.result), result)
    except Failed as error:
        tell(error=error.text)
        _end(error.code, error.text)
    except ImportError as error:
        _end(CONFIG, f"a package is missing: {error}")
    except MemoryError:
        _end(TEMPORARY, "out of memory")
    except (OSError, ValueError, KeyError) as error:
        _end(DATA, f"{type(error).__name__}: {error}")
    except RuntimeError as error:
        _end(TEMPORARY if "out of memory" in str(error).lower() else SOFTWARE, str(error))
    _end(0, "")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--request", required=True)
    parser.add_argument("--result", required=True)
    parser.add_argument("--progress-fd", type=int, default=-1)
    return parser.parse_args()


def _read(path: str) -> dict[str, Any]:
    try:
        request = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failed(USAGE, f"the request cannot be read: {error}") from error
    if not isinstance(request, dict):
        raise Failed(USAGE, "the request is not an object")
    return request


def _write(path: Path, result: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as stream:
        json.dump(result, stream)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def need(request: dict[str, Any], *names: str) -> list[Any]:
    """The values of a request; Failed when one is missing."""
    missing = [name for name in names if name not in request]
    if missing:
        raise Failed(USAGE, f"the request lacks {missing[0]}")
    return [request[name] for name in names]


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    if os.getpgrp() == os.getpid():  # with all that it started
        os.killpg(0, signal.SIGKILL)
    os._exit(TEMPORARY)


def _end(code: int, text: str) -> NoReturn:
    if text:
        sys.stderr.write(text[:2000] + "\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

"""Our side of the child process that decodes a clip: it is asked for frames, held to time limits, and ended."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
import weakref
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadVideo
from maskwright.media.decoding import ClipInfo, container_kind
from maskwright.media.limits import LIMITS, MIB, Limits

_CHILD = "maskwright.media.clip_child"
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class ChildDecoder:
    """Like decoding.Decoder, but a damaged or hostile file can only hurt the child; every wait has an end."""

    def __init__(self, path: Path, *, keep_damaged: bool = False, limits: Limits = LIMITS) -> None:
        self._path, self._limits = path, limits
        container_kind(path)
        size = path.stat().st_size
        if size > limits.clip_bytes:
            raise BadVideo(f"{path} has {size >> 30} GiB.", "Cut it into pieces.")
        self._child = start_child()
        self._end = weakref.finalize(self, end_child, self._child)
        request = {"do": "serve", "path": str(path), "keep": keep_damaged, "memory_mib": limits.child_mib}
        try:
            send(self._child, {**request, "limits": dataclasses.asdict(limits)}, path)
            self.info = _info(self._answer(limits.open_s + size / (100 * MIB))[0], path)
        except BaseException:
            self.close()
            raise

    def frame(self, index: int) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3); raises BadVideo, also when the child took too long or died."""
        send(self._child, index, self._path)
        _, data = self._answer(self._limits.frame_s)
        shape = (self.info.height, self.info.width, 3)
        if len(data) != shape[0] * shape[1] * 3:
            raise BadVideo(f"{self._path}: frame {index} has another size.", "Convert the clip to one size.")
        return np.frombuffer(data, dtype=np.uint8).reshape(shape)

    def close(self) -> None:
        """Ends the child."""
        self._end()

    def _answer(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        try:
            return receive(self._child, seconds, self._path, most=self._limits.pixels * 3)
        except _Lost:
            self.close()
            raise


class _Lost(BadVideo):
    """The child is of no more use."""


def start_child() -> subprocess.Popen[bytes]:
    """A fresh interpreter in its own process group, waiting for its first request."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **_QUIET},
    )


def end_child(child: subprocess.Popen[bytes]) -> None:
    """Kills its process group, closes the pipes and reaps it."""
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue
    child.wait()


def send(child: subprocess.Popen[bytes], request: Any, path: Path) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    except (OSError, ValueError) as error:
        raise _Lost(f"{path}: the process that decodes it has ended.", "Open the clip again.") from error


def receive(child: subprocess.Popen[bytes], seconds: float, path: Path, *, most: int) -> tuple[dict[str, Any], bytes]:
    """One answer and its data; raises BadVideo with the child's own words, or that it was late or died."""
    until = time.monotonic() + seconds
    (length,) = struct.unpack(">I", _read(child, 4, until, path))
    if length > 64 * MIB:
        raise _Lost(f"{path}: the process that decodes it answers nonsense.", "Convert the clip, or use a copy.")
    value: dict[str, Any] = json.loads(_read(child, length, until, path))
    if "fault" in value:
        raise BadVideo(value["fault"], value.get("hint", ""))
    wanted = int(value.get("bytes", 0))
    if not 0 <= wanted <= most:
        raise _Lost(f"{path}: the process that decodes it answers nonsense.", "Convert the clip, or use a copy.")
    return value, _read(child, wanted, until, path)


def _read(child: subprocess.Popen[bytes], count: int, until: float, path: Path) -> bytes:
    assert child.stdout is not None
    handle = child.stdout.fileno()
    data = bytearray(count)
    place = 0
    while place < count:
        left = until - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            raise _Lost(f"{path}: decoding took too long and was stopped.", "Convert the clip, or use a copy.")
        got = os.readv(handle, [memoryview(data)[place:]])
        if not got:
            raise _Lost(f"{path}: the process that decodes it ended early.", "The clip is damaged or needs too much.")
        place += got
    return bytes(data)


def _info(value: dict[str, Any], path: Path) -> ClipInfo:
    try:
        info = ClipInfo(
            width=int(value["width"]),
            height=int(value["height"]),
            rate=Fraction(value["rate"]),
            tick=Fraction(value["tick"]),
            ticks=tuple(int(t) for t in value["ticks"]),
            variable=bool(value["variable"]),
            has_audio=bool(value["has_audio"]),
            codec=str(value["codec"]),
            container=str(value["container"]),
            wide=Fraction(value["wide"]),
            light=(int(value["light"][0]), int(value["light"][1])),
        )
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise BadVideo(f"{path}: the process that decodes it answers nonsense.", "Use a copy.") from error
    return info

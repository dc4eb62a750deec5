"""The process that decodes one clip: limits itself, then answers requests on stdin. Started by clip_process.py.

A request is one line of JSON; an answer is 4 bytes (length, big-endian), that much JSON, then `bytes` bytes of data.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO


def limit_process(memory_mib: int, *, may_write: bool) -> None:
    """Caps memory, core files and (unless it may write) any writing to files."""
    try:
        import resource
    except ImportError:  # not there on Windows: the parent's time limits remain
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not may_write:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))


def main() -> None:
    """Decodes until stdin closes (the parent ended)."""
    request = json.loads(sys.stdin.buffer.readline())
    limit_process(request["memory_mib"], may_write=request["do"] == "sound")
    out = sys.stdout.buffer
    try:
        if request["do"] == "sound":
            from maskwright.media.sound import copy_sound

            _answer(out, {"starts": copy_sound(Path(request["path"]), Path(request["out"]), request["form"])})
        else:
            _serve(request, out)
    except Exception as error:  # noqa: BLE001 - told to the parent, who raises it there
        _answer(out, _fault(error))


def _serve(request: dict[str, Any], out: BinaryIO) -> None:
    import av

    from maskwright.media.decoding import Decoder
    from maskwright.media.limits import Limits

    av.logging.set_level(None)
    decoder = Decoder(Path(request["path"]), keep_damaged=request["keep"], limits=Limits(**request["limits"]))
    info = decoder.info
    fields = {name: getattr(info, name) for name in ("width", "height", "variable", "has_audio", "codec", "container")}
    _answer(
        out,
        {
            **fields,
            "rate": str(info.rate),
            "tick": str(info.tick),
            "ticks": list(info.ticks),
            "wide": str(info.wide),
            "light": info.light,
        },
    )
    for line in sys.stdin.buffer:
        try:
            frame = decoder.frame(int(line))
        except Exception as error:  # noqa: BLE001 - told to the parent, who raises it there
            _answer(out, _fault(error))
        else:
            _answer(out, {"bytes": frame.nbytes}, frame.data)


def _fault(error: Exception) -> dict[str, Any]:
    message = getattr(error, "message", f"decoding failed ({type(error).__name__}: {error}).")
    return {"fault": str(message)[:1000], "hint": str(getattr(error, "hint", "Convert the clip, or use a copy."))[:500]}


def _answer(out: BinaryIO, value: dict[str, Any], data: Any = b"") -> None:
    head = json.dumps(value).encode()
    out.write(struct.pack(">I", len(head)))
    out.write(head)
    out.write(data)
    out.flush()


if __name__ == "__main__":
    main()

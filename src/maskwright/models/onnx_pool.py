"""The pool of memory that every ONNX Runtime session of the process draws on, and how it is emptied."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any


@cache
def share_pool() -> None:
    """Lets all sessions of the process draw on one pool: each for itself would keep the most it ever needed."""
    import onnxruntime

    pool = onnxruntime.OrtMemoryInfo("Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0,
                                     onnxruntime.OrtMemType.DEFAULT)  # fmt: skip
    onnxruntime.create_and_register_allocator(pool, onnxruntime.OrtArenaCfg(0, 1, -1, -1))


def sharing(options: Any) -> Any:
    """The session options, told to draw on the pool."""
    share_pool()
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options


def free_pool() -> None:
    """Gives back what no step holds now. The pool never does so by itself: it keeps the most that all models together
    ever needed at one moment. The next step takes a few milliseconds longer."""
    if "onnxruntime" not in sys.modules:
        return
    import numpy as np

    model, after = _echo()
    model.run(None, {"x": np.zeros(1, np.float32)}, after)


@cache
def _echo() -> tuple[Any, Any]:
    """A model that does nothing, and the wish that the pool be emptied after its run: ONNX Runtime has no other way."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    after = onnxruntime.RunOptions()
    after.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return onnxruntime.InferenceSession(_ECHO, sharing(options), providers=["CPUExecutionProvider"]), after


def _field(number: int, value: bytes | int) -> bytes:
    """One field of a protocol buffer that is shorter than 128 bytes."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def _value(name: bytes) -> bytes:
    """A ValueInfoProto: one float32."""
    shape = _field(1, _field(1, 1))
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


_NODE = _field(1, b"x") + _field(2, b"y") + _field(4, b"Identity")
_GRAPH = _field(1, _NODE) + _field(2, b"echo") + _field(11, _value(b"x")) + _field(12, _value(b"y"))
_ECHO = _field(1, 8) + _field(7, _GRAPH) + _field(8, _field(2, 13))
"""A ModelProto: IR 8, operators of version 13, y = x. Field numbers as in onnx.proto3."""

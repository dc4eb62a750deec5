"""Look at a weights file without running anything in it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from maskwright.errors import WeightsError

_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5", ".keras", ".pb"}
_SAFE = {".safetensors", ".onnx", ".gguf", ".tflite"}
_CODE = {".py", ".pyc", ".so", ".dll", ".dylib", ".exe", ".sh"}
_MAX_HEADER = 100 * 2**20
_WIDTHS = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
           "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8}  # fmt: skip


def inspect_file(path: Path, *, allow_pickle: bool = False) -> None:
    """Raises WeightsError when the file can run code, reaches outside its folder or is not what its name says."""
    suffix = path.suffix.lower()
    if path.is_symlink() and not _inside(path):
        _refuse(path, "is a link that leaves its folder")
    if suffix in _CODE:
        _refuse(path, "is a program")
    head = _head(path)
    looks_pickled = head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or head[:4] == b"PK\x03\x04"
    if suffix in _PICKLES or (suffix in _SAFE and looks_pickled):
        if allow_pickle and suffix in _PICKLES:
            return
        _refuse(path, "may run code when it is opened (a pickle)")
    if suffix == ".safetensors":
        _inspect_safetensors(path)
    elif suffix == ".onnx":
        _inspect_onnx(path)


def _refuse(path: Path, why: str) -> None:
    raise WeightsError(f"{path} {why} and is refused.", "Use safetensors or ONNX weights, from a source you trust.")


def _inside(path: Path) -> bool:
    """A link is fine inside its own folder, and inside the blob store beside a hub snapshot."""
    target = path.resolve()
    roots = [path.parent.resolve(), *(p.resolve() for p in path.absolute().parents if (p / "blobs").is_dir())]
    return any(target.is_relative_to(root) for root in roots)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(8)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


def _inspect_safetensors(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(_MAX_HEADER, size - 8):
            _refuse(path, "has a header of an impossible length")
        raw = stream.read(length)
    try:
        header = json.loads(raw)
        entries = sorted(_span(v) for k, v in header.items() if k != "__metadata__")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        _refuse(path, "has a header that cannot be read")
    end = 0
    for start, stop in entries:
        if start != end:
            _refuse(path, "has tensors that overlap or leave gaps")
        end = stop
    if end != size - 8 - length:
        _refuse(path, "is cut short or has bytes that belong to no tensor")


def _span(entry: Any) -> tuple[int, int]:
    start, stop = (int(v) for v in entry["data_offsets"])
    count = 1
    for side in entry["shape"]:
        if not isinstance(side, int) or side < 0:
            raise ValueError("shape")
        count *= side
    if stop - start != count * _WIDTHS[entry["dtype"]]:
        raise ValueError("offsets")
    return start, stop


def _inspect_onnx(path: Path) -> None:
    """ONNX is a protobuf: the first byte is the tag of field 1 (ir_version). External data must lie beside the file."""
    head = _head(path)
    if head[:1] != b"\x08":
        _refuse(path, "is not an ONNX model")
    for location in _external_locations(path.read_bytes()):
        target = (path.parent / location).resolve()
        if Path(location).is_absolute() or not target.is_relative_to(path.parent.resolve()):
            _refuse(path, f"keeps data outside its folder ({location[:60]})")


def _external_locations(data: bytes) -> list[str]:
    """Values of the entries {key: "location", value: ...} of tensors whose data lie in other files."""
    key = b"\x0a\x08location\x12"
    found, at = [], data.find(key)
    while at >= 0:
        length, start = _varint(data, at + len(key))
        found.append(data[start : start + length].decode("utf-8", errors="replace"))
        at = data.find(key, start)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 35:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            break
    return value, at

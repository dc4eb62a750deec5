"""COCO run-length encoding. pycocotools' string format, written with numpy so that the core needs no compiled wheel.

Runs go down the columns and begin with background. The compressed form writes each run (from the third on, its
difference to the run two before) as 5-bit groups, low first, in characters from 48; see cocodataset/cocoapi maskApi.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask


def counts_of(array: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Run lengths down the columns, background first."""
    height, width = array.shape
    changes = np.empty((height, width), dtype=np.bool_)
    np.not_equal(array[1:], array[:-1], out=changes[1:])
    changes[0, 0] = array[0, 0]
    np.not_equal(array[0, 1:], array[-1, :-1], out=changes[0, 1:])
    row, column = np.divmod(_set_places(changes), width)
    starts = np.sort(column * height + row)
    return np.diff(starts, prepend=0, append=array.size)


def _set_places(changes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """np.flatnonzero of an array where little is set: whole words are skipped first."""
    flat = changes.reshape(-1)
    whole = flat.size // 8 * 8
    words = np.flatnonzero(flat[:whole].view(np.uint64))
    inside = flat[:whole].reshape(-1, 8)[words]
    which, place = np.nonzero(inside)
    return np.concatenate([words[which] * 8 + place, np.flatnonzero(flat[whole:]) + whole])


def encode(array: NDArray[np.bool_]) -> dict[str, Any]:
    """The compressed form, `counts` an ASCII str."""
    return {"size": [int(array.shape[0]), int(array.shape[1])], "counts": _to_text(counts_of(array))}


def encode_plain(array: NDArray[np.bool_]) -> dict[str, Any]:
    """The uncompressed form, `counts` a list of ints."""
    return {"size": [int(array.shape[0]), int(array.shape[1])], "counts": counts_of(array).tolist()}


def decode(value: Mapping[str, Any]) -> NDArray[np.bool_]:
    """bool (H, W) of a COCO RLE, compressed or not; raises BadMask."""
    try:
        height, width = (int(v) for v in value["size"])
        counts = value["counts"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadMask("not a COCO RLE.", 'Give {"size": [height, width], "counts": ...}.') from error
    if height <= 0 or width <= 0 or height * width > 2**31:
        raise BadMask(f"a COCO RLE of size {height}x{width} is not usable.", "Check its size entry.")
    runs = _from_counts(counts)
    if (runs.size and (runs.min() < 0 or int(runs.sum()) != height * width)) or not runs.size:
        raise BadMask(f"the RLE's runs do not fill {height}x{width} pixels.", "The RLE is damaged or of another size.")
    values = np.arange(runs.size) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width, height).T)


def _from_counts(counts: Any) -> NDArray[np.int64]:
    if isinstance(counts, str):
        counts = counts.encode("ascii", errors="replace")
    if isinstance(counts, bytes):
        return _from_text(counts)
    try:
        return np.asarray(counts, dtype=np.int64).reshape(-1)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadMask("the RLE's counts are neither text nor whole numbers.", "Check the file.") from error


def _to_text(runs: NDArray[np.int64]) -> str:
    """5-bit groups, low first; bit 0x20 says that more follow; signed, so a group's 0x10 is the sign."""
    rest = runs.copy()
    rest[3:] -= runs[1:-2]
    groups: list[NDArray[np.int64]] = []
    alive = np.ones(rest.size, dtype=np.bool_)
    while alive.any():
        low = rest & 0x1F
        rest >>= 5
        more = np.where(low & 0x10, rest != -1, rest != 0)
        groups.append(np.where(alive, (low | (more << 5)) + 48, 0))
        alive = alive & more
    text = np.stack(groups, axis=1).reshape(-1)
    return str(text[text != 0].astype(np.uint8).tobytes(), "ascii")


def _from_text(text: bytes) -> NDArray[np.int64]:
    codes = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if codes.size == 0 or codes.min() < 0 or codes.max() > 0x3F or codes[-1] & 0x20:
        raise BadMask("the RLE's text is damaged.", "Check the file.")
    first = np.concatenate([[True], (codes[:-1] & 0x20) == 0])
    starts = np.flatnonzero(first)
    place = np.arange(codes.size) - np.repeat(starts, np.diff(np.append(starts, codes.size)))
    if place.max() > 10:
        raise BadMask("the RLE holds a run too long to be real.", "Check the file.")
    runs = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    ends = np.append(starts[1:], codes.size) - 1
    negative = (codes[ends] & 0x10) != 0
    runs = np.where(negative, runs - (1 << (5 * (place[ends] + 1))), runs)
    return _undo_differences(runs)


def _undo_differences(runs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each run from the fourth on was written as its difference to the run two before (index - 2)."""
    out = runs.copy()
    out[1::2] = np.cumsum(out[1::2])
    out[2::2] = np.cumsum(out[2::2])
    return out

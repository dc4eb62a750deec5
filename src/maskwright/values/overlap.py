"""Shared pixels of many pairs of masks at once, exactly.

Masks are rows of 64-pixel words. Most words are all zeros or all ones, and for those counting is a matrix product of
small whole numbers; only where both masks of a pair have a mixed word (an edge) are bits compared. This is an order of
magnitude less work than comparing every word of every pair.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_CHUNK = 256
"""Words taken at a time: what belongs to them stays in the processor's cache, and float32 sums stay exact."""

_WORTH_THREADS = 100_000
"""Pairs times chunks from which on threads pay: numpy works without the interpreter's lock, and whole numbers add up
to the same in any order."""

_MOST_PAIRS = 4_000_000
_FULL = 64


def words_of(packed: NDArray[np.uint8]) -> Words:
    """(N, ceil(bytes / 8)) words of packed rows, the last one filled up with zeros."""
    n, width = packed.shape
    if width % 8 == 0 and packed.flags.c_contiguous:
        return packed.view(np.uint64)
    padded = np.zeros((n, -(-width // 8) * 8), dtype=np.uint8)
    padded[:, :width] = packed
    return padded.view(np.uint64)


def shared_bits(a: Words, b: Words) -> NDArray[np.int64]:
    """(N, M) bits set in both row i of `a` and row j of `b`."""
    out = np.zeros((len(a), len(b)), dtype=np.int64)
    if not len(a) or not len(b):
        return out
    chunks = [(a[:, start : start + _CHUNK], b[:, start : start + _CHUNK]) for start in range(0, a.shape[1], _CHUNK)]
    if out.size * len(chunks) < _WORTH_THREADS:
        parts: Iterable[NDArray[np.int64]] = map(_of_chunk, *zip(*chunks, strict=True))
        return sum(parts, start=out)
    with ThreadPoolExecutor(min(len(chunks), os.cpu_count() or 1)) as pool:
        return sum(pool.map(_of_chunk, *zip(*chunks, strict=True)), start=out)


def _of_chunk(a: Words, b: Words) -> NDArray[np.int64]:
    counts_a, counts_b = np.bitwise_count(a), np.bitwise_count(b)
    some = np.flatnonzero(counts_a.any(axis=0) & counts_b.any(axis=0))
    if not some.size:
        return np.zeros((len(a), len(b)), dtype=np.int64)
    if some.size < 0.9 * a.shape[1]:
        a, b, counts_a, counts_b = a[:, some], b[:, some], counts_a[:, some], counts_b[:, some]
    mixed_a, mixed_b = (counts_a % _FULL) != 0, (counts_b % _FULL) != 0
    pairs = int(mixed_a.sum(axis=0, dtype=np.int64) @ mixed_b.sum(axis=0, dtype=np.int64))
    if pairs > _MOST_PAIRS:
        return _word_by_word(a, b)
    return _of_whole_words(counts_a, counts_b, mixed_a, mixed_b) + _of_edges(a, b, mixed_a, mixed_b)


def _of_whole_words(
    counts_a: NDArray[np.uint8], counts_b: NDArray[np.uint8], mixed_a: NDArray[np.bool_], mixed_b: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Bits shared where at least one of the two words is full."""
    full_a, full_b = (counts_a == _FULL).astype(np.float32), (counts_b == _FULL).astype(np.float32)
    shared: NDArray[np.float32] = full_a @ counts_b.astype(np.float32).T
    if mixed_a.any():
        shared += np.where(mixed_a, counts_a, 0).astype(np.float32) @ full_b.T
    return shared.astype(np.int64)


def _of_edges(a: Words, b: Words, mixed_a: NDArray[np.bool_], mixed_b: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Bits shared where both words are mixed: every such pair of one column, laid out in one list."""
    column_a, row_a = _by_column(mixed_a)
    column_b, row_b = _by_column(mixed_b)
    per_column = np.bincount(column_b, minlength=a.shape[1]).astype(np.int32)
    first = np.cumsum(per_column, dtype=np.int32) - per_column
    times = per_column[column_a]
    ends = np.cumsum(times, dtype=np.int32)
    places = np.arange(ends[-1] if ends.size else 0, dtype=np.int32)
    places -= np.repeat(ends - times - first[column_a], times)
    bits = np.bitwise_count(np.repeat(a[row_a, column_a], times) & b[row_b, column_b][places])
    cells = np.repeat(row_a * np.int32(len(b)), times)
    cells += row_b[places]
    summed = np.bincount(cells, weights=bits, minlength=len(a) * len(b))
    return summed.reshape(len(a), len(b)).astype(np.int64)


def _by_column(mixed: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(column, row) of every mixed word, column by column."""
    column, row = np.nonzero(np.ascontiguousarray(mixed.T))
    return column.astype(np.int32), row.astype(np.int32)


def _word_by_word(a: Words, b: Words) -> NDArray[np.int64]:
    """Every word of every pair: for masks that are edges all over, like noise."""
    return np.stack([np.bitwise_count(row & b).sum(axis=1, dtype=np.int64) for row in a])

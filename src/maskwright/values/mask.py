"""Masks: one, many packed into bits, and their run-length form."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import BadMask
from maskwright.values import rle
from maskwright.values.box import Box
from maskwright.values.overlap import shared_bits, words_of
from maskwright.values.pillow import mask_values, middle

Bools = NDArray[np.bool_]


class Mask:
    """A region of a picture: `array` is bool (H, W), read-only."""

    def __init__(self, array: NDArray[Any]) -> None:
        if array.ndim != 2 or 0 in array.shape:
            raise BadMask(f"an array of shape {array.shape} is not a mask.", "Give a 2-D array (height, width).")
        if array.dtype != np.bool_:
            array = array > middle(array)
        if array.flags.writeable or not array.flags.c_contiguous:
            array = np.array(array, order="C")
            array.flags.writeable = False
        self.array: Bools = array

    @classmethod
    def of(cls, value: Mask | NDArray[Any] | Any) -> Mask:
        """A Mask from a Mask, an array (bool, 0/1 or 0-255), a COCO RLE mapping or a PIL image, which is read as
        `open_mask` reads its file but for EXIF: its pixels stay where Pillow has them."""
        if isinstance(value, Mask):
            return value
        if isinstance(value, Mapping):
            return cls.from_rle(value)
        if hasattr(value, "convert") and hasattr(value, "getbands"):
            picture: Any = value
            value = mask_values(picture, "the picture")
            value = value > 0 if picture.mode == "P" else value
        if not isinstance(value, np.ndarray):
            raise BadMask(f"a {type(value).__name__} is not a mask.", "Give an array, a COCO RLE or a PIL image.")
        return cls(value)

    @classmethod
    def empty(cls, width: int, height: int) -> Mask:
        return cls(np.zeros((height, width), dtype=np.bool_))

    @classmethod
    def from_rle(cls, value: Mapping[str, Any]) -> Mask:
        """A Mask from a COCO RLE, compressed or not; raises BadMask."""
        return cls(rle.decode(value))

    def to_rle(self, *, compressed: bool = True) -> dict[str, Any]:
        """COCO RLE: {"size": [h, w], "counts": str | list[int]}."""
        return rle.encode(self.array) if compressed else rle.encode_plain(self.array)

    @property
    def height(self) -> int:
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        return int(self.array.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return (self.width, self.height)

    @cached_property
    def area(self) -> int:
        """Pixels inside."""
        return int(np.count_nonzero(self.array))

    def __bool__(self) -> bool:
        return self.area > 0

    @cached_property
    def box(self) -> Box | None:
        """The tight box, or None when empty."""
        rows, columns = np.flatnonzero(self.array.any(axis=1)), np.flatnonzero(self.array.any(axis=0))
        if not rows.size:
            return None
        return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))

    def iou(self, other: Mask) -> float:
        """Intersection over union; 1.0 for two empty masks."""
        self.check_size(other.size)
        union = int(np.count_nonzero(self.array | other.array))
        return int(np.count_nonzero(self.array & other.array)) / union if union else 1.0

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises BadMask unless the mask is `size` = (width, height)."""
        if self.size != size:
            raise BadMask(
                f"the mask is {self.width}x{self.height}, the picture {size[0]}x{size[1]}.",
                "Give a mask of the picture's own size.",
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        return hash((self.array.shape, self.array.tobytes()))

    def __repr__(self) -> str:
        return f"Mask({self.width}x{self.height}, {self.area} px)"


class MaskStack:
    """Many masks of one size, eight pixels a byte: `packed` is uint8 (N, ceil(H * W / 8))."""

    def __init__(self, packed: NDArray[np.uint8], height: int, width: int) -> None:
        self.packed, self.height, self.width = packed, height, width

    @classmethod
    def of(cls, masks: NDArray[np.bool_] | Iterable[Mask], size: tuple[int, int] | None = None) -> MaskStack:
        """A stack from (N, H, W) bool or Masks; `size` (width, height) is needed when there are none."""
        if not isinstance(masks, np.ndarray):
            rows = []
            for mask in masks:
                size = size or mask.size
                mask.check_size(size)
                rows.append(np.packbits(mask.array))
            width, height = size or (0, 0)
            none = np.zeros((0, -(-width * height // 8)), dtype=np.uint8)
            return cls(np.stack(rows) if rows else none, height, width)
        n, height, width = masks.shape
        return cls(np.packbits(masks.reshape(n, height * width), axis=1), height, width)

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, index: int) -> Mask:
        bits = np.unpackbits(self.packed[index], count=self.height * self.width)
        return Mask(bits.astype(np.bool_).reshape(self.height, self.width))

    def __iter__(self) -> Iterator[Mask]:
        return (self[i] for i in range(len(self)))

    def unpack(self) -> Bools:
        """(N, H, W) bool."""
        bits = np.unpackbits(self.packed, axis=1, count=self.height * self.width)
        return bits.view(np.bool_).reshape(len(self), self.height, self.width)

    @cached_property
    def areas(self) -> NDArray[np.int64]:
        """Pixels inside each mask, (N,)."""
        bits: NDArray[np.int64] = np.bitwise_count(words_of(self.packed)).sum(axis=1, dtype=np.int64)
        return bits

    def iou(self, other: MaskStack) -> NDArray[np.float64]:
        """(N, M) intersections over unions; 1.0 for two empty masks."""
        if (self.height, self.width) != (other.height, other.width):
            raise BadMask("the two stacks hold masks of different sizes.", "Compare masks of one picture.")
        inter = intersections(self, other)
        union = self.areas[:, None] + other.areas[None, :] - inter
        return np.where(union > 0, inter / np.maximum(union, 1), 1.0)


@dataclass(frozen=True)
class PackedMask:
    """A mask at rest: eight pixels a byte, deflated. A thing in an HD frame takes a few KiB, noise an eighth of its
    array."""

    data: bytes
    height: int
    width: int

    @classmethod
    def of(cls, mask: Mask) -> PackedMask:
        return cls(zlib.compress(np.packbits(mask.array).tobytes(), 1), mask.height, mask.width)

    def unpack(self) -> Mask:
        bits = np.frombuffer(zlib.decompress(self.data), dtype=np.uint8)
        array = np.unpackbits(bits, count=self.height * self.width).view(np.bool_).reshape(self.height, self.width)
        array.flags.writeable = False
        return Mask(array)


class PackedMasks(MutableMapping[int, Mask]):
    """Masks by number, each packed when it is put in and unpacked whenever it is asked for."""

    def __init__(self) -> None:
        self._packed: dict[int, PackedMask] = {}

    def __getitem__(self, index: int) -> Mask:
        return self._packed[index].unpack()

    def __setitem__(self, index: int, mask: Mask) -> None:
        self._packed[index] = PackedMask.of(mask)

    def __delitem__(self, index: int) -> None:
        del self._packed[index]

    def __contains__(self, index: object) -> bool:
        return index in self._packed

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._packed))

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def nbytes(self) -> int:
        """What they take now."""
        return sum(len(packed.data) for packed in list(self._packed.values()))

    def copy(self) -> PackedMasks:
        """The same masks, apart from what is put in later."""
        made = PackedMasks()
        made._packed.update(self._packed)
        return made


def intersections(a: MaskStack, b: MaskStack) -> NDArray[np.int64]:
    """(N, M) pixels shared by each pair."""
    return shared_bits(words_of(a.packed), words_of(b.packed))

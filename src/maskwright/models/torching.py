"""Where torch models run, how they are loaded, and what happens when the device is full.

Adapters that need torch use this room for device and precision, for loading folders, for turning torch's exceptions
into ours, and for the ladder of a full device: smaller batches, then idle models leave it, then the CPU.
"""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from maskwright.errors import BadSettings, MaskwrightError, MissingWeights, ModelError, OutOfMemory, WeightsError
from maskwright.plumbing.device import choose_device
from maskwright.plumbing.log import get_log

T = TypeVar("T")
Item = TypeVar("Item")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_log = get_log(__name__)


@dataclass(frozen=True)
class Place:
    """A device and a precision."""

    device: str
    dtype: torch.dtype

    def put(self, tensor: Tensor) -> Tensor:
        """The tensor here; whole numbers keep their type."""
        return tensor.to(self.device, self.dtype if tensor.is_floating_point() else None)


def choose_place(device: str = "auto", dtype: str = "auto", *, half: str = "float32") -> Place:
    """`dtype` "auto" is float32 on the CPU and `half` elsewhere; raises BadSettings."""
    chosen = choose_device(device)
    name = ("float32" if chosen == "cpu" else half) if dtype == "auto" else dtype
    if name not in DTYPES:
        raise BadSettings(f"there is no precision {dtype!r}.", f"Choose one of: auto, {', '.join(DTYPES)}.")
    return Place(chosen, DTYPES[name])


_FOREIGN = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, ImportError, OSError, ArithmeticError,
            AssertionError, MemoryError)  # fmt: skip


@contextmanager
def mapped(name: str) -> Iterator[None]:
    """Turns what torch, transformers and diffusers raise while `name` works into ModelError and OutOfMemory."""
    try:
        yield
    except MaskwrightError:
        raise
    except _FOREIGN as error:
        raise _as_ours(name, error) from error


def _as_ours(name: str, error: Exception) -> MaskwrightError:
    first = (str(error).splitlines() or [type(error).__name__])[0][:200]
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "out of memory" in first.lower():
        return OutOfMemory(f"{name}: the device has no memory left.", "Use a smaller picture, or --device cpu.")
    return ModelError(f"{name} failed: {type(error).__name__}: {first}", "Check the input, or try another model.")


def load_pretrained(kind: Any, folder: Path, name: str, place: Place, **options: Any) -> Any:
    """A transformers model of class `kind` from a folder, ready to answer.

    Raises MissingWeights, and WeightsError when tensors are missing, misshapen or of another architecture.
    """
    if not (folder / "config.json").is_file():
        raise MissingWeights(f"{name}: {folder} holds no config.json.", f"Type: maskwright models pull {name}")
    try:
        model, info = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=place.dtype, output_loading_info=True, **options
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise weights_error(name, folder, error) from error
    except Exception as error:  # safetensors raises a bare Exception subclass of its own
        if type(error).__module__.split(".")[0] not in ("safetensors", "builtins", "safetensors_rust"):
            raise
        raise weights_error(name, folder, error) from error
    if info["missing_keys"]:
        first = ", ".join(sorted(info["missing_keys"])[:3])
        raise WeightsError(
            f"{folder} is not whole or not {kind.__name__}: {len(info['missing_keys'])} tensors are missing ({first}).",
            "Pull it again, or give the folder of this model.",
        )
    return _moved(model, name, place).eval().requires_grad_(False)


def _moved(model: Any, name: str, place: Place) -> Any:
    """The model on its device, where idle models make room for it."""
    try:
        with mapped(name):
            return model.to(place.device)
    except OutOfMemory:
        if not make_room():
            raise
    with mapped(name):
        return model.to(place.device)


def load_part(kind: Any, folder: Path, name: str, **options: Any) -> Any:
    """A processor, tokenizer or diffusers model from a folder; raises MissingWeights and WeightsError."""
    if not folder.is_dir():
        raise MissingWeights(f"{name}: {folder} is not a folder.", f"Type: maskwright models pull {name}")
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise weights_error(name, folder, error) from error


def weights_error(name: str, folder: Path, error: Exception) -> WeightsError:
    first = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return WeightsError(f"{name}: {folder} cannot be loaded: {first}", "Pull it again, or check the folder.")


class Lodger(Protocol):
    """A model that can leave the device between two calls and come back at the next one."""

    def make_room(self) -> bool:
        """Frees its memory now if it has any and is idle; False if nothing was freed. Never waits."""
        ...


_lodgers: weakref.WeakSet[Lodger] = weakref.WeakSet()
_lodgers_lock = threading.Lock()


def lodge(lodger: Lodger) -> None:
    """From now on, and for as long as somebody holds it, `lodger` is asked to leave when the device is full."""
    with _lodgers_lock:
        _lodgers.add(lodger)


def make_room() -> bool:
    """Asks all lodgers to leave; True if one did."""
    with _lodgers_lock:
        asked = list(_lodgers)
    left = sum(lodger.make_room() for lodger in asked)
    if left:
        gc.collect()
        empty_device()
    return left > 0


class Host:
    """A model on its device. When the device is full, a call is tried again in smaller batches, then once more after
    idle models have left, then on the CPU."""

    def __init__(self, name: str, model: Any, place: Place, *, compiled: bool = False) -> None:
        self.name, self.place = name, place
        self.model = torch.compile(model) if compiled else model
        self.fell_back = 0
        self._plain = model
        self._spare: Any = None
        self._lock = threading.Lock()

    def call(self, work: Callable[[Any, Place], T], *, may_move: bool = True) -> T:
        """`work(model, place)` without gradients; on a full device once more when idle models have left, and once more
        on the CPU, unless it may not move."""
        try:
            return self._with_room(work)
        except OutOfMemory:
            if self.place.device == "cpu" or not may_move:
                raise
            _log.warning("device full, going on with the CPU", model=self.name)
        empty_device()
        self.fell_back += 1
        return self._work(work, self._on_cpu(), Place("cpu", torch.float32))

    def batches(self, work: Callable[[Any, Place, Sequence[Item]], T], items: Sequence[Item], size: int) -> list[T]:
        """`work(model, place, some items)` for all items in order, `size` at a time or fewer when memory is short."""
        answers: list[T] = []
        start = 0
        while start < len(items):
            work_some = partial(_apply, work, items[start : start + size])
            try:
                answers.append(self._work(work_some, self.model, self.place))
                start += size
                continue
            except OutOfMemory:
                pass
            if size == 1:
                answers.append(self.call(work_some))
                start += 1
            else:
                size = max(1, min(size, len(items) - start) // 2)
                empty_device()
        return answers

    def _with_room(self, work: Callable[[Any, Place], T]) -> T:
        """`work` on the device, once more if idle models could leave it."""
        try:
            return self._work(work, self.model, self.place)
        except OutOfMemory:
            if self.place.device == "cpu" or not make_room():
                raise
        _log.info("idle models left the device", to=self.name)
        return self._work(work, self.model, self.place)

    def _work(self, work: Callable[[Any, Place], T], model: Any, place: Place) -> T:
        with mapped(self.name), torch.inference_mode():
            return work(model, place)

    def _on_cpu(self) -> Any:
        with self._lock:
            if self._spare is None:
                self._spare = copy.deepcopy(self._plain).to("cpu", torch.float32)
            return self._spare


def _apply(work: Callable[[Any, Place, Sequence[Item]], T], some: Sequence[Item], model: Any, place: Place) -> T:
    return work(model, place, some)


def empty_device() -> None:
    """Gives unused memory of the accelerator back."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

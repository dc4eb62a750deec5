"""LPIPS and VFID of filled clips, from weights that lie where the user says; nothing is ever fetched.

Both networks are run straight from their published state dictionaries: LPIPS on AlexNet (Zhang et al. 2018), VFID on
I3D (Carreira and Zisserman 2017) with frames of 0..1 and the mean of Mixed_5c, as the tables of video inpainting do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import MissingPackage, MissingWeights

Frame = NDArray[np.uint8]
Floats = NDArray[np.float64]
Distance = Callable[[Frame, Frame], float]
Features = Callable[[Sequence[Frame]], Floats]

ALEXNET, LINEAR = "alexnet-owt-7be5be79.pth", "alex.pth"
"""torchvision's AlexNet and the linear layers of the package lpips (weights/v0.1): what --lpips-weights must hold."""
_LAYERS = ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))
"""AlexNet's convolutions: number, stride, padding; pooling goes before the second and the third."""
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_I3D = (
    "Conv3d_1a_7x7/2", "pool 1 2", "Conv3d_2b_1x1/1", "Conv3d_2c_3x3/1", "pool 1 2", "Mixed_3b", "Mixed_3c",
    "pool 3 2", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "pool 2 2", "Mixed_5b", "Mixed_5c",
)  # fmt: skip
"""I3D's layers in order: a convolution with its stride, pooling with its kernel in time and stride, inceptions."""


def open_lpips(folder: str | Path) -> Distance:
    """Two frames -> their distance (0: alike). Raises MissingPackage, MissingWeights."""
    torch = _torch()
    values = {**_weights(Path(folder) / ALEXNET), **_weights(Path(folder) / LINEAR)}
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in (_SHIFT, _SCALE))

    def taps(frame: Frame) -> list[Any]:
        x = (torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 - shift) / scale
        out = []
        for place, (number, stride, padding) in enumerate(_LAYERS):
            if place in (1, 2):
                x = torch.nn.functional.max_pool2d(x, 3, 2)
            name = f"features.{number}"
            x = torch.nn.functional.conv2d(x, values[f"{name}.weight"], values[f"{name}.bias"], stride, padding).relu()
            out.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return out

    def distance(first: Frame, second: Frame) -> float:
        with torch.inference_mode():
            pairs = zip(taps(first), taps(second), strict=True)
            parts = [
                ((a - b).square() * values[f"lin{i}.model.1.weight"]).sum(1).mean() for i, (a, b) in enumerate(pairs)
            ]
            return float(sum(parts))

    return distance


def open_i3d(path: str | Path) -> Features:
    """A clip's frames -> its 1024 features. Raises MissingPackage, MissingWeights."""
    torch = _torch()
    values = _weights(Path(path))

    def features(frames: Sequence[Frame]) -> Floats:
        clip = np.stack([frames[i] for i in range(len(frames))])
        with torch.inference_mode():
            x = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].float() / 255
            for layer in _I3D:
                x = _layer(x, layer, values)
            return np.asarray(x.mean((2, 3, 4))[0].numpy(), np.float64)

    return features


def frechet(first: Floats, second: Floats) -> float:
    """The Frechet distance between two sets of features, (n, d) and (m, d), n and m at least 2."""
    means = [values.mean(axis=0) for values in (first, second)]
    centred = [(v - m) / np.sqrt(len(v) - 1) for v, m in zip((first, second), means, strict=True)]
    cross = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()  # = tr sqrt(C1 C2), without d x d
    return float(((means[0] - means[1]) ** 2).sum() + sum((c**2).sum() for c in centred) - 2 * cross)


def _layer(x: Any, layer: str, values: Mapping[str, Any]) -> Any:
    name, _, stride = layer.partition("/")
    if name.startswith("pool"):
        time, step = (int(n) for n in name.split()[1:])
        kernel = (time, 3, 3) if layer != "pool 2 2" else (2, 2, 2)
        return _pooled(x, kernel, (step if time > 1 else 1, step, step))
    if stride:
        return _unit(x, name, values, int(stride))
    branches = [_unit(x, f"{name}.b0", values)]
    branches += [_unit(_unit(x, f"{name}.b{n}a", values), f"{name}.b{n}b", values) for n in (1, 2)]
    branches.append(_unit(_pooled(x, (3, 3, 3), (1, 1, 1)), f"{name}.b3b", values))
    return _torch().cat(branches, 1)


def _unit(x: Any, name: str, values: Mapping[str, Any], stride: int = 1) -> Any:
    """Convolution, batch norm, ReLU."""
    functional = _torch().nn.functional
    weight = values[f"{name}.conv3d.weight"]
    x = functional.conv3d(_padded(x, tuple(weight.shape[2:]), (stride,) * 3), weight, stride=stride)
    norm = [values[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    return functional.batch_norm(x, *norm, eps=1e-3).relu()


def _pooled(x: Any, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    return _torch().nn.functional.max_pool3d(_padded(x, kernel, stride), kernel, stride)


def _padded(x: Any, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    """Zeros around, as TensorFlow's SAME: the odd one behind."""
    pad: list[int] = []
    for size, k, s in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        missing = max(k - (s if size % s == 0 else size % s), 0)
        pad += [missing // 2, missing - missing // 2]
    return _torch().nn.functional.pad(x, pad)


def _torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingPackage(
            "LPIPS and VFID need the package torch.", "Type: pip install 'maskwright[torch]'"
        ) from error
    return torch


def _weights(path: Path) -> dict[str, Any]:
    """A state dictionary, read without running what a pickle may say."""
    if not path.is_file():
        raise MissingWeights(f"there are no weights {path}.", "They are never fetched: see docs/erase.md.")
    try:
        found = _torch().load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, OSError, EOFError, UnpicklingError) as error:
        raise MissingWeights(f"{path} holds no state dictionary: {error}"[:300], "See docs/erase.md.") from error
    return {key: value.float() for key, value in found.items() if hasattr(value, "float")}

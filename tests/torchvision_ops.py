"""Lets a torchvision built for CUDA be imported beside a CPU build of torch: its Python parts need no compiled code, but
it will not import unless its operators are known. `nms` gets a small kernel, since the reference SAM code calls it."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec

_NAMED = [
    "qnms",
    *(f"{low}{name}{back}" for name in ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d")
      for low, back in (("", ""), ("_", "_backward"))),
]  # fmt: skip
_LIBRARIES: list[object] = []  # an operator lives as long as the library that defined it


def register() -> None:
    """Does nothing where torchvision is absent or whole."""
    if find_spec("torch") is None or find_spec("torchvision") is None:
        return
    import torch

    if not torch.__version__.endswith("+cpu"):
        return
    library = torch.library.Library("torchvision", "DEF")
    _LIBRARIES.append(library)
    with suppress(RuntimeError):  # already there: the build fits
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", _nms, "CPU")
        for name in _NAMED:
            library.define(f"{name}(Tensor input) -> Tensor")
        import torchvision.extension

        torchvision.extension._has_ops = lambda: True


def _nms(boxes, scores, threshold):  # type: ignore[no-untyped-def]
    """Greedy suppression, best first; indices of what stays, in order of their scores."""
    import torch

    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    rest, kept = torch.argsort(scores, descending=True, stable=True), []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[rest, :2])
        high = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        rest = rest[shared / (area[best] + area[rest] - shared) <= threshold]
    return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.long)

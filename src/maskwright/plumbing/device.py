"""Which device a torch model runs on."""

from __future__ import annotations

from maskwright.errors import BadSettings


def choose_device(wanted: str = "auto") -> str:
    """ "cuda", "mps" or "cpu" for "auto", else `wanted` when it is there; raises BadSettings when it is not."""
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise BadSettings(
            f"the device {wanted!r} is not usable here: {str(error).splitlines()[0]}", "Use --device auto."
        ) from error
    return wanted

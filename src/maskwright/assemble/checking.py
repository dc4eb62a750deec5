"""One small real question to a model."""

from __future__ import annotations

from typing import Any

from maskwright.models.catalogue import find_row


def check_model(kind: str, name: str, *, device: str | None = None) -> dict[str, Any]:
    """Loads the model, asks it one small thing; its answer, seconds, MiB and price as JSON."""
    from maskwright.models.checking import check

    return dict(check(find_row(kind, name), {} if device is None else {"device": device}))

"""From a kind and a name to a ready model."""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Literal, overload

from maskwright import ports
from maskwright.errors import BadSettings, MissingPackage
from maskwright.models.catalogue import Row, find_row


@overload
def load(kind: Literal["segmenter"], name: str = "lite", **settings: Any) -> ports.Segmenter: ...
@overload
def load(kind: Literal["tracker"], name: str = "lite", **settings: Any) -> ports.VideoSegmenter: ...
@overload
def load(kind: Literal["proposer"], name: str = "lite", **settings: Any) -> ports.Proposer: ...
@overload
def load(kind: Literal["ranker"], name: str = "lite", **settings: Any) -> ports.Ranker: ...
@overload
def load(kind: Literal["vlm"], name: str, **settings: Any) -> ports.Vlm: ...
@overload
def load(kind: Literal["inpainter"], name: str = "lite", **settings: Any) -> ports.Inpainter: ...
@overload
def load(kind: Literal["filler"], name: str = "lite", **settings: Any) -> ports.VideoFiller: ...
@overload
def load(kind: Literal["captioner"], name: str = "lite", **settings: Any) -> ports.Captioner: ...
@overload
def load(kind: Literal["parser"], name: str = "lite", **settings: Any) -> ports.Parser: ...
@overload
def load(kind: Literal["editor"], name: str = "lite", **settings: Any) -> ports.Editor: ...
@overload
def load(kind: Literal["matter"], name: str = "lite", **settings: Any) -> ports.Matter: ...
@overload
def load(kind: Literal["depth"], name: str, **settings: Any) -> ports.DepthEstimator: ...
@overload
def load(kind: Literal["lifter"], name: str = "lite", **settings: Any) -> ports.Lifter: ...
@overload
def load(kind: str, name: str = "lite", **settings: Any) -> Any: ...
def load(kind: str, name: str = "lite", **settings: Any) -> Any:
    """Any model of the catalogue, ready to use; settings by keyword override the row's defaults.

    Raises MissingModel (no such name), MissingPackage (an extra is not installed), MissingWeights, BadSettings.
    """
    if kind not in ports.PORTS:
        raise BadSettings(f"there is no kind of model named {kind!r}.", f"Choose one of: {', '.join(ports.PORTS)}.")
    row = find_row(kind, name)
    built = {keyword: load(needed) for keyword, needed in row.needs if keyword not in settings}
    return _build(row, {**row.settings, **built, **settings})


def _build(row: Row, settings: dict[str, Any]) -> Any:
    module, _, attribute = row.target.partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
        _check_settings(row, make, settings)
        return make(**settings)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("maskwright"):
            raise
        raise missing_package(row, error.name or "a package") from error


def _check_settings(row: Row, make: Any, settings: dict[str, Any]) -> None:
    """Raises BadSettings for a setting that the model does not have, or needs and was not given."""
    try:
        inspect.signature(make).bind(**settings)
    except TypeError as error:
        raise BadSettings(f"{row.kind} {row.name}: {error}.", f"See: maskwright models show {row.name}") from error


def missing_package(row: Row, package: str) -> MissingPackage:
    """The error that says which extra brings the package."""
    extra = f"'maskwright[{row.extra}]'" if row.extra else package
    return MissingPackage(f"{row.kind} {row.name} needs the package {package}.", f"Type: pip install {extra}")

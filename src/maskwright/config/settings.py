"""Every setting there is, and where its value comes from: command line > environment > file > preset > default."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from maskwright.errors import BadSettings
from maskwright.ports import PORTS

SECTIONS: Mapping[str, str] = {
    "find": "maskwright.config.find:FindSettings",
    "sculpt": "maskwright.config.sculpt:SculptSettings",
    "erase": "maskwright.config.erase:EraseSettings",
    "shape": "maskwright.config.shape:ShapeSettings",
    "runs": "maskwright.config.runs:RunsSettings",
    "studio": "maskwright.config.studio:StudioSettings",
}
"""Section of the settings file -> the class that holds it; each room keeps its own."""

DEFAULT_PRESET = "lite"
FILE_NAME = "maskwright.toml"
_PREFIX = "MASKWRIGHT_"
_KINDS = (*PORTS, "judge")

Section = TypeVar("Section", bound=BaseModel)


class Settings:
    """The resolved settings: `preset`, `models` (kind -> {"name": ..., options}), `section("find")` and so on."""

    def __init__(self, preset: str, values: Mapping[str, Any]) -> None:
        _refuse_unknown(values, ("models", "about", *SECTIONS), "the settings")
        self.preset = preset
        self.models: dict[str, dict[str, Any]] = _checked_models(values.get("models", {}))
        self._sections = {name: _checked_section(name, values.get(name, {})) for name in SECTIONS if _exists(name)}

    def section(self, kind: type[Section]) -> Section:
        """The group of settings of this class."""
        for value in self._sections.values():
            if isinstance(value, kind):
                return value
        raise BadSettings(f"there is no section for {kind.__name__}.", f"Sections: {', '.join(self._sections)}.")

    def to_json(self) -> dict[str, Any]:
        """The whole as JSON, as it is saved in every run folder."""
        sections = {name: value.model_dump(mode="json") for name, value in self._sections.items()}
        return {"preset": self.preset, "models": self.models, **sections}


def resolve(
    overrides: Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
    file: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force. `overrides` are what the command line said, nested like the file. `file` is a TOML file,
    else maskwright.toml of the working folder if there is one. Raises BadSettings naming the key and the nearest."""
    environment = os.environ if environment is None else environment
    from_file = _read(file)
    chosen = preset or environment.get(_PREFIX + "PRESET") or from_file.pop("preset", None) or DEFAULT_PRESET
    from_file.pop("preset", None)
    values: dict[str, Any] = {}
    for layer in (read_preset(str(chosen)), from_file, _from_environment(environment), overrides or {}):
        values = merge(values, layer)
    return Settings(str(chosen), values)


def preset_names() -> list[str]:
    """The presets that travel with the product."""
    folder = resources.files("maskwright.presets")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_preset(name: str) -> dict[str, Any]:
    """A preset's own settings, by name or as a path to a TOML file; raises BadSettings."""
    if name.endswith(".toml"):
        return _read(name)
    if name not in preset_names():
        raise BadSettings(
            f"there is no preset {name!r}.{_near(name, preset_names())}", f"Presets: {', '.join(preset_names())}."
        )
    text = resources.files("maskwright.presets").joinpath(name + ".toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _read(file: str | Path | None) -> dict[str, Any]:
    path = Path(FILE_NAME) if file is None else Path(file)
    if file is None and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"the settings file {path} cannot be read.", "Check the path given with --config.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{path}: {error}.", "Correct the line, or see docs/reference/settings.md.") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """MASKWRIGHT_FIND__TAU_CONF=0.4 sets find.tau_conf; the value is read as TOML where it can be, else as text."""
    values: dict[str, Any] = {}
    for name, text in sorted(environment.items()):
        if name.startswith(_PREFIX) and "__" in name:
            values = merge(values, nested(name.removeprefix(_PREFIX).lower().split("__"), text))
    return values


def nested(path: list[str], text: str) -> dict[str, Any]:
    """{"a": {"b": value}} from ["a", "b"] and the value's text."""
    try:
        value: Any = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """High over low, tables key by key; another model's name drops the options of the one it replaces."""
    merged = dict(low)
    for key, value in high.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            replaces = "name" in value and value["name"] != merged[key].get("name")
            merged[key] = dict(value) if replaces else merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _checked_models(values: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(values, Mapping):
        raise BadSettings("[models] is not a table.", 'Write [models.segmenter] and name = "lite".')
    _refuse_unknown(values, _KINDS, "[models]")
    checked: dict[str, dict[str, Any]] = {}
    for kind, choice in values.items():
        table = {"name": choice} if isinstance(choice, str) else choice
        if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
            raise BadSettings(
                f"[models.{kind}] has no name.", f'Write name = "..."; see: maskwright models list --kind {kind}'
            )
        checked[kind] = dict(table)
    return checked


def _exists(section: str) -> bool:
    return importlib.util.find_spec(SECTIONS[section].partition(":")[0]) is not None


def with_overrides(settings: Section, overrides: Mapping[str, Any]) -> Section:
    """A section with some settings replaced (None: as it was); raises BadSettings naming the one that is wrong."""
    given = {name: value for name, value in overrides.items() if value is not None}
    return _checked(type(settings), {**settings.model_dump(), **given}) if given else settings


def _checked_section(name: str, values: Any) -> BaseModel:
    module, _, attribute = SECTIONS[name].partition(":")
    kind: type[BaseModel] = getattr(importlib.import_module(module), attribute)
    return _checked(kind, values)


def _checked(kind: type[Section], values: Any) -> Section:
    name = next(section for section, place in SECTIONS.items() if place.endswith(f":{kind.__name__}"))
    if isinstance(values, Mapping):
        _refuse_unknown(values, tuple(kind.model_fields), f"[{name}]")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in (name, *first["loc"]))
        raise BadSettings(
            f"{place} = {first.get('input')!r}: {first['msg']}.", "See docs/reference/settings.md."
        ) from error


def _refuse_unknown(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in values:
        if key not in known:
            raise BadSettings(
                f"{where}: there is no setting {key!r}.{_near(key, known)}", f"Known: {', '.join(known)}."
            )


def _near(word: str, known: tuple[str, ...] | list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""

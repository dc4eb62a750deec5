"""Experiments: read from TOML, written to TOML, refused with the place that is wrong."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from maskwright.bench.conditions import check_condition
from maskwright.config.bench import Experiment
from maskwright.errors import BadSettings


def read_experiment(path: str | Path) -> Experiment:
    """The experiment of a TOML file; raises BadSettings."""
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"the experiment {path} cannot be read.", "Check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{path}: {error}.", "Correct the line.") from error
    return make_experiment(values, str(path))


def make_experiment(values: dict[str, Any], where: str = "the experiment") -> Experiment:
    """A checked experiment; raises BadSettings naming the setting."""
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise BadSettings(f"{where}: {place}: {first['msg']}.", "See docs/bench.md, experiments.") from error
    twice = [name for name, n in Counter(v.name for v in experiment.variants).items() if n > 1]
    if twice:
        raise BadSettings(f"{where}: two variants are named {twice[0]!r}.", "Give each its own name.")
    for condition in experiment.conditions:
        check_condition(condition)
    return experiment


def write_toml(experiment: Experiment) -> str:
    """The experiment as a TOML file that reads back to it."""
    values = experiment.model_dump(mode="json", exclude_none=True)
    lines = [f"{key} = {_plain(value)}" for key, value in values.items() if not _is_table(value)]
    for key in ("data", "prices"):
        if values.get(key):
            lines += ["", f"[{key}]", *(f"{_key(k)} = {_plain(v)}" for k, v in values[key].items())]
    for variant in values["variants"]:
        lines += ["", "[[variants]]", *(f"{k} = {_plain(v)}" for k, v in variant.items())]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(name: str) -> str:
    return _plain(name)


def _plain(value: Any) -> str:
    """A TOML value; JSON's text, numbers and lists are TOML's too."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_plain(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_plain(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

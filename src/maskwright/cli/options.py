"""Options that many commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from maskwright.errors import BadSettings
from maskwright.plumbing.files import json_text


class RunPlace(click.Path):
    """A run folder: a path here, or a URL, which stays a text."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from maskwright.plumbing.store import is_url

        return value if is_url(value) else super().convert(value, param, ctx)


run_place = RunPlace(path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(command: Command) -> Command:
    """Adds --preset, --config and --set, handed to the command as `settings_from` for `read_settings`."""
    for option in (
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE",
                     help="One setting, e.g. find.tau_conf=0.4; may be repeated."),
        click.option("--config", type=click.Path(dir_okay=False), help="A settings file (else maskwright.toml here)."),
        click.option("--preset", help="Which models go together; see `maskwright doctor`."),
    ):  # fmt: skip
        command = option(command)
    return command


def read_settings(preset: str | None, config: str | None, assignments: tuple[str, ...] = ()) -> Any:
    """The resolved Settings from the three options above."""
    from maskwright.config.settings import merge, nested, resolve

    overrides: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise BadSettings(f"--set {assignment} has no value.", "Write --set key=value.")
        overrides = merge(overrides, nested(key.strip().split("."), text.strip()))
    return resolve(overrides, preset=preset, file=config)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON value on standard output.")


def print_json(value: Any) -> None:
    """A JSON value on standard output, and nothing else."""
    sys.stdout.write(json_text(value, indent=1, allow_nan=False) + "\n")

"""`maskwright workers`: environments for models that cannot live in this one."""

from __future__ import annotations

from pathlib import Path

import click

from maskwright.cli.options import json_option, print_json

NAMES = ("caption", "diffueraser", "propainter", "hunyuan3d", "triposr", "shap_e")


@click.group()
def workers() -> None:
    """Models that need an environment of their own."""


@workers.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Which workers there are, and which are set up."""
    from maskwright.plumbing.worker_places import describe

    rows = describe()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']:12} {'ready' if row['ready'] else 'not set up':10}  {row['interpreter']}")


@workers.command("setup")
@click.argument("name", type=click.Choice(NAMES))
@click.option("--into", type=click.Path(path_type=Path), help="Folder of the environment.")
@click.option("--python", help="The interpreter it is made with [this one].")
@click.option("--dry-run", is_flag=True, help="Only print the commands.")
@click.option("--accept-licence", is_flag=True, help="propainter: its licence allows no commercial use; say yes once.")
def setup_command(name: str, into: Path | None, python: str | None, dry_run: bool, accept_licence: bool) -> None:
    """Make the environment of a worker (a venv, with uv where it is there)."""
    from maskwright.plumbing.worker_places import set_up, setup_commands

    for line in setup_commands(name, into, python):
        click.echo(" ".join(line), err=not dry_run)
    if dry_run:
        return
    place = set_up(name, into, python, accepted=accept_licence)
    click.echo(f"{name}: ready in {place}")

"""`maskwright models`: what there is, what it needs, where its weights come from."""

from __future__ import annotations

import sys
from typing import Any

import click

from maskwright.cli.options import json_option, print_json
from maskwright.ports import PORTS

_PIPE = 1000
"""Signs in a line for other programs, which nothing cuts."""


@click.group()
def models() -> None:
    """What models there are, their licences and weights."""


@models.command("list")
@click.option("--kind", type=click.Choice(tuple(PORTS)), metavar="KIND", help="Only one kind, e.g. segmenter.")
@click.option("--all", "everything", is_flag=True, help="Also the fakes used in tests.")
@json_option
def list_(kind: str | None, everything: bool, as_json: bool) -> None:
    """Every model: kind, name, state here, licence, what it is."""
    from maskwright.assemble.shelf import rows

    found = rows(kind, fakes=everything)
    if as_json:
        print_json([_row_json(row, state) for row, state in found])
    else:
        heads = ("kind", "name", "here", "licence", "what it is")
        _table(heads, [(r.kind, r.name, "ready" if s.ready else s.todo, r.licence, r.note) for r, s in found])


def _row_json(row: Any, state: Any) -> dict[str, Any]:
    values = {"kind": row.kind, "name": row.name, "licence": row.licence, "note": row.note}
    return {**values, "ready": state.ready, "type": state.todo}


@models.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """The card of a model, of a set of weights or of a preset."""
    from maskwright.assemble.cards import card_text, card_values

    values = card_values(name)
    print_json(values) if as_json else click.echo(card_text(values))


@models.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--weights-dir", type=click.Path(file_okay=False), help="Where to keep them.")
def pull(names: tuple[str, ...], weights_dir: str | None) -> None:
    """Fetch weights, verified; goes on where an earlier pull stopped. NAMES are weights or models."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from maskwright.assemble.shelf import pull as pull_weights

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show_progress(file: str, done: int, size: int | None) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(file, total=size)
            bar.update(tasks[file], completed=done, total=size)

        for place in pull_weights(names, folder=weights_dir, progress=show_progress):
            click.echo(str(place))


@models.command()
@click.argument("names", nargs=-1)
@click.option("--weights-dir", type=click.Path(file_okay=False), help="Where they are kept.")
@json_option
def verify(names: tuple[str, ...], weights_dir: str | None, as_json: bool) -> None:
    """Read every byte of the weights that are here and compare their hashes."""
    from maskwright.assemble.shelf import verify as verify_weights

    results = verify_weights(names, folder=weights_dir)
    if as_json:
        print_json(results)
    else:
        _table(("weights", "state"), list(results.items()))


@models.command()
@json_option
def licences(as_json: bool) -> None:
    """The licence of every model, and of every set of weights."""
    from maskwright.assemble.shelf import licences as all_licences

    rows = all_licences()
    if as_json:
        print_json([{"what": a, "name": b, "licence": c} for a, b, c in rows])
    else:
        _table(("what", "name", "licence"), rows)


@models.command()
@click.argument("name")
@click.option("--kind", help="Needed when several kinds have a model of this name.")
@click.option("--device", default=None, help="cpu, cuda, ... (torch models).")
@json_option
def check(name: str, kind: str | None, device: str | None, as_json: bool) -> None:
    """Load a model or reach an endpoint, ask it one small real thing; answer, time, memory, price."""
    from maskwright.assemble.checking import check_model
    from maskwright.assemble.shelf import kinds_of

    values = [check_model(k, name, device=device) for k in kinds_of(name, kind)]
    if as_json:
        print_json(values)
    else:
        for value in values:
            click.echo("\n".join(f"{key:>10}  {text}" for key, text in value.items()) + "\n")


def _table(head: tuple[str, ...], rows: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as it is: [vision] is no markup
    Console(width=None if sys.stdout.isatty() else _PIPE).print(table)

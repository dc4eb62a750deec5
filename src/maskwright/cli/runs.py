"""`maskwright runs list|show|resume|export|diff`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from maskwright.cli.options import RunPlace, json_option, print_json, run_place

FORMS = ("coco", "coco-polygons", "yolo", "label-studio", "cvat", "labelme", "png", "parquet")
_folder = click.argument("folder", type=run_place)


@click.group("runs")
def runs() -> None:
    """List, show, resume, export and compare runs."""


@runs.command("list")
@click.argument("folder", type=RunPlace(path_type=Path, exists=True), default=Path())
@json_option
def list_(folder: str | Path, as_json: bool) -> None:
    """Runs in FOLDER [default: here] and directly below it."""
    from maskwright.runs.reading import list_runs

    found = list_runs(folder)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo(f"no runs in {folder}")
    for row in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["began"] or 0))
        click.echo(f"{when}  {row['kind']:16} {_counted(row):44} {row['path']}")


def _counted(row: dict[str, Any]) -> str:
    parts = [f"{row[name]} {name}" for name in ("done", "abstained", "failed") if row.get(name)]
    return f"{row.get('items') or '?'} items: {', '.join(parts) or 'nothing yet'}"


@runs.command("show")
@_folder
@json_option
def show(folder: str | Path, as_json: bool) -> None:
    """What a run was asked, how far it is, what failed."""
    from maskwright.cli.progress import table
    from maskwright.runs.reading import show_run

    found = show_run(folder)
    if as_json:
        print_json(found)
        return
    about = found["about"]
    click.echo(f"{about.get('kind')}, maskwright {about.get('maskwright')}, revision {about.get('revision') or '-'}")
    if found["summary"] is not None:
        click.echo(table(found["summary"]))
    else:
        click.echo(f"not ended: {_counted({**found['counts'], 'items': about.get('items')})}")
    for failure in found["failures"][:20]:
        click.echo(f"failed    {failure['id']}: {str(failure['error']).splitlines()[0]}")


@runs.command("resume")
@_folder
@click.option("--workers", type=click.IntRange(0, 256), help="Processes, instead of as before.")
@json_option
def resume(folder: str | Path, workers: int | None, as_json: bool) -> None:
    """Does what is not finished in a batch's run folder."""
    from dataclasses import replace

    from maskwright.assemble.batching import asks
    from maskwright.cli.batch import run_and_tell
    from maskwright.errors import BadSettings
    from maskwright.runs.batch import open_batch

    made = open_batch(folder)
    if workers is not None:
        if workers and asks(made.spec):
            raise BadSettings("a batch that asks a model is worked by one process.", "Leave out --workers.")
        made = replace(made, conduct=replace(made.conduct, workers=workers))
    run_and_tell(made, as_json=as_json)


@runs.command("export")
@_folder
@click.option("--as", "form", type=click.Choice(FORMS), required=True, help="The format.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="A new file or folder.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@json_option
def export_(folder: str | Path, form: str, out: Path, overwrite: bool, as_json: bool) -> None:
    """Writes a run's masks for another tool."""
    from maskwright.errors import BadSettings
    from maskwright.media.exports import export
    from maskwright.runs.reading import labelled

    if not isinstance(folder, str) and folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise BadSettings(f"{out} lies in the run itself.", "Choose a place outside it with -o.")
    path = export(labelled(folder), form, out, overwrite=overwrite)
    if as_json:
        print_json({"form": form, "path": str(path)})
    else:
        click.echo(f"{form} -> {path}")


@runs.command("diff")
@click.argument("first", type=run_place)
@click.argument("second", type=run_place)
@json_option
def diff(first: str | Path, second: str | Path, as_json: bool) -> None:
    """What differs between two runs."""
    from maskwright.runs.reading import compare

    found = compare(first, second)
    if as_json:
        print_json(found)
        return
    for name, (a, b) in found["settings"].items():
        click.echo(f"setting   {name}: {a} -> {b}")
    for row in found["changed"]:
        iou = "" if row["iou"] is None else f", IoU {row['iou']:.4f}"
        click.echo(f"changed   {row['id']}: {row['first']} -> {row['second']}{iou}")
    for name in ("only_first", "only_second"):
        for id_ in found[name]:
            click.echo(f"{name.replace('_', ' '):9} {id_}")
    click.echo(f"same      {found['same']}")

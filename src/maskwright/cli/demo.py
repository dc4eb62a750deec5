"""`maskwright demo`: what works here, in a folder with an HTML index."""

from __future__ import annotations

from pathlib import Path

import click

from maskwright.cli.options import json_option, print_json


@click.command()
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), default=Path("maskwright-demo"))
@json_option
def demo(out: Path, as_json: bool) -> None:
    """Show what works here, in a folder with an HTML index."""
    from maskwright.assemble.showcase import Showcase, summary, write_overview, write_page

    out.mkdir(parents=True, exist_ok=True)
    found = []
    for exhibit in Showcase(out).exhibits():
        found.append(exhibit)
        state = "not here: " + exhibit.missing.splitlines()[0] if exhibit.missing else f"{exhibit.seconds:.1f} s"
        click.echo(f"{exhibit.title:<22} {state}", err=True)
    seconds = sum(exhibit.seconds for exhibit in found)
    write_overview(out, found)
    page = write_page(out, found, f"Made by `maskwright demo` in {seconds:.0f} seconds with the embedded models.")
    if as_json:
        print_json({"page": str(page), "exhibits": summary(found)})
    else:
        click.echo(f"Look at {page}")

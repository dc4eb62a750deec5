"""`maskwright completion`: shell completion."""

from __future__ import annotations

import click

_LINES = {
    "bash": 'eval "$(_MASKWRIGHT_COMPLETE=bash_source maskwright)"',
    "zsh": 'eval "$(_MASKWRIGHT_COMPLETE=zsh_source maskwright)"',
    "fish": "_MASKWRIGHT_COMPLETE=fish_source maskwright | source",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_LINES)), default="bash")
def completion(shell: str) -> None:
    """Print the line to put into your shell's start file."""
    click.echo(_LINES[shell])

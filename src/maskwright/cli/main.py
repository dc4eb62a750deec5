"""`maskwright`: the commands are imported when they are used, so that --help answers at once."""

from __future__ import annotations

import errno
import importlib
import sys
from typing import Any

import click

from maskwright import __version__
from maskwright.errors import MaskwrightError, StorageError

COMMANDS = {
    "demo": ("maskwright.cli.demo:demo", "Show what works here, in a folder with an HTML index."),
    "find": ("maskwright.cli.find:find", "A phrase becomes a mask, or the answer that there is no such thing."),
    "sculpt": ("maskwright.cli.sculpt:sculpt", "A mask becomes a better mask, point by point."),
    "erase": ("maskwright.cli.erase:erase", "Remove an object from a video."),
    "cut": ("maskwright.cli.shape:cut", "Cut an object out with a soft edge."),
    "parts": ("maskwright.cli.shape:parts", "Take a figure apart: garments, hair, skin, pose."),
    "edit": ("maskwright.cli.shape:edit", "Change a picture by words."),
    "lift": ("maskwright.cli.shape:lift", "Turn a cut-out into a 3D model."),
    "batch": ("maskwright.cli.batch:batch", "Thousands of pictures, nothing lost."),
    "runs": ("maskwright.cli.runs:runs", "List, show, resume, export and compare runs."),
    "bench": ("maskwright.cli.bench:bench", "Measure: data sets, ablations, reports."),
    "studio": ("maskwright.cli.studio:studio", "The web page."),
    "models": ("maskwright.cli.models:models", "What models there are, their licences and weights."),
    "workers": ("maskwright.cli.workers:workers", "Models that need an environment of their own."),
    "doctor": ("maskwright.cli.doctor:doctor", "What is installed, and what can run now."),
    "completion": ("maskwright.cli.completion:completion", "Print the line that turns on shell completion."),
}
"""name -> (where it lives, one line for --help)"""


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(_unknown(args[0]), ctx)
        return super().resolve_command(ctx, args)


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    return f"there is no command {name!r}." + (f" Did you mean {near[0]}?" if near else "")


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="maskwright")
def main() -> None:
    """Words and clicks into masks that were checked, and what one does with them."""


def run(args: list[str] | None = None) -> Any:
    """Runs the command line; errors are two lines on stderr and an exit code of their own (see errors.py)."""
    try:
        code = main.main(args=args, prog_name="maskwright", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except MaskwrightError as error:
        click.echo(f"maskwright: {error.message}", err=True)
        if error.hint:
            click.echo(f"  {error.hint}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        click.echo(f"maskwright: {error.filename or 'the output'}: {error.strerror}.", err=True)
        click.echo("  Check the path and what you may do there.", err=True)
        sys.exit(StorageError.exit_code)
    except click.Abort:  # Ctrl-C, as click tells it
        click.echo("maskwright: stopped.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    run()

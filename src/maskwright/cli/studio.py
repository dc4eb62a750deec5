"""`maskwright studio`: the web page."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from maskwright.cli.options import read_settings, settings_options
from maskwright.errors import MissingPackage


@click.command()
@click.option("--host", help="Where to listen (127.0.0.1).")
@click.option("--port", type=int, help="Port (7860).")
@click.option("--auth", metavar="NAME[:PASSWORD]", help="Ask visitors for a name and password.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where sessions are kept.")
@click.option("--open/--no-open", "show", default=True, help="Open a browser.")
@click.option("--single-lock", is_flag=True, help="One lock around every model: only to compare with.")
@settings_options
def studio(
    host: str | None,
    port: int | None,
    auth: str | None,
    folder: Path | None,
    show: bool,
    single_lock: bool,
    preset: str | None,
    config: str | None,
    assignments: tuple[str, ...],
) -> None:
    """The web page: segment, parts, edit, 3D and video, for several people at once."""
    given = [f"studio.{key}={value!r}".replace("'", '"') for key, value in (("host", host), ("port", port)) if value]
    settings = read_settings(preset, config, (*assignments, *given))
    try:
        from maskwright.studio.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("maskwright"):
            raise
        raise MissingPackage(f"the studio needs {error.name}.", "Type: pip install 'maskwright[studio]'") from error
    from maskwright.config.studio import StudioSettings

    rules = settings.section(StudioSettings)
    address = f"http://{rules.host}:{rules.port}"
    click.echo(f"maskwright studio at {address}  (Ctrl-C stops it)")
    if rules.host not in ("127.0.0.1", "localhost", "::1") and not auth:
        click.echo("Anyone who reaches this machine can use it: add --auth NAME to ask for a password.", err=True)
    if show:
        click.launch(address)
    serve(settings, auth=_auth(auth), root=folder, single_lock=single_lock)


def _auth(given: str | None) -> tuple[str, str] | None:
    if not given:
        return None
    name, _, password = given.partition(":")
    return name, password or getpass.getpass(f"Password for {name}: ")

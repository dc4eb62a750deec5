"""`maskwright doctor`: what is installed, which presets can run now, what to type for the others."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import click

from maskwright.cli.options import json_option, print_json

_PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "av", "torch", "transformers", "diffusers", "gradio",
             "ray", "pymatting", "trimesh", "pyarrow")  # fmt: skip


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """What is installed, and what can run now."""
    found = examine()
    if as_json:
        print_json(found)
        return
    click.echo(f"maskwright {found['maskwright']}, Python {found['python']}, {found['cores']} cores, {found['device']}")
    click.echo(", ".join(f"{name} {version}" for name, version in found["packages"].items()) + "\n")
    for name, preset in found["presets"].items():
        click.echo(f"{'ready  ' if preset['ready'] else 'not yet'}  {name:<12} {preset['about']}")
        for line in preset["type"]:
            click.echo(f"             {line}")


def examine() -> dict[str, Any]:
    """The same as JSON."""
    from maskwright import __version__
    from maskwright.assemble.shelf import examine_preset
    from maskwright.config.settings import preset_names

    return {
        "maskwright": __version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "device": _device(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "presets": {name: examine_preset(name) for name in preset_names()},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> str:
    if _version("torch") is None:
        return "no torch"
    import torch

    return f"CUDA {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "no GPU"

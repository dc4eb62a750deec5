"""Workers of other environments: where they are, how they are made, and how one is called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from maskwright.errors import MissingError, MissingPackage, RefusedError, WorkerError
from maskwright.plumbing.files import read_json, write_json
from maskwright.plumbing.worker_process import Worker, find_interpreter

NAMES = ("caption", "diffueraser", "propainter", "hunyuan3d", "triposr", "shap_e")
NON_COMMERCIAL = ("propainter",)


def environments() -> Path:
    """The folder where `workers setup` puts environments (MASKWRIGHT_WORKERS, else below the user's data)."""
    named = os.environ.get("MASKWRIGHT_WORKERS")
    return Path(named) if named else Path.home() / ".local" / "share" / "maskwright" / "workers"


def script(name: str) -> Path:
    return Path(str(resources.files("maskwright"))) / "workers" / name / "worker.py"


def requirements(name: str) -> Path:
    return script(name).with_name("requirements.txt")


def open_worker(name: str, environment: str | None = None) -> Worker:
    """A worker with the interpreter named (a path, a venv, a conda environment), else the one that setup made.

    Raises MissingPackage with the two lines to type, RefusedError where a licence was not accepted.
    """
    place = environments() / name
    if environment is not None:
        interpreter = find_interpreter(environment)
    else:
        interpreter = _python_in(place)
        if not interpreter.exists():
            first, second = setup_commands(name)
            raise MissingPackage(f"worker {name} has no environment.", f"Type: {' '.join(first)} && {' '.join(second)}")
    if name in NON_COMMERCIAL and not accepted(name):
        raise RefusedError(
            f"{name}'s licence allows no commercial use, and nobody has said yes to it.",
            f"Type: maskwright workers setup {name} --accept-licence",
        )
    return Worker(name, script(name), interpreter)


def accepted(name: str) -> bool:
    record = environments() / f"{name}.licence.json"
    return record.exists() and bool(read_json(record).get("accepted"))


def setup_commands(name: str, into: Path | None = None, python: str | None = None) -> list[list[str]]:
    """The two commands that make the environment: one that makes it, one that fills it."""
    place = into or environments() / name
    uv = shutil.which("uv")
    made_with = python or sys.executable
    if uv:
        fill = [uv, "pip", "install", "--python", str(_python_in(place)), "-r", str(requirements(name))]
        return [[uv, "venv", "--python", made_with, str(place)], fill]
    fill = [str(_python_in(place)), "-m", "pip", "install", "-r", str(requirements(name))]
    return [[made_with, "-m", "venv", str(place)], fill]


def set_up(name: str, into: Path | None = None, python: str | None = None, *, accepted: bool = False) -> Path:
    """Makes the environment; raises RefusedError (licence not accepted), WorkerError (a command failed)."""
    if name in NON_COMMERCIAL:
        if not accepted:
            raise RefusedError(f"{name}'s licence allows no commercial use.", "Add --accept-licence to say yes to it.")
        write_json(environments() / f"{name}.licence.json", {"accepted": True, "licence": "non-commercial"})
    for command in setup_commands(name, into, python):
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise WorkerError(f"setting up {name} failed: {error}.", f"Run it by hand: {' '.join(command)}") from error
    return into or environments() / name


def describe() -> list[dict[str, Any]]:
    """One row a worker: name, ready, interpreter."""
    rows = []
    for name in NAMES:
        try:
            worker = open_worker(name)
            rows.append({"name": name, "ready": True, "interpreter": str(worker.interpreter), "why": ""})
        except (MissingError, RefusedError) as error:
            rows.append({"name": name, "ready": False, "interpreter": "", "why": error.message})
    return rows


def _python_in(place: Path) -> Path:
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

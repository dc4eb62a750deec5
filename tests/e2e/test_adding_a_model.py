"""docs/adding-a-model.md, followed to the letter: its files, its entry point, its commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
NAMED = re.compile(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, and what pip writes when it installs them: the entry points."""
    folder = tmp_path_factory.mktemp("site")
    files = dict(NAMED.findall(PAGE))
    assert {"brightness_model/model.py", "brightness_model/rows.py", "pyproject.toml", "try_it.py"} <= set(files)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(about, encoding="utf-8")
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def python(package: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=240, cwd=package, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def command(package: Path, *arguments: str) -> str:
    return python(package, "-m", "maskwright.cli.main", *arguments)


def test_its_program_runs(package: Path) -> None:
    assert python(package, "try_it.py").startswith("brightness (1, 400, 600)")


def test_it_is_listed_with_its_licence_and_passes_the_check(package: Path) -> None:
    [row] = [r for r in json.loads(command(package, "models", "list", "--kind", "segmenter", "--json"))
             if r["name"] == "brightness"]  # fmt: skip
    assert row["licence"] == "MIT"
    assert "brightness" in command(package, "models", "check", "brightness", "--kind", "segmenter")


def test_every_command_takes_its_name(package: Path) -> None:
    photo = ROOT / "src/maskwright/samples/coffee.jpg"
    command(package, "sculpt", str(photo), "--box", "175,15,420,320", "--rounds", "1", "-o", "out",
            "--segmenter", "brightness")  # fmt: skip
    assert (package / "out/final_mask.png").stat().st_size > 0


def test_the_settings_of_the_page_hold(package: Path) -> None:
    [text] = re.findall(r"```toml\n(\[models\.segmenter\].*?)```", PAGE, re.DOTALL)
    settings = package / "mine.toml"
    settings.write_text(text, encoding="utf-8")
    program = (
        "from maskwright.config.settings import resolve; from maskwright.assemble.engines import Engines;"
        "print(Engines(resolve(file='mine.toml')).need('segmenter').tolerance)"
    )
    assert python(package, "-c", program).strip() == "20"

"""The command line as a user meets it: help, errors, exit codes, nothing heavy imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from maskwright.cli.main import COMMANDS, main, run
from maskwright.errors import BadSettings

HEAVY = ("numpy", "torch", "onnxruntime", "cv2", "scipy", "pydantic", "rich")


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    return done.stdout


@pytest.mark.parametrize(
    "code", ["import maskwright", "from maskwright.cli.main import run\ntry: run(['--help'])\nexcept SystemExit: pass"]
)
def test_nothing_heavy_is_imported(code: str) -> None:
    out = _python(f"import sys\n{code}\nprint('LOADED', [m for m in {HEAVY!r} if m in sys.modules])")
    assert out.strip().endswith("LOADED []")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run([command, "--help"])
    assert ended.value.code == 0
    assert "Usage: maskwright" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (["fnd"], 2, "Did you mean find"),
        (["models", "show", "nothing"], 3, "models list"),
        (["models", "pull", "nothing"], 3, "models list"),
        (["models", "check", "nothing"], 3, "Choose one of"),
    ],
)
def test_errors_are_short_and_have_a_code(
    line: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(line)
    text = capsys.readouterr().err
    assert ended.value.code == code
    assert said in text
    assert "Traceback" not in text


@pytest.mark.parametrize("line", [["doctor"], ["models", "list"], ["models", "licences"], ["models", "show", "lite"]])
def test_json_is_one_value(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run([*line, "--json"])
    assert json.loads(capsys.readouterr().out)


def test_ctrl_c_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maskwright.assemble.shelf.rows", interrupted)
    with pytest.raises(SystemExit) as ended:
        run(["models", "list"])
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip().endswith("maskwright: stopped.")


def test_a_list_of_models_is_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["models", "list"])
    said = capsys.readouterr().out
    assert "…" not in said and "pip install 'maskwright[" in said
    with pytest.raises(SystemExit) as ended:
        run(["models", "list", "--kind", "segmentr"])
    assert ended.value.code == 2


def test_an_export_leaves_the_run_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    for place in ("run", "run/items"):
        told = CliRunner().invoke(
            main, ["runs", "export", str(tmp_path / "run"), "--as", "png", "-o", str(tmp_path / place), "--overwrite"]
        )
        assert isinstance(told.exception, BadSettings)
    assert (tmp_path / "run" / "run.json").exists()

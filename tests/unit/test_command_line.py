"""The command line as a user meets it: help, errors, exit codes, nothing heavy imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from maskwright.cli.main import COMMANDS, run

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

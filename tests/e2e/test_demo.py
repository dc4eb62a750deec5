"""The first command of the README: every exhibit is made, and the page shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from maskwright.cli.main import run


def test_the_demo_makes_every_exhibit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["demo", "-o", str(tmp_path / "out"), "--json"])
    assert ended.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert [e["title"] for e in said["exhibits"] if e["missing"]] == []
    assert len(said["exhibits"]) == 9
    page = Path(said["page"]).read_text(encoding="utf-8")
    shown = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(shown) >= 9
    assert all((tmp_path / "out" / name).stat().st_size > 0 for name in shown)

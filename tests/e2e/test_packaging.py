"""What travels: the wheel holds what the product needs and what licences ask for, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST_MIB = 40
STRAY = {".pt", ".pth", ".npz", ".npy", ".pyc", ".ckpt", ".pkl", ".ipynb", ".parquet", ".sqlite"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built as an installer builds it, without a network."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install hatchling")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    [path] = out.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_what_is_needed_is_in(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    source = ROOT / "src"
    data = [p for p in (source / "maskwright").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    tracked = subprocess.run(["git", "ls-files", "src"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    wanted = {p.relative_to(source).as_posix() for p in data}
    assert {t.removeprefix("src/") for t in tracked if (ROOT / t).exists()} <= wanted
    assert wanted <= names
    for needed in ("py.typed", "samples/CREDITS.md", "presets/lite.toml", "models/weights.toml", "models/catalogue.py"):
        assert f"maskwright/{needed}" in names
    for folder, suffix in (
        ("finding/prompts", ".md"),
        ("sculpting/prompts", ".md"),
        ("weights", ""),
        ("workers", ".py"),
    ):
        assert [n for n in names if n.startswith(f"maskwright/{folder}/") and n.endswith(suffix)], folder


def test_licences_travel_with_it(wheel: zipfile.ZipFile) -> None:
    [metadata] = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
    text = wheel.read(metadata).decode()
    folder = PurePosixPath(metadata).parent
    for name in ("LICENSE", "NOTICE"):
        assert wheel.read(f"{folder}/licenses/{name}").decode() == (ROOT / name).read_text(encoding="utf-8")
        assert f"License-File: {name}" in text
    assert "License-Expression: Apache-2.0" in text
    assert "WordNet" in (ROOT / "NOTICE").read_text(encoding="utf-8")
    credited = wheel.read("maskwright/samples/CREDITS.md").decode()
    pictures = [PurePosixPath(n).name for n in wheel.namelist() if n.startswith("maskwright/samples/") and ".jpg" in n]
    assert pictures and all(name in credited for name in pictures)


def test_nothing_stray(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert [n for n in names if PurePosixPath(n).suffix in STRAY] == []
    assert [n for n in names if {"__pycache__", ".ipynb_checkpoints", "tests", "training"} & set(n.split("/"))] == []
    assert {n.split("/")[0].split("-")[0] for n in names} == {"maskwright"}
    size = sum(info.compress_size for info in wheel.infolist()) / 2**20
    largest = max(wheel.infolist(), key=lambda info: info.compress_size)
    print(f"\nwheel: {len(names)} files, {size:.1f} MiB; largest {largest.filename}")
    assert size < LARGEST_MIB


def test_every_weights_card_of_the_wheel_has_its_files(wheel: zipfile.ZipFile) -> None:
    cards = tomllib.loads(wheel.read("maskwright/models/weights.toml").decode())
    carried = {n.removeprefix("maskwright/") for n in wheel.namelist() if n.startswith("maskwright/weights/")}
    named = {file["name"] for card in cards.values() if card.get("source") == "wheel" for file in card["files"]}
    assert named <= carried
    assert {n for n in carried if n.endswith((".safetensors", ".onnx"))} <= named, "weights that no card names"


def test_versions_agree(wheel: zipfile.ZipFile) -> None:
    import maskwright

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert maskwright.__version__ == version
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    [metadata] = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
    assert f"\nVersion: {version}\n" in wheel.read(metadata).decode()

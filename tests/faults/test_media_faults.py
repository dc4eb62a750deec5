"""Media on a disk that is full: a clear error, and nothing half written is left or taken for whole."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_makers import make_clip
from maskwright.errors import StorageError
from maskwright.media.images import save_image
from maskwright.media.videos import open_clip, write_clip
from maskwright.values import Image


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 KiB; skips where one may not be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def noise(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (128, 160, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize(("name", "options"), [
    ("a.mp4", {}), ("a.mkv", {}), ("a.mkv", {"lossless": True}), ("frames", {}),
])  # fmt: skip
def test_a_clip_on_a_full_disk(small_disk: Path, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write_clip(small_disk / name, noise(30), rate=25, **options)
    assert name == "frames" or not list(small_disk.iterdir())


def test_sound_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    frames = noise(30)
    path = make_clip(tmp_path / "a.mp4", 30, size=(160, 128), audio=True)
    with open_clip(path) as clip, pytest.raises(StorageError):
        write_clip(small_disk / "b.mp4", frames, like=clip)
    assert not list(small_disk.iterdir())


def test_a_small_clip_fits(small_disk: Path) -> None:
    path = write_clip(small_disk / "a.mp4", noise(1), rate=Fraction(25))
    with open_clip(path, trusted=True) as clip:
        assert len(clip) == 1


def test_a_picture_on_a_full_disk(small_disk: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    with pytest.raises(StorageError, match="disk is full"):
        save_image(small_disk / "a.png", Image(pixels))
    assert not list(small_disk.iterdir())

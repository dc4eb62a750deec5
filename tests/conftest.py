"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import torchvision_ops
from maskwright.values import Image, Mask

torchvision_ops.register()

settings.register_profile("maskwright", deadline=None, derandomize=True)
settings.load_profile("maskwright")

DATA_VARIABLE = "MASKWRIGHT_DEV_DATA"


def shared_data() -> Path:
    """The folder `data` beside the checkout (not part of the product), or where the variable says."""
    named = os.environ.get(DATA_VARIABLE)
    return Path(named).parent if named else Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def dev_data() -> Path:
    """The development pictures, masks, phrases and clips; skips where they are absent."""
    folder = shared_data() / "dev"
    if not (folder / "manifest.json").exists():
        pytest.skip(f"development data is not at {folder} (set {DATA_VARIABLE})")
    return folder


@pytest.fixture(scope="session")
def diffueraser_data() -> Path:
    """A tiny DiffuEraser and its reference outputs; skips where they are absent."""
    folder = shared_data() / "diffueraser_tiny"
    if not folder.exists():
        pytest.skip(f"the tiny DiffuEraser is not at {folder}")
    return folder


@pytest.fixture
def disc() -> tuple[Image, Mask]:
    """A red disc on a noisy green ground, 120x90, and its exact mask."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:90, :120]
    inside = (x - 50) ** 2 + (y - 45) ** 2 < 24**2
    pixels = np.where(inside[:, :, None], (200, 40, 40), (50, 140, 60)) + rng.integers(-12, 12, (90, 120, 3))
    return Image(np.clip(pixels, 0, 255).astype(np.uint8)), Mask(inside)

"""A studio on stand-in models, and a lane of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from maskwright.config.settings import Settings, resolve
from maskwright.studio.desk import Desk
from maskwright.studio.lanes import Lane

FAKES = {"models": {"segmenter": "fake", "ranker": "fake"}, "find": {"proposers": ["fake"]}}


@pytest.fixture
def fake_settings() -> Settings:
    """Settings that need no weights."""
    return resolve(FAKES, environment={})


@pytest.fixture
def desk(tmp_path: Path, fake_settings: Settings) -> Iterator[Desk]:
    """A studio without its page."""
    made = Desk(fake_settings, root=tmp_path / "studio")
    yield made
    made.close()


@pytest.fixture
def lane() -> Iterator[Lane]:
    """A lane in which eight may wait."""
    made = Lane("test", limit=8)
    yield made
    made.close()

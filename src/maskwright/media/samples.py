"""Pictures that travel with the product; credits are in samples/CREDITS.md."""

from __future__ import annotations

from pathlib import Path

from maskwright.errors import InputError
from maskwright.values import Image

FOLDER = Path(__file__).resolve().parent.parent / "samples"


def sample_names() -> list[str]:
    """Names accepted by `sample`."""
    return sorted(path.stem for path in FOLDER.glob("*.jpg"))


def sample_path(name: str) -> Path:
    """Where a sample lies; raises InputError with the names there are."""
    path = FOLDER / f"{name}.jpg"
    if name not in sample_names():
        raise InputError(f"there is no sample picture {name!r}.", f"Choose one of: {', '.join(sample_names())}.")
    return path


def sample(name: str) -> Image:
    """A bundled picture: astronaut, cat, coffee, flower, rocket or temple."""
    from maskwright.media.images import open_image

    return open_image(sample_path(name))

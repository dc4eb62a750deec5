"""COD10K, CAMO and CHAMELEON: a folder of pictures and a folder of masks of the same names."""

from __future__ import annotations

import re
from pathlib import Path

from maskwright.bench.datasets.listed import paired_sample
from maskwright.bench.samples import Dataset
from maskwright.errors import MissingData
from maskwright.media.images import SUFFIXES

LAYOUTS = (("Imgs", "GT"), ("Image", "GT"), ("Images", "GT"), ("images", "masks"), ("Image", "GT_Object"))
"""(pictures, masks) as the common downloads name them."""

ABOUT = "Camouflaged objects; phrases are made from the file name's category, or are 'the camouflaged animal'."


def open_camouflage(root: str | None, split: str | None = None) -> Dataset:
    """The pairs under `root` (or root/split); raises MissingData naming what is absent."""
    if root is None:
        raise MissingData(
            "camouflage data are read from disk.",
            "Fetch COD10K, CAMO or CHAMELEON from their authors' pages, then give --data FOLDER (with Imgs/ and GT/).",
        )
    folder = Path(root) / split if split else Path(root)
    pairs = [(folder / a, folder / b) for a, b in LAYOUTS]
    if split:  # CAMO: Images/Test beside GT
        pairs += [(Path(root) / a / split, Path(root) / b) for a, b in LAYOUTS]
    found = next(((a, b) for a, b in pairs if a.is_dir() and b.is_dir()), None)
    if found is None:
        names = ", ".join(f"{a}/ + {b}/" for a, b in LAYOUTS)
        raise MissingData(f"{folder} has no pair of folders for pictures and masks.", f"Expected one of: {names}.")
    pictures, masks = found
    samples = []
    for picture in sorted(p for p in pictures.iterdir() if p.suffix.lower() in SUFFIXES):
        mask = masks / f"{picture.stem}.png"
        if not mask.exists():
            raise MissingData(f"{picture.name} has no mask {mask}.", "The download is incomplete; fetch it again.")
        samples.append(paired_sample(picture, mask, phrase_of(picture.stem), ("camouflage",)))
    return Dataset(folder.name, samples, ABOUT, ("camouflage",))


def phrase_of(stem: str) -> str:
    """COD10K-CAM-1-Aquatic-1-BatFish-3 -> "the bat fish"; other names say nothing."""
    parts = stem.split("-")
    if len(parts) >= 6 and parts[0] == "COD10K" and parts[5].isalpha():
        return "the " + re.sub(r"(?<=[a-z])(?=[A-Z])", " ", parts[5]).lower()
    return "the camouflaged animal"

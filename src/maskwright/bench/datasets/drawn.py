"""The embedded sample set: drawn scenes, as many as asked for, plus a few frozen ones that travel with the product."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path

from maskwright.bench.datasets.listed import open_listed
from maskwright.bench.samples import Dataset, Sample
from maskwright.bench.scenes import GENERATOR, Scene, draw_scene
from maskwright.bench.scenes.phrases import Said, phrases_of
from maskwright.errors import InputError

ABOUT = (
    "Drawn scenes made by this project (generator " + GENERATOR + "): flat things on soft grounds. They exercise every "
    "kind of phrase with exact masks; no claim about real photographs follows from them."
)
SCENES = 60


def open_drawn(root: str | None = None, split: str | None = None) -> Dataset:
    """`split` is the number of scenes ("60"), or "frozen" for the few that are stored as files."""
    if split == "frozen":
        with resources.as_file(resources.files("maskwright.bench") / "frozen") as folder:
            return Dataset("sample", open_listed(str(Path(folder) / "phrases.jsonl")).samples, ABOUT)
    if split is not None and not (split.isdecimal() and int(split)):
        raise InputError(f"the sample set has no split {split!r}.", "Give a number of scenes, or frozen.")
    return Dataset("sample", list(_samples(int(split or SCENES))), ABOUT)


def _samples(scenes: int) -> Iterator[Sample]:
    for seed in range(scenes):
        for number, said in enumerate(phrases_of(_scene(seed))):
            yield _sample(seed, number, said)


def _sample(seed: int, number: int, said: Said) -> Sample:
    thing = said.thing
    return Sample(
        id=f"scene-{seed:03d}-{number}-{said.kind}",
        phrase=said.text,
        cluster=f"scene-{seed:03d}",
        open_image=lambda: _scene(seed).image,
        open_truth=lambda: None if thing is None else thing.mask,
        tags=(said.kind,),
        none_such=thing is None,
    )


@lru_cache(maxsize=64)
def _scene(seed: int) -> Scene:
    return draw_scene(seed)

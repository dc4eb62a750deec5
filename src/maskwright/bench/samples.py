"""What is measured on: samples of a data set, read when they are needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from maskwright.errors import InputError
from maskwright.values import Image, Mask


@dataclass(frozen=True, eq=False)
class Sample:
    """One phrase about one picture. `open_truth` gives None where the right answer is "no such thing"; `cluster` is the
    picture's name (samples of one picture are not independent); `tags` say what kind of phrase it is."""

    id: str
    phrase: str
    cluster: str
    open_image: Callable[[], Image] = field(repr=False)
    open_truth: Callable[[], Mask | None] = field(repr=False)
    tags: tuple[str, ...] = ()
    none_such: bool = False


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples in a fixed order; `about` is the sentence that a report prints beside its numbers; `measures` names
    further measures that papers on this data set report ("camouflage")."""

    name: str
    samples: Sequence[Sample]
    about: str = ""
    measures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.samples:
            raise InputError(f"{self.name} holds no samples.", "Check its folder and split.")
        for sample in self.samples:
            if sample.phrase.encode("utf-8", "ignore").decode() != sample.phrase:
                raise InputError(f"{self.name}: the phrase of {sample.id} is no text.", "Write it as UTF-8.")
        twice = [id_ for id_, n in Counter(s.id for s in self.samples).items() if n > 1]
        if twice:
            raise InputError(f"{self.name}: the id {twice[0]!r} is used twice.", "Give each sample a name of its own.")

    def head(self, n: int | None) -> Dataset:
        """The first n samples; raises InputError when there are fewer."""
        if n is None:
            return self
        if n > len(self.samples):
            raise InputError(
                f"{self.name} has {len(self.samples)} samples, {n} were asked for.", "Ask for fewer with -n."
            )
        return Dataset(self.name, self.samples[:n], self.about, self.measures)

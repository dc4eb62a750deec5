"""Phrases become masks, or the answer that there is no such thing."""

import maskwright as mw
from maskwright.media.samples import sample

image = sample("cat")
for phrase in ("the cat", "猫", "the fire truck"):
    result = mw.find(image, phrase)
    answer = f"nothing such ({result.reason})" if result.mask is None else f"{result.mask} with {result.score:.2f}"
    print(f"{phrase}: {answer}")

"""The same code with another model: one name changes. `maskwright models list` has all names."""

import maskwright as mw
from maskwright.media.samples import sample

image = sample("flower")
for name in ("lite", "fake"):  # or "sam2" with weights="sam2.1-hiera-large"
    segmenter = mw.load("segmenter", name)
    [found] = segmenter.predict(segmenter.encode(image), [mw.Prompt(points=[(320, 200)])])
    print(f"{segmenter.name}: {mw.Mask(found.masks[0])}")

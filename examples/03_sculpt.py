"""A damaged mask is repaired, round by round."""

import numpy as np

import maskwright as mw
from maskwright.media.samples import sample

image = sample("coffee")
segmenter = mw.load("segmenter", "lite")
[whole] = segmenter.predict(segmenter.encode(image), [mw.Prompt(box=(175, 15, 420, 320))])
damaged = whole.masks[0] & (np.arange(image.width) < 330)  # its right part is gone

for turn in mw.sculpt_rounds(image, mask=damaged, box=(175, 15, 420, 320), target="cup", rounds=2):
    print(f"round {turn.index}: {turn.mask}, change {turn.change}, {turn.stop or 'goes on'}")

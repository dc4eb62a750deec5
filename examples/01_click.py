"""A click and a box become masks."""

import sys
from pathlib import Path

import maskwright as mw
from maskwright.media.images import save_mask
from maskwright.media.samples import sample

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
image = sample("coffee")  # or mw.open_image("photo.jpg")

segmenter = mw.load("segmenter", "lite")
embedding = segmenter.encode(image)  # once a picture
prompts = [
    mw.Prompt(points=[(300, 110)]),
    mw.Prompt(points=[(300, 110), (500, 60)], labels=[1, 0], box=(175, 15, 420, 320)),
]
for name, found in zip(("click", "box"), segmenter.predict(embedding, prompts), strict=True):
    print(f"{name}: {len(found)} masks, the best expects an IoU of {found.scores[0]:.2f}")
    save_mask(out / f"{name}.png", mw.Mask(found.masks[0]))

"""A mask becomes a cut-out, an edited picture and a 3D model."""

import sys
from pathlib import Path

import maskwright as mw
from maskwright.media.images import save_image
from maskwright.media.samples import sample

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
image = sample("coffee")
segmenter = mw.load("segmenter", "lite")
[found] = segmenter.predict(segmenter.encode(image), [mw.Prompt(box=(175, 15, 420, 320))])
mask = mw.Mask(found.masks[0])

cutout = mw.cut(image, mask)
save_image(out / "cut.png", cutout.image)

edited = mw.edit(image, "make it dark green", mask)
save_image(out / "green.png", edited.image)

model = mw.lift(image, mask)
model.save(out / "cup.glb")
print(model.report)

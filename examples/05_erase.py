"""Something is removed from a clip; run it twice and the second time nothing is left to do."""

import sys
from fractions import Fraction
from pathlib import Path

import maskwright as mw
from maskwright.assemble.showcase import make_clip
from maskwright.media.writing import write_clip

out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
frames, masks = make_clip(count=12)
clip = write_clip(out / "clip.mp4", frames, rate=Fraction(12))

result = mw.erase(clip, masks, out=out / "erased")
print(result.status, result.video, dict(result.steps))

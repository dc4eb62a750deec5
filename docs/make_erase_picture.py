"""Makes docs/pictures/erase.jpg from a bundled sample picture: python docs/make_erase_picture.py

A camera pans over the picture while a ball, drawn over it, rolls by; the ball is erased.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

from maskwright import erase
from maskwright.erasing.showing import marked, side_by_side
from maskwright.media.videos import open_clip, write_clip

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "src" / "maskwright" / "samples" / "coffee.jpg"
COUNT, SIZE = 24, (520, 324)
SHOWN = (3, 12, 20)
WIDTH = 260


def made_clip() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Frames and masks."""
    ground = cv2.cvtColor(cv2.imread(str(SAMPLE)), cv2.COLOR_BGR2RGB)
    wide = SIZE[0] + 3 * COUNT
    ground = cv2.resize(ground, (wide, round(wide * ground.shape[0] / ground.shape[1])), interpolation=cv2.INTER_AREA)
    top = (ground.shape[0] - SIZE[1]) // 2
    frames, masks = [], []
    for i in range(COUNT):
        frame = ground[top : top + SIZE[1], 3 * i : 3 * i + SIZE[0]].copy()
        centre = (90 + 15 * i, 170)
        mask = np.zeros(SIZE[::-1], np.uint8)
        cv2.circle(mask, centre, 44, 1, -1)
        cv2.circle(frame, centre, 42, (224, 60, 40), -1, cv2.LINE_AA)
        cv2.circle(frame, (centre[0] - 14, centre[1] - 14), 11, (250, 150, 130), -1, cv2.LINE_AA)
        frames.append(frame)
        masks.append(mask > 0)
    return frames, masks


def main() -> None:
    """Erases, draws and writes."""
    frames, masks = made_clip()
    with tempfile.TemporaryDirectory() as place:
        clip = write_clip(Path(place) / "ball.mkv", frames, rate=24, lossless=True)
        done = erase(clip, masks, out=Path(place) / "out", downscale=(264, 164), lossless=True, comparison=False)
        with open_clip(done.folder / "coarse" / "coarse.mkv") as coarse, open_clip(done.files["erased.mkv"]) as final:
            columns = {
                "input": frames,
                "mask": [marked(frame, mask) for frame, mask in zip(frames, masks, strict=True)],
                "coarse": coarse.frames,
                "final": final.frames,
            }
            sheet = np.concatenate(list(side_by_side(columns, width=WIDTH, indices=SHOWN)), axis=0)
    out = HERE / "pictures" / "erase.jpg"
    cv2.imwrite(str(out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()

"""Draws the figures of docs/design/loops.md from the sample pictures: python docs/make_loop_figures.py"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

import maskwright as mw
from maskwright.finding.drawing import numbered
from maskwright.media.pictures import contact_sheet, contour, overlay, side_by_side
from maskwright.media.samples import sample
from maskwright.sculpting.drawing import draw_round
from maskwright.values import Image, Mask

OUT = Path(__file__).resolve().parent / "pictures"
CUP = (175, 15, 420, 320)
"""Where the cup of the sample `coffee` is."""
HEIGHT, SHOWN = 300, 40


def save(name: str, image: Image) -> None:
    """A JPEG small enough for a repository."""
    cv2.imwrite(str(OUT / name), image.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(OUT / name)


def boxed(image: Image, boxes: list[list[float]]) -> Image:
    """The picture with rectangles where it is looked at closer."""
    pixels = image.pixels.copy()
    for x0, y0, x1, y1 in boxes:
        cv2.rectangle(pixels, (round(x0), round(y0)), (round(x1), round(y1)), (255, 220, 0), 3)
    return Image(pixels)


def find_figure(name: str, phrase: str) -> Image:
    """Proposals, the ranking of the first round, where the next looks closer, the answer."""
    image = sample(name)
    segmenter = mw.load("segmenter", "lite")
    proposals = mw.load("proposer", "lite", segmenter=segmenter).propose(image, segmenter.encode(image))
    outlines = image
    for n in range(min(SHOWN, len(proposals))):
        hue = np.uint8([[[n * 37 % 180, 220, 255]]])
        colour = tuple(int(v) for v in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])
        outlines = contour(outlines, Mask(proposals.masks[n]), colour=colour, line_px=1)
    rounds = list(mw.find_rounds(image, phrase, mode="loop"))
    first, last = rounds[0], rounds[-1]
    described = first.detail["candidates"]
    one_shot = mw.find(image, phrase, mode="one-shot")
    shown = numbered(image, np.stack([c.mask.array for c in one_shot.candidates]))
    panels, captions = [outlines, shown], [f"1. {len(proposals)} proposals (the best {SHOWN} drawn)"]
    captions.append("2. ranked: " + ", ".join(f"{n} {c['score']:.2f}" for n, c in enumerate(described, 1)))
    closer = next((r.detail["closer"] for r in rounds if r.detail.get("closer")), [])
    panels.append(boxed(image, closer))
    said = first.stop or "not sure, look closer"
    captions.append(f"3. conf {first.detail['conf']:.2f}, gap {first.detail['gap']:.2f}: {said}")
    panels.append(image if last.mask is None else overlay(image, last.mask))
    captions.append(f"4. round {last.index}: {last.score:.2f}, {last.stop}")
    return contact_sheet(panels, captions, columns=2, cell=(520, 350))


def damaged(mask: Mask) -> Mask:
    """Its right third gone, its rim eaten."""
    array = cv2.erode(mask.array.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    box = mask.box
    assert box is not None
    array[:, int(box.x0 + 0.67 * box.width) :] = False
    return Mask(array)


def sculpt_figure(strategy: str) -> Image:
    """The start, the first rounds with what was judged and clicked, the answer."""
    image, segmenter = sample("coffee"), mw.load("segmenter", "lite")
    [found] = segmenter.predict(segmenter.encode(image), [mw.Prompt(box=CUP)])
    before = damaged(Mask(found.masks[0]))
    rounds = list(mw.sculpt_rounds(image, mask=before, box=CUP, target="cup", strategy=strategy, rounds=3))
    panels, captions = [overlay(image, before)], ["0. the start"]
    for step in rounds[1:-1][:2]:
        panels.append(draw_round(image, before, step))
        captions.append(f"{step.index}. round: {step.change or 0:.1%} of the mask changed")
        before = step.mask or before
    panels.append(overlay(image, rounds[-1].mask or before))
    captions.append(f"answer: {rounds[-1].stop}; mask {rounds[-1].detail['picked']} kept")
    if len(panels) < 4:
        return side_by_side(panels, captions, height=HEIGHT)
    return contact_sheet(panels, captions, columns=2, cell=(600, 440))


def main() -> None:
    """Draws and writes."""
    OUT.mkdir(exist_ok=True)
    save("loop_find.jpg", find_figure("coffee", "the saucer"))
    save("loop_points.jpg", sculpt_figure("points"))
    save("loop_anchors.jpg", sculpt_figure("anchors"))


if __name__ == "__main__":
    main()

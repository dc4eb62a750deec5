"""What works here, shown on bundled pictures: one exhibit a feature, gathered in a page."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maskwright.assemble.engines import Engines
from maskwright.errors import MissingError
from maskwright.media.images import open_image, save_image, save_mask
from maskwright.media.pictures import cutout, mark, overlay, overlay_many, side_by_side
from maskwright.media.samples import sample
from maskwright.plumbing.files import write_text
from maskwright.values import Box, Image, Mask, Prompt

CUP_CLICKS = ((300.0, 150.0), (300.0, 225.0), (240.0, 265.0))
CUP_BOX = Box(175, 15, 420, 320)
"""Where the cup of the sample `coffee` is, in pixels."""


@dataclass
class Exhibit:
    """One feature: what was asked, the pictures (or clips) that came of it, how long it took."""

    title: str
    text: str
    files: list[str] = field(default_factory=list)
    command: str = ""
    seconds: float = 0.0
    missing: str = ""


class Showcase:
    """Makes the exhibits one after another into a folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.engines = Engines()
        self.masks: dict[str, Mask] = {}

    def exhibits(self) -> Iterator[Exhibit]:
        """Each exhibit as soon as it is made; a feature that is not installed says so and the rest go on."""
        stages: tuple[Callable[[], Exhibit], ...] = (
            self.segment, self.find, self.sculpt, self.anchors, self.cut, self.parts, self.edit, self.lift, self.erase,
        )  # fmt: skip
        for stage in stages:
            began = time.perf_counter()
            try:
                exhibit = stage()
            except MissingError as error:
                exhibit = Exhibit(stage.__name__.capitalize(), "", missing=str(error))
            exhibit.seconds = time.perf_counter() - began
            yield exhibit

    # -- exhibits

    def segment(self) -> Exhibit:
        """A click and a box."""
        image = sample("coffee")
        segmenter = self.engines.need("segmenter")
        embedding = segmenter.encode(image)
        prompts = [Prompt(CUP_CLICKS[:1]), Prompt(box=CUP_BOX), Prompt(CUP_CLICKS)]
        found = [Mask(c.masks[0]) for c in segmenter.predict(embedding, prompts)]
        self.masks["cup"] = found[-1]
        pictures = [
            mark(overlay(image, mask), points=p.points, labels=p.labels, boxes=[p.box] if p.box else [])
            for mask, p in zip(found, prompts, strict=True)
        ]
        sheet = side_by_side(pictures, ["a click", "a box", "three clicks"], height=320)
        files = [self._save("segment.png", sheet)]
        save_mask(self.out / "cup.png", self.masks["cup"])
        return Exhibit("Click or draw a box", "A prompt about a picture that was encoded once.", files,
                       "maskwright studio")  # fmt: skip

    def find(self) -> Exhibit:
        """Phrases, one of which names nothing that is there."""
        from maskwright.assemble.finding import Finder

        finder = Finder(resolved=self.engines.settings)
        asked = (("coffee", "the cup"), ("cat", "the cat"), ("astronaut", "the woman"), ("coffee", "the oscilloscope"))
        pictures, captions = [], []
        for name, phrase in asked:
            image = sample(name)
            found = finder.find(image, phrase)
            pictures.append(image if found.mask is None else overlay(image, found.mask))
            captions.append(f"{phrase}: {'nothing such' if found.mask is None else f'{found.score:.2f}'}")
            if found.mask is not None:
                self.masks.setdefault(f"found {name}", found.mask)
        return Exhibit("Find by words", "A phrase becomes a mask, or the answer that there is no such thing.",
                       [self._save("find.png", side_by_side(pictures, captions, height=280))],
                       'maskwright find photo.jpg "the cup"')  # fmt: skip

    def sculpt(self) -> Exhibit:
        return self._sculpted("points", "Sculpt", "A damaged mask is repaired: pixels propose places, a judge"
                              " says what is there, the segmenter redraws.")  # fmt: skip

    def anchors(self) -> Exhibit:
        return self._sculpted("anchors", "Anchors", "The same loop steered by numbered anchors on the contour.")

    def _sculpted(self, strategy: str, title: str, text: str) -> Exhibit:
        from maskwright.assemble.sculpting import sculpt

        image, whole = sample("coffee"), self.masks["cup"]
        start = _without_a_part(whole)
        found = sculpt(image, mask=start, box=CUP_BOX, target="cup", strategy=strategy,
                       segmenter=self.engines.need("segmenter"), rounds=3)  # fmt: skip
        pictures = [overlay(image, start), overlay(image, found.mask)]
        sheet = side_by_side(pictures, ["before", f"after {len(found.trace.rounds) - 1} rounds"], height=320)
        return Exhibit(title, text, [self._save(f"sculpt-{strategy}.png", sheet)],
                       f'maskwright sculpt photo.jpg --mask m.png --target cup --strategy {strategy}')  # fmt: skip

    def cut(self) -> Exhibit:
        from maskwright.assemble.shaping import cut

        image = sample("cat")
        found = cut(image, self.masks.get("found cat") or self._by_box(image, Box(20, 10, 430, 299)))
        on_plain = _on(found.image, (240, 90, 70))
        sheet = side_by_side(
            [image, _on(found.image, (255, 255, 255)), on_plain], ["picture", "on white", "on red"], height=280
        )
        save_image(self.out / "cat_cut.png", found.image)
        return Exhibit("Cut out", "A soft edge from a matte, colours without a halo.", [self._save("cut.png", sheet)],
                       "maskwright cut photo.jpg --mask m.png --matte -o cut.png")  # fmt: skip

    def parts(self) -> Exhibit:
        from maskwright.assemble.shaping import parts

        image = sample("astronaut")
        found = parts(image)
        names = [found.parts.labels[i] for i in np.unique(found.parts.label_map) if i]
        tinted = overlay_many(image, [found.mask_of(name) for name in names], opacity=0.6)
        sheet = side_by_side([image, tinted], ["picture", ", ".join(names)], height=320)
        return Exhibit("Parts", "A figure taken apart: garments, hair, skin.", [self._save("parts.png", sheet)],
                       "maskwright parts figure.png")  # fmt: skip

    def edit(self) -> Exhibit:
        from maskwright.assemble.shaping import edit

        image, cup = sample("coffee"), self.masks["cup"]
        words = ("make it dark green", "remove it", "blur the background")
        pictures = [image, *(edit(image, text, cup).image for text in words)]
        return Exhibit("Edit by words", "Outside the mask nothing changes, to the bit.",
                       [self._save("edit.png", side_by_side(pictures, ["picture", *words], height=240))],
                       'maskwright edit photo.jpg --mask m.png "make it dark green"')  # fmt: skip

    def lift(self) -> Exhibit:
        from maskwright.assemble.shaping import lift

        image, cup = sample("coffee"), self.masks["cup"]
        found = lift(cutout(image, cup))
        found.save(self.out / "cup.glb")
        files = ["cup.glb"]
        found.save_preview(self.out / "cup.gif")
        return Exhibit("Lift to 3D", "A watertight, textured mesh.", ["cup.gif", *files],
                       "maskwright lift cut.png -o cut.glb --preview turntable.mp4")  # fmt: skip

    def erase(self) -> Exhibit:
        from maskwright.assemble.erasing import erase
        from maskwright.media.videos import open_clip
        from maskwright.media.writing import write_clip

        frames, masks = make_clip()
        clip = self.out / "clip.mp4"
        write_clip(clip, frames, rate=Fraction(12))
        done = erase(clip, masks, out=self.out / "erase")
        with open_clip(done.video) as erased:
            middle = len(frames) // 2
            frame, mask = Image(frames[middle]), Mask(masks[middle])
            shown = [frame, overlay(frame, mask), Image(np.array(erased.frames[middle]))]
        sheet = side_by_side(shown, ["frame", "mask", "erased"], height=240)
        return Exhibit("Erase from video", "Two seconds: a rocket flies past a temple, and does not.",
                       [self._save("erase.png", sheet)], "maskwright erase clip.mp4 --mask masks/ -o out/")  # fmt: skip

    # -- small things

    def _by_box(self, image: Image, box: Box) -> Mask:
        segmenter = self.engines.need("segmenter")
        [found] = segmenter.predict(segmenter.encode(image), [Prompt(box=box)])
        return Mask(found.masks[0])

    def _save(self, name: str, image: Image) -> str:
        save_image(self.out / name, image)
        return name


def make_clip(
    count: int = 24, size: tuple[int, int] = (432, 240)
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.bool_]]]:
    """Two seconds made of two sample pictures: the camera pans over the temple while a part of the rocket picture flies
    past. Frames RGB and the exact masks of what flies."""
    width, height = size
    ground = cv2.resize(
        sample("temple").pixels, (width + 120, (width + 120) * 427 // 640), interpolation=cv2.INTER_AREA
    )
    thing = cv2.resize(sample("rocket").pixels[60:360, 280:370], (42, 140), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[-1:1:140j, -1:1:42j]
    shape = (x**2 + np.abs(y) ** 4) < 1
    frames, masks = [], []
    for step in range(count):
        left, top = round(step * 100 / count), round(20 + 10 * np.sin(step / 6))
        frame = ground[top : top + height, left : left + width].copy()
        mask = np.zeros((height, width), dtype=np.bool_)
        at = (round(40 + step * 12.5), round(55 + 18 * np.sin(step / 4)))
        view = (slice(at[1], at[1] + 140), slice(at[0], at[0] + 42))
        mask[view] = shape
        frame[view][shape] = thing[shape]
        frames.append(frame)
        masks.append(mask)
    return frames, masks


def _without_a_part(mask: Mask) -> Mask:
    """The mask with its right third gone and its rim eaten."""
    array = cv2.erode(mask.array.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    box = mask.box
    if box is not None:
        array[:, int(box.x0 + 0.67 * box.width) :] = False
    return Mask(array)


def _on(image: Image, colour: tuple[int, int, int]) -> Image:
    if image.alpha is None:
        return image
    alpha = image.alpha[:, :, None].astype(np.float32) / 255
    return Image(np.rint(image.pixels * alpha + np.array(colour, np.float32) * (1 - alpha)).astype(np.uint8))


_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222;background:#fafafa}
section{background:#fff;border-radius:.6rem;padding:1rem 1.2rem;margin:1rem 0;box-shadow:0 1px 4px #0002}
img{max-width:100%;border-radius:.3rem}code{background:#eef;padding:.1rem .4rem;border-radius:.3rem}
h2{margin:.2rem 0}.s{color:#777;font-size:.85rem}.missing{color:#a40}
@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}section{background:#22252b}code{background:#333848}}
"""


def write_page(out: Path, exhibits: list[Exhibit], about: str) -> Path:
    """index.html beside the pictures."""
    parts = [_section(exhibit) for exhibit in exhibits]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>maskwright demo</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>maskwright</h1><p>{html.escape(about)}</p>{''.join(parts)}"
        '<p class="s">Sample pictures: NASA, SpaceX (public domain), S. van der Walt, R. Michetti (CC0),'
        " danielbuechele (CC BY 2.0).</p></body></html>"
    )
    write_text(out / "index.html", page)
    return out / "index.html"


def write_overview(out: Path, exhibits: list[Exhibit]) -> Path | None:
    """overview.png: the exhibits' pictures below each other, for a README; None when nothing was made."""
    found = [(e.title, open_image(out / e.files[0])) for e in exhibits if e.files and e.files[0].endswith(".png")]
    if not found:
        return None
    width = 1200
    rows = [
        side_by_side([image], [title], height=round(image.height * min(1, width / image.width)))
        for title, image in found
    ]
    sheet = np.full((sum(r.height for r in rows), max(r.width for r in rows), 3), 250, dtype=np.uint8)
    top = 0
    for row in rows:
        sheet[top : top + row.height, : row.width] = row.pixels
        top += row.height
    return save_image(out / "overview.png", Image(sheet))


def _section(exhibit: Exhibit) -> str:
    body = f'<p class="missing">{html.escape(exhibit.missing)}</p>' if exhibit.missing else ""
    for name in exhibit.files:
        is_picture = name.endswith((".png", ".gif", ".jpg", ".webp"))
        alt = html.escape(exhibit.title)
        body += f'<img src="{name}" alt="{alt}">' if is_picture else f'<p><a href="{name}">{name}</a></p>'
    line = f"<p><code>{html.escape(exhibit.command)}</code></p>" if exhibit.command else ""
    return (
        f"<section><h2>{html.escape(exhibit.title)}</h2><p>{html.escape(exhibit.text)}</p>{body}{line}"
        f'<p class="s">{exhibit.seconds:.1f} s</p></section>'
    )


def summary(exhibits: list[Exhibit]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {"title": e.title, "files": e.files, "seconds": round(e.seconds, 2), "missing": e.missing} for e in exhibits
    ]

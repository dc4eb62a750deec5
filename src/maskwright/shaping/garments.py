"""Parts as files: the indexed picture, its table, the pose, and one picture a garment, completed where little hides it."""  # noqa: E501

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from maskwright.errors import BadPrompt
from maskwright.media.images import save_image
from maskwright.plumbing.files import atomic_path, write_json
from maskwright.ports import PART_LABELS, Inpainter, Parts
from maskwright.values import Image, Mask

GARMENTS = ("upper garment", "lower garment", "dress", "outerwear", "shoes", "bag", "hat")
PALETTE = (
    (0, 0, 0), (255, 205, 160), (110, 70, 30), (255, 130, 90), (60, 120, 255), (40, 195, 90), (230, 60, 200), (250, 205, 40),  # noqa: E501
    (125, 65, 165), (0, 195, 195), (170, 30, 60), (170, 170, 170),
)  # fmt: skip
"""One colour a label of the fixed vocabulary, in its order; regions beyond it go round the wheel."""
_LEAST_SHARE = 0.002
_HIDDEN_MOST = 0.25


@dataclass(frozen=True)
class Dissection:
    """`parts` (labels, confidence, pose) of a picture; `garments`: label -> RGBA picture of the whole picture's size;
    `completed`: label -> share of the garment's pixels that were invented behind small things."""

    image: Image
    parts: Parts
    garments: dict[str, Image]
    completed: dict[str, float]

    def mask_of(self, label: str) -> Mask:
        """Where one label is; raises BadPrompt for a label that is not there."""
        return Mask(self.parts.label_map == _index(self.parts, label))

    def label_at(self, x: float, y: float) -> str:
        """The label under a click."""
        height, width = self.parts.label_map.shape
        if not (0 <= x < width and 0 <= y < height):
            raise BadPrompt(f"the click ({x}, {y}) is outside the {width}x{height} picture.", "Click inside it.")
        return self.parts.labels[int(self.parts.label_map[int(y), int(x)])]

    def merge(self, kept: str, other: str) -> Dissection:
        """The same with region `other` counted as `kept`."""
        into, gone = _index(self.parts, kept), _index(self.parts, other)
        labels = np.where(self.parts.label_map == gone, into, self.parts.label_map).astype(np.uint8)
        garments = {k: v for k, v in self.garments.items() if k not in (kept, other)}
        merged = replace(self, parts=replace(self.parts, label_map=labels), garments=garments)
        wanted = kept in self.garments or other in self.garments
        return (
            replace(merged, garments={**garments, kept: _plain(self.image, merged.mask_of(kept))}) if wanted else merged
        )

    def rename(self, label: str, name: str) -> Dissection:
        """The same with one region called `name`; a name that is there already takes the region in."""
        name = " ".join(name.split())[:40]
        if not name:
            raise BadPrompt("the new name is empty.", "Give it a name.")
        if name == label:
            return self
        if name in self.parts.labels and (self.parts.label_map == self.parts.labels.index(name)).any():
            return self.merge(name, label)
        at = _index(self.parts, label)
        labels = tuple(
            name if i == at else (f"(was {old})" if old == name else old) for i, old in enumerate(self.parts.labels)
        )
        garments = {(name if k == label else k): v for k, v in self.garments.items()}
        return replace(self, parts=replace(self.parts, labels=labels), garments=garments)

    def to_json(self) -> dict[str, Any]:
        """Each label's index, colour, area, box and mean confidence."""
        return {
            "size": list(self.image.size), "labels": [_row(self.parts, i) for i in range(len(self.parts.labels))],
            "garments": sorted(self.garments), "completed": self.completed,
        }  # fmt: skip

    def save(self, folder: str | Path) -> list[Path]:
        """Writes parts.png (indexed), parts.json, pose.json and garment_<name>.png; returns the paths."""
        folder = Path(folder)
        paths = [save_image(folder / f"garment_{_slug(n)}.png", g) for n, g in self.garments.items()]
        pose = {
            k: {"x": round(x, 2), "y": round(y, 2), "confidence": round(c, 3)}
            for k, (x, y, c) in self.parts.keypoints.items()
        }
        write_json(
            folder / "pose.json",
            {"keypoints": pose, "convention": "COCO-17", "note": "" if pose else "no pose was found"},
        )
        with atomic_path(folder / "parts.png") as out:
            indexed(self.parts).save(out)
        write_json(folder / "parts.json", self.to_json())
        return [*paths, folder / "pose.json", folder / "parts.png", folder / "parts.json"]


def dissect(image: Image, parts: Parts, inpainter: Inpainter | None) -> Dissection:
    """Garment pictures of a parse; small things over a garment (bag straps, hair, hands) are painted away."""
    garments, completed = {}, {}
    for label in _garment_labels(parts):
        mask = Mask(parts.label_map == parts.labels.index(label))
        if mask.area < max(16, _LEAST_SHARE * parts.label_map.size):
            continue
        garments[label], share = complete(image, mask, _figure(parts), inpainter)
        if share > 0:
            completed[label] = round(share, 4)
    return Dissection(image, parts, garments, completed)


def complete(image: Image, mask: Mask, figure: NDArray[np.bool_], inpainter: Inpainter | None) -> tuple[Image, float]:
    """The garment as RGBA; holes that other parts of the figure make in it are filled with its own cloth, never with
    what lies under it. Returns it with the share of invented pixels."""
    hidden = _hidden(mask.array, figure)
    if inpainter is None or not hidden.any() or hidden.sum() > _HIDDEN_MOST * mask.area:
        return _plain(image, mask), 0.0
    whole = Mask(mask.array | hidden)
    alone = np.where(mask.array[:, :, None], image.pixels, _cloth(image.pixels, mask.array))
    painted = inpainter.inpaint(Image(alone), Mask(hidden))
    return _plain(painted, whole), float(hidden.sum() / whole.area)


def _hidden(garment: NDArray[np.bool_], figure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Small gaps of a garment that belong to the figure: enclosed ones, and straps across it."""
    box = Mask(garment).box
    if box is None:
        return garment
    reach = round(max(3.0, min(0.12 * max(box.width, box.height), min(box.width, box.height))) / 2)
    padded = np.pad(garment, reach + 1)
    grown = (
        cv2.distanceTransform((~padded).astype(np.uint8), cv2.DIST_L2, 5) <= reach
    )  # by distance: any reach is cheap
    shrunk = cv2.distanceTransform(grown.astype(np.uint8), cv2.DIST_L2, 5) > reach
    closed = shrunk[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    hidden: NDArray[np.bool_] = closed & ~garment & figure
    return hidden


def _cloth(pixels: NDArray[np.uint8], garment: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The garment's nearest colours everywhere, so that an inpainter sees nothing but cloth around a gap."""
    _, labels = cv2.distanceTransformWithLabels(
        (~garment).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros((labels.max() + 1, 3), np.uint8)
    table[labels[garment]] = pixels[garment]
    return np.asarray(table[labels], dtype=np.uint8)


def indexed(parts: Parts) -> PIL.Image.Image:
    """A palette picture whose indices are the labels'."""
    picture = PIL.Image.fromarray(parts.label_map)
    picture.putpalette([v for i in range(256) for v in colour_of(i)])
    return picture


def colour_of(index: int) -> tuple[int, int, int]:
    """The palette's colour of a label."""
    if index < len(PALETTE):
        return PALETTE[index]
    hue = np.array([[[(index * 47) % 180, 170, 225]]], np.uint8)
    red, green, blue = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return (red, green, blue)


def _garment_labels(parts: Parts) -> list[str]:
    """Garments of the vocabulary; of a drawing, every region but the ground."""
    fixed = tuple(parts.labels) == PART_LABELS
    return [name for name in parts.labels[1:] if not fixed or name in GARMENTS]


def _figure(parts: Parts) -> NDArray[np.bool_]:
    figure: NDArray[np.bool_] = parts.label_map > 0
    return figure


def _plain(image: Image, mask: Mask) -> Image:
    return Image(np.where(mask.array[:, :, None], image.pixels, 0).astype(np.uint8), mask.array.astype(np.uint8) * 255)


def _row(parts: Parts, index: int) -> dict[str, Any]:
    mask = Mask(parts.label_map == index)
    sure = None if parts.confidence is None or not mask else round(float(parts.confidence[mask.array].mean()), 4)
    box = None if mask.box is None else [int(v) for v in mask.box.pixels()]
    return {
        "index": index,
        "label": parts.labels[index],
        "colour": list(colour_of(index)),
        "area": mask.area,
        "box": box,
        "confidence": sure,
    }


def _index(parts: Parts, label: str) -> int:
    if label not in parts.labels:
        raise BadPrompt(f"there is no part {label!r} here.", f"Parts: {', '.join(parts.labels)}.")
    return parts.labels.index(label)


def _slug(name: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower())
    return kept.strip("_") or "part"

"""Parts, edits and lifting of the object on the desk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.assemble.shaping import cut, edit, lift, parts
from maskwright.assemble.shaping import plan_edit as plan_of
from maskwright.errors import InputError
from maskwright.media.images import save_image
from maskwright.media.pictures import cutout, mark
from maskwright.shaping.garments import Dissection, colour_of
from maskwright.studio.desk import Desk
from maskwright.studio.drawing import scaled, shown_scale
from maskwright.studio.jobs import Job
from maskwright.studio.sessions import Session
from maskwright.values import Image


@dataclass(frozen=True)
class Taken:
    """A dissection as the page shows it: some labels may be hidden."""

    dissection: Dissection
    hidden: frozenset[str] = frozenset()

    def labels(self) -> list[str]:
        """Labels that are somewhere in the picture, but for the ground."""
        known = self.dissection.parts.labels
        return [known[i] for i in np.unique(self.dissection.parts.label_map) if i and i < len(known)]

    def colour(self, label: str) -> tuple[int, int, int]:
        return colour_of(self.dissection.parts.labels.index(label))

    def toggled(self, label: str) -> Taken:
        """Hidden labels shown again, shown ones hidden; the ground stays."""
        if label not in self.labels():
            return self
        return replace(self, hidden=self.hidden ^ {label})

    def toggled_at(self, x: float, y: float) -> Taken:
        """The part at a place of the shown picture hidden or shown again."""
        scale = shown_scale(self.dissection.image)
        return self.toggled(self.dissection.label_at(x / scale, y / scale))

    def merged(self, kept: str, other: str) -> Taken:
        return self if kept == other else replace(self, dissection=self.dissection.merge(kept, other))

    def renamed(self, label: str, name: str) -> Taken:
        return replace(self, dissection=self.dissection.rename(label, name), hidden=self.hidden - {label})

    def cards(self) -> list[tuple[NDArray[np.uint8], str]]:
        """(RGBA pixels, name) of each garment, cut to what is there."""
        found = []
        for name, image in self.dissection.garments.items():
            whole = np.dstack([image.pixels, np.full(image.size[::-1], 255) if image.alpha is None else image.alpha])
            rows, columns = np.nonzero(whole[:, :, 3])
            if len(rows):
                piece = whole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
                found.append((piece.astype(np.uint8), name))
        return found

    def draw(self, *, pose: bool = True) -> NDArray[np.uint8]:
        """The picture tinted by its parts, with the pose on top, as RGB of the size of the screen."""
        image, found = self.dissection.image, self.dissection.parts
        pixels = image.pixels.astype(np.float32)
        for label in self.labels():
            if label not in self.hidden:
                inside = self.dissection.mask_of(label).array
                pixels[inside] = 0.45 * pixels[inside] + 0.55 * np.array(self.colour(label), np.float32)
        shown = np.clip(pixels, 0, 255).astype(np.uint8)
        shown = _with_pose(shown, dict(found.keypoints)) if pose else shown
        return np.asarray(scaled(Image(shown), shown_scale(image)).pixels)


def _with_pose(pixels: NDArray[np.uint8], keypoints: dict[str, tuple[float, float, float]]) -> NDArray[np.uint8]:
    places = [(x, y) for x, y, confidence in keypoints.values() if confidence > 0.3]
    return np.asarray(mark(Image(pixels), points=places).pixels) if places else pixels


def take_apart(desk: Desk, session: Session, *, complete: bool = False) -> Taken:
    """The active object (or the whole picture) in its parts; `complete`: garments are filled in behind small things,
    which takes its time."""
    picture, mask = session.need_picture(), session.board.thing.mask
    with desk.working(session, "parts"):
        parser, inpainter = desk.models.get("parser"), desk.models.get("inpainter") if complete else None
        taken = Taken(parts(picture, mask, parser=parser, inpainter=inpainter, complete_garments=complete))
    session.check_still(picture)
    return taken


def save_parts(session: Session, taken: Taken) -> list[Path]:
    """Map, pose and garments as they are now, merged and renamed, as files of the session."""
    folder = session.path("parts")
    shutil.rmtree(folder, ignore_errors=True)
    return taken.dissection.save(folder)


def zip_parts(session: Session, taken: Taken) -> Path:
    """The same in one zip."""
    save_parts(session, taken)
    return Path(shutil.make_archive(str(session.path("parts")), "zip", session.path("parts")))


def save_part(session: Session, taken: Taken, label: str) -> Path:
    """One part as a picture with alpha, of the size of the whole picture; raises InputError for an unknown one."""
    if label not in taken.labels():
        raise InputError("there is no such part.", "Choose one of the list.")
    garment = taken.dissection.garments.get(label)
    if garment is None:
        garment = cutout(taken.dissection.image, taken.dissection.mask_of(label))
    return save_image(session.path(f"{_file_name(label)}.png"), garment)


@dataclass(frozen=True)
class Edited:
    """An edit that was carried out: the picture, the plan in words and as JSON, pixels changed outside (always 0)."""

    image: Image
    plan: Any
    outside_px: int


def plan_edit(desk: Desk, session: Session, words: str) -> Any:
    """What the words would do, before anything is done; raises errors of maskwright.errors for what cannot be done."""
    session.need_picture()
    return plan_of(words).to_json()


def make_edit(desk: Desk, session: Session, words: str) -> Edited:
    """Carries the words out on the active object."""
    picture, mask = session.need_picture(), session.board.thing.mask
    with desk.working(session, "edit"):
        done = edit(picture, words, mask, inpainter=desk.models.get("inpainter"))
    session.check_still(picture)
    return Edited(done.image, done.plan.to_json() if done.plan else {}, done.drift.differing_outside)


def make_lift(desk: Desk, session: Session, faces: int) -> Job:
    """Lifts the active object to 3D, as a job."""
    picture, mask = session.need_picture(), session.need_mask()
    name = session.board.thing.name

    def work(job: Job) -> dict[str, Any]:
        job.tell(0.1)
        cutout = cut(picture, mask)
        job.tell(0.4)
        found = lift(cutout, faces=faces, lifter=desk.models.get("lifter"))
        job.folder.mkdir(parents=True, exist_ok=True)
        files = [found.save(job.folder / f"{_file_name(name)}{suffix}") for suffix in (".glb", ".obj", ".stl")]
        job.tell(0.9)
        return {"files": [str(path) for path in files], "report": dict(found.report)}

    return desk.jobs.start("lift", session.id, session.folder, work)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)[:40] or "object"

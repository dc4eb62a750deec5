"""Parts, edits and lifting of the object on the desk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.assemble.shaping import cut, edit, lift, parts
from maskwright.assemble.shaping import plan_edit as plan_of
from maskwright.media.pictures import mark
from maskwright.shaping.garments import Dissection, colour_of
from maskwright.studio.desk import Desk
from maskwright.studio.jobs import Job
from maskwright.studio.lanes import working_for
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

    def merged(self, kept: str, other: str) -> Taken:
        return self if kept == other else replace(self, dissection=self.dissection.merge(kept, other))

    def renamed(self, label: str, name: str) -> Taken:
        return replace(self, dissection=self.dissection.rename(label, name), hidden=self.hidden - {label})

    def draw(self, *, pose: bool = True) -> NDArray[np.uint8]:
        """The picture tinted by its parts, with the pose on top, as RGB."""
        image, found = self.dissection.image, self.dissection.parts
        pixels = image.pixels.astype(np.float32)
        for label in self.labels():
            if label not in self.hidden:
                inside = self.dissection.mask_of(label).array
                pixels[inside] = 0.45 * pixels[inside] + 0.55 * np.array(self.colour(label), np.float32)
        shown = np.clip(pixels, 0, 255).astype(np.uint8)
        return _with_pose(shown, dict(found.keypoints)) if pose else shown


def _with_pose(pixels: NDArray[np.uint8], keypoints: dict[str, tuple[float, float, float]]) -> NDArray[np.uint8]:
    places = [(x, y) for x, y, confidence in keypoints.values() if confidence > 0.3]
    return np.asarray(mark(Image(pixels), points=places).pixels) if places else pixels


def take_apart(desk: Desk, session: Session) -> tuple[Taken, list[Path]]:
    """The active object (or the whole picture) in its parts, and the files that come of it."""
    mask = session.board.thing.mask
    with working_for(session.id):
        found = parts(session.need_picture(), mask, parser=desk.models.get("parser"))
    taken = Taken(found)
    return taken, found.save(session.path("parts"))


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
    with working_for(session.id):
        done = edit(picture, words, mask, inpainter=desk.models.get("inpainter"))
    return Edited(done.image, done.plan.to_json() if done.plan else {}, done.drift.differing_outside)


def make_lift(desk: Desk, session: Session, faces: int) -> Job:
    """Lifts the active object to 3D, as a job."""
    picture, mask = session.need_picture(), session.need_mask()
    name = session.board.thing.name

    def work(job: Job) -> dict[str, Any]:
        job.tell(0.1, "cut")
        cutout = cut(picture, mask)
        job.tell(0.4, "lift")
        found = lift(cutout, faces=faces, lifter=desk.models.get("lifter"))
        job.folder.mkdir(parents=True, exist_ok=True)
        files = [found.save(job.folder / f"{_file_name(name)}{suffix}") for suffix in (".glb", ".obj", ".stl")]
        job.tell(0.9, "done")
        return {"files": [str(path) for path in files], "report": dict(found.report)}

    return desk.jobs.start("lift", session.id, session.folder, work)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)[:40] or "object"

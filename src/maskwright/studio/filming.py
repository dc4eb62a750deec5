"""Clips on the desk: mark an object on any frame, follow it, mend frames, erase it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.assemble.erasing import erase
from maskwright.erasing.job import PHASES, Progress
from maskwright.erasing.preparing import Mapped
from maskwright.errors import BadVideo, InputError
from maskwright.media.pictures import mark, overlay
from maskwright.media.videos import Clip, open_clip
from maskwright.plumbing.files import storage_errors
from maskwright.studio import marking
from maskwright.studio.desk import Desk
from maskwright.studio.drawing import scaled, shown_scale
from maskwright.studio.jobs import Job
from maskwright.studio.keeping import save
from maskwright.studio.sessions import Session
from maskwright.values import Image, Mask, PackedMasks, Prompt

Click = tuple[float, float, int]
NEAR = 0.25
"""A click so far from a mask's box, in shares of the box, is about that mask."""
KEPT = "clip-*"
"""The files of a session's clips."""


@dataclass
class Film:
    """A session's clip: clicks by frame, masks by frame as far as they are known."""

    path: Path
    clip: Clip
    clicks: dict[int, list[Click]] = field(default_factory=dict)
    starts: PackedMasks = field(default_factory=PackedMasks)
    """The masks that the clicks of a frame mend."""
    given: PackedMasks = field(default_factory=PackedMasks)
    masks: PackedMasks = field(default_factory=PackedMasks)
    """Packed, as those of a long HD clip would take gigabytes."""
    erased: Path | None = None

    def need_masks(self) -> Mapped[Mask]:
        """One mask a frame, each unpacked when asked for; raises InputError when the object was not followed yet."""
        if len(self.masks) < len(self.clip):
            raise InputError(
                "the object was not tracked through the clip yet.", "Click it on a frame, then press Track."
            )
        return Mapped(len(self.clip), self.masks.copy().__getitem__)


def open_film(desk: Desk, session: Session, path: str | Path) -> Film:
    """Puts a clip on the desk; raises BadVideo when it is longer than the studio allows. The one before stays where
    work on it goes on."""
    before = [] if any(not job.is_over for job in desk.jobs.of(session.id)) else [*session.folder.glob(KEPT)]
    kept = session.path(KEPT.replace("*", secrets.token_hex(4) + Path(path).suffix.lower()))
    with storage_errors(kept):
        shutil.copyfile(path, kept)
    try:
        film = Film(kept, _allowed_clip(desk, kept))
    except BaseException:
        kept.unlink(missing_ok=True)
        raise
    for old in before:
        old.unlink(missing_ok=True)
    session.extras["clip"] = film
    save(session)
    return film


def _allowed_clip(desk: Desk, path: Path) -> Clip:
    clip = open_clip(path)
    seconds = len(clip) / float(clip.rate)
    if seconds > desk.rules.max_clip_s or len(clip) > desk.rules.max_clip_frames:
        raise BadVideo(
            f"the clip is {seconds:.0f} s long ({len(clip)} frames).",
            f"The studio takes at most {desk.rules.max_clip_s:g} s and {desk.rules.max_clip_frames} frames.",
        )
    return clip


def need_film(session: Session) -> Film:
    """The session's clip, also after a restart (its marks are forgotten then); raises InputError when there is none."""
    film = session.extras.get("clip")
    kept = [] if film else sorted(session.folder.glob(KEPT), key=lambda path: path.stat().st_mtime)
    if kept:
        film = session.extras["clip"] = Film(kept[-1], open_clip(kept[-1]))
    if not isinstance(film, Film):
        raise InputError("there is no clip yet.", "Upload one.")
    return film


def click_frame(desk: Desk, session: Session, index: int, at: tuple[float, float], *, inside: bool) -> Mask:
    """One more click on a frame; its mask is mended, or drawn anew, and counts as given by the visitor."""
    film = need_film(session)
    width, height = film.clip.size
    if not (0 <= at[0] < width and 0 <= at[1] < height and 0 <= index < len(film.clip)):
        raise InputError("that click is outside the clip.", "Click inside a frame.")
    frame = Image(np.array(film.clip.frames[index]))
    with session.turn:
        clicks = [*film.clicks.get(index, []), (at[0], at[1], int(inside))]
        start = _start(film, index, at, inside=inside)
        if start is None and not any(label for _, _, label in clicks):
            raise InputError("a click that takes away needs something to take from.", "Click the thing itself first.")
        earlier = None if start is None else marking.prior_of(start)
        prompt = Prompt([(x, y) for x, y, _ in clicks], [label for _, _, label in clicks], logits=earlier)
        with desk.working(session, "mark"):
            [found] = desk.segmenter.predict(desk.segmenter.encode(frame), [prompt])
        film.clicks[index] = clicks
        if start is not None:
            film.starts[index] = start
        film.given[index] = film.masks[index] = Mask(found.masks[0])
    return film.masks[index]


def _start(film: Film, index: int, at: tuple[float, float], *, inside: bool) -> Mask | None:
    """The mask that a click on a frame mends: what words found there or the tracker drew, unless the first click adds
    something far from it, which it was not to be."""
    if index in film.clicks:
        return film.starts.get(index)
    mask = film.masks.get(index)
    box = None if mask is None else mask.box
    if box is None:
        return None
    x0, y0, x1, y1 = box.grow(2 * NEAR)
    return mask if not inside or (x0 <= at[0] < x1 and y0 <= at[1] < y1) else None


def find_on_frame(desk: Desk, session: Session, index: int, phrase: str) -> Mask | None:
    """The thing a phrase names on a frame, or None; clicks there begin anew and mend it."""
    film = need_film(session)
    with desk.working(session, "find"):
        found = desk.finder.find(Image(np.array(film.clip.frames[index])), phrase, cancel=session.cancel)
    if found.mask is not None:
        film.clicks.pop(index, None)
        film.given[index] = film.masks[index] = found.mask
    return found.mask


def draw_frame(film: Film, index: int) -> NDArray[np.uint8]:
    """A frame with its mask and clicks."""
    frame = Image(np.array(film.clip.frames[index]))
    image = overlay(frame, film.masks[index]) if index in film.masks else frame
    scale, clicks = shown_scale(frame), film.clicks.get(index, [])
    points = [(x * scale, y * scale) for x, y, _ in clicks]
    return np.asarray(mark(scaled(image, scale), points=points, labels=[label for _, _, label in clicks]).pixels)


def place_on_frame(film: Film, place: tuple[int, int]) -> tuple[float, float]:
    """A place of the drawn frame in the clip's own pixels."""
    scale = shown_scale(Image(np.array(film.clip.frames[0])))
    return (place[0] + 0.5) / scale, (place[1] + 0.5) / scale


def track(desk: Desk, session: Session) -> Job:
    """Follows the object from the frames that were marked, as a job."""
    film = need_film(session)
    if not film.given:
        raise InputError("nothing is marked on the clip.", "Click the object on a frame first.")
    prompts: Mapping[int, Mapping[int, Prompt | Mask]] = {index: {1: mask} for index, mask in film.given.items()}
    tracker = desk.models.get("tracker")

    def work(job: Job) -> dict[str, Any]:
        for index, masks in tracker.track(film.clip.frames, prompts):
            film.masks[index] = masks.get(1) or Mask.empty(*film.clip.size)
            job.tell((index + 1) / len(film.clip), f"frame {index + 1} of {len(film.clip)}")
        return {"frames": len(film.masks)}

    return desk.jobs.start("track", session.id, session.folder, work)


def erase_film(desk: Desk, session: Session) -> Job:
    """Removes the tracked object, as a job whose run folder lies in the session's."""
    film = need_film(session)
    masks = film.need_masks()

    def work(job: Job) -> dict[str, Any]:
        tell = _teller(job)
        out = session.path(f"erase-{job.id}")
        done = erase(film.path, masks, out=out, resolved=desk.settings, cancel=job.cancel, tell=tell)
        film.erased = done.video
        return {"files": [str(done.video)]}

    return desk.jobs.start("erase", session.id, session.folder, work)


def _teller(job: Job) -> Callable[[Progress], None]:
    """Progress of the phases as a share of the whole."""

    def tell(news: Progress) -> None:
        inner = news.done / news.total if news.total else 0.0
        job.tell((PHASES.index(news.step) + inner) / len(PHASES), news.step)

    return tell

"""What a visitor can do, without any page: the page and the JSON interface are both thin over this."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskwright.assemble.engines import Engines
from maskwright.assemble.finding import Finder
from maskwright.config.settings import Settings, resolve
from maskwright.config.studio import StudioSettings
from maskwright.errors import BadImage, InputError, MaskwrightError
from maskwright.finding.result import FindResult
from maskwright.media.images import open_image, open_mask, save_image
from maskwright.media.limits import Limits
from maskwright.plumbing.files import cache_folder, storage_errors
from maskwright.plumbing.log import get_log
from maskwright.studio import marking
from maskwright.studio.boards import Board, History
from maskwright.studio.broker import Broker, device_mib, empty_device
from maskwright.studio.jobs import Jobs
from maskwright.studio.keeping import restore, save
from maskwright.studio.laned import LanedModels, Large
from maskwright.studio.lanes import working_for
from maskwright.studio.quiet import give_back
from maskwright.studio.sessions import SHELF, Session, Sessions
from maskwright.values import Box, Cost, Image, Mask, MaskStack

_log = get_log("studio")


class Desk:
    """The shared models, the sessions and the jobs of one running studio."""

    def __init__(
        self, settings: Settings | None = None, *, root: str | Path | None = None, single_lock: bool = False
    ) -> None:
        self.settings = settings or resolve()
        self.rules = self.settings.section(StudioSettings)
        self._engines = Engines(self.settings)
        self.broker = Broker(lambda: self.rules.device_mib or device_mib())
        self.models = LanedModels(
            self._engines.need, single_lock=single_lock, limit=self.rules.queue, cache_mib=self.rules.embeddings_mib,
            large=Large(self.broker, self._engines.device_mib, self._drop),
        )  # fmt: skip
        self.root = Path(root or self.rules.folder or default_root())
        self.sessions = Sessions(self.root, idle_s=self.rules.idle_minutes * 60, most=self.rules.max_sessions)
        self.jobs = Jobs()
        self.sessions.on_end.append(lambda session: self.jobs.forget(session.id))
        self.sessions.on_missing = self._restore
        self.sessions.is_working = self._is_working
        self._finder: Finder | None = None

    def _is_working(self, session: Session) -> bool:
        return session.acts > 0 or any(not job.is_over for job in self.jobs.of(session.id))

    def _drop(self, kind: str) -> None:
        """Lets go of a large model and gives its memory back to the device."""
        self._engines.drop(kind)
        empty_device()

    @property
    def shelf(self) -> Path:
        """The one folder whose files the page serves, each under a name that cannot be guessed."""
        return self.root / SHELF

    def offer(self, path: Path) -> Path:
        """A copy of a session's file on the shelf, for one visitor to fetch."""
        place = self.shelf / secrets.token_urlsafe(18)
        with storage_errors(place):
            place.mkdir(parents=True)
            return Path(shutil.copy(path, place / path.name))

    # -- sessions

    def open(self, id_: str | None = None) -> Session:
        """The session of this name, also after a restart, else a new one."""
        return self.sessions.find_or_open(id_)

    def need(self, id_: str) -> Session:
        """The session; raises InputError when it has ended."""
        session = self.sessions.find(id_)
        if session is None:
            raise InputError("this session has ended.", "Reload the page to begin a new one.")
        return session

    def _restore(self, session: Session) -> bool:
        """Fills a session found on disk after a restart; False when there is nothing usable."""
        try:
            found = restore(session)
        except MaskwrightError as error:
            _log.warning("session not restored", error=str(error))
            return False
        if found:
            self.jobs.recover(session.id, session.folder)
        return found

    def open_by_job(self, job_id: str) -> Session:
        """The session that a job belongs to, also after a restart: whoever has the link may come back.
        Raises InputError for a job that is not known (any more)."""
        if not self.jobs.knows(job_id) and re.fullmatch(r"[A-Za-z0-9_-]{16}", job_id):
            for folder in self.root.glob(f"*/job-{job_id}"):
                self.sessions.find(folder.parent.name)
        return self.need(self.jobs.find(job_id).session)

    @contextmanager
    def working(self, session: Session, kind: str) -> Iterator[None]:
        """Model calls inside are the session's; what they took is added to its cost."""
        began = time.perf_counter()
        with session.acting(), working_for(session.id, session.cancel):
            yield
        spent = time.perf_counter() - began
        session.extras["cost_last_s"] = spent
        self.charge(session, Cost(calls={kind: 1}, seconds={kind: spent}))

    def charge(self, session: Session, cost: Cost) -> None:
        """Adds to what the session's steps have cost."""
        session.extras["cost"] = session.extras.get("cost", Cost()) + cost

    # -- the picture

    @property
    def limits(self) -> Limits:
        return Limits(pixels=int(self.rules.max_megapixels * 1e6), image_bytes=self.rules.max_upload_mib * 2**20)

    def open_picture(self, session: Session, source: str | Path | bytes | Image) -> Image:
        """A new picture on the desk; it is encoded at once so that the first click is quick."""
        picture = source if isinstance(source, Image) else open_image(source, limits=self.limits)
        if picture.width * picture.height > self.rules.max_megapixels * 1e6:
            raise BadImage(
                f"the picture has more than {self.rules.max_megapixels:g} megapixels.", "Send a smaller one."
            )
        session.cancel.set()
        session.show(picture)
        session.cancel = type(session.cancel)()
        save(session, with_picture=True)
        with self.working(session, "encode"):
            self.segmenter.encode(picture)
        return picture

    def replace_picture(self, session: Session, picture: Image) -> None:
        """Another picture of the same size under the same marks: the result of an edit."""
        if picture.size != session.need_picture().size:
            raise InputError("the result has another size.", "Download it and open it as a new picture.")
        with session.lock:
            session.picture = picture
            session.extras = {k: v for k, v in session.extras.items() if not k.startswith(("everything", "parts"))}
        save(session, with_picture=True)

    def save_extra(self, session: Session, key: str, name: str) -> Path:
        """A picture kept under `key` as a file of the session; raises InputError when there is none."""
        picture = session.extras.get(key)
        if not isinstance(picture, Image):
            raise InputError("there is no result yet.", "Make one first.")
        return save_image(session.path(name), picture)

    @property
    def segmenter(self) -> Any:
        return self.models.get("segmenter")

    def change(self, session: Session, make: Callable[[Board, Image], Board], history: History | None = None) -> Board:
        """Applies one act to the board and remembers it for undo; raises InputError when another picture than that of
        `history` (None: the one there is) was opened by then. Quick clicks wait for each other, or one would be lost;
        the session's lock is not held while models work."""
        history = history or session.history
        with session.turn:
            picture = session.need_picture()
            with self.working(session, "mark"):
                board = make(session.board, picture)
            session.push(board, self.rules.history, history)
            save(session)
        return board

    # -- acts

    def click(self, session: Session, at: tuple[float, float], *, inside: bool = True) -> Board:
        return self.change(session, lambda b, p: marking.click(b, self.segmenter, p, at, inside=inside))

    def draw_box(self, session: Session, box: Box) -> Board:
        return self.change(session, lambda b, p: marking.draw_box(b, self.segmenter, p, box))

    def paint(self, session: Session, strokes: Mask, *, add: bool) -> Board:
        return self.change(session, lambda b, p: marking.paint(b, p, strokes, add=add))

    def wand(self, session: Session, at: tuple[float, float], tolerance: int = 16) -> Board:
        return self.change(session, lambda b, p: marking.wand(b, p, at, tolerance))

    def choose(self, session: Session, index: int) -> Board:
        return self.change(session, lambda b, p: marking.choose(b, index))

    def take(self, session: Session, mask: Mask, act: str, score: float | None = None) -> Board:
        """A whole mask from somewhere else."""
        mask.check_size(session.need_picture().size)
        return self.change(session, lambda b, p: marking.take_mask(b, mask, act, score=score))

    def import_mask(self, session: Session, source: str | Path | bytes) -> Board:
        return self.take(session, open_mask(source, limits=self.limits), "imported")

    def words(self, session: Session, phrase: str) -> FindResult:
        """Finds what a phrase names; the mask becomes the active thing's when there is one, and of several each other
        one a new thing."""
        picture, history = session.need_picture(), session.history
        with self.working(session, "find"):
            found = self.finder.find(picture, phrase, cancel=session.cancel)
        spent = session.extras["cost_last_s"]
        if found.masks:
            act, name = f"words: {phrase[:40]}", found.noun
            self.change(session, lambda b, p: marking.take_masks(b, found.masks, found.scores, act, name), history)
        session.extras["cost_last_s"] = spent
        return found

    def everything(self, session: Session) -> MaskStack:
        """All regions worth a look, kept for previews until the next picture."""
        picture = session.need_picture()
        if session.extras.get("everything_of") != picture.sha256:
            with self.working(session, "everything"):
                regions = self.finder.regions(picture)
            session.extras["everything"] = MaskStack.of(regions, picture.size)
            session.extras["everything_of"] = picture.sha256
        found: MaskStack = session.extras["everything"]
        return found

    @property
    def finder(self) -> Finder:
        """One finder for all sessions, over the shared models."""
        if self._finder is None:
            engines = {kind: self.models.get(kind) for kind in ("segmenter", "ranker")}
            self._finder = Finder(engines=engines, resolved=self.settings)
        return self._finder

    def undo(self, session: Session) -> None:
        session.step(-1)
        save(session)

    def redo(self, session: Session) -> None:
        session.step(1)
        save(session)

    def reset(self, session: Session) -> None:
        """Everything marked is taken back; undo brings it again."""
        session.push(Board(act="cleared"), self.rules.history)
        save(session)

    def stop(self, session: Session) -> None:
        """Stops whatever works for this session now."""
        session.cancel.set()
        session.cancel = type(session.cancel)()
        for job in self.jobs.of(session.id):
            job.cancel.set()

    def queues(self) -> dict[str, int]:
        """Model -> steps that wait or go on, and how many long jobs do; also for visitors who have gone."""
        return {**self.models.queues(), "jobs": self.jobs.running}

    @property
    def is_busy(self) -> bool:
        return any(self.queues().values())

    def forget_unused(self) -> int:
        """Lets go of what is known of pictures that nobody used for as long as a session is kept; returns how much
        there was."""
        idle_s = self.sessions.idle_s
        return self.models.embeddings.expire(idle_s) + self._engines.forget(idle_s)

    def rest(self) -> None:
        """Gives the system back what the visitors who have gone needed."""
        self._engines.rest()
        give_back()

    def close(self) -> None:
        """Stops the jobs and the lanes; sessions stay on disk for the next start."""
        self.jobs.close()
        self.models.close()


def default_root() -> Path:
    """Where sessions are kept when the settings name no place."""
    return cache_folder("studio")

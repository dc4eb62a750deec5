# mypy: disable-error-code="untyped-decorator"
"""The JSON interface to clips and long work: send a clip, click a frame, track, erase, lift, fetch the files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from maskwright.errors import InputError
from maskwright.studio.desk import Desk
from maskwright.studio.filming import click_frame, erase_film, need_film, open_film, track
from maskwright.studio.jobs import Job
from maskwright.studio.sessions import Session
from maskwright.studio.shaping import make_lift

LIFT_FACES = 8000
WORKS: Mapping[str, Callable[[Desk, Session], Job]] = {
    "track": track,
    "erase": erase_film,
    "lift": lambda desk, session: make_lift(desk, session, LIFT_FACES),
}


class FrameClick(BaseModel):
    """One click on a frame, in its pixels."""

    model_config = ConfigDict(extra="forbid")
    frame: int = Field(ge=0)
    x: float
    y: float
    inside: bool = True


def read_upload(desk: Desk, file: UploadFile) -> bytes:
    """What was sent; raises InputError beyond the studio's limit."""
    limit = desk.rules.max_upload_mib * 2**20
    data: bytes = file.file.read(limit + 1)
    if len(data) > limit:
        raise InputError(f"the file is larger than {desk.rules.max_upload_mib} MiB.", "Send a smaller one.")
    return data


def clip_routes(routes: APIRouter, desk: Desk) -> None:
    """Adds the routes of a session's clip."""

    @routes.put("/sessions/{sid}/clip")
    def send_clip(sid: str, file: UploadFile) -> dict[str, Any]:
        """Puts a clip on the desk."""
        session = desk.need(sid)
        suffix = Path(file.filename or "").suffix.lower()
        plain = re.fullmatch(r"\.[a-z0-9]{1,8}", suffix)
        with tempfile.NamedTemporaryFile(suffix=suffix if plain else "") as kept:
            kept.write(read_upload(desk, file))
            kept.flush()
            clip = open_film(desk, session, kept.name).clip
        return {"frames": len(clip), "width": clip.size[0], "height": clip.size[1], "fps": float(clip.rate)}

    @routes.post("/sessions/{sid}/clip/click")
    def click(sid: str, body: FrameClick) -> dict[str, Any]:
        """One more click on a frame; its new mask as COCO RLE."""
        session = desk.need(sid)
        mask = click_frame(desk, session, body.frame, (body.x, body.y), inside=body.inside)
        return {"frame": body.frame, "mask": mask.to_rle()}

    @routes.get("/sessions/{sid}/clip/masks")
    def masks(sid: str) -> dict[int, Any]:
        """Frame -> mask, as far as known."""
        return {index: mask.to_rle() for index, mask in sorted(need_film(desk.need(sid)).masks.items())}


def job_routes(routes: APIRouter, desk: Desk) -> None:
    """Adds the routes of long work."""

    @routes.get("/sessions/{sid}/jobs")
    def jobs(sid: str) -> list[dict[str, Any]]:
        """The session's long work, the newest first."""
        return [shown(job) for job in desk.jobs.of(desk.need(sid).id)]

    @routes.post("/sessions/{sid}/jobs/{kind}")
    def begin(sid: str, kind: str) -> dict[str, Any]:
        """Begins track, erase or lift."""
        if kind not in WORKS:
            raise InputError(f"there is no work {kind!r}.", f"Choose one of: {', '.join(WORKS)}.")
        return shown(WORKS[kind](desk, desk.need(sid)))

    @routes.get("/sessions/{sid}/jobs/{job}")
    def look(sid: str, job: str) -> dict[str, Any]:
        """How far it is; `files` can be fetched when it is done."""
        return shown(_own(desk, sid, job))

    @routes.get("/sessions/{sid}/jobs/{job}/files/{index}")
    def fetch(sid: str, job: str, index: int) -> FileResponse:
        """A file that it made."""
        files = _own(desk, sid, job).files
        if not 0 <= index < len(files) or not files[index].exists():
            raise InputError("there is no such file.", f"The job has {len(files)}.")
        return FileResponse(files[index], filename=files[index].name)

    @routes.get("/queues")
    def queues() -> dict[str, int]:
        """How many steps wait or go on, by model, and how many long jobs go on."""
        return desk.queues()


def _own(desk: Desk, sid: str, job: str) -> Job:
    found = desk.jobs.find(job)
    if found.session != desk.need(sid).id:
        raise InputError("there is no such job.", "Its session may have ended; start it again.")
    return found


def shown(job: Job) -> dict[str, Any]:
    """A job without the places of its files on the server."""
    values = job.to_json()
    values["result"] = {k: v for k, v in job.result.items() if k not in ("files", "path")}
    return {**values, "files": [path.name for path in job.files]}

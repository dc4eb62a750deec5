"""The JSON interface: the same acts as the page, for scripts. Described at /api/docs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, ConfigDict, Field

from maskwright.errors import Busy, Cancelled, InputError, MaskwrightError, MissingError, RefusedError
from maskwright.studio.api_work import clip_routes, job_routes, read_upload
from maskwright.studio.desk import Desk
from maskwright.studio.handing import hand_out
from maskwright.studio.sessions import Session
from maskwright.values import Box, Mask


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Click(_Body):
    """One click in picture pixels."""

    x: float
    y: float
    inside: bool = True


class BoxBody(_Body):
    """A box xyxy in picture pixels."""

    box: tuple[float, float, float, float]


class Phrase(_Body):
    """Words for a thing."""

    phrase: str = Field(min_length=1, max_length=10_000)


class _Route(APIRoute):
    """Turns our errors into short JSON answers with a fitting status."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        inner = super().get_route_handler()

        async def answer(request: Request) -> Any:
            try:
                return await inner(request)
            except MaskwrightError as error:
                return _fault(error)

        return answer


def _fault(error: MaskwrightError) -> JSONResponse:
    body = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, Busy):
        return JSONResponse(body, 503, headers={"Retry-After": str(max(1, round(error.retry_after_s)))})
    if isinstance(error, Cancelled):
        return JSONResponse(body, 409)
    if isinstance(error, (InputError, RefusedError)):
        return JSONResponse(body, 400)
    return JSONResponse(body, 424 if isinstance(error, MissingError) else 500)


def api_routes(desk: Desk, auth: tuple[str, str] | None = None) -> APIRouter:
    """Routes under /api/v1. A session's name is its key: keep it to yourself."""
    guard = [Depends(_gate(auth))] if auth else []
    routes = APIRouter(prefix="/api/v1", route_class=_Route, dependencies=guard, tags=["maskwright"])
    _session_routes(routes, desk)
    clip_routes(routes, desk)
    job_routes(routes, desk)
    _marking_routes(routes, desk)
    return routes


def _gate(auth: tuple[str, str]) -> Callable[..., None]:
    basic = HTTPBasic()

    def check(given: HTTPBasicCredentials = Depends(basic)) -> None:  # noqa: B008 - how FastAPI declares it
        right = secrets.compare_digest((given.username + "\0" + given.password).encode(), "\0".join(auth).encode())
        if not right:
            raise HTTPException(401, "wrong name or password", {"WWW-Authenticate": "Basic"})

    return check


def _session_routes(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/sessions")
    def open_session() -> dict[str, str]:
        """A new session."""
        return {"session": desk.open().id}

    @routes.delete("/sessions/{sid}")
    def end_session(sid: str) -> dict[str, bool]:
        """Ends it and removes its files."""
        desk.need(sid)
        desk.sessions.end(sid)
        return {"ended": True}

    @routes.put("/sessions/{sid}/picture")
    def send_picture(sid: str, file: UploadFile) -> dict[str, Any]:
        """Puts a picture on the desk."""
        picture = desk.open_picture(desk.need(sid), read_upload(desk, file))
        return {"width": picture.width, "height": picture.height, "sha256": picture.sha256}

    @routes.get("/sessions/{sid}")
    def show_session(sid: str) -> dict[str, Any]:
        """What is marked now."""
        return _board(desk.need(sid))

    @routes.get("/sessions/{sid}/export/{kind}")
    def give(sid: str, kind: str) -> FileResponse:
        """A file to take home: mask, cutout, coco, yolo, ..."""
        path = hand_out(desk.need(sid), kind)
        return FileResponse(path, filename=path.name)


def _marking_routes(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/sessions/{sid}/click")
    def click(sid: str, body: Click) -> dict[str, Any]:
        """One more click; the new mask as COCO RLE."""
        session = desk.need(sid)
        desk.click(session, (body.x, body.y), inside=body.inside)
        return _board(session)

    @routes.post("/sessions/{sid}/box")
    def draw_box(sid: str, body: BoxBody) -> dict[str, Any]:
        """A box around the thing."""
        session = desk.need(sid)
        desk.draw_box(session, Box.of(body.box))
        return _board(session)

    @routes.post("/sessions/{sid}/words")
    def words(sid: str, body: Phrase) -> dict[str, Any]:
        """Finds what a phrase names."""
        session = desk.need(sid)
        found = desk.words(session, body.phrase)
        return {**_board(session), "found": found.mask is not None, "reason": found.reason, "score": found.score}

    @routes.post("/sessions/{sid}/{act}")
    def step(sid: str, act: str) -> dict[str, Any]:
        """undo, redo, clear or stop."""
        acts = {"undo": desk.undo, "redo": desk.redo, "clear": desk.reset, "stop": desk.stop}
        if act not in acts:
            raise InputError(f"there is no act {act!r}.", f"Choose one of: {', '.join(acts)}.")
        session = desk.need(sid)
        acts[act](session)
        return _board(session)


def _board(session: Session) -> dict[str, Any]:
    board = session.board
    return {
        "active": board.active,
        "undo": session.history.at,
        "redo": len(session.history) - 1 - session.history.at,
        "things": [
            {"name": t.name, "score": t.score, "points": t.points, "labels": t.labels, "mask": _rle(t.mask)}
            for t in board.things
        ],
    }


def _rle(mask: Mask | None) -> dict[str, Any] | None:
    return None if mask is None else mask.to_rle()

"""Sessions that open, work and vanish, for benchmarks/studio.py --soak."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from studio_load import clicks_of, clip, disc_at, picture_of
from studio_server import Server

AT_ONCE, PICTURES = 8, 24
IDLE_S, MOST_WAIT_S = 15.0, 900.0
LIMITS = httpx.Limits(keepalive_expiry=2.0)
"""Shorter than the server keeps a connection, so that none is used that is just being closed."""


def soak(minutes: float, sessions: int) -> dict[str, Any]:
    """Spreads the sessions over so many minutes; figures after a warm-up (models loaded, caches full, every kind of work
    done) and at the end, when all have gone."""
    options = (f"studio.idle_minutes={IDLE_S / 60}", "studio.max_sessions=600", "studio.embeddings_mib=32")
    given = [part for option in options for part in ("--set", option)]
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "soak", *given) as server:
        told: dict[str, int] = {"clicks": 0, "jobs": 0, "faults": 0}
        film, _ = clip(), _pictures()
        warm_up = max(PICTURES, sessions // 8)
        asyncio.run(_visits(server.address, range(warm_up), 0.0, film, told))
        _until_gone(server)
        told = dict.fromkeys(told, 0)
        start, began = server.counts(), time.monotonic()
        print("start", start, flush=True)
        asyncio.run(_visits(server.address, range(sessions), minutes * 60 * AT_ONCE / sessions, film, told))
        spent = time.monotonic() - began
        _until_gone(server)
        end = server.counts()
        print("end", end, told, flush=True)
    marks = {f"{when}_{k}": v for when, counts in (("start", start), ("end", end)) for k, v in counts.items()}
    return {
        "sessions": sessions,
        "at_once": AT_ONCE,
        "minutes": spent / 60,
        "idle_s": IDLE_S,
        "warm_up": warm_up,
        **told,
        **marks,
    }


def _until_gone(server: Server) -> None:
    """Waits until the sweeper has ended the last session, and for one round of it more."""
    until = time.monotonic() + MOST_WAIT_S
    while server.counts()["folders"]:
        if time.monotonic() > until:
            raise SystemExit("sessions still work: this machine is too busy for a soak")
        time.sleep(1)
    time.sleep(IDLE_S)


async def _visits(address: str, visitors: range, each_s: float, film: bytes, told: dict[str, int]) -> None:
    """All visits, so many at once, each lasting at least `each_s`."""
    waiting = list(visitors)

    async def one_after_another() -> None:
        while waiting:
            began, visitor = time.monotonic(), waiting.pop()
            try:
                await _visit(address, visitor, film, told)
            except (httpx.HTTPError, KeyError) as error:
                told["faults"] += 1
                print("fault", visitor, repr(error), flush=True)
            await asyncio.sleep(max(0.0, each_s - (time.monotonic() - began)))

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


@cache
def _pictures() -> list[bytes]:
    return [picture_of(index) for index in range(PICTURES)]


def _picture(visitor: int) -> bytes:
    """One of a few pictures, made once: visitors who make theirs keep the others' answers waiting in this process."""
    return _pictures()[visitor % PICTURES]


async def _visit(address: str, visitor: int, film: bytes, told: dict[str, int]) -> None:
    choice = random.Random(visitor)
    async with httpx.AsyncClient(base_url=address + "/api/v1", timeout=300, limits=LIMITS) as client:
        sid = (await client.post("/sessions")).json()["session"]
        sent = await client.put(f"/sessions/{sid}/picture", files={"file": ("p.png", _picture(visitor))})
        size = (sent.json()["width"], sent.json()["height"])
        for x, y in clicks_of(visitor, size)[: choice.randint(1, 5)]:
            (await client.post(f"/sessions/{sid}/click", json={"x": x, "y": y})).raise_for_status()
            told["clicks"] += 1
        await client.post(f"/sessions/{sid}/undo")
        await client.get(f"/sessions/{sid}/export/{choice.choice(['mask', 'cutout', 'coco', 'yolo'])}")
        if visitor % 10 == 0:
            await _work(client, sid, film, ("track", "lift")[visitor // 10 % 2])
            told["jobs"] += 1
        if choice.random() < 0.5:
            (await client.delete(f"/sessions/{sid}")).raise_for_status()


async def _work(client: httpx.AsyncClient, sid: str, film: bytes, kind: str) -> None:
    """A long job, left alone a moment after it began."""
    if kind == "track":
        (await client.put(f"/sessions/{sid}/clip", files={"file": ("c.mp4", film)})).raise_for_status()
        x, y = disc_at(0)
        (await client.post(f"/sessions/{sid}/clip/click", json={"frame": 0, "x": x, "y": y})).raise_for_status()
    else:
        await client.post(f"/sessions/{sid}/redo")
    await client.post(f"/sessions/{sid}/jobs/{kind}")
    await asyncio.sleep(2)

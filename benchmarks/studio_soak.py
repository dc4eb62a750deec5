"""Sessions that open, work and vanish, for benchmarks/studio.py --soak."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from studio_load import clicks_of, clip, disc_at, picture_of
from studio_server import Server

AT_ONCE, PICTURES = 8, 24
ROUND, WARM_UP = 50, 2
"""Sessions between two looks at the server; rounds before the first."""
IDLE_S, MOST_WAIT_S = 15.0, 900.0
LIMITS = httpx.Limits(keepalive_expiry=2.0)
"""Shorter than the server keeps a connection, so that none is used that is just being closed."""


def soak(minutes: float, sessions: int) -> dict[str, Any]:
    """Spreads the sessions over so many minutes, in rounds; when all of a round have gone, the server is looked at.
    Figures after a warm-up (two rounds of the same: models loaded, each bounded cache at its bound, every kind of work
    done) and after each round."""
    options = (f"studio.idle_minutes={IDLE_S / 60}", "studio.max_sessions=600", "studio.embeddings_mib=32")
    given = [part for option in options for part in ("--set", option)]
    told: dict[str, int] = {"clicks": 0, "jobs": 0, "faults": 0}
    each_s, film, _ = minutes * 60 * AT_ONCE / sessions, clip(), _pictures()
    most_mib = working_s = 0.0
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "soak", *given) as server:

        def seen_after(visitors: range) -> dict[str, float]:
            nonlocal most_mib, working_s
            began = time.monotonic()
            asyncio.run(_visits(server.address, visitors, each_s, film, told))
            working_s += time.monotonic() - began
            most_mib = max(most_mib, server.counts()["mib"])
            _until_gone(server)
            counts = server.counts()
            print(visitors.stop, counts, told, flush=True)
            return counts

        for _ in range(WARM_UP):
            start = seen_after(range(ROUND))
        told.update(dict.fromkeys(told, 0))
        most_mib = working_s = 0.0
        marks = [(0, start)]
        for first in range(0, sessions, ROUND):
            after = min(first + ROUND, sessions)
            marks.append((after, seen_after(range(first, after))))
    ends = {f"{when}_{k}": v for when, counts in (("start", start), ("end", marks[-1][1])) for k, v in counts.items()}
    return {
        "sessions": sessions, "at_once": AT_ONCE, "minutes": working_s / 60, "idle_s": IDLE_S,
        "round": ROUND, "warm_up": WARM_UP * ROUND, "mib_after": [[after, counts["mib"]] for after, counts in marks],
        "most_mib": most_mib, "slope_kib": slope_kib([(after, counts["mib"]) for after, counts in marks]), **told, **ends,
    }  # fmt: skip


def slope_kib(marks: Sequence[tuple[int, float]]) -> float:
    """How many KiB a session leaves: the line through (sessions, MiB) that is nearest to all."""
    return float(np.polyfit([n for n, _ in marks], [mib for _, mib in marks], 1)[0] * 1024)


def _until_gone(server: Server) -> None:
    """Waits until the sweeper has ended the last session and nothing is worked on any more, and for two rounds of the
    sweeper more."""
    until = time.monotonic() + MOST_WAIT_S
    while server.counts()["folders"] or server.is_busy():
        if time.monotonic() > until:
            raise SystemExit("sessions still work: this machine is too busy for a soak")
        time.sleep(1)
    time.sleep(1.5 * IDLE_S)


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

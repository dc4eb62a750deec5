"""Visitors who click, for benchmarks/studio.py: scripts that are the same each time, timed from outside."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import av
import cv2
import httpx
import numpy as np
from PIL import Image as Pillow

from maskwright.media.samples import sample, sample_names

LEVELS = (1, 8, 32)
CLICKS = 12
"""Clicks of a script; then it begins again."""
CLIP_FRAMES, CLIP_SIZE = 240, (640, 360)
Masks = dict[tuple[int, int], Any]
"""(visitor, click) -> COCO RLE."""


def picture_of(visitor: int) -> bytes:
    """A picture that no other visitor has: a piece of a bundled one, 512 wide, as PNG."""
    rng = np.random.default_rng(visitor)
    image = sample(sample_names()[visitor % len(sample_names())])
    x, y = (int(rng.integers(0, 1 + side // 8)) for side in image.size)
    piece = image.pixels[y : y + image.height * 7 // 8, x : x + image.width * 7 // 8]
    scaled = cv2.resize(piece, (512, round(512 * piece.shape[0] / piece.shape[1])), interpolation=cv2.INTER_AREA)
    out = io.BytesIO()
    Pillow.fromarray(scaled).save(out, "PNG")
    return out.getvalue()


def clicks_of(visitor: int, size: tuple[int, int]) -> list[tuple[float, float]]:
    """Where this visitor clicks, in picture pixels."""
    rng = np.random.default_rng(1000 + visitor)
    return [(float(rng.uniform(0.2, 0.8) * size[0]), float(rng.uniform(0.2, 0.8) * size[1])) for _ in range(CLICKS)]


def clip() -> bytes:
    """A disc that wanders over a textured ground, as MP4."""
    rng, (width, height) = np.random.default_rng(0), CLIP_SIZE
    ground = cv2.GaussianBlur(rng.integers(0, 255, (height, width, 3)).astype(np.uint8), (0, 0), 5)
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(CLIP_FRAMES):
            frame = ground.copy()
            cv2.circle(frame, disc_at(index), height // 7, (230, 60, 40), -1)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        film.mux(stream.encode(None))
    return out.getvalue()


def disc_at(index: int) -> tuple[int, int]:
    width, height = CLIP_SIZE
    return round(width * (0.5 + 0.3 * np.sin(index / 20))), round(height * (0.5 + 0.2 * np.cos(index / 15)))


@asynccontextmanager
async def visitor_at(address: str, visitor: int) -> AsyncIterator[tuple[httpx.AsyncClient, str, list[Any]]]:
    """A visitor with a session and a picture; the session is ended at the end."""
    async with httpx.AsyncClient(base_url=address + "/api/v1", timeout=300) as client:
        sid = (await client.post("/sessions")).json()["session"]
        sent = await client.put(f"/sessions/{sid}/picture", files={"file": ("p.png", picture_of(visitor))})
        size = (sent.json()["width"], sent.json()["height"])
        yield client, sid, clicks_of(visitor, size)
        await client.delete(f"/sessions/{sid}")


async def click(client: httpx.AsyncClient, sid: str, at: tuple[float, float]) -> tuple[float, Any]:
    """Seconds and mask of one click on a clean board."""
    await client.post(f"/sessions/{sid}/clear")
    began = time.perf_counter()
    answer = await client.post(f"/sessions/{sid}/click", json={"x": at[0], "y": at[1]})
    spent = time.perf_counter() - began
    answer.raise_for_status()
    return spent, answer.json()["things"][0]["mask"]


def lone_masks(address: str) -> Masks:
    """What each visitor's clicks give when nobody else is there."""

    async def work() -> Masks:
        found: Masks = {}
        for visitor in range(max(LEVELS)):
            async with visitor_at(address, visitor) as (client, sid, places):
                for index, at in enumerate(places):
                    found[visitor, index] = (await click(client, sid, at))[1]
        return found

    return asyncio.run(work())


def measure(address: str, visitors: int, seconds: float, expected: Masks, *, tracking: bool) -> dict[str, Any]:
    """Click-to-mask of so many visitors for so long; raises SystemExit when a mask differs from a lone visitor's."""
    spent: list[float] = []
    ready = asyncio.Barrier(visitors + int(tracking))

    async def visit(visitor: int) -> None:
        rng = np.random.default_rng(2000 + visitor)
        async with visitor_at(address, visitor) as (client, sid, places):
            await ready.wait()
            until, index = time.monotonic() + seconds, 0
            await asyncio.sleep(rng.uniform(0, 2))
            while time.monotonic() < until:
                took, mask = await click(client, sid, places[index % CLICKS])
                if mask != expected[visitor, index % CLICKS]:
                    raise SystemExit(f"visitor {visitor}, click {index}: not the mask of a lone visitor")
                spent.append(took)
                index += 1
                await asyncio.sleep(rng.uniform(1, 3))

    async def work() -> float:
        works = [visit(visitor) for visitor in range(visitors)]
        if not tracking:
            await asyncio.gather(*works)
            return 0.0
        return float((await asyncio.gather(track_again(address, seconds, ready), *works))[0])

    frames = asyncio.run(work())
    return {"visitors": visitors, "tracking": tracking, "frames_per_s": frames, **_summary(spent)}


async def track_again(address: str, seconds: float, ready: asyncio.Barrier) -> float:
    """Tracks the clip over and over for so long; frames a second."""
    frames = 0.0
    async with httpx.AsyncClient(base_url=address + "/api/v1", timeout=300) as client:
        sid = (await client.post("/sessions")).json()["session"]
        (await client.put(f"/sessions/{sid}/clip", files={"file": ("c.mp4", clip())})).raise_for_status()
        x, y = disc_at(0)
        marked = await client.post(f"/sessions/{sid}/clip/click", json={"frame": 0, "x": x, "y": y})
        marked.raise_for_status()
        await ready.wait()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            job = (await client.post(f"/sessions/{sid}/jobs/track")).json()
            while job["state"] in ("waiting", "running") and time.monotonic() - began < seconds:
                await asyncio.sleep(0.5)
                job = (await client.get(f"/sessions/{sid}/jobs/{job['id']}")).json()
            if job["state"] not in ("running", "waiting", "done"):
                raise SystemExit(f"the tracking failed: {job['error']}")
            frames += job["share"] * CLIP_FRAMES
        spent = time.monotonic() - began
        await client.delete(f"/sessions/{sid}")
    return frames / spent


def _summary(spent: Sequence[float]) -> dict[str, Any]:
    ms = np.array(spent) * 1000
    p50, p95 = (float(v) for v in np.percentile(ms, (50, 95)))
    return {"clicks": len(spent), "p50_ms": p50, "p95_ms": p95, "worst_ms": float(ms.max())}

"""How well batches wait: `python benchmarks/batch.py --only asking` runs this.

Sculpt with a judge behind HTTP on this machine, every answer after LATENCY_S, at most 16 questions under way (the
engine's `concurrency`). Each item's questions follow one another. What no scheduler can beat, the critical path of the
whole, is the longest of three:
  - all questions' latencies over 16 (the line is never idle),
  - the longest single item (its questions follow one another),
  - all own work over the cores (nothing but pictures).
Calls, latencies and own work are counted in the measured run itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.assemble.batching import make_spec
from maskwright.config.settings import resolve
from maskwright.media.images import save_image
from maskwright.models.vlms.fake import FakeVlm
from maskwright.ports import Question
from maskwright.runs.batch import Batch
from maskwright.runs.jobs import Job
from maskwright.runs.pool import Conduct
from maskwright.values import Image

LATENCY_S, AT_ONCE, ITEMS = 0.4, 16, 192


def serve() -> None:
    """A chat endpoint that fits every schema, each answer LATENCY_S after its question; prints its port, and at the
    end of its input what it answered, as JSON."""
    said: list[tuple[float, float]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            began = time.monotonic()
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
            text = FakeVlm().reply(Question(text=json.dumps(request["messages"]), schema=schema)).text
            message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            body = json.dumps({"choices": [message], "usage": {"prompt_tokens": 100, "completion_tokens": 20}}).encode()
            time.sleep(max(0.0, LATENCY_S - (time.monotonic() - began)))
            said.append((began, time.monotonic()))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads, request_queue_size = True, 4 * AT_ONCE

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    print(json.dumps(said))


def make_jobs(folder: Path, count: int) -> list[Job]:
    """Bright boxes on noise."""
    jobs = []
    for index in range(count):
        pixels = np.random.default_rng(index).integers(0, 80, (96, 128, 3), dtype=np.uint8)
        pixels[20:70, 30 : 90 + index % 9] += 120
        path = save_image(folder / f"p{index:03d}.png", Image(pixels))
        jobs.append(Job(path.stem, str(path), box=(24.0, 15.0, 104.0, 75.0), target="a box"))
    return jobs


def measure(folder: Path, items: int = ITEMS) -> dict[str, Any]:
    """Seconds of a batch and of its critical path."""
    jobs = make_jobs(folder / "in", items + 1)
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None and server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    judge = {"name": "endpoint", "base_url": url, "model": "slow", "concurrency": AT_ONCE}
    more = {"models": {"segmenter": {"name": "fake"}, "judge": judge}, "sculpt": {"rounds": 2}}
    spec = make_spec("sculpt", resolve(more), {"overlays": True})
    Batch(folder / "warm", spec, jobs[items:], Conduct(in_flight=1)).run()
    began, work = time.perf_counter(), time.process_time()
    batch = Batch(folder / "out", spec, jobs[:items], Conduct.suited(asking=True))
    summary = batch.run()
    wall, own = time.perf_counter() - began, time.process_time() - work
    said = json.loads(server.communicate("")[0])
    assert summary["done"] == items, summary
    calls = int(summary["cost"]["calls"]["vlm"])
    waited = sum(end - start for start, end in said[-calls:])
    longest = max(_calls(folder / "out", job.id) for job in jobs[:items]) * LATENCY_S
    bounds = {"latency": waited / AT_ONCE, "item": longest + own / items, "work": own / (os.cpu_count() or 1)}
    critical = max(bounds.values())
    return {
        "items": items,
        "calls": calls,
        "wall_s": wall,
        "own_s": own,
        "bounds_s": bounds,
        "critical_s": critical,
        "ratio": wall / critical,
        "per_item_s": wall / items,
    }


def _calls(out: Path, item: str) -> int:
    row = json.loads((out / "items" / item / "result.json").read_text())
    return int(row["cost"]["calls"].get("vlm", 0))


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve()
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as text:
            print(json.dumps(measure(Path(text)), indent=1))

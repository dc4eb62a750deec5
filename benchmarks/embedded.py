"""What the embedded models cost: stages of the segmenter and ranker, load, memory of the whole preset, the files' size.

    python benchmarks/embedded.py

Processor milliseconds on one thread (steadier than the clock), median of 9, on a 640x480 picture that ships with the
product. Writes docs/benchmarks/embedded.md and .json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from typing import Any

import cv2
import numpy as np
from phrases_oracle import time_ranking
from writing import table, write_page

from maskwright.assemble import load
from maskwright.media.samples import sample
from maskwright.models.segmenters.lite_finish import finished
from maskwright.values import Image, Prompt

ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that give numpy one thread, read when it is imported: this process starts anew with them."""
TURNS = 9
GOALS = {
    "encode": "<= 60 ms", "prompt": "<= 10 ms", "finish": "<= 40 ms", "150 regions ranked after encoding": "<= 150 ms",
    "load": "<= 1.5 s", "memory of the whole preset": "<= 600 MiB", "weights, all files": "<= 60 MB",
    "weights, largest file": "<= 25 MB",
}  # fmt: skip


def picture() -> Image:
    return Image(cv2.resize(sample("astronaut").pixels, (640, 480), interpolation=cv2.INTER_AREA))


def median_ms(call: Callable[[], Any]) -> float:
    """Processor milliseconds of a call, the first one left out."""
    spans = []
    for _ in range(TURNS + 1):
        began = time.process_time()
        call()
        spans.append(1000 * (time.process_time() - began))
    return float(np.median(spans[1:]))


def segmenter_stages() -> dict[str, float]:
    """The picture once; the network's answer to one click; the finish of its edges at full size."""
    segmenter, image = load("segmenter", "lite"), picture()
    embedding, click = segmenter.encode(image), [Prompt([(270, 110)], [1])]
    logits, _ = segmenter.coarse(embedding, click)
    return {
        "encode": median_ms(lambda: segmenter.encode(image)),
        "prompt": median_ms(lambda: segmenter.coarse(embedding, click)),
        "finish": median_ms(lambda: finished(logits[0, 0], image.pixels, segmenter.options)),
        "a whole click": median_ms(lambda: segmenter.predict(embedding, click)),
    }


WHOLE = """
import json, resource, time
import maskwright as mw
from maskwright.media.samples import sample
began = time.perf_counter()
roles = ("segmenter", "ranker", "proposer", "parser", "matter", "inpainter", "captioner", "lifter", "editor")
models = {role: mw.load(role, "lite") for role in roles}
spent = time.perf_counter() - began
image = sample("astronaut")
found = mw.find(image, "the woman", segmenter=models["segmenter"], ranker=models["ranker"])
mw.sculpt(image, box=found.mask.box, mask=found.mask, target="the woman", segmenter=models["segmenter"])
mw.cut(image, found.mask, matter=models["matter"])
mw.parts(image, found.mask, parser=models["parser"], inpainter=models["inpainter"])
print(json.dumps({"load": spent, "memory of the whole preset": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def whole_preset() -> dict[str, float]:
    """Seconds to load every role (imports apart), and the most memory of a process that then finds, sculpts, cuts and
    parts."""
    usual = {name: value for name, value in os.environ.items() if name not in ONE}
    done = subprocess.run([sys.executable, "-c", WHOLE], capture_output=True, text=True, check=True, env=usual)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def file_sizes() -> dict[str, float]:
    """Megabytes of the weights in the package."""
    folder = resources.files("maskwright").joinpath("weights")
    sizes = [len(f.read_bytes()) / 1e6 for f in folder.iterdir() if f.name.endswith((".onnx", ".safetensors"))]
    return {"weights, all files": sum(sizes), "weights, largest file": max(sizes)}


def main() -> None:
    if any(os.environ.get(name) != "1" for name in ONE):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **dict.fromkeys(ONE, "1")})
    cv2.setNumThreads(1)
    ranking = time_ranking()
    found = segmenter_stages()
    found["150 regions encoded"] = ranking["encode"]
    found["150 regions ranked after encoding"] = ranking["rank"] + ranking["look"] + ranking["attributes"]
    found |= whole_preset() | file_sizes()
    units = {"load": "s", "memory of the whole preset": "MiB"} | dict.fromkeys(file_sizes(), "MB")
    rows = [(what, f"{value:.3g} {units.get(what, 'ms')}", GOALS.get(what, "")) for what, value in found.items()]
    intro = "A 640x480 picture; ms are processor milliseconds on one thread, median of 9."
    body = f"{intro}\n\n{table(('what', 'reached', 'goal'), rows)}"
    print(write_page("embedded", "What the embedded models cost", body, found))


if __name__ == "__main__":
    main()

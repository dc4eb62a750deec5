"""The pool of ONNX Runtime: what models needed for their last steps goes back to the system, and no answer changes."""

from __future__ import annotations

import platform
import subprocess
import sys
import threading

import numpy as np
import pytest

from maskwright.media.samples import sample
from maskwright.models.onnx_pool import free_pool
from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.values import Prompt

USE = """
import sys
from maskwright.models.onnx_pool import free_pool
free_pool()
assert "onnxruntime" not in sys.modules, "nothing is loaded to free nothing"
from maskwright.media.samples import sample
from maskwright.models.segmenters.lite import LiteSegmenter
from maskwright.studio.quiet import give_back
def mib():
    lines = open('/proc/self/smaps_rollup')
    return sum(int(l.split()[1]) for l in lines if l.startswith('Private')) / 1024
segmenter, picture = LiteSegmenter(), sample("coffee")
free_pool()
give_back()
before = mib()
for _ in range(3):
    segmenter.encode(picture)
give_back()
used = mib()
free_pool()
give_back()
assert used - before > 30, (before, used)
assert mib() - before < 12, (before, used, mib())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is looked at as Linux tells it")
def test_what_the_last_steps_needed_goes_back_to_the_system() -> None:
    """In a process of its own: encoding takes some 55 MiB, which the pool would keep for ever."""
    done = subprocess.run([sys.executable, "-c", USE], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_answers_are_the_same_while_another_thread_empties_the_pool() -> None:
    segmenter, picture = LiteSegmenter(), sample("coffee")
    prompt = Prompt([(picture.width / 2, picture.height / 2)], [1])

    def answer() -> np.ndarray:
        [found] = segmenter.predict(segmenter.encode(picture), [prompt])
        return np.asarray(found.masks)

    alone, over = answer(), threading.Event()

    def empty() -> None:
        while not over.is_set():
            free_pool()

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        for _ in range(3):
            segmenter.forget(0.0)
            np.testing.assert_array_equal(answer(), alone)
    finally:
        over.set()
        thread.join(timeout=120)


def test_closer_looks_are_forgotten() -> None:
    segmenter, picture = LiteSegmenter(), sample("coffee")
    embedding = segmenter.encode(picture)
    spots = [(x, y) for x in range(40, picture.width, 60) for y in range(40, picture.height, 60)]
    masks = [found.masks[0] for found in segmenter.predict(embedding, [Prompt([spot], [1]) for spot in spots])]
    assert segmenter.forget(3600.0) == 0
    assert segmenter.forget(-1.0) > 0, "some of these spots are on small things"
    again = [found.masks[0] for found in segmenter.predict(embedding, [Prompt([spot], [1]) for spot in spots])]
    np.testing.assert_array_equal(again, masks)

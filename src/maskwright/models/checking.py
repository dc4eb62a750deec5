"""One small real question to a model: does it load, answer, how long, how much memory, at what price."""

from __future__ import annotations

import importlib
import inspect
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maskwright.errors import MissingPackage
from maskwright.models.catalogue import Row, find_row
from maskwright.ports import FillOptions, Question
from maskwright.values import Image, Mask, Prompt


def check(row: Row, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Loads the model, asks it one small thing; {kind, name, answer, load_s, answer_s, rss_mib, device_mib, usd}.

    Raises what loading and answering raise: MissingPackage, MissingWeights, WeightsError, ModelError ...
    """
    started = time.perf_counter()
    model = build(row, settings)
    loaded = time.perf_counter()
    said, usd = _QUESTIONS[row.kind](model)
    return {
        "kind": row.kind,
        "name": row.name,
        "answer": said,
        "load_s": round(loaded - started, 3),
        "answer_s": round(time.perf_counter() - loaded, 3),
        "rss_mib": round(_rss_mib(), 1),
        "device_mib": round(_device_mib(), 1),
        "usd": usd,
    }


def build(row: Row, settings: Mapping[str, Any]) -> Any:
    """The model of a row, those that it is built on made of their kind's `lite`; unknown settings are left out."""
    needed = {keyword: build(find_row(kind, "lite"), {}) for keyword, kind in row.needs if keyword not in settings}
    module, _, attribute = row.target.partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
        wanted = {**row.settings, **needed, **_accepted(make, settings)}
        return make(**wanted)
    except ModuleNotFoundError as error:
        extra = f"'maskwright[{row.extra}]'" if row.extra else error.name
        raise MissingPackage(f"{row.kind} {row.name} needs {error.name}.", f"Type: pip install {extra}") from error


def _accepted(make: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    names = set(inspect.signature(make).parameters)
    return {name: value for name, value in settings.items() if name in names}


def _rss_mib() -> float:
    """The most memory this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def _device_mib() -> float:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return 0.0
    return float(torch.cuda.max_memory_allocated()) / 2**20


def scene() -> tuple[Image, Mask]:
    """A bright red square on a dark green ground, 160x120, and its mask."""
    inside = np.zeros((120, 160), dtype=np.bool_)
    inside[40:90, 60:120] = True
    noise = np.random.default_rng(0).integers(0, 20, (120, 160, 3))
    pixels = np.where(inside[:, :, None], (210, 40, 40), (30, 70, 40)) + noise
    return Image(pixels.astype(np.uint8)), Mask(inside)


def _segmenter(model: Any) -> tuple[str, float]:
    image, mask = scene()
    prompt = Prompt(text="red square") if hasattr(model, "tokenizer") else Prompt([(90, 65)])
    [found] = model.predict(model.encode(image), [prompt])
    if not len(found):
        return "no instance of a red square", 0.0
    return f"IoU {Mask(found.masks[0]).iou(mask):.2f} with a red square, from one question", 0.0


def _tracker(model: Any) -> tuple[str, float]:
    image, mask = scene()
    frames = [np.roll(image.pixels, 4 * i, axis=1) for i in range(3)]
    areas = [masks[1].area for _, masks in model.track(frames, {0: {1: mask}})]
    return f"areas {areas} px over {len(areas)} frames of a moving square of {mask.area} px", 0.0


def _proposer(model: Any) -> tuple[str, float]:
    image, _ = scene()
    return f"{len(model.propose(image, phrase='red square'))} proposals", 0.0


def _ranker(model: Any) -> tuple[str, float]:
    image, mask = scene()
    regions = model.encode(image, np.stack([mask.array, ~mask.array]))
    chances = model.rank(regions, ["red square"]).probabilities[0]
    return f"red square: {chances[0]:.2f} for the square, {chances[1]:.2f} for the ground", 0.0


def _vlm(model: Any) -> tuple[str, float]:
    image, _ = scene()
    reply = model.reply(Question("What colour is the square? One word.", (image,), max_tokens=16))
    return reply.text.strip()[:120], float(reply.usd)


def _inpainter(model: Any) -> tuple[str, float]:
    image, mask = scene()
    painted = model.inpaint(image, mask).pixels
    kept = bool((painted[~mask.array] == image.pixels[~mask.array]).all())
    return (
        f"mean colour in the hole {painted[mask.array].mean(axis=0).round().astype(int).tolist()}, rest kept: {kept}",
        0.0,
    )


def _filler(model: Any) -> tuple[str, float]:
    image, mask = scene()
    frames = [np.roll(image.pixels, 4 * i, axis=1) for i in range(3)]
    holes = [np.roll(mask.array, 4 * i, axis=1) for i in range(3)]
    return f"{len(list(model.fill(frames, holes, FillOptions())))} of 3 frames filled", 0.0


def _captioner(model: Any) -> tuple[str, float]:
    image, mask = scene()
    return str(model.caption([image], [mask]))[:200], 0.0


def _parser(model: Any) -> tuple[str, float]:
    image, mask = scene()
    parts = model.parse(image, mask)
    seen = [parts.labels[int(i)] for i in np.unique(parts.label_map)]
    return f"parts: {', '.join(seen)}; {len(parts.keypoints)} joints", 0.0


def _editor(model: Any) -> tuple[str, float]:
    image, mask = scene()
    edited = model.edit(image, "make it blue", mask)
    return f"mean colour of the square {edited.pixels[mask.array].mean(axis=0).round().astype(int).tolist()}", 0.0


def _matter(model: Any) -> tuple[str, float]:
    image, mask = scene()
    trimap = np.where(mask.array, 255, 0).astype(np.uint8)
    trimap[36:44] = 128
    return f"mean alpha where unknown {float(model.matte(image, trimap)[36:44].mean()):.2f}", 0.0


def _depth(model: Any) -> tuple[str, float]:
    image, mask = scene()
    near = model.depth(image)
    return f"nearness {near[mask.array].mean():.2f} of the square, {near[~mask.array].mean():.2f} around", 0.0


def _lifter(model: Any) -> tuple[str, float]:
    image, mask = scene()
    mesh = model.lift(Image(image.pixels, (mask.array * 255).astype(np.uint8)))
    return f"a mesh of {len(mesh.vertices)} points and {len(mesh.faces)} faces", 0.0


_QUESTIONS: Mapping[str, Callable[[Any], tuple[str, float]]] = {
    "segmenter": _segmenter, "tracker": _tracker, "proposer": _proposer, "ranker": _ranker, "vlm": _vlm,
    "inpainter": _inpainter, "filler": _filler, "captioner": _captioner, "parser": _parser, "editor": _editor,
    "matter": _matter, "depth": _depth, "lifter": _lifter,
}  # fmt: skip

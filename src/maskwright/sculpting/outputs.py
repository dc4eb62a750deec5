"""The files of a run, each whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from maskwright.media.images import save_image, save_mask
from maskwright.plumbing.files import write_json, write_text
from maskwright.sculpting.drawing import draw_answer, draw_round
from maskwright.sculpting.result import SculptResult
from maskwright.values import Image, Mask, Trace

MASK, RLE, TRACE, INFO, OVERLAY = "final_mask.png", "mask.rle.json", "trace.json", "instance_info.txt", "overlay.png"


def write_outputs(
    folder: str | Path, image: Image, result: SculptResult, *, keep_steps: bool = False, clean: bool = False
) -> dict[str, Path]:
    """final_mask.png (1 bit a pixel), mask.rle.json (COCO), instance_info.txt, trace.json and overlay.png; with
    `keep_steps` a picture a round; with `clean` the masks and the info only. Raises StorageError."""
    folder = Path(folder)
    files = {"mask": save_mask(folder / MASK, result.mask, one_bit=True), "rle": folder / RLE, "info": folder / INFO}
    write_json(files["rle"], result.mask.to_rle())
    write_text(files["info"], describe(result))
    if clean:
        return files
    files["trace"] = write_trace(folder, result.trace)
    files["overlay"] = save_image(folder / OVERLAY, draw_answer(image, result.mask))
    if keep_steps:
        files |= {path.stem: path for path in _write_steps(folder, image, result.trace)}
    return files


def write_trace(folder: str | Path, trace: Trace) -> Path:
    """trace.json: schema-versioned, enough to resume from."""
    path = Path(folder) / TRACE
    write_json(path, trace.to_json())
    return path


def describe(result: SculptResult) -> str:
    """A few plain lines about the instance."""
    trace, mask = result.trace, result.mask
    box = "none" if mask.box is None else ",".join(f"{v:g}" for v in mask.box)
    change = float(trace.result.get("change") or 0.0)
    score = "not known" if result.score is None else f"{result.score:.3f}"
    calls = ", ".join(f"{n} {role}" for role, n in sorted(result.cost.calls.items())) or "none"
    lines = (
        ("target", str(trace.settings.get("target", "")) or "-"),
        ("picture", f"{trace.size[0]}x{trace.size[1]}, sha256 {trace.image_sha256}"),
        ("box", box),
        ("area_px", str(mask.area)),
        ("area_share", f"{mask.area / (mask.width * mask.height):.6f}"),
        ("changed", f"{change:.4f}"),
        ("score", score),
        ("rounds", str(result.rounds)),
        ("stopped", result.stop),
        ("strategy", str(trace.settings.get("strategy", ""))),
        ("engines", ", ".join(f"{kind} {name}" for kind, name in sorted(trace.engines.items()))),
        ("calls", calls),
        ("usd", f"{result.cost.usd:.4f}"),
        ("degraded", "; ".join(result.degraded) or "no"),
    )
    return "".join(f"{name}: {value}\n" for name, value in lines)


def _write_steps(folder: Path, image: Image, trace: Trace) -> Iterator[Path]:
    before: Mask | None = None
    for step in trace.rounds:
        if step.detail.get("phase") == "round" and before is not None:
            yield save_image(folder / "steps" / f"round-{step.index:02d}.png", draw_round(image, before, step))
        before = step.mask or before

"""The older pipeline's flags as settings, and its folder layout: phase1/, prompt_cache/, final/."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from maskwright.assemble.erasing import erase_settings, make_engines
from maskwright.assemble.erasing_runs import Row, run_clips
from maskwright.bench.erase import completion_scores
from maskwright.config.erase import EraseSettings
from maskwright.config.settings import Settings, resolve
from maskwright.erasing.captions import describe_clip
from maskwright.erasing.dataset import scan
from maskwright.erasing.job import Job, Progress
from maskwright.erasing.old_flags import PROPAINTER, propainter_tuning, refine_size, without_effect
from maskwright.erasing.prompt_file import PromptFile, read_prompt, write_prompt
from maskwright.errors import BadSettings, MaskwrightError
from maskwright.media.videos import open_clip, write_clip
from maskwright.plumbing.files import write_json
from maskwright.runs.folder import safe_id

Flags = Mapping[str, Any]
_WEIGHTS = {"base_model_path": "base", "vae_path": "vae", "diffueraser_path": "eraser", "pcm_weights_path": "pcm"}
"""Flag -> the part of DiffuEraser's weights whose folder it names."""


def run_classic(
    flags: Flags, *, captions: bool, tell: Callable[[Progress], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Row]:  # fmt: skip
    """One row a clip, as `run_clips` gives; the files lie where the older pipeline put them. `warn` hears of flags
    that have no effect."""
    out = flags.get("output_dir") or flags.get("save_path")
    if out is None:
        raise BadSettings("no folder for the results was given.", "Give --output_dir (or --save_path).")
    out = Path(out)
    resolved = resolve(_model_settings(flags))
    settings = classic_settings(flags, resolved.section(EraseSettings), captions=captions)
    if warn is not None:
        for line in idle_flags(flags, settings, resolved):
            warn(line)
    specs = _specs(flags, out, captions=captions)
    force = ["caption"] if flags.get("force_recaption") else []
    rows = run_clips(out / "run", specs, settings, resolved=resolved, force=force, tell=tell)
    for row, spec in zip(rows, specs, strict=True):
        if row["status"] == "done":
            row["files"] = _lay_out(out, row["clip"], flags, spec)
    return rows


def idle_flags(flags: Flags, settings: EraseSettings, resolved: Settings) -> list[str]:
    """A line for each flag that was given and does nothing."""
    names = make_engines(settings, resolved).names
    return without_effect(flags, filler=names["filler"], captioner=settings.captioner, inpainter=names["inpainter"])


def classic_settings(flags: Flags, settings: EraseSettings, *, captions: bool) -> EraseSettings:
    """The flags as EraseSettings. Text in `run` needs words: --prompt or --prompt_yaml."""
    if flags.get("use_text") and not captions and not (flags.get("prompt") or flags.get("prompt_yaml")):
        raise BadSettings("--use_text has no words to use.", "Give --prompt or --prompt_yaml, or call `erase auto`.")
    downscale = (flags["phase1_w"], flags["phase1_h"]) if flags.get("phase1_downscale") else None
    frame = flags.get("anchor_frame_idx")
    given = {
        "use_text": bool(flags.get("use_text")),
        "use_anchor": bool(flags.get("use_anchor")),
        "prompt": flags.get("prompt") if captions or flags.get("prompt_yaml") else flags.get("prompt") or "",
        "n_prompt": flags.get("n_prompt"),
        "text_guidance_scale": flags.get("text_guidance_scale"),
        "anchor_frame": None if frame is None else -1 if str(frame) == "auto" else _whole(frame),
        "inpainter": _inpainter(flags),
        "captioner": _captioner(flags),
        "downscale": downscale,
        "refine_size": refine_size(flags),
        "dilate": flags.get("mask_dilation_iter"),
        "filler": _filler(flags),
        "seed": flags.get("seed"),
        "comparison": bool(flags.get("save_comparison")),
    }
    return erase_settings(settings, given)


def caption_clip(flags: Flags, warn: Callable[[str], None] | None = None) -> PromptFile:
    """Writes --output_yaml; a file written by hand, or one that is there already, is kept (unless --force). `warn`
    hears of frames that are described without a mask."""
    path = Path(flags["output_yaml"])
    if path.exists():
        found = read_prompt(path)
        if found.prompt_source == "manual" or not flags.get("force"):
            return found
    local = {"name": "local", "weights": flags.get("model_path"), "device": flags.get("device") or "auto"}
    resolved = resolve({"models": {"vlm": local}} if flags.get("model_path") else None)
    strategy = {"multi_sample": "multi"}.get(flags["frame_strategy"], flags["frame_strategy"])
    more = {"frames": strategy, "sample_frames": flags["num_sample_frames"]}
    captioner = "vlm" if flags.get("model_path") else None
    settings = erase_settings(resolved.section(EraseSettings), {**more, "captioner": captioner})
    job = Job("clip", Path(flags["video_path"]), path.parent, Path(flags["mask_path"]))
    found = describe_clip(job, make_engines(settings, resolved), settings, warn=warn)
    write_prompt(path, found)
    return found


def _filler(flags: Flags) -> str | None:
    return flags.get("filler") or ("diffueraser" if any(flags.get(name) for name in _WEIGHTS) else None)


def _whole(text: Any) -> int:
    if not str(text).isdigit():
        raise BadSettings(f"--anchor_frame_idx {text} is not a frame.", "Give a number from 0 on, or auto.")
    return int(text)


def _captioner(flags: Flags) -> str | None:
    """A model that is named is asked: here, or in the environment that is named."""
    if not flags.get("caption_model_path"):
        return None
    return "worker" if flags.get("caption_env") else "vlm"


def _inpainter(flags: Flags) -> str | None:
    """propainter as anchor method: the embedded filler's kind of painting, from the clip itself. A model that is named
    without a method is Stable Diffusion's."""
    method = flags.get("anchor_method") or ("sd-inpaint" if flags.get("anchor_model_path") else None)
    return {"sd-inpaint": "sd15", "propainter": "lite", "lite": "lite", None: None}[method]


def _model_settings(flags: Flags) -> dict[str, Any]:
    models: dict[str, Any] = {}
    paths = {name: str(flags[flag]) for flag, name in _WEIGHTS.items() if flags.get(flag)}
    if paths:
        place = str(Path(next(iter(paths.values()))).parent)
        models["filler"] = {"name": "diffueraser", "weights": place, "folders": paths}
    elif flags.get("filler") == PROPAINTER:
        models["filler"] = {"name": PROPAINTER, **propainter_tuning(flags)}
    if _inpainter(flags) == "sd15":
        given = {"weights": flags.get("anchor_model_path"), "steps": flags.get("anchor_steps")}
        models["inpainter"] = {"name": "sd15", **{k: v for k, v in given.items() if v}}
    captioner = _captioner(flags)
    if captioner is not None:
        weights = flags["caption_model_path"]
        if captioner == "worker":
            models["captioner"] = {"name": "worker", "weights": weights, "environment": flags["caption_env"]}
        else:
            models["vlm"] = {"name": "local", "weights": weights}
    return {"models": models} if models else {}


def _specs(flags: Flags, out: Path, *, captions: bool) -> list[dict[str, Any]]:
    length = flags.get("video_length")
    cache = Path(flags.get("prompt_cache_dir") or out / "prompt_cache")
    more = {"length": length if length and length > 0 else None, "phrase": None}
    if flags.get("dataset"):
        if flags.get("video_root") is None or flags.get("mask_root") is None:
            raise BadSettings("a data set needs its folders.", "Give --video_root and --mask_root.")
        found = scan(flags["dataset"], flags["video_root"], flags["mask_root"], flags.get("gt_root"))
        rows = [(f.name, f.video, f.mask, f.truth) for f in found]
    else:
        if flags.get("input_mask") is None:
            raise BadSettings("no masks were given.", "Give --input_mask.")
        rows = [(flags["input_video"].stem, flags["input_video"], flags["input_mask"], flags.get("gt_root"))]
    given = flags.get("prompt_yaml")
    return [
        {
            "name": name,
            "video": str(video),
            "mask": str(mask),
            "truth": None if truth is None else str(truth),
            "prompt_file": str(given) if given else str(cache / f"{name}.yaml"),
            **more,
        }
        for name, video, mask, truth in rows
    ]


def _lay_out(out: Path, name: str, flags: Flags, spec: Row) -> dict[str, str]:
    """The files under the names the older pipeline gave them."""
    item = out / "run" / "items" / safe_id(name)
    final = out / "final" / name
    files = {
        "diffueraser.mp4": _link(item / "output" / "erased.mp4", final / "diffueraser.mp4"),
        "propainter.mp4": _encode(item / "coarse" / "coarse.mkv", final / "propainter.mp4"),
    }
    files["phase1"] = _link(final / "propainter.mp4", out / "phase1" / name / "diffueraser.mp4")
    if (item / "anchor" / "anchor_frame.png").exists() and flags.get("use_anchor"):
        files["anchor_frame.png"] = _link(item / "anchor" / "anchor_frame.png", final / "anchor_frame.png")
    comparison = item / "output" / "comparison.mp4"
    if comparison.exists():
        rate = Fraction(flags["comparison_fps"]).limit_denominator(1001) if flags.get("comparison_fps") else None
        target = final / "comparison_4in1.mp4"
        files[target.name] = _link(comparison, target) if rate is None else _encode(comparison, target, rate)
    if spec.get("truth") and not flags.get("no_metrics"):
        files["metrics.json"] = _measured(final, item, Path(spec["truth"]))
    return {"erased.mp4": files["diffueraser.mp4"], **files}


def _measured(final: Path, item: Path, truth: Path) -> str:
    """PSNR and SSIM against the truth that came with the data set; a truth that does not fit is said there."""
    target = final / "metrics.json"
    try:
        with open_clip(truth) as wanted, open_clip(item / "refine" / "final.mkv", trusted=True) as made:
            write_json(target, completion_scores(made.frames, wanted.frames))
    except MaskwrightError as error:
        write_json(target, {"error": error.message})
    return str(target)


def _link(source: Path, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return str(target)


def _encode(source: Path, target: Path, rate: Fraction | None = None) -> str:
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return str(target)
    with open_clip(source, trusted=True) as clip:
        write_clip(target, clip.frames, rate=rate or clip.rate)
    return str(target)


__all__ = ["caption_clip", "classic_settings", "run_classic"]

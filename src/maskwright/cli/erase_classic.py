"""The older pipeline's three scripts, under their own flag names and with their folder layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from maskwright.errors import BadSettings

Command = TypeVar("Command", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def _flags(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several click options as one decorator."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


CLIPS = _flags(
    click.option("--input_video", type=PATH),
    click.option("--input_mask", type=PATH),
    click.option("--dataset", type=click.Choice(["davis", "ytvos", "youtube-vos", "custom"])),
    click.option("--video_root", type=PATH),
    click.option("--mask_root", type=PATH),
    click.option("--gt_root", type=PATH),
)
PLACES = _flags(
    click.option("--output_dir", type=PATH),
    click.option("--save_path", type=PATH),
    click.option("--prompt_cache_dir", type=PATH),
)
WORDS = _flags(
    click.option("--use_text", is_flag=True),
    click.option("--use_anchor", is_flag=True),
    click.option("--prompt"),
    click.option("--n_prompt"),
    click.option("--prompt_yaml", type=PATH),
    click.option("--text_guidance_scale", type=float),
)
CAPTION = _flags(
    click.option("--caption_env", help="The environment that --caption_model_path runs in: a path, venv or conda."),
    click.option("--caption_model_path"),
    click.option("--force_recaption", is_flag=True),
)
ANCHOR = _flags(
    click.option("--anchor_method", type=click.Choice(["sd-inpaint", "propainter", "lite"])),
    click.option("--anchor_frame_idx", default=None),
    click.option("--anchor_model_path"),
    click.option("--anchor_steps", type=int),
)
SIZES = _flags(
    click.option("--phase1_downscale", is_flag=True),
    click.option("--phase1_W", "phase1_w", type=int, default=432),
    click.option("--phase1_H", "phase1_h", type=int, default=240),
    click.option("--video_length", type=int, help="Frames from the start; 0 or less: all."),
    click.option("--height", type=int, help="Phase 3 works within this; the result keeps the clip's size."),
    click.option("--width", type=int, help="The same for the width."),
)
FILLING = _flags(
    click.option("--ref_stride", type=int, help="For --filler propainter-worker."),
    click.option("--neighbor_length", type=int, help="For --filler propainter-worker."),
    click.option("--subvideo_length", type=int, help="For --filler propainter-worker."),
    click.option("--mask_dilation_iter", type=int, help="The mask grows by so many pixels."),
    click.option("--skip_phase1_if_exists", is_flag=True, help="Always so."),
    click.option("--filler", help="The filler of phase 3 [lite; diffueraser when its weights are named]."),
    click.option("--seed", type=int),
)
SHOWING = _flags(
    click.option("--save_comparison", is_flag=True),
    click.option("--comparison_fps", type=float),
    click.option("--no_metrics", is_flag=True),
    click.option("--skip_vfid", is_flag=True, help="Always so."),
)
WEIGHTS = _flags(
    *(
        click.option(f"--{name}", type=PATH)
        for name in ("base_model_path", "vae_path", "diffueraser_path", "propainter_model_dir", "pcm_weights_path")
    )
)


@click.command("auto")
@CLIPS
@PLACES
@WORDS
@CAPTION
@ANCHOR
@SIZES
@FILLING
@SHOWING
@WEIGHTS
def auto_command(**flags: Any) -> None:
    """All three phases, with the flags and folders of the older pipeline."""
    _run(flags, captions=True)


@click.command("run")
@CLIPS
@PLACES
@WORDS
@ANCHOR
@SIZES
@FILLING
@SHOWING
@WEIGHTS
def run_command(**flags: Any) -> None:
    """Phases 1 and 3 with a given prompt or caption file, with the flags of the older pipeline."""
    _run(flags, captions=False)


@click.command("caption")
@click.option("--video_path", type=PATH, required=True)
@click.option("--mask_path", type=PATH, required=True)
@click.option("--output_yaml", type=PATH, required=True)
@click.option("--model_path", help="The vision-language model's folder; none: the embedded captioner.")
@click.option("--frame_strategy", type=click.Choice(["middle", "multi_sample", "best"]), default="middle")
@click.option("--num_sample_frames", type=int, default=3)
@click.option("--device", default="auto")
@click.option("--force", is_flag=True)
def caption_command(**flags: Any) -> None:
    """Phase 2 alone: one caption file, with the flags of the older pipeline."""
    from maskwright.assemble.erasing_classic import caption_clip

    found = caption_clip(flags, warn=lambda line: click.echo(f"warning: {line}", err=True))
    click.echo(f"{flags['output_yaml']}: {found.words}")


def _run(flags: dict[str, Any], *, captions: bool) -> None:
    from maskwright.assemble.erasing_classic import run_classic
    from maskwright.cli.erase import report_rows, told

    if flags["input_video"] is None and flags["dataset"] is None:
        raise BadSettings("no clip was given.", "Give --input_video and --input_mask, or --dataset with its roots.")
    rows = run_classic(flags, captions=captions, tell=told(quiet=False), warn=lambda line: click.echo(line, err=True))
    report_rows(rows, as_json=False)

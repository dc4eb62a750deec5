"""`maskwright erase`: a clip without the object; data sets; the older pipeline's auto, run and caption."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskwright.cli.options import json_option, print_json, read_settings, settings_options
from maskwright.errors import BadSettings, RunError

if TYPE_CHECKING:
    from maskwright.config.erase import EraseSettings
    from maskwright.erasing.job import Progress


CLASSIC = ("auto", "run", "caption")


class _DefaultToClip(click.Group):
    """`erase clip.mp4 ...` is `erase clip clip.mp4 ...`; the older pipeline's commands are imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *CLASSIC]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in CLASSIC:
            from maskwright.cli import erase_classic

            command: click.Command = getattr(erase_classic, f"{cmd_name}_command")
            return command
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *CLASSIC, "--help", "-h"}
        if args and args[0] not in known:
            args = ["clip", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DefaultToClip, invoke_without_command=False)
def erase() -> None:
    """Remove an object from a video.

    \b
    maskwright erase clip.mp4 --phrase "the cyclist" -o out/
    maskwright erase clip.mp4 --mask masks/ -o out/
    maskwright erase --dataset davis --video-root V --mask-root M -o out/
    maskwright erase status out/      maskwright erase resume out/
    """


@erase.command("clip")
@click.argument("clip", type=click.Path(path_type=Path), required=False)
@click.option("--phrase", help="What to remove, in words.")
@click.option("--mask", type=click.Path(path_type=Path), help="Masks: a folder, a video, or one picture.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--dataset", type=click.Choice(["davis", "ytvos", "custom"]), help="Many clips at once.")
@click.option("--video-root", type=click.Path(path_type=Path), help="The data set's clips.")
@click.option("--mask-root", type=click.Path(path_type=Path), help="The data set's masks.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Clips at once.")
@click.option("--on", "where", type=click.Choice(["local", "ray"]), default="local", help="Where to work.")
@click.option("--address", help="A Ray cluster's address (auto: the one this machine belongs to).")
@click.option(
    "--gpus", type=click.FloatRange(min=0), default=0.0, help="Share of a GPU for each Ray task that runs models."
)
@click.option("--dilate", type=int, help="Grow the mask by so many pixels.")
@click.option("--union", type=int, help="Join each mask with those of so many frames around it.")
@click.option("--feather", type=int, help="Fade the fill over so many pixels.")
@click.option(
    "--shadows",
    type=click.Choice(["off", "show", "erase", "judge"]),
    help="Show what may be the object's soft shadow or reflection, erase it, or ask the vision-language model first.",
)
@click.option("--vlm", help="The vision-language model that --shadows judge and --captioner vlm ask.")
@click.option("--align", type=click.Choice(["refuse", "repeat-last", "crop"]), help="When the counts differ.")
@click.option("--downscale", metavar="WxH", help="Size of the coarse fill, e.g. 432x240.")
@click.option("--refine-size", metavar="WxH", help="Phase 3 works within this size; the result keeps the clip's.")
@click.option("--coarse", help="The filler of phase 1.")
@click.option("--filler", help="The filler of phase 3.")
@click.option("--inpainter", help="What paints the anchor frame.")
@click.option("--captioner", help="What describes the background; vlm asks the vision-language model.")
@click.option("--frames", type=click.Choice(["best", "middle", "multi"]), help="Which frames are described.")
@click.option("--anchor/--no-anchor", "use_anchor", default=None, help="Paint one frame first.")
@click.option("--anchor-frame", help="Its number, or auto.")
@click.option("--text/--no-text", "use_text", default=None, help="Steer the video model by words.")
@click.option("--prompt", help="What the background is, in place of a caption.")
@click.option("--n-prompt", help="What the video must not show.")
@click.option("--text-guidance-scale", type=float, help="Above 1.")
@click.option("--force-recaption", is_flag=True, help="Describe again (never over a file written by hand).")
@click.option("--force", multiple=True, metavar="PHASE", help="Do a phase again: 1, 2, 3 or a step's name.")
@click.option("--rate", help="Frames a second, for folders of frames [24].")
@click.option("--damaged", is_flag=True, help="Take the frames that can be decoded of a damaged file.")
@click.option("--lossless", is_flag=True, default=None, help="Write the result without loss too.")
@click.option("--comparison/--no-comparison", default=None, help="Write the clip of input, mask, coarse and final.")
@click.option("--seed", type=int)
@settings_options
@json_option
def clip_command(out: Path, as_json: bool, **options: Any) -> None:
    """Remove what a phrase or masks mark from CLIP, or from every clip of a data set."""
    resolved = read_settings(options["preset"], options["config"], options["assignments"])
    settings = _settings(resolved, options)
    specs = _specs(options)
    force = [*options["force"], *(["caption"] if options["force_recaption"] else [])]
    ray = {"address": options["address"], "gpus": options["gpus"]} if options["where"] == "ray" else None
    _work(out, specs, settings, resolved=resolved, force=force, workers=options["workers"], ray=ray, as_json=as_json)


@erase.command("status")
@click.argument("out", type=click.Path(path_type=Path, exists=True))
@json_option
def status_command(out: Path, as_json: bool) -> None:
    """Which steps of a run are done."""
    from maskwright.assemble.erasing_runs import status

    rows = status(out)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['clip']}: " + ", ".join(f"{step} {state}" for step, state in row["steps"].items()))
        if row["error"]:
            click.echo(f"{row['clip']}: failed: {row['error']}", err=True)


@erase.command("resume")
@click.argument("out", type=click.Path(path_type=Path, exists=True))
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@settings_options
@json_option
def resume_command(out: Path, workers: int, as_json: bool, **options: Any) -> None:
    """Go on with a run; finished steps are kept."""
    from maskwright.assemble.erasing import read_run

    specs, settings, before = read_run(out)
    again = before is None or any(options[name] for name in ("preset", "config", "assignments"))
    resolved = read_settings(options["preset"], options["config"], options["assignments"]) if again else before
    _work(out, specs, settings, resolved=resolved, force=(), workers=workers, as_json=as_json)


def _settings(resolved: Any, options: dict[str, Any]) -> EraseSettings:
    from maskwright.assemble.erasing import erase_settings
    from maskwright.config.erase import EraseSettings

    given = {name: options.get(name) for name in EraseSettings.model_fields if name in options}
    given["downscale"] = read_size(options.get("downscale"))
    given["refine_size"] = read_size(options.get("refine_size"))
    given["anchor_frame"] = read_frame(options.get("anchor_frame"))
    return erase_settings(resolved.section(EraseSettings), given)


def read_size(text: str | None) -> tuple[int, int] | None:
    """(width, height) of "432x240"; raises BadSettings."""
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= int(width) <= 8192 and 16 <= int(height) <= 8192):
        raise BadSettings(f"{text!r} is not a size.", "Write it as 432x240.")
    return int(width), int(height)


def read_frame(text: str | None) -> int | None:
    """A frame's number; auto is -1; raises BadSettings."""
    if text is None:
        return None
    if text == "auto":
        return -1
    if not text.isdigit():
        raise BadSettings(f"{text!r} is not a frame.", "Give a number from 0 on, or auto.")
    return int(text)


def _specs(options: dict[str, Any]) -> list[dict[str, Any]]:
    more = {"rate": options["rate"], "damaged": options["damaged"]}
    if options["dataset"] is None:
        clip: Path | None = options["clip"]
        if clip is None:
            raise BadSettings("no clip was given.", "Give a video, or --dataset with --video-root and --mask-root.")
        if (options["mask"] is None) == (options["phrase"] is None):
            raise BadSettings("say what to remove, in one way.", 'Give --phrase "..." or --mask PATH.')
        mask = None if options["mask"] is None else str(options["mask"])
        return [{"name": clip.stem, "video": str(clip), "mask": mask, "phrase": options["phrase"], **more}]
    if any(options[name] is not None for name in ("clip", "phrase", "mask")):
        raise BadSettings("a clip and a data set were given.", "Give CLIP with --mask or --phrase, or --dataset.")
    if options["video_root"] is None or options["mask_root"] is None:
        raise BadSettings("a data set needs its folders.", "Give --video-root and --mask-root.")
    from maskwright.erasing.dataset import scan

    found = scan(options["dataset"], options["video_root"], options["mask_root"])
    return [{"name": f.name, "video": str(f.video), "mask": str(f.mask), "phrase": None, **more} for f in found]


def _work(
    out: Path, specs: list[dict[str, Any]], settings: EraseSettings, *, resolved: Any, force: Any, workers: int,
    as_json: bool, ray: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    from maskwright.assemble.erasing_runs import run_clips

    more = {"force": force, "workers": workers, "ray": ray, "tell": told(quiet=as_json)}
    rows = run_clips(out, specs, settings, resolved=resolved, **more)
    report_rows(rows, as_json=as_json)


def report_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """The summary; raises RunError when a clip failed (after the others were done)."""
    if as_json:
        print_json(rows)
    failed = [row for row in rows if row["status"] != "done"]
    for row in rows if not as_json else []:
        click.echo(f"{row['clip']}: {row['files'].get('erased.mp4') if row['status'] == 'done' else row['error']}")
        for warning in row.get("warnings", ()):
            click.echo(f"{row['clip']}: warning: {warning}", err=True)
    if failed:
        raise RunError(
            f"{len(rows) - len(failed)} of {len(rows)} clips done, {len(failed)} failed: {failed[0]['error']}",
            "Mend what is named above and run the same command again: finished clips are kept.",
        )


def told(*, quiet: bool) -> Any:
    """What shows progress on stderr: one line that is written over."""

    def tell(news: Progress) -> None:
        if quiet or (news.state == "frame" and not sys.stderr.isatty()):
            return
        if news.state == "frame":
            click.echo(f"\r{news.clip}: {news.step} {news.done}/{news.total}   ", nl=False, err=True)
        else:
            click.echo(f"\r{news.clip}: {news.step} {news.state}" + " " * 16, err=True)

    return tell

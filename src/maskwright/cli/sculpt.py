"""`maskwright sculpt`: a box or a mask becomes a better mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskwright.cli.options import json_option, print_json, read_settings, settings_options
from maskwright.errors import BadPrompt, Cancelled, MaskwrightError

if TYPE_CHECKING:
    from maskwright.assemble.sculpting import Sculpting
    from maskwright.sculpting.result import SculptResult
    from maskwright.values import Round, Trace

PATH = click.Path(path_type=Path)


@click.command("sculpt")
@click.argument("image", type=PATH)
@click.option("--box", help="x0,y0,x1,y1 in pixels [default: the mask's, else the whole picture].")
@click.option("--mask", type=PATH, help="A mask to start from [default: the segmenter draws one from the box].")
@click.option("--target", default="", help="What the mask should cover, in a few words.")
@click.option("-o", "--out", type=PATH, help="Folder for the results [default: NAME-sculpt].")
@click.option("--strategy", type=click.Choice(["points", "anchors"]), help="How places are proposed [points].")
@click.option("--rounds", type=int, help="Most rounds.")
@click.option("--cues", help="Hints on what tells the target from its surroundings.")
@click.option("--depth", type=PATH, help="A depth map: .npy or a grey picture, bright is near.")
@click.option(
    "--judge", "judges", multiple=True, help="rules, or a vlm's name; repeated: asked in turn when one is down."
)
@click.option("--truth", type=PATH, help="The true mask, for --judge oracle (measuring only).")
@click.option("--segmenter", help="A segmenter's name.")
@click.option("--ranker", help="Fuse this ranker's similarity into the scores.")
@click.option("--one-patch-per-call", is_flag=True, default=None, help="One question a crop instead of sheets.")
@click.option("--vlm-max-side", type=int, help="Longest side of what the model is shown [720].")
@click.option("--anchors", help="How many anchors on the contour: a number or auto (8, more for long ones) [auto].")
@click.option("--anchors-per-round", type=int, help="Most anchors edited in one round.")
@click.option("--ratio", type=float, help="Side of an anchor's square, of the ROI's short side [0.6].")
@click.option("--cells", type=click.Choice(["2", "4"]), help="Parts of an anchor's square [4].")
@click.option("--on-silence", type=click.Choice(["skip", "first-anchor"]), help="When no anchor is named [skip].")
@click.option("--max-calls", type=int, help="Most questions to models in all.")
@click.option("--max-usd", type=float, help="Most money in all.")
@click.option("--cache", help="SQLite file of answers, shared by runs.")
@click.option("--seed", type=int, help="Another seed, other places.")
@click.option("--keep-steps", is_flag=True, help="Also draw one picture a round.")
@click.option("--clean-output", is_flag=True, help="Leave the mask and the info only.")
@click.option("--resume", type=PATH, help="Go on from this trace.json.")
@settings_options
@json_option
def sculpt(image: Path, out: Path | None, as_json: bool, **options: Any) -> None:
    """Refine a mask of IMAGE: pixels say where to look, a judge says what is there, the segmenter redraws.

    Writes final_mask.png, mask.rle.json, instance_info.txt, trace.json and overlay.png.
    """  # fmt: skip
    from maskwright.sculpting.outputs import write_outputs

    task = _task(image, options)
    folder = out or Path(f"{image.stem}-sculpt")
    result = _run(task, folder, clean=options["clean_output"])
    files = write_outputs(folder, task.image, result, keep_steps=options["keep_steps"], clean=options["clean_output"])
    row = {**result.to_json(), "image": str(image), "files": {k: str(v) for k, v in files.items()}}
    if as_json:
        print_json(row)
    else:
        click.echo(_told(result, files["mask"]))


def _task(image: Path, options: dict[str, Any]) -> Sculpting:
    from maskwright.assemble.sculpting import engines_of, prepare

    same = ("target", "strategy", "rounds", "cues", "depth", "segmenter", "ranker", "one_patch_per_call", "mask",
            "truth", "vlm_max_side", "anchors_per_round", "ratio", "on_silence", "max_calls", "max_usd", "cache",
            "seed")  # fmt: skip
    anchors, cells = options["anchors"], options["cells"]
    return prepare(
        image,
        box=None if options["box"] is None else parse_box(options["box"]),
        judge=engines_of(options["judges"]),
        anchors=int(anchors) if anchors is not None and anchors.isdecimal() else anchors,
        cells=None if cells is None else int(cells),
        resume=None if options["resume"] is None else _read_trace(options["resume"]),
        resolved=read_settings(options["preset"], options["config"], options["assignments"]),
        **{name: options[name] for name in same},
    )


def parse_box(text: str) -> tuple[float, ...]:
    """Four numbers from "x0,y0,x1,y1"; raises BadPrompt."""
    try:
        values = tuple(float(v) for v in text.replace(" ", ",").split(",") if v)
    except ValueError:
        values = ()
    if len(values) != 4:
        raise BadPrompt(f"--box {text!r} is not four numbers.", "Write --box x0,y0,x1,y1.")
    return values


def _read_trace(path: Path) -> Trace:
    from maskwright.plumbing.files import read_json
    from maskwright.values import Trace

    return Trace.from_json(read_json(path))


def _run(task: Sculpting, folder: Path, *, clean: bool) -> SculptResult:
    """Works the rounds with a line each on stderr; whatever ends it early, the trace so far is kept."""
    from maskwright.sculpting.outputs import TRACE, write_trace
    from maskwright.sculpting.result import conclude

    trace = task.trace
    try:
        for step in task.rounds():
            trace = trace.add(step)
            if not clean:  # which a killed process leaves to go on from
                write_trace(folder, trace)
            click.echo(_line(step), err=True)
    except (MaskwrightError, KeyboardInterrupt) as error:
        if (folder / TRACE).exists():
            click.echo(f"the rounds so far are in {folder}", err=True)
        if isinstance(error, KeyboardInterrupt):
            raise Cancelled("stopped.", "Go on with --resume and the trace.") from error
        raise
    return conclude(trace)


def _line(step: Round) -> str:
    detail, phase = step.detail, step.detail.get("phase")
    if phase == "start":
        return "start: " + ("the given mask" if detail["given"] else "drawn from the box")
    if phase == "answer":
        return f"answer: the mask of round {detail['picked']}" + (f" ({step.stop})" if step.stop else "")
    what = detail.get("error") or detail.get("untrusted") or detail.get("kept") or f"{len(detail['points'])} clicks"
    return f"round {step.index}: {what}, {step.change or 0:.1%} changed"


def _told(result: SculptResult, place: Path) -> str:
    agreed = "" if result.score is None else f", agrees with {result.score:.0%} of the verdicts"
    fallbacks = f"; degraded: {'; '.join(result.degraded)}" if result.degraded else ""
    return f"{result.rounds} rounds ({result.stop}){agreed}{fallbacks} -> {place}"

"""`maskwright cut`, `parts`, `edit` and `lift`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from maskwright.cli.options import json_option, print_json, read_settings, settings_options
from maskwright.errors import BadPhrase, BadSettings

FILE = click.Path(path_type=Path)


@click.command("cut")
@click.argument("image", type=FILE)
@click.option("--mask", type=FILE, help="The object, white on black [default: the picture's alpha].")
@click.option("-o", "--out", type=FILE, help="PNG or WebP [default: NAME_cut.png].")
@click.option("--matte/--no-matte", default=None, help="A soft edge, or the plain mask [soft].")
@click.option("--matter", help="Who solves the soft edge: lite, pymatting, ...")
@click.option("--band", "band_px", type=int, help="Half width of the soft band in pixels [by size].")
@click.option("--frame", type=click.Choice(["full", "tight", "square"]), help="Size of the result [full].")
@click.option("--pad", "pad_px", type=int, help="Pixels around a tight or square frame.")
@click.option("--background", help="A colour or a picture instead of transparency.")
@click.option("--complete", is_flag=True, help="Draw hidden parts too (needs a generative --editor).")
@click.option("--editor", help="The editor for --complete.")
@settings_options
@json_option
def cut(image: Path, mask: Path | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Cut the object under the mask out of IMAGE, with a soft edge and without a halo."""
    from maskwright.assemble.shaping import cut as cut_image

    settings = _settings(options)
    target = out or Path(f"{image.stem}_cut.png")
    _check_suffix(target, (".png", ".webp", ".jpg", ".jpeg"), "cut-outs")
    found = cut_image(str(image), None if mask is None else str(mask), settings=settings, **options)
    found.save(target)
    row = {"image": str(target), "size": list(found.image.size), "offset": list(found.offset), **found.report}
    _tell(row, f"{target}  {found.image.width}x{found.image.height}", as_json)


@click.command("parts")
@click.argument("image", type=FILE)
@click.option("--mask", type=FILE, help="The figure [default: the picture's alpha, else found].")
@click.option("-o", "--out", type=FILE, help="Folder [default: NAME-parts].")
@click.option("--parser", help="lite, segformer-clothes, sapiens, ...")
@click.option("--no-complete", is_flag=True, help="Leave garments as they are seen, with their gaps.")
@click.option("--merge", multiple=True, metavar="KEPT+OTHER", help="Count one part as another; may be repeated.")
@click.option(
    "--name", "names", multiple=True, metavar="X,Y=NAME", help="Name the part under a click; may be repeated."
)
@click.option("--mannequin", is_flag=True, help="Also draw a featureless grey mannequin in the pose.")
@settings_options
@json_option
def parts(image: Path, mask: Path | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Take the figure in IMAGE apart: parts.png, parts.json, pose.json and one picture a garment."""
    from maskwright.assemble.shaping import parts as take_apart

    settings = _settings(options)
    whole = None if options["no_complete"] is False else False
    found = take_apart(
        str(image),
        None if mask is None else str(mask),
        parser=options["parser"],
        settings=settings,
        complete_garments=whole,
    )
    for pair in options["merge"]:
        kept, plus, other = pair.partition("+")
        if not plus:
            raise BadSettings(f"--merge {pair} has no +.", "Write --merge 'region 1+region 2'.")
        found = found.merge(kept.strip(), other.strip())
    for click_name in options["names"]:
        place, name = _click_name(click_name)
        found = found.rename(found.label_at(*place), name)
    folder = out or Path(f"{image.stem}-parts")
    files = found.save(folder)
    if options["mannequin"]:
        files.append(_mannequin(folder, found))
    row = {**found.to_json(), "keypoints": len(found.parts.keypoints), "files": [str(f) for f in files]}
    seen = [r for r in row["labels"] if r["area"] and r["label"] != "background"]
    text = "\n".join(
        f"{r['label']:>16}  {r['area']} px" + (f"  {r['confidence']:.2f}" if r["confidence"] else "") for r in seen
    )
    _tell(row, f"{text}\n{folder}", as_json)


@click.command("edit")
@click.argument("image", type=FILE)
@click.argument("words", default="")
@click.option("--mask", type=FILE, help="Where to edit [default: the thing named is looked for].")
@click.option("-o", "--out", type=FILE, help="The picture [default: NAME_edit.png].")
@click.option("--dry-run", is_flag=True, help="Show the plan and do nothing.")
@click.option("--plan", "plan_file", type=FILE, help="Carry out a saved plan instead of words.")
@click.option("--save-plan", type=FILE, help="Also write the plan here [with -o: beside the picture].")
@click.option("--character", help="full-figure, front-t-pose or complete-hidden (generative editors).")
@click.option("--editor", help="lite, openai, dashscope, qwen-image-edit, ...")
@click.option("--inpainter", help="Who fills what is removed [lite].")
@click.option("--seed", type=int, default=0)
@settings_options
@json_option
def edit(image: Path, words: str, as_json: bool, **options: Any) -> None:
    """Change IMAGE as WORDS say, inside the mask only: "make the jacket dark green", "把背景模糊"."""
    from maskwright.assemble import shaping
    from maskwright.media.images import open_image

    if options["character"] and (options["mask"] or options["inpainter"] or options["dry_run"]):
        raise BadSettings("--character draws the whole picture anew.", "Leave out --mask, --inpainter and --dry-run.")
    settings = _settings(options)
    plan = _read_plan(options["plan_file"], words, options["character"])
    if options["dry_run"]:
        shown = plan or shaping.plan_edit(words, editor=options["editor"], settings=settings)
        open_image(str(image))
        _tell(shown.to_json(), "\n".join(shown.lines()), as_json)
        return
    target = options["out"] or Path(f"{image.stem}_edit.png")
    _check_suffix(target, (".png", ".webp", ".jpg", ".jpeg"), "pictures")
    if options["character"]:
        found = shaping.edit_preset(
            str(image), options["character"], editor=options["editor"], seed=options["seed"], settings=settings
        )
    else:
        mask = options["mask"]
        found = shaping.edit(
            str(image), words, None if mask is None else str(mask), plan=plan, editor=options["editor"],
            inpainter=options["inpainter"], seed=options["seed"], settings=settings,
        )  # fmt: skip
    _save_edit(found, target, options["save_plan"], as_json)


@click.command("lift")
@click.argument("image", type=FILE)
@click.option("--mask", type=FILE, help="The object [default: the picture's alpha].")
@click.option("-o", "--out", type=FILE, help="GLB, OBJ, PLY or STL [default: NAME.glb].")
@click.option("--preview", type=FILE, help="A turntable: MP4, GIF, WebP, or one PNG.")
@click.option("--faces", type=int, help="Most triangles [40000].")
@click.option("--height", "height_m", type=float, help="Height in metres [1 in the longer side].")
@click.option("--largest-only", is_flag=True, default=None, help="Keep the largest piece only.")
@click.option("--depth", help="A depth model's name, for relief.")
@click.option("--lifter", help="lite, hunyuan3d-worker, triposr-worker, shap-e-worker.")
@click.option("--seed", type=int, default=0)
@settings_options
@json_option
def lift(image: Path, mask: Path | None, out: Path | None, preview: Path | None, as_json: bool, **options: Any) -> None:
    """Turn the cut-out IMAGE into a textured, closed 3D model."""
    from maskwright.assemble.shaping import lift as lift_image
    from maskwright.config.shape import ShapeSettings
    from maskwright.shaping.mesh_files import check_mesh_path
    from maskwright.shaping.turntable import check_preview_path

    settings = _settings(options)
    target = out or Path(f"{image.stem}.glb")
    check_mesh_path(target)
    if preview is not None:
        check_preview_path(preview)
    found = lift_image(str(image), None if mask is None else str(mask), settings=settings, **options)
    found.save(target)
    row = {"mesh": str(target), **found.report}
    if preview is not None:
        shape = settings.section(ShapeSettings)
        found.save_preview(preview, frames=shape.preview_frames, side=shape.preview_side)
        row["preview"] = str(preview)
    closed = "closed" if row["watertight"] else "NOT closed"
    _tell(row, f"{target}  {row['faces']} faces, {closed}, {row['pieces']} piece(s)", as_json)


def _settings(options: dict[str, Any]) -> Any:
    """The resolved settings; takes their three options out of the rest."""
    return read_settings(options.pop("preset"), options.pop("config"), options.pop("assignments"))


def _tell(row: dict[str, Any], text: str, as_json: bool) -> None:
    print_json(row) if as_json else click.echo(text)


def _check_suffix(path: Path, allowed: tuple[str, ...], what: str) -> None:
    if path.suffix.lower() not in allowed:
        raise BadSettings(f"{path}: {what} are written as {', '.join(allowed)}.", "Choose one of these suffixes.")


def _click_name(text: str) -> tuple[tuple[float, float], str]:
    place, equals, name = text.partition("=")
    try:
        x, y = (float(v) for v in place.split(","))
    except ValueError as error:
        raise BadSettings(f"--name {text} is not a click and a name.", "Write --name 120,300='left sleeve'.") from error
    if not equals or not name.strip():
        raise BadSettings(f"--name {text} gives no name.", "Write --name 120,300='left sleeve'.")
    return (x, y), name


def _mannequin(folder: Path, found: Any) -> Path:
    from maskwright.media.images import save_image
    from maskwright.shaping.mannequin import draw_mannequin

    return save_image(folder / "mannequin.png", draw_mannequin(found.image.size, found.parts.keypoints))


def _read_plan(path: Path | None, words: str, character: str | None) -> Any:
    if sum((path is not None, bool(words.strip()), character is not None)) != 1:
        raise BadPhrase(
            "give either words, or --plan, or --character.", 'Example: maskwright edit photo.png "make it red"'
        )
    if path is None:
        return None
    from maskwright.assemble.shaping import read_plan_file

    return read_plan_file(path)


def _save_edit(found: Any, target: Path, save_plan: Path | None, as_json: bool) -> None:
    from maskwright.plumbing.files import write_json

    found.save(target)
    row: dict[str, Any] = {"image": str(target), "drift": found.drift.to_json(), **found.report}
    if found.plan is not None:
        place = save_plan or target.with_name(target.stem + "_plan.json")
        write_json(place, found.plan.to_json())
        row |= {"plan": found.plan.to_json(), "plan_file": str(place)}
    lines = "\n".join(found.report.get("operations", []))
    _tell(row, f"{lines}\n{target}  outside the mask: {found.drift.differing_outside} pixels differ".strip(), as_json)

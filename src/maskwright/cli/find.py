"""`maskwright find`: a phrase, a picture or a folder of them, a mask."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskwright.cli.options import json_option, print_json, read_settings, settings_options
from maskwright.errors import InputError, MaskwrightError

if TYPE_CHECKING:
    from maskwright.assemble.finding import Finder, FindResult
    from maskwright.values import Image


@click.command("find")
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("phrases", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for the results [default: NAME-find].")
@click.option("--all", "every", is_flag=True, default=None, help="Every instance, not only the best.")
@click.option("--mode", type=click.Choice(["one-shot", "loop", "loop+vlm", "loop+text"]), help="How hard to try.")
@click.option("--max-iter", type=int, help="Most rounds.")
@click.option("--segmenter", help="A segmenter's name.")
@click.option("--ranker", help="A ranker's name.")
@click.option("--vlm", help="A vision-language model's name; implies --mode loop+vlm.")
@click.option("--proposer", "proposers", multiple=True, help="A proposer's name; may be repeated.")
@click.option("--sculpt", is_flag=True, default=None, help="Refine the winner with sculpt.")
@settings_options
@json_option
def find(image: Path, phrases: tuple[str, ...], out: Path | None, as_json: bool, **options: Any) -> None:
    """Find what PHRASES name in IMAGE (a picture, or a folder of pictures).

    Writes mask.png, overlay.png and trace.json; several masks with --all are mask-01.png and so on.
    """
    finder = _finder(options)
    pictures = _pictures(image)
    stems = Counter(picture.stem for picture in pictures)
    many = len(pictures) > 1 or image.is_dir() or len(phrases) > 1
    rows: list[dict[str, Any]] = []
    for picture, number, phrase in ((p, n, f) for p in pictures for n, f in enumerate(phrases, 1)):
        folder = (out or Path(f"{image.stem or 'pictures'}-find")) / (
            _item(picture.stem if stems[picture.stem] == 1 else picture.name, number, len(phrases)) if many else ""
        )
        rows.append(_one(finder, picture, phrase, folder, stop_on_error=not many, quiet=as_json))
    if as_json:
        print_json(rows if many else rows[0])
    if any(row["status"] == "failed" for row in rows):
        raise InputError(f"{sum(r['status'] == 'failed' for r in rows)} of {len(rows)} failed.", "See the lines above.")


def _finder(options: dict[str, Any]) -> Finder:
    from maskwright.assemble.finding import Finder
    from maskwright.config.find import FindSettings
    from maskwright.config.settings import with_overrides

    resolved = read_settings(options["preset"], options["config"], options["assignments"])
    mode = options["mode"] or ("loop+vlm" if options["vlm"] else None)
    given = {"all": options["every"], "mode": mode, "max_iter": options["max_iter"], "sculpt": options["sculpt"]}
    given["proposers"] = options["proposers"] or None
    settings = with_overrides(resolved.section(FindSettings), given)
    engines = {kind: options[kind] for kind in ("segmenter", "ranker", "vlm")}
    return Finder(settings, engines=engines, resolved=resolved)


def _pictures(path: Path) -> list[Path]:
    from maskwright.media.images import SUFFIXES

    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    if not found:
        raise InputError(f"{path} holds no pictures.", f"Give a folder of {', '.join(SUFFIXES)} files.")
    return found


def _item(name: str, number: int, phrases: int) -> str:
    return name if phrases == 1 else f"{name}-{number:02d}"


def _one(
    finder: Finder, picture: Path, phrase: str, folder: Path, *, stop_on_error: bool, quiet: bool
) -> dict[str, Any]:
    """One picture and phrase; a failure is a row, unless it is the only one."""
    from maskwright.assemble.inputs import as_image

    try:
        image = as_image(picture)
        result = finder.find(image, phrase)
        row = _written(result, image, folder)
    except MaskwrightError as error:
        if stop_on_error:
            raise
        row = {"phrase": phrase, "status": "failed", "error": error.message}
    row["image"] = str(picture)
    if not quiet:
        click.echo(_told(row))
    return row


def _written(result: FindResult, image: Image, folder: Path) -> dict[str, Any]:
    """Writes the files and gives the row."""
    from maskwright.media.images import save_image, save_mask
    from maskwright.media.pictures import overlay_many
    from maskwright.plumbing.files import write_json
    from maskwright.values import Mask

    for old in (folder / "mask.png", *folder.glob("mask-[0-9][0-9].png")):  # of an earlier phrase
        old.unlink(missing_ok=True)
    files = {"overlay": save_image(folder / "overlay.png", overlay_many(image, result.masks))}
    if not result.abstained:
        files["mask"] = save_mask(folder / "mask.png", result.mask or Mask.empty(*image.size))
    if len(result.masks) > 1:
        for i, mask in enumerate(result.masks, 1):
            files[f"mask-{i:02d}"] = save_mask(folder / f"mask-{i:02d}.png", mask)
    write_json(folder / "trace.json", result.trace.to_json())
    files["trace"] = folder / "trace.json"
    row = result.to_json()
    del row["masks"]
    return {**row, "instances": len(result.masks), "files": {k: str(v) for k, v in files.items()}}


def _told(row: dict[str, Any]) -> str:
    if row["status"] == "failed":
        return f"{row['image']}: {row['phrase']}: failed: {row['error']}"
    if row["status"] == "abstained":
        return f"{row['image']}: {row['phrase']}: no such thing ({row['reason']})"
    what = f"{row['instances']} instances" if row["instances"] > 1 else "found"
    place = row["files"]["mask"]
    return f"{row['image']}: {row['phrase']}: {what}, {row['score']:.0%} sure ({row['reason']}) -> {place}"

"""`maskwright bench erase`: fills measured against the truth, what each part is worth, and finished removals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from maskwright.cli.options import json_option, print_json, read_settings, settings_options
from maskwright.errors import BadSettings

PATH = click.Path(path_type=Path)


@click.command("erase")
@click.option("--data", type=PATH, help="A folder of clips, frames/ and masks/ in each.")
@click.option("--filler", help="The filler that is measured [the one of the settings].")
@click.option("--size", default="432x240", show_default=True, metavar="WxH")
@click.option("--lpips-weights", type=PATH, help="Folder with alexnet-owt-7be5be79.pth and lpips' alex.pth.")
@click.option("--vfid-weights", type=PATH, help="i3d_rgb_imagenet.pt.")
@click.option("--ablate", is_flag=True, help="Anchor x text x guidance scale, and whose caption it is.")
@click.option("--scales", default="1.5,2,3", show_default=True, help="Guidance scales of --ablate.")
@click.option("--words", type=PATH, help="JSON: clip's name -> its background in your words (for --ablate).")
@click.option("--run", "run_folder", type=PATH, help="Measure a finished erase run instead (no truth is needed).")
@click.option("--phrase", help="With --run: what was removed; is it still found?")
@settings_options
@json_option
def erase_command(data: Path | None, run_folder: Path | None, as_json: bool, **options: Any) -> None:
    """Fill made holes whose truth is known, or measure a finished run."""
    if (data is None) == (run_folder is None):
        raise BadSettings("say what is to be measured, in one way.", "Give --data CLIPS or --run OUT.")
    resolved = read_settings(options["preset"], options["config"], options["assignments"])
    if run_folder is not None:
        found = _removals(run_folder, options["phrase"], resolved)
    elif options["ablate"]:
        found = _ablation(data, options, resolved)
    else:
        found = _completion(data, options, resolved)
    if as_json:
        print_json(found)
        return
    for name in ("rows", "modes", "captions"):
        click.echo(_table(found.get(name, [])))
    for name, value in {**found.get("mean", {}), **found.get("skipped", {})}.items():
        click.echo(f"{name}: {value}")


def _engines(options: dict[str, Any], resolved: Any) -> Any:
    from maskwright.assemble.erasing import erase_settings, make_engines
    from maskwright.config.erase import EraseSettings

    return make_engines(erase_settings(resolved.section(EraseSettings), {"filler": options.get("filler")}), resolved)


def _completion(data: Any, options: dict[str, Any], resolved: Any) -> dict[str, Any]:
    from maskwright.bench.erase import Weights, bench_erase
    from maskwright.cli.erase import read_size

    weights = Weights(options["lpips_weights"], options["vfid_weights"])
    filler = _engines(options, resolved).filler("filler")
    return bench_erase(data, filler, size=read_size(options["size"]) or (432, 240), weights=weights, tell=_told)


def _ablation(data: Any, options: dict[str, Any], resolved: Any) -> dict[str, Any]:
    from maskwright.bench.erase_ablation import Parts, ablate
    from maskwright.bench.erase_cases import completion_cases
    from maskwright.cli.erase import read_size
    from maskwright.plumbing.files import read_json

    engines = _engines(options, resolved)
    words = read_json(options["words"]) if options["words"] else {}
    if not isinstance(words, dict):
        raise BadSettings(f"{options['words']} is no JSON object.", 'Write {"clip": "its background", ...}.')
    filler, prior = engines.filler("filler"), engines.filler("coarse")
    parts = Parts(filler, engines.inpainter(), engines.captioner(), prior if prior is not filler else None, words)
    return ablate(completion_cases(data, read_size(options["size"]) or (432, 240)), parts,
                  scales=_scales(options["scales"]), tell=_told)  # fmt: skip


def _scales(text: str) -> list[float]:
    from maskwright.erasing.guiding import check_scale

    try:
        scales = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise BadSettings(f"{text!r} is no list of numbers.", "Write --scales 1.5,2,3.") from error
    for scale in scales:
        check_scale(scale)
    return scales


def _removals(folder: Path, phrase: str | None, resolved: Any) -> dict[str, Any]:
    from maskwright.bench.erase_removal import bench_removals

    return bench_removals(folder, phrase=phrase, find=_engines({}, resolved).find)


def _told(row: dict[str, Any]) -> None:
    click.echo(f"{row['case']}: " + ", ".join(f"{k} {v}" for k, v in row.items() if k != "case"), err=True)


def _table(rows: list[dict[str, Any]]) -> str:
    from maskwright.bench.report import tables

    flat = [_flat(row) for row in rows]
    heads = list(dict.fromkeys(key for row in flat for key in row))
    return tables.markdown([heads, *([str(row.get(key, "")) for key in heads] for row in flat)]) if rows else ""


def _flat(row: dict[str, Any], before: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in row.items():
        more = _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
        out |= more
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in out.items()}

"""`maskwright batch`: a folder, a glob, a .jsonl, .csv or .parquet, or the classic layout -> a run folder."""

from __future__ import annotations

import glob
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maskwright.cli.options import json_option, print_json, read_settings, run_place, settings_options

if TYPE_CHECKING:
    from maskwright.runs.batch import Batch
    from maskwright.runs.jobs import Rows

KINDS = ("find", "segment", "sculpt", "cut", "parts", "lift")
_CONDUCT = ("strict", "cache", "per_minute", "max_calls", "max_tokens", "max_usd", "item_calls", "item_usd",
            "workers", "in_flight", "max_seconds")  # fmt: skip


@click.command("batch")
@click.argument("source")
@click.option("-o", "--out", type=run_place, help="The run folder, or a URL [default: SOURCE-run].")
@click.option("--do", "kind", type=click.Choice(KINDS), help="What to do [default: what the rows fit].")
@click.option("--phrase", help="One phrase for all.")
@click.option("--target", help="One target for all (sculpt).")
@click.option("--auto", is_flag=True, help="Take the classic layout in SOURCE (images/, box_out/, llm_out/).")
@click.option("--samples", help="Names in the classic layout, a,b,c.")
@click.option("--workers", type=int, help="Processes [default: one for two cores; 1 with a vision-language model].")
@click.option("--in-flight", type=int, help="Items in hand at once in each process.")
@click.option("--vlm", help="A vision-language model's name; implies find.mode=loop+vlm.")
@click.option("--on", "where", type=click.Choice(["local", "ray"]), default="local", help="Where to work.")
@click.option("--address", help="A Ray cluster's address (auto: the one this machine belongs to).")
@click.option("--gpus", type=click.FloatRange(min=0), default=0.0, help="Share of a GPU for each Ray actor.")
@click.option("--max-calls", type=int, help="Most questions in all.")
@click.option("--max-tokens", type=int, help="Most tokens in all.")
@click.option("--max-usd", type=float, help="Most money in all.")
@click.option("--max-seconds", type=float, help="Most time in all.")
@click.option("--item-calls", type=int, help="Most questions an item.")
@click.option("--item-usd", type=float, help="Most money an item.")
@click.option("--per-minute", type=float, help="Questions a minute.")
@click.option("--cache", type=click.Path(dir_okay=False), help="Answers shared by runs (a SQLite file).")
@click.option("--replay", type=click.Path(file_okay=False), help="Take every answer from this run's record.")
@click.option("--strict", is_flag=True, default=None, help="A fallback is a failure.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for a run folder in use."
)
@click.option("--dry-run", is_flag=True, help="List what would be done, with estimates.")
@settings_options
@json_option
def batch(source: str, **options: Any) -> None:
    """Do the same to every item of SOURCE; interrupted, the same command goes on.

    Exit code: 0 all done, 8 some failed, 7 stopped, 6 a budget was spent.
    """
    rows, kind = read_source(source, options)
    made = make_batch(source, rows, kind, options)
    if options["dry_run"]:
        tell_plan(made, as_json=options["as_json"])
        return
    cluster = {"address": options["address"], "gpus": options["gpus"]} if options["where"] == "ray" else None
    run_and_tell(made, as_json=options["as_json"], cluster=cluster)


def read_source(source: str, options: dict[str, Any]) -> tuple[Rows, str]:
    """The rows and the kind of batch they are for."""
    from maskwright.runs.classic import is_classic, read_classic
    from maskwright.runs.jobs import read_jobs

    said = {name: options[name] for name in ("phrase", "target") if options[name]}
    classic = options["auto"] or options["samples"] or is_classic(Path(source))
    kind = options["kind"] or ("sculpt" if classic else "find" if options["phrase"] else _guess(source))
    if classic:
        samples = tuple(s.strip() for s in (options["samples"] or "").split(",") if s.strip())
        return read_classic(source, kind, samples=samples, defaults=said), kind
    return read_jobs(source, kind, defaults=said), kind


def _guess(source: str) -> str:
    """find where rows carry a phrase, sculpt where they carry a mask, segment where a box or points."""
    from maskwright.errors import BadSettings
    from maskwright.runs.jobs import Job, read_jobs

    jobs = [row for row in read_jobs(source, "parts") if isinstance(row, Job)][:100]
    for kind, names in (("find", ("phrase",)), ("sculpt", ("mask",)), ("segment", ("box", "points"))):
        if any(getattr(job, name) for job in jobs for name in names):
            return kind
    raise BadSettings("what to do with the items is not clear.", f"Name it: --do {'|'.join(KINDS)}, or give --phrase.")


def make_batch(source: str, rows: Rows, kind: str, options: dict[str, Any]) -> Batch:
    """The batch that the options describe."""
    from maskwright.assemble.batching import asks, make_spec
    from maskwright.assemble.sculpting import judge_choice
    from maskwright.config.runs import RunsSettings
    from maskwright.config.settings import merge, resolve, with_overrides
    from maskwright.errors import BadSettings
    from maskwright.plumbing.store import is_url
    from maskwright.runs.batch import Batch, place_of

    settings = read_settings(options["preset"], options["config"], options["assignments"])
    if options["vlm"]:
        values = {k: v for k, v in settings.to_json().items() if k != "preset"}
        asked = judge_choice(settings, options["vlm"]) if kind == "sculpt" else {"name": options["vlm"]}
        values = merge(values, {"models": {"judge" if kind == "sculpt" else "vlm": asked}})
        if values["find"]["mode"] not in ("loop+vlm", "loop+text"):
            values["find"]["mode"] = "loop+vlm"
        settings = resolve(values, preset=settings.preset, environment={})
    runs = with_overrides(settings.section(RunsSettings), {name: options[name] for name in _CONDUCT})
    out, url = place_of(options["out"] or Path(f"{_name_of(source)}-run"))
    conduct = runs.model_dump()
    if is_url(options["replay"]):
        raise BadSettings("--replay takes a run folder on this machine.", "Copy the run folder here first.")
    replay = None if options["replay"] is None else str(Path(options["replay"]).absolute())
    conduct |= {"record": str(out.absolute()), "replay": replay}
    spec = make_spec(kind, settings, conduct)
    return Batch(out, spec, rows, conduct_of(runs, asking=asks(spec)), options["wait_s"], url)


def _name_of(source: str) -> str:
    """What a run folder is named by: the file, the folder, or the folder that a glob begins with."""
    parts = list(itertools.takewhile(lambda part: not glob.has_magic(part), Path(source).parts))
    return Path(*parts).absolute().stem or "batch"


def conduct_of(runs: Any, *, asking: bool) -> Any:
    """How many processes and items at once."""
    from maskwright.runs.pool import Conduct

    return Conduct.suited(
        asking=asking,
        workers=runs.workers,
        in_flight=runs.in_flight,
        tries=runs.tries,
        max_seconds=runs.max_seconds,
    )


def tell_plan(made: Batch, *, as_json: bool) -> None:
    """What would be done, on stdout."""
    from maskwright.assemble.estimating import estimate
    from maskwright.runs.jobs import BadRow

    bad = [row for row in made.rows if isinstance(row, BadRow)]
    plan = {"out": where(made), "do": made.spec.kind, "items": len(made.rows), "unusable": len(bad)}
    plan |= estimate(made.spec, len(made.rows) - len(bad))
    if as_json:
        print_json({**plan, "ids": [row.id for row in made.rows], "errors": {row.id: row.error for row in bad}})
        return
    for row in made.rows[:20]:
        click.echo(f"{row.id}: {row.error if isinstance(row, BadRow) else row.image}")
    if len(made.rows) > 20:
        click.echo(f"... and {len(made.rows) - 20} more")
    for name, value in plan.items():
        click.echo(f"{name:15} {value}")


def where(made: Batch) -> str:
    """The run folder as it may be shown."""
    from maskwright.plumbing.store import shown

    return shown(made.url or str(made.out))


def run_and_tell(made: Batch, *, as_json: bool, cluster: dict[str, Any] | None = None) -> None:
    """Runs it here (or over a Ray `cluster`: address, gpus) with a display, tells the summary, exits with its code."""
    from maskwright.cli.progress import Display, table

    with Display(len(made.rows), quiet=as_json) as display:
        if cluster is not None:
            from maskwright.runs.ray_pool import run_on_ray

            summary = run_on_ray(made, on_row=display, **cluster)
        else:
            summary = made.run(display)
    if as_json:
        print_json(summary)
    else:
        click.echo(table(summary))
        click.echo(f"{'results':9} {where(made)}")
    if summary["exit_code"]:
        sys.stdout.flush()
        sys.stderr.flush()
        if summary["stopped_by"] == "Cancelled":
            os._exit(summary["exit_code"])  # threads that were told to stop at once may still be at work
        sys.exit(summary["exit_code"])

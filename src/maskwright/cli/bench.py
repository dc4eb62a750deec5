"""`maskwright bench`: every claim measured. Each shortcut writes an experiment file, runs it and reports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from maskwright.cli.erase_bench import erase_command
from maskwright.cli.options import json_option, print_json
from maskwright.errors import BadSettings, InputError, MissingError

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("bench")
def bench() -> None:
    """Measure find (data sets, modes, reliability, cost, reports) and erase."""


bench.add_command(erase_command)


def _data_options(command: Command) -> Command:
    """Which samples and which engines."""
    for option in (
        click.option("--data", "root", help="Where the data set lies (a folder or JSONL)."),
        click.option("--dataset", "data_name", help="sample, listed, refcoco-m, refcoco, refcoco+, refcocog, ..."),
        click.option("--split", help="The split; for sample: how many scenes, or frozen."),
        click.option("-n", "count", type=int, help="Only the first N samples."),
        click.option("--engines", default="lite", show_default=True, help="SEGMENTER[/RANKER[/PROPOSER[+PROPOSER]]]."),
        click.option("--vlm", help="The vision-language model of the modes that ask one."),
        click.option("--oracle", "oracle", help="Ask a judge that knows the truth: its error rates, e.g. 0,0.1,0.2."),
        click.option("--modes", default="one-shot,loop", show_default=True, help="one-shot,loop,loop+vlm,loop+text."),
        click.option("--max-iter", default="3", show_default=True, help="Most rounds; several by commas."),
        click.option("--seed", default=0, show_default=True),
        click.option("--resamples", default=2000, show_default=True, help="Bootstrap resamples."),
        click.option("-o", "--out", type=click.Path(path_type=Path), help="The run folder."),
        click.option("--timings/--no-timings", default=True, help="Keep timings in the report."),
        json_option,
    ):
        command = option(command)
    return command


@bench.command()
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The run folder [default: bench-NAME].")
@click.option("--timings/--no-timings", default=True, help="Keep timings in the report.")
@json_option
def run(experiment: Path, out: Path | None, timings: bool, as_json: bool) -> None:
    """Run (or go on with) an experiment file."""
    from maskwright.bench.experiment import read_experiment

    _run(read_experiment(experiment), out or Path(f"bench-{experiment.stem}"), as_json=as_json, timings=timings)


def _shortcut(name: str, about: str, **fixed: Any) -> None:
    """A command that runs an experiment made from its options."""

    @bench.command(name, help=about)
    @_data_options
    def command(**options: Any) -> None:
        from maskwright.bench.shortcuts import shortcut

        as_json, timings, out = options.pop("as_json"), options.pop("timings"), options.pop("out")
        if options["data_name"] is None:
            options["data_name"] = fixed.get("data_name") or ("listed" if options["root"] else "sample")
        conditions = fixed.get("conditions", ("clean",))
        experiment = shortcut(title=f"{name}: {options['data_name']}", conditions=conditions, **options)
        _run(experiment, out or Path(f"bench-{name}"), as_json=as_json, timings=timings)


_shortcut("refcoco-m", "RefCOCO-M (validation), from the hub or a copy given with --data.", data_name="refcoco-m")
_shortcut("modes", "Modes side by side on any data set (the embedded sample set by default).")
_shortcut("sizes", "Small, medium and large targets.")
_shortcut("cost", "Calls, tokens, money, seconds and memory, by stage.")
_shortcut(
    "reliability",
    "Noise, blur, JPEG, darkness, small pictures, occlusion, typing errors, paraphrases; drops relative to clean.",
    conditions="default",
)


@bench.command()
@_data_options
@click.option("--vary", multiple=True, metavar="SETTING=A,B,...", help="A setting of find and its values; repeatable.")
def ablate(vary: tuple[str, ...], **options: Any) -> None:
    """Change one setting of find at a time, e.g. --vary tau_conf=0.4,0.8 --vary finer_regions=0,4."""
    from maskwright.bench.shortcuts import ablation, shortcut

    if not vary:
        raise BadSettings("nothing varies.", "Give --vary SETTING=A,B,...")
    as_json, timings, out = options.pop("as_json"), options.pop("timings"), options.pop("out")
    options["data_name"] = options["data_name"] or ("listed" if options["root"] else "sample")
    experiment = ablation(shortcut(title="ablation", conditions=("clean",), **options), vary)
    _run(experiment, out or Path("bench-ablate"), as_json=as_json, timings=timings)


@bench.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--pictures/--no-pictures", default=True, help="Draw cases (needs the data set).")
@click.option("--timings/--no-timings", default=True, help="Keep timings in the report.")
@json_option
def report(folder: Path, pictures: bool, timings: bool, as_json: bool) -> None:
    """Write report.html, report.md and report.json of a run folder again."""
    _report(folder, as_json=as_json, pictures=pictures, timings=timings)


@bench.command()
@click.argument("folder", type=click.Path(path_type=Path))
def cases(folder: Path) -> None:
    """Draw the cases of a run folder: most improved, most degraded, unchanged, abstained."""
    from maskwright.assemble.benching import open_data
    from maskwright.bench.cases import draw_cases
    from maskwright.bench.rows import read_results
    from maskwright.bench.summary import summarise_run

    results = read_results(folder)
    drawn = list(draw_cases(results, open_data(results.experiment.data), summarise_run(results)))
    if not drawn:
        raise InputError(f"{folder} has no cases.", "Cases compare the first and the last of two variants or more.")
    for case in drawn:
        click.echo(f"{case.kind}: {case.phrase}: {case.caption} -> {case.file}")


@bench.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-B", "--resamples", default=2000, show_default=True)
@click.option("--seed", default=0, show_default=True)
@json_option
def bootstrap(folder: Path, resamples: int, seed: int, as_json: bool) -> None:
    """Intervals of a run's IoU, and of the differences between its variants, with other resamples or another seed."""
    from maskwright.bench.report import tables
    from maskwright.bench.rows import read_results
    from maskwright.bench.shortcuts import with_resamples
    from maskwright.bench.summary import summarise_run

    results = with_resamples(read_results(folder), resamples, seed)
    found = summarise_run(results)
    if as_json:
        print_json({"table": found["table"], "comparisons": found["comparisons"]})
        return
    click.echo(tables.markdown(tables.quality(found)))
    click.echo(tables.markdown(tables.comparisons(found)))


@bench.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--variant", "names", multiple=True, help="A variant's name; twice for two [default: the last of each].")
@json_option
def compare(first: Path, second: Path, names: tuple[str, ...], as_json: bool) -> None:
    """The paired difference of two runs over the samples that both have."""
    from maskwright.bench.report import tables
    from maskwright.bench.shortcuts import compare_runs

    found = compare_runs(first, second, names)
    if as_json:
        print_json(found)
        return
    click.echo(tables.markdown(tables.comparisons({"comparisons": [found]})))


# -- running


def _run(experiment: Any, folder: Path, *, as_json: bool, timings: bool) -> None:
    """Runs, shows progress on stderr, reports."""
    from maskwright.assemble.benching import open_data, run_bench

    dataset = open_data(experiment.data)
    last = -1
    for progress in run_bench(experiment, folder, dataset=dataset):
        percent = 100 * progress.done // progress.total
        if percent != last:
            last = percent
            name = f"{progress.job.variant.name} {progress.job.condition}"
            click.echo(f"\r{progress.done}/{progress.total} {name[:50]:50}", err=True, nl=not sys.stderr.isatty())
    _report(folder, as_json=as_json, pictures=True, timings=timings)


def _report(folder: Path, *, as_json: bool, pictures: bool, timings: bool) -> None:
    from maskwright.assemble.benching import open_data
    from maskwright.bench.report import tables, write_report
    from maskwright.bench.rows import read_results

    results = read_results(folder)
    dataset = None
    if pictures:
        try:
            dataset = open_data(results.experiment.data)
        except (InputError, MissingError) as error:
            click.echo(f"no pictures of cases: {error.message} (--no-pictures says nothing)", err=True)
    written = write_report(results, dataset, timings=timings)
    if as_json:
        print_json({**written.report, "files": {"html": str(written.html), "markdown": str(written.markdown)}})
        return
    for line in tables.warnings(written.report):
        click.echo(line, err=True)
    click.echo(tables.markdown(tables.quality(written.report)))
    if len(written.report["comparisons"]):
        click.echo(tables.markdown(tables.comparisons(written.report)))
    click.echo(f"report: {written.html}")
